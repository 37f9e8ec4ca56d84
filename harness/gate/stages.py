"""The stages of a gate in their order: a question, a plan of two cells, a run, a decision, renderings."""

from __future__ import annotations

import datetime
import secrets
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import msgspec

from harness.culprit.blame import Suspicion, find_culprit
from harness.gate.files import begin_gate, runs_nothing, write_gate, write_unrun
from harness.gate_records import BASELINE, CANDIDATE, CULPRIT_SECONDS, Decision, Gate, Quantity, Question
from harness.history.revision import read_revision
from harness.judge.gate import decide
from harness.pipeline import Notify, Request, find_golden, measure_plan, narrow_checks
from harness.plan.candidate import Compared, Wish, compare
from harness.plan.expected import borrowed_for, expectations_for
from harness.plan.lock_diff import diff_locks
from harness.plan.pip_settings import IndexSettings
from harness.plan.plan import cases_of, planned_cells
from harness.plan.quantities import plan_quantities
from harness.plan.side import Side, versions_of
from harness.plan.way_out import find_way_out
from harness.records import Cell, Lock, Plan, Progress, Run
from harness.run.folder import RunFolder
from harness.run.machine import read_machine
from harness.speed.looks import Verdicts
from harness.speed.sampling import measure_speed


@dataclass(frozen=True)
class Terms:
    """What a gate judges besides correctness, and what it lets pass.

    Attributes:
        latency: whether latency and memory are judged.
        culprit: whether somebody is looked for to blame.
        culprit_budget: seconds for that.
        accept_known: a known divergence that only the candidate has does not fail it.
        budget: seconds for latency and memory; None for those of the matrix.
        quantities: globs over what is measured; empty for all.
    """

    latency: bool = True
    culprit: bool = True
    accept_known: bool = False
    budget: float | None = None
    quantities: tuple[str, ...] = ()
    culprit_budget: float = CULPRIT_SECONDS


@dataclass(frozen=True)
class Prepared:
    """A gate before anything of it has run: what is asked, both sides, and the plan of their cells.

    ``quantities`` are those of latency and memory, none where they are not judged.
    """

    question: Question
    plan: Plan
    compared: Compared
    terms: Terms = Terms()
    quantities: tuple[Quantity, ...] = ()

    @property
    def runs_nothing(self) -> bool:
        """Whether it is decided already: the candidate has no solution, or is equal."""
        return runs_nothing(self.plan)


async def prepare_gate(  # noqa: PLR0913 - what is asked, how, and of whom
    request: Request,
    wish: Wish,
    arguments: tuple[str, ...],
    settings: IndexSettings,
    notify: Notify,
    *,
    terms: Terms | None = None,
) -> Prepared:
    """Resolve both environments and plan their cells; nothing is written yet.

    ``arguments`` are those of the command line with which a person can ask again; without ``terms``
    everything is judged.

    Raises:
        UsageError: what is asked for cannot be meant.
        NoSolutionError: the baseline has no solution.
        MachineError: uv, git or the network failed.
    """
    matrix, terms = request.matrix, terms or Terms()
    quantities = plan_quantities(matrix, terms.quantities) if terms.latency else ()
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
    if terms.latency and terms.quantities:
        only = f"only quantities that match {', '.join(terms.quantities)}"
        question = msgspec.structs.replace(question, notes=(only, *question.notes))
    return Prepared(question, plan, compared, terms, quantities)


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
        diff = diff_locks(compared.before, compared.after, compared.asked, compared.pinned)
        return msgspec.structs.replace(question, diff=diff)
    note = "the candidate has no solution; looking for the fewest further upgrades that give it one"
    notify(Progress(cell="", stage="note", note=note))
    way = await find_way_out(compared, request.matrix, settings)
    return msgspec.structs.replace(question, way_out=way)


async def run_gate(
    prepared: Prepared, request: Request, settings: IndexSettings, notify: Notify
) -> tuple[Gate, Path]:
    """Run both cells, measure latency, decide, and look for the culprit; returns the folder of the gate too.

    Until it is over its folder is marked as unfinished. What is there first says that it was cut off; what
    it knew by then can be decided from its results and blocks.

    Raises:
        HarnessError: the harness or the machine failed; a cell that fails has a status instead.
    """
    plan, question, quantities = prepared.plan, prepared.question, prepared.quantities
    if prepared.runs_nothing:
        return write_unrun(plan, question, request.reports)
    budget = prepared.terms.budget or request.matrix.gate.budget_seconds
    waiting = Verdicts(quantities).sum_up(spent=0.0, budget=budget) if quantities else None
    accepted = prepared.terms.accept_known
    begin = partial(begin_gate, plan, question, waiting, accept_known=accepted)
    without_latency = replace(request, options=replace(request.options, latency=False))
    run, folder = await measure_plan(without_latency, plan, settings, notify, begin)
    speed = None
    if quantities and _can_be_timed(decide(run.judgement, accept_known=True)):
        speed = await measure_speed(plan, request, quantities, settings, notify, budget=budget, folder=folder)
    write = partial(write_gate, run, question, folder, accept_known=accepted)
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


def _suspect(prepared: Prepared, run: Run, gate: Gate) -> Suspicion:
    """What the search for the culprit starts from."""
    return Suspicion(
        compared=prepared.compared,
        diff=prepared.question.diff,
        plan=prepared.plan,
        decision=gate.decision,
        findings=run.judgement.findings,
        speed=gate.speed,
    )
