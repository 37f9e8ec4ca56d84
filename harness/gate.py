"""The stages of a gate in their order: a question, a plan of two cells, a run, a decision, renderings."""

from __future__ import annotations

import datetime
import secrets
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from harness.errors import MachineError
from harness.finished import assemble_again
from harness.gate_records import BASELINE, CANDIDATE, Decision, Gate, Question
from harness.history.revision import read_revision
from harness.judge.gate import decide, refuse
from harness.pipeline import Notify, Request, find_golden, measure_plan, narrow_checks
from harness.plan.candidate import Compared, Wish, compare
from harness.plan.expected import borrowed_for, expectations_for
from harness.plan.lock_diff import diff_locks
from harness.plan.pip_settings import IndexSettings
from harness.plan.plan import cases_of, planned_cells
from harness.plan.side import Side, versions_of
from harness.plan.way_out import find_way_out
from harness.records import Cell, Finding, Lock, Plan, Progress, Run
from harness.report.gate_json import read_gate, render_gate_json, render_gate_schema
from harness.report.gate_junit import render_gate_junit
from harness.report.gate_markdown import render_gate_markdown
from harness.report.jsonfile import render_json
from harness.run.files import write_whole
from harness.run.folder import RunFolder
from harness.run.machine import read_machine

GATE_FILE = "gate.json"
"""Tells the folder of a gate from that of a sweep."""


@dataclass(frozen=True)
class Prepared:
    """A gate before anything of it has run: what is asked, both sides, and the plan of their cells."""

    question: Question
    plan: Plan
    compared: Compared

    @property
    def reason(self) -> str:
        """Why the candidate has no solution; empty where it has one."""
        return self.plan.cells[-1].lock.reason


async def prepare_gate(
    request: Request, wish: Wish, arguments: tuple[str, ...], settings: IndexSettings, notify: Notify
) -> Prepared:
    """Resolve both environments and plan their cells; nothing is written yet.

    ``arguments`` are those of the command line with which a person can ask again.

    Raises:
        UsageError: what is asked for cannot be meant.
        NoSolutionError: the baseline has no solution.
        MachineError: uv, git or the network failed.
    """
    matrix = request.matrix
    expectations, borrowed = expectations_for(matrix), borrowed_for(matrix)  # before the network is asked
    find_golden(request.golden)
    notify(Progress(cell="", stage="note", note="resolving baseline and candidate"))
    compared = await compare(wish, matrix, settings, Path.cwd())
    now = datetime.datetime.now(datetime.UTC)
    plan = Plan(
        run=f"{now:%Y%m%d-%H%M%S}-gate-{matrix.name}-{secrets.token_hex(2)}",
        matrix=matrix.name,
        matrix_path=str(matrix.path),
        title=f"Gate: from {compared.baseline.label} to {compared.candidate.label}",
        created=now.isoformat(timespec="seconds"),
        machine=read_machine(),
        commit=await read_revision(Path.cwd()),
        baseline=BASELINE,
        cells=planned_cells(*_cells(compared), cases_of(matrix)),
        scenarios=(),
        expectations=expectations,
        borrowed=borrowed,
        subset=True,  # two cells tell nothing of expectations that match neither
    )
    if request.checks:
        plan = narrow_checks(plan, request.checks)
    question = await _question(compared, request, arguments, settings, notify)
    return Prepared(question, plan, compared)


def _cells(compared: Compared) -> tuple[tuple[Cell, Cell], tuple[Lock, Lock]]:
    locks = (
        msgspec.structs.replace(compared.before, cell=BASELINE),
        msgspec.structs.replace(compared.after, cell=CANDIDATE),
    )
    sides = (compared.baseline, compared.candidate)
    before, after = (_cell(side, lock) for side, lock in zip(sides, locks, strict=True))
    return (before, after), locks


