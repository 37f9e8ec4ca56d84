"""A gate before anything of it runs: the question, both environments resolved, a plan of their cells."""

from __future__ import annotations

import datetime
import secrets
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.gate.further_changes import find_further_changes
from harness.gate.quantities import plan_quantities
from harness.gate.request import Compared, UpgradeRequest, compare
from harness.gate.sides import Side, versions_of
from harness.matrix.expected import allowed_values, borrowed_for, expectations_for, tolerances_of
from harness.records import (
    BASELINE,
    CANDIDATE,
    CULPRIT_SECONDS,
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
from harness.sweep.limits import read_machine
from harness.sweep.planning import cases_of, planned_cells
from harness.sweep.run_sweep import Request, find_golden, narrow_checks


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


def runs_nothing(plan: Plan) -> bool:
    """Whether a gate is decided before anything runs: no solution, or two equal environments."""
    candidate = plan.cells[-1] if plan.cells else None
    return candidate is not None and (bool(candidate.lock.reason) or candidate.same_as is not None)


async def prepare_gate(  # noqa: PLR0913 - what is asked, how, and of whom
    request: Request,
    wish: UpgradeRequest,
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
    known = (expectations_for(matrix), borrowed_for(matrix))  # before the network is asked
    find_golden(request.golden)
    notify(Progress(cell="", stage="note", note="resolving baseline and candidate"))
    compared = await compare(wish, matrix, settings, Path.cwd())
    plan = await _plan(compared, request, known)
    question = await _question(compared, request, arguments, settings, notify)
    if terms.latency and terms.quantities:
        only = f"only quantities that match {', '.join(terms.quantities)}"
        question = msgspec.structs.replace(question, notes=(only, *question.notes))
    return Prepared(question, plan, compared, terms, quantities)


async def _plan(
    compared: Compared,
    request: Request,
    known: tuple[tuple[Expectation, ...], tuple[Expectation, ...]],
) -> Plan:
    """The plan of two cells; ``known`` are the expectations of their matrix, and those that it takes over."""
    matrix, (expectations, borrowed) = request.matrix, known
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
        tolerances=allowed_values(tolerances_of(matrix)),
        subset=True,  # two cells tell nothing of expectations that match neither
    )
    return narrow_checks(plan, request.checks) if request.checks else plan


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
    way = await find_further_changes(compared, request.matrix, settings)
    return msgspec.structs.replace(question, further=way)
