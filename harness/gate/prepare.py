"""Prepare a gate: its question, both resolved environments, and the plan of their cells."""

from __future__ import annotations

import datetime
import secrets
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from harness.gate.further_changes import find_further_changes
from harness.gate.quantities import plan_quantities
from harness.gate.request import Comparison, UpgradeRequest, compare
from harness.gate.sides import Side, versions_of
from harness.matrix.expected import allowed_values, borrowed_for, expectations_for, tolerances_of
from harness.records import (
    BASELINE,
    CANDIDATE,
    CULPRIT_SECONDS,
    Acknowledgements,
    Cell,
    Expectation,
    Lock,
    Notify,
    Plan,
    Progress,
    Quantity,
    Question,
)
from harness.resolve.lockfile import diff_locks
from harness.resolve.pip_settings import IndexSettings
from harness.resolve.revisions import read_revision
from harness.sweep.machine import read_machine
from harness.sweep.planning import cases_of, planned_cells, service_of
from harness.sweep.run_sweep import Request, find_golden, narrow_checks


@dataclass(frozen=True)
class GateOptions:
    """What a gate judges and accepts.

    Attributes:
        latency: whether latency and memory are judged.
        culprit: whether the cause is searched.
        accept_known: whether known divergences that only the candidate has are accepted.
        budget: seconds for latency and memory; None for the budget of the matrix.
        quantities: globs over the quantities to measure; empty for all.
        culprit_budget: seconds for the search for the cause.
        acknowledgements: those of the pull request.
    """

    latency: bool = True
    culprit: bool = True
    accept_known: bool = False
    budget: float | None = None
    quantities: tuple[str, ...] = ()
    culprit_budget: float = CULPRIT_SECONDS
    acknowledgements: Acknowledgements = field(default_factory=Acknowledgements)


@dataclass(frozen=True)
class PreparedGate:
    """A gate before its cells run.

    ``quantities`` are those of latency and memory; empty if these are not judged.
    """

    question: Question
    plan: Plan
    comparison: Comparison
    options: GateOptions = GateOptions()
    quantities: tuple[Quantity, ...] = ()

    @property
    def runs_nothing(self) -> bool:
        """Whether the gate is decided without a run."""
        return runs_nothing(self.plan)


def runs_nothing(plan: Plan) -> bool:
    """Whether a gate is decided without a run: no solution, or two equal environments."""
    candidate = plan.cells[-1] if plan.cells else None
    return candidate is not None and (bool(candidate.lock.reason) or candidate.same_as is not None)


async def prepare_gate(  # noqa: PLR0913 - one parameter an input
    request: Request,
    upgrade: UpgradeRequest,
    arguments: tuple[str, ...],
    settings: IndexSettings,
    notify: Notify,
    *,
    options: GateOptions | None = None,
) -> PreparedGate:
    """Resolve both environments and plan their cells; no file is written.

    ``arguments`` are those of the command that repeats the gate; without ``options`` everything is judged.

    Raises:
        UsageError: the request is invalid.
        NoSolutionError: the baseline has no solution.
        MachineError: uv, git or the network failed.
    """
    matrix, options = request.matrix, options or GateOptions()
    quantities = plan_quantities(matrix, options.quantities) if options.latency else ()
    known = (expectations_for(matrix), borrowed_for(matrix))  # errors in files come before network access
    find_golden(request.golden)
    notify(Progress(cell="", stage="note", note="resolving baseline and candidate"))
    comparison = await compare(upgrade, matrix, settings, Path.cwd())
    plan = await _make_plan(comparison, request, known)
    question = await _make_question(comparison, request, arguments, settings, notify)
    question = msgspec.structs.replace(question, acknowledgements=options.acknowledgements)
    if options.latency and options.quantities:
        only = f"only quantities that match {', '.join(options.quantities)}"
        question = msgspec.structs.replace(question, notes=(only, *question.notes))
    return PreparedGate(question, plan, comparison, options, quantities)


async def _make_plan(
    comparison: Comparison,
    request: Request,
    known: tuple[tuple[Expectation, ...], tuple[Expectation, ...]],
) -> Plan:
    """The plan of two cells; ``known`` are the matrix's own expectations, and those it takes over."""
    matrix, (expectations, borrowed) = request.matrix, known
    now = datetime.datetime.now(datetime.UTC)
    plan = Plan(
        run=f"{now:%Y%m%d-%H%M%S}-gate-{matrix.name}-{secrets.token_hex(2)}",
        matrix=matrix.name,
        matrix_path=str(matrix.path),
        title=f"Gate: from {comparison.baseline.label} to {comparison.candidate.label}",
        created=now.isoformat(timespec="seconds"),
        machine=read_machine(),
        commit=await read_revision(Path.cwd()),
        baseline=BASELINE,
        cells=planned_cells(*_make_cells(comparison), cases_of(matrix)),
        scenarios=(),
        expectations=expectations,
        borrowed=borrowed,
        service=service_of(matrix),
        tolerances=allowed_values(tolerances_of(matrix)),
        subset=True,  # an expectation that matches neither cell is not an error
        isolation=request.isolation.description,
    )
    return narrow_checks(plan, request.checks) if request.checks else plan


def _make_cells(comparison: Comparison) -> tuple[tuple[Cell, Cell], tuple[Lock, Lock]]:
    locks = (
        msgspec.structs.replace(comparison.before, cell=BASELINE),
        msgspec.structs.replace(comparison.after, cell=CANDIDATE),
    )
    sides = (comparison.baseline, comparison.candidate)
    before, after = (_make_cell(side, lock) for side, lock in zip(sides, locks, strict=True))
    return (before, after), locks


def _make_cell(side: Side, lock: Lock) -> Cell:
    versions = versions_of(lock)
    return msgspec.structs.replace(
        side.to_cell(lock.cell),
        axes={name: versions[name].partition("+")[0] for name in side.tested if name in versions},
        baseline=lock.cell == BASELINE,
    )


async def _make_question(
    comparison: Comparison,
    request: Request,
    arguments: tuple[str, ...],
    settings: IndexSettings,
    notify: Notify,
) -> Question:
    baseline, candidate = comparison.baseline, comparison.candidate
    notes = dict.fromkeys((*baseline.notes, *candidate.notes))
    narrowed = [f"only checks that match {', '.join(request.checks)}"] if request.checks else []
    question = Question(
        baseline=baseline.label,
        candidate=candidate.label,
        arguments=arguments,
        command=request.command,
        service=service_of(request.matrix),
        left_out=tuple(dict.fromkeys((*baseline.left_out, *candidate.left_out))),
        notes=(*narrowed, *notes),
        isolation=request.isolation.description,
    )
    if not comparison.after.reason:
        diff = diff_locks(comparison.before, comparison.after, comparison.asked, comparison.pinned)
        return msgspec.structs.replace(question, diff=diff)
    note = "the candidate has no solution; searching for the fewest further upgrades that give one"
    notify(Progress(cell="", stage="note", note=note))
    further = await find_further_changes(comparison, request.matrix, settings)
    return msgspec.structs.replace(question, further=further)