def _cell(side: Side, lock: Lock) -> Cell:
    versions = versions_of(lock)
    return msgspec.structs.replace(
        side.to_cell(lock.cell),
        axes={name: versions[name].partition("+")[0] for name in side.tested if name in versions},
        baseline=lock.cell == BASELINE,
    )


async def _question(
    compared: Compared,
    request: Request,
    arguments: tuple[str, ...],
    settings: IndexSettings,
    notify: Notify,
) -> Question:
    baseline, candidate = compared.baseline, compared.candidate
    notes = dict.fromkeys((*baseline.notes, *candidate.notes))
    narrowed = [f"only checks that match {', '.join(request.checks)}"] if request.checks else []
    question = Question(
        baseline=baseline.label,
        candidate=candidate.label,
        arguments=arguments,
        command=request.command,
        left_out=tuple(dict.fromkeys((*baseline.left_out, *candidate.left_out))),
        notes=(*narrowed, *notes),
    )
    if not compared.after.reason:
        diff = diff_locks(compared.before, compared.after, compared.asked)
        return msgspec.structs.replace(question, diff=diff)
    note = "the candidate has no solution; looking for the fewest further upgrades that give it one"
    notify(Progress(cell="", stage="note", note=note))
    way = await find_way_out(compared, request.matrix, settings)
    return msgspec.structs.replace(question, way_out=way)


async def run_gate(
    prepared: Prepared, request: Request, settings: IndexSettings, notify: Notify
) -> tuple[Gate, Path]:
    """Run both cells, decide, and write everything that a gate leaves; returns its folder too.

    Raises:
        HarnessError: the harness or the machine failed; a cell that fails has a status instead.
    """
    if prepared.reason:
        return _write_refusal(prepared, request.reports)
    without_latency = replace(request, options=replace(request.options, latency=False))
    run, folder = await measure_plan(without_latency, prepared.plan, settings, notify)
    return _write_gate(run, prepared.question, folder), folder


def _write_refusal(prepared: Prepared, reports: Path) -> tuple[Gate, Path]:
    try:
        folder = RunFolder.create(reports / "runs", prepared.plan)
        gate = _gate(prepared.plan, prepared.question, refuse(prepared.reason))
        _write_files(gate, (), folder.path)
        folder.finish()
    except OSError as error:
        raise MachineError(
            f"the run cannot be written: {error}; name another folder with --reports"
        ) from error
    return gate, folder.path


def _write_gate(run: Run, question: Question, folder: Path) -> Gate:
    gate = _gate(run.plan, question, decide(run.judgement))
    write_whole(folder / "results.json", render_json(run).encode())
    findings = tuple(each for each in run.judgement.findings if each.cell == CANDIDATE)
    _write_files(gate, findings, folder)
    return gate


def _gate(plan: Plan, question: Question, decision: Decision) -> Gate:
    return Gate(run=plan.run, matrix=plan.matrix, created=plan.created, question=question, decision=decision)


def _write_files(gate: Gate, findings: tuple[Finding, ...], folder: Path) -> None:
    contents = {
        GATE_FILE: render_gate_json(gate),
        "gate.md": render_gate_markdown(gate),
        "junit.xml": render_gate_junit(gate, findings),
        "gate-schema.json": render_gate_schema(),
    }
    for name, content in contents.items():
        write_whole(folder / name, content.encode())


def is_gate(folder: Path) -> bool:
    """Whether the folder of a run is that of a gate."""
    return (folder / GATE_FILE).exists()


def decide_again(folder: Path) -> Gate:
    """Decide and render a gate once more from what lies in its folder; a result that is gone is missing.

    Raises:
        UsageError: it is not the folder of a gate.
    """
    question = read_gate(folder / GATE_FILE).question
    run, stored = assemble_again(folder)
    reason = stored.plan.cells[-1].lock.reason
    if not reason:
        return _write_gate(run, question, folder)
    gate = _gate(stored.plan, question, refuse(reason))
    _write_files(gate, (), folder)
    return gate
