"""A gate as it runs: both cells, latency, the decision, the cause, and what is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec

from harness.errors import HarnessError, MachineError, UsageError
from harness.files import describe_os_error, write_text
from harness.gate.blocks import read_blocks, read_invalid_blocks
from harness.gate.cause.stage import CauseRequest, find_culprit
from harness.gate.cause.symptoms import find_symptoms, keep_culprit
from harness.gate.measuring import Verdicts, decide_from_blocks, measure_speed
from harness.gate.prepare import Prepared, runs_nothing
from harness.judge.gate_verdict import decide, refuse
from harness.records import (
    BASELINE,
    CANDIDATE,
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

# What a gate leaves in its folder: written, told from a sweep, and decided again from there.

Render = Callable[[Gate, Run | None, Path], None]
"""Renders a gate into its folder; there is no run where nothing of it has been judged."""

CUT_OFF = "The gate was cut off before it came to a decision"
"""Stands in the folder of a gate from its first moment on."""

EQUAL = "Nothing under test changes: both environments are the same, so nothing was compared"
"""The sentence of a gate that was allowed to have nothing to do."""


def write_gate(  # noqa: PLR0913 - one parameter a part of the gate
    run: Run,
    question: Question,
    folder: Path,
    render: Render,
    *,
    speed: Speed | None = None,
    culprit: Culprit | None = None,
    accept_known: bool = False,
) -> Gate:
    """Decide, and write everything that a gate leaves.

    Raises:
        OSError: it cannot be written.
    """
    gate = msgspec.structs.replace(
        _gate(run.plan, question, decide(run.judgement, speed, accept_known=accept_known)),
        speed=speed,
        culprit=culprit,
        judged=("correctness", *dict.fromkeys(_kinds(speed))),
    )
    write_text(folder / "results.json", render_json(run))
    _write_files(gate, run, folder, render)
    return gate


def begin_gate(  # noqa: PLR0913 - one parameter a part of the gate
    plan: Plan, question: Question, speed: Speed | None, render: Render, folder: Path, *, accept_known: bool
) -> None:
    """Write a gate that has not come to a decision yet: that is what it is where it is cut off.

    ``speed`` says what is planned, so that it can be decided later from the blocks that are there.

    Raises:
        OSError: it cannot be written.
    """
    decision = Decision(verdict="inconclusive", sentence=CUT_OFF, accepted=accept_known)
    gate = _gate(plan, question, decision)
    _write_files(msgspec.structs.replace(gate, speed=speed), None, folder, render)


def _kinds(speed: Speed | None) -> Iterator[Literal["latency", "memory"]]:
    for each in () if speed is None else speed.quantities:
        yield "latency" if each.quantity.unit == "s" else "memory"


def _gate(plan: Plan, question: Question, decision: Decision) -> Gate:
    return Gate(
        run=plan.run,
        matrix=plan.matrix,
        created=plan.created,
        commit=plan.commit,
        question=question,
        decision=decision,
    )


def write_unrun(plan: Plan, question: Question, reports: Path, render: Render) -> tuple[Gate, Path]:
    """Write a gate that ``runs_nothing``; returns its folder too.

    Raises:
        MachineError: it cannot be written.
    """
    try:
        folder = RunFolder.create(reports / "runs", plan)
        gate = _decide_unrun(plan, question, folder.path, render)
        folder.finish()
    except OSError as error:
        raise MachineError(
            f"the run cannot be written: {describe_os_error(error)}; name another folder with --reports"
        ) from error
    return gate, folder.path


def _decide_unrun(plan: Plan, question: Question, folder: Path, render: Render) -> Gate:
    reason = plan.cells[-1].lock.reason
    if reason:
        gate = _gate(plan, question, refuse(reason))
    else:
        equal = _gate(plan, question, Decision(verdict="pass", sentence=EQUAL))
        gate = msgspec.structs.replace(equal, judged=())
    _write_files(gate, None, folder, render)
    return gate


def _write_files(gate: Gate, run: Run | None, folder: Path, render: Render) -> None:
    write_text(folder / GATE_FILE, render_gate_json(gate))
    write_text(folder / "gate-schema.json", render_gate_schema())
    render(gate, run, folder)


def is_gate(folder: Path) -> bool:
    """Whether the folder of a run is that of a gate."""
    return (folder / GATE_FILE).exists()


def find_problems(folder: Path) -> tuple[str, ...]:
    """What could not be read of a gate that ran, or is not what it wrote.

    Raises:
        UsageError: it is not the folder of a gate.
    """
    stored = read_run(folder)
    return () if runs_nothing(stored.plan) else stored.problems


def decide_again(folder: Path, render: Render) -> Gate:
    """Decide and render a gate once more from what lies in its folder; a result that is gone is missing.

    Its culprit stays where what was looked for is still what speaks against the candidate.

    Latency is decided from the blocks that it left, also where it was cut off before it came to a decision.

    Raises:
        UsageError: it is not the folder of a gate, or holds files of different runs.
        MachineError: a block holds a value that is no ratio.
    """
    before = read_gate(folder / GATE_FILE)
    run, stored = judge_again(folder)
    _refuse_mixed(before, stored.plan, folder)
    if runs_nothing(stored.plan):
        return _decide_unrun(stored.plan, before.question, folder, render)
    if stored.problems and not stored.finished:
        return before  # a result that is not there yet says nothing of the candidate
    speed = None
    if before.speed is not None:
        speed = decide_from_blocks(before.speed, read_blocks(folder), read_invalid_blocks(folder))
    accepted = before.decision.accepted
    decision = decide(run.judgement, speed, accept_known=accepted)
    symptoms = find_symptoms(decision, speed, run.judgement.findings)
    culprit = keep_culprit(before.culprit, decision, symptoms)
    return write_gate(
        run, before.question, folder, render, speed=speed, culprit=culprit, accept_known=accepted
    )


def _refuse_mixed(gate: Gate, plan: Plan, folder: Path) -> None:
    """See that the plan in the folder of a gate is the one that the gate ran."""
    cells = [planned.cell.id for planned in plan.cells]
    if cells != [BASELINE, CANDIDATE]:
        raise UsageError(
            f"{folder / 'plan.json'}: expected the cells {BASELINE} and {CANDIDATE} of a gate, found: "
            f"{', '.join(cells) or 'none'}"
        )
    if gate.run != plan.run:
        raise UsageError(
            f"{folder / GATE_FILE}: of run {gate.run}, but beside it lies the plan of {plan.run}"
        )


async def run_gate(
    prepared: Prepared, request: Request, settings: IndexSettings, notify: Notify, render: Render
) -> tuple[Gate, Path]:
    """Run both cells, measure latency, decide, and look for the culprit; returns the folder of the gate too.

    Until it is over its folder is marked as unfinished. What is there first says that it was cut off; what
    it knew by then can be decided from its results and blocks.

    Raises:
        HarnessError: the harness or the machine failed; a cell that fails has a status instead.
    """
    plan, question, quantities = prepared.plan, prepared.question, prepared.quantities
    if prepared.runs_nothing:
        return write_unrun(plan, question, request.reports, render)
    budget = prepared.terms.budget or request.matrix.gate.budget_seconds
    waiting = Verdicts(quantities).sum_up(spent=0.0, budget=budget) if quantities else None
    accepted = prepared.terms.accept_known
    begin = partial(begin_gate, plan, question, waiting, render, accept_known=accepted)
    without_latency = replace(request, options=replace(request.options, latency=False))
    run, folder = await measure_plan(without_latency, plan, settings, notify, begin)
    speed = None
    write = partial(write_gate, run, question, folder, render, accept_known=accepted)
    if quantities and _can_be_timed(decide(run.judgement, accept_known=True)):
        known = write(speed=waiting)  # what is known stays known, whatever becomes of the measuring
        try:
            speed = await measure_speed(
                plan, request, quantities, settings, notify, budget=budget, folder=folder
            )
        except (HarnessError, OSError) as error:
            if known.decision.verdict != "regressed":
                raise
            speed = waiting
            notify(Progress(cell="", stage="note", note=f"latency could not be measured: {error}"))
    gate = write(speed=speed)
    if gate.decision.verdict == "regressed" and prepared.terms.culprit:
        suspicion, seconds = _suspect(prepared, run, gate), prepared.terms.culprit_budget
        culprit = await find_culprit(suspicion, request, settings, notify, folder, seconds=seconds)
        gate = write(speed=speed, culprit=culprit)
    RunFolder(folder).finish()
    return gate, folder


def _can_be_timed(decision: Decision) -> bool:
    """Not where the candidate died, or the baseline is not whole; checks that skip hide no speed."""
    alive = all(cell.status in {"ok", "failed"} for cell in decision.cells)
    return alive and decision.verdict in {"pass", "regressed"}


def _suspect(prepared: Prepared, run: Run, gate: Gate) -> CauseRequest:
    """What the search for the culprit starts from."""
    return CauseRequest(
        compared=prepared.compared,
        diff=prepared.question.diff,
        plan=prepared.plan,
        decision=gate.decision,
        findings=run.judgement.findings,
        speed=gate.speed,
    )
