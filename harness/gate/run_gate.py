"""Run a gate: both cells, latency, decision and cause; write its files, and decide it again from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec

from harness.cell.interface import load_checks
from harness.errors import HarnessError, MachineError, UsageError
from harness.files import describe_os_error, write_text
from harness.gate.blocks import read_blocks, read_invalid_blocks
from harness.gate.cause.stage import CauseRequest, find_cause
from harness.gate.cause.symptoms import find_symptoms, keep_cause
from harness.gate.measuring import SpeedDecisions, decide_from_blocks, measure_speed
from harness.gate.prepare import PreparedGate, runs_nothing
from harness.gate.repeats import confirm_from_files, repeat_new_cases
from harness.judge.acknowledgement import accept_nothing, decide_acknowledged, without_quantities
from harness.judge.confirmation import REPEATS
from harness.judge.gate_verdict import decide, refuse
from harness.records import (
    BASELINE,
    CANDIDATE,
    Confirmation,
    Culprit,
    Decision,
    Gate,
    Notify,
    Plan,
    Progress,
    Question,
    Run,
    Speed,
)
from harness.resolve.pip_settings import IndexSettings
from harness.runs.documents import read_gate, render_gate_json, render_gate_schema, render_json
from harness.runs.folder import GATE_FILE, RunFolder, judge_again, read_run
from harness.sweep.run_sweep import Request, measure_plan

# Write the files of a gate, and decide it again from them.

Render = Callable[[Gate, Run | None, Path], None]
"""Renders a gate into its folder; the run is None if no cell was judged."""

INTERRUPTED = "The gate was interrupted before its decision"
"""The sentence of a gate from its start until its decision."""

EQUAL = "Nothing under test changes: both environments are the same, so nothing was compared"
"""The sentence of a gate over two equal environments, if these are allowed."""


def write_gate(  # noqa: PLR0913 - one parameter a part of the gate
    run: Run,
    question: Question,
    folder: Path,
    render: Render,
    *,
    speed: Speed | None = None,
    culprit: Culprit | None = None,
    accept_known: bool = False,
    confirmations: tuple[Confirmation, ...] = (),
    repeats: int = REPEATS,
) -> Gate:
    """Decide a gate and write all its files; ``repeats`` of newly red cases were planned.

    Raises:
        OSError: a file cannot be written.
    """
    decision = decide_acknowledged(
        run.judgement,
        speed,
        question,
        culprit,
        accept_known=accept_known,
        confirmations=confirmations,
        checks=load_checks(),
    )
    gate = msgspec.structs.replace(
        _make_gate(run.plan, question, decision),
        speed=speed,
        culprit=culprit,
        judged=("correctness", *dict.fromkeys(_measured_kinds(speed))),
        repeats=repeats,
    )
    write_text(folder / "results.json", render_json(run))
    _write_files(gate, run, folder, render)
    return gate


def begin_gate(  # noqa: PLR0913 - one parameter a part of the gate
    plan: Plan, question: Question, speed: Speed | None, render: Render, folder: Path, *, accept_known: bool
) -> None:
    """Write a gate without a decision; it remains if the gate is interrupted.

    ``speed`` has the planned quantities, which can be decided later from the stored blocks.

    Raises:
        OSError: a file cannot be written.
    """
    decision = Decision(verdict="inconclusive", sentence=INTERRUPTED, accepted=accept_known)
    gate = _make_gate(plan, question, decision)
    _write_files(msgspec.structs.replace(gate, speed=speed, repeats=REPEATS), None, folder, render)


def _measured_kinds(speed: Speed | None) -> Iterator[Literal["latency", "memory"]]:
    for each in () if speed is None else speed.quantities:
        yield "latency" if each.quantity.unit == "s" else "memory"


def _make_gate(plan: Plan, question: Question, decision: Decision) -> Gate:
    return Gate(
        run=plan.run,
        matrix=plan.matrix,
        created=plan.created,
        commit=plan.commit,
        question=question,
        decision=decision,
    )


def write_gate_without_run(
    plan: Plan, question: Question, reports: Path, render: Render
) -> tuple[Gate, Path]:
    """Write a gate that ``runs_nothing``; return it with its folder.

    Raises:
        MachineError: a file cannot be written.
    """
    try:
        folder = RunFolder.create(reports / "runs", plan)
        gate = _decide_without_run(plan, question, folder.path, render)
        folder.finish()
    except OSError as error:
        raise MachineError(
            f"the run cannot be written: {describe_os_error(error)}; name another folder with --reports"
        ) from error
    return gate, folder.path


def _decide_without_run(plan: Plan, question: Question, folder: Path, render: Render) -> Gate:
    reason = plan.cells[-1].lock.reason
    decision = refuse(reason) if reason else Decision(verdict="pass", sentence=EQUAL)
    gate = _make_gate(plan, question, accept_nothing(decision, question))
    if not reason:
        gate = msgspec.structs.replace(gate, judged=())
    _write_files(gate, None, folder, render)
    return gate


def _write_files(gate: Gate, run: Run | None, folder: Path, render: Render) -> None:
    write_text(folder / GATE_FILE, render_gate_json(gate))
    write_text(folder / "gate-schema.json", render_gate_schema())
    render(gate, run, folder)


def is_gate(folder: Path) -> bool:
    """Whether the folder of a run contains a gate."""
    return (folder / GATE_FILE).exists()


def find_problems(folder: Path) -> tuple[str, ...]:
    """List the files of a gate that cannot be read or have changed.

    Raises:
        UsageError: the folder is not that of a gate.
    """
    stored = read_run(folder)
    return () if runs_nothing(stored.plan) else stored.problems


def decide_again(folder: Path, render: Render) -> Gate:
    """Decide and render a gate again from the files in its folder; a deleted result counts as missing.

    The cause is kept while all failures that it explains are still present. Latency is decided from the
    stored blocks, also of an interrupted gate.

    Raises:
        UsageError: the folder is not that of a gate, or has files of different runs.
        MachineError: a block has a value that gives no ratio.
    """
    before = read_gate(folder / GATE_FILE)
    run, stored = judge_again(folder)
    _refuse_mixed(before, stored.plan, folder)
    if runs_nothing(stored.plan):
        return _decide_without_run(stored.plan, before.question, folder, render)
    if stored.problems and not stored.finished:
        return before  # a result that does not exist yet must not count as missing
    speed = None
    if before.speed is not None:
        speed = decide_from_blocks(before.speed, read_blocks(folder), read_invalid_blocks(folder))
    accepted = before.decision.accepted
    confirmations = confirm_from_files(run, folder, before.repeats, accept_known=accepted)
    decision = decide(run.judgement, speed, accept_known=accepted, confirmations=confirmations)
    symptoms = find_symptoms(decision, speed, run.judgement.findings)
    return write_gate(
        run,
        before.question,
        folder,
        render,
        speed=speed,
        culprit=keep_cause(before.culprit, decision, symptoms),
        accept_known=accepted,
        confirmations=confirmations,
        repeats=before.repeats,
    )


def _refuse_mixed(gate: Gate, plan: Plan, folder: Path) -> None:
    """Check that the plan in the folder of a gate belongs to the gate."""
    cells = [planned.cell.id for planned in plan.cells]
    if cells != [BASELINE, CANDIDATE]:
        raise UsageError(
            f"{folder / 'plan.json'}: expected the cells {BASELINE} and {CANDIDATE} of a gate, found: "
            f"{', '.join(cells) or 'none'}"
        )
    if gate.run != plan.run:
        raise UsageError(
            f"{folder / GATE_FILE}: of run {gate.run}, but the plan in its folder is of run {plan.run}"
        )


async def run_gate(
    prepared: PreparedGate, request: Request, settings: IndexSettings, notify: Notify, render: Render
) -> tuple[Gate, Path]:
    """Run both cells, confirm what is newly red, measure latency, decide, search for the cause.

    Returns the gate with its folder.

    The folder is marked as unfinished until the end. An interrupted gate can be decided from its results
    and blocks.

    Raises:
        HarnessError: the harness or the machine failed; a failed cell has a status instead.
    """
    plan, question, quantities = prepared.plan, prepared.question, prepared.quantities
    if prepared.runs_nothing:
        return write_gate_without_run(plan, question, request.reports, render)
    budget = prepared.options.budget or request.matrix.gate.budget_seconds
    planned_speed = SpeedDecisions(quantities).summarize(spent=0.0, budget=budget) if quantities else None
    accepted = prepared.options.accept_known
    begin = partial(begin_gate, plan, question, planned_speed, render, accept_known=accepted)
    without_latency = replace(request, options=replace(request.options, latency=False))
    run, folder = await measure_plan(without_latency, plan, settings, notify, begin)
    confirmations = await repeat_new_cases(run, request, settings, notify, folder, accept_known=accepted)
    speed = None
    write = partial(
        write_gate, run, question, folder, render, accept_known=accepted, confirmations=confirmations
    )
    if quantities and _can_be_timed(decide(run.judgement, accept_known=True)):
        known = write(speed=planned_speed)  # correctness is kept even if measuring fails
        notify(Progress(cell="", stage="waiting", note="environments and models for latency"))
        try:
            speed = await measure_speed(
                plan, request, quantities, settings, notify, budget=budget, folder=folder
            )
        except (HarnessError, OSError) as error:
            if known.decision.verdict != "regressed":
                raise
            speed = planned_speed
            notify(Progress(cell="", stage="note", note=f"latency could not be measured: {error}"))
    gate = write(speed=speed)
    if gate.decision.verdict == "regressed" and prepared.options.culprit:
        cause_request, seconds = _request_cause(prepared, run, gate), prepared.options.culprit_budget
        culprit = await find_cause(cause_request, request, settings, notify, folder, seconds=seconds)
        gate = write(speed=speed, culprit=culprit)
    RunFolder(folder).finish()
    return gate, folder


def _can_be_timed(decision: Decision) -> bool:
    """Whether both cells ran to the end; skipped checks do not prevent timing."""
    alive = all(cell.status in {"ok", "failed"} for cell in decision.cells)
    return alive and decision.verdict in {"pass", "failing, nothing new", "regressed"}


def _request_cause(prepared: PreparedGate, run: Run, gate: Gate) -> CauseRequest:
    """The input of the search for the cause, of what nobody has accepted."""
    accepted = frozenset(name for each in gate.decision.acknowledged for name in each.quantities)
    return CauseRequest(
        comparison=prepared.comparison,
        diff=prepared.question.diff,
        plan=prepared.plan,
        decision=gate.decision,
        findings=run.judgement.findings,
        speed=without_quantities(gate.speed, accepted),
    )
