"""Build the plan of a run: cells with their locks and required cases, scenarios and expectations."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

import msgspec

from harness.cell.interface import Scenario, list_checks, list_measured_by, load_checks, load_scenarios
from harness.errors import UsageError
from harness.matrix.cells import cells_of, select
from harness.matrix.expected import allowed_values, borrowed_for, expectations_for, tolerances_of
from harness.matrix.schema import Matrix
from harness.records import Cell, Lock, Notify, Plan, PlannedCell, ScenarioPlan, Service, discard
from harness.resolve.array_file import find_coverage, refuse_stale_array
from harness.resolve.indexes import check_indexes
from harness.resolve.lockfile import locks_folder, platform_tag, read_lock
from harness.resolve.locks import refuse_lacking, staleness
from harness.resolve.pip_settings import IndexSettings
from harness.resolve.resolve import resolve_all
from harness.store.models import is_shipped_model


class PlanOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of a plan besides its matrix.

    ``run_id`` names the run; ``only`` and ``skip`` are globs over cell ids.
    """

    run_id: str = ""
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    jobs: int = 3


async def build_plan(
    matrix: Matrix,
    settings: IndexSettings,
    options: PlanOptions = PlanOptions(),  # noqa: B008 - frozen
    *,
    machine: Mapping[str, str],
    notify: Notify = discard,
) -> Plan:
    """The complete plan of a run, before anything is installed or measured.

    Raises:
        UsageError: the selection is empty, a lock is stale or damaged, an expectation is invalid, a package
            is on no index, or a lock lacks a package that the suite needs.
        MachineError: uv or the network failed.
    """
    refuse_stale_array(matrix)
    cells = cells_of(matrix)
    chosen = select(cells, options.only, options.skip)
    baseline = next((cell for cell in cells if cell.baseline), None)
    apart = () if baseline is None or baseline in chosen else (baseline,)
    expectations, borrowed = expectations_for(matrix), borrowed_for(matrix)  # before any network access
    locks = await locks_for((*chosen, *apart), matrix, settings, options, notify=notify)
    return Plan(
        run=options.run_id,
        matrix=matrix.name,
        matrix_path=str(matrix.path),
        title=matrix.title,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        machine=dict(machine),
        baseline=None if baseline is None else baseline.id,
        cells=planned_cells(chosen, locks[: len(chosen)], cases_of(matrix)),
        scenarios=scenarios_of(matrix),
        expectations=expectations,
        borrowed=borrowed,
        subset=len(chosen) < len(cells),
        baseline_cell=planned_cells(apart, locks[len(chosen) :], cases_of(matrix))[-1] if apart else None,
        service=service_of(matrix),
        tolerances=allowed_values(tolerances_of(matrix)),
        coverage=find_coverage(matrix, {lock.cell: lock for lock in locks}),
    )


async def locks_for(
    cells: Sequence[Cell],
    matrix: Matrix,
    settings: IndexSettings,
    options: PlanOptions = PlanOptions(),  # noqa: B008 - frozen
    *,
    notify: Notify = discard,
) -> tuple[Lock, ...]:
    """The lock of each cell, in order: the committed lock of this platform, else one resolved now.

    Raises:
        UsageError, MachineError: as ``build_plan``.
    """
    committed = committed_locks(cells, matrix)
    missing = [cell for cell in cells if cell.id not in committed]
    settings = await check_indexes(settings, missing)
    resolved = await resolve_all(missing, matrix, settings, jobs=options.jobs, notify=notify)
    found = committed | {lock.cell: lock for lock in resolved}
    locks = tuple(found[cell.id] for cell in cells)
    refuse_lacking(matrix, locks)
    return locks


def committed_locks(cells: Sequence[Cell], matrix: Matrix) -> dict[str, Lock]:
    """Cell id -> committed lock of the running platform, for cells that have one.

    Raises:
        UsageError: a lock is damaged or stale; every stale lock is named.
    """
    platform = platform_tag()
    found = {}
    faults = []
    for cell in cells:
        path = locks_folder(matrix, platform) / f"{cell.id}.txt"
        if path.exists():
            lock = read_lock(path)
            if message := staleness(lock, cell, matrix, platform=platform):
                faults.append(f"{path}: stale lock: {message}")
            else:
                found[cell.id] = lock
    if faults:
        raise UsageError("\n".join(faults))
    return found


def planned_cells(
    cells: Sequence[Cell], locks: Sequence[Lock], cases: tuple[str, ...]
) -> tuple[PlannedCell, ...]:
    """Cells with their required cases; cells with equal locks share the run of the first.

    An unsatisfiable cell has no cases and no shared run. Only cells beside the baseline, and other than it,
    are compared with it.
    """
    first: dict[str, str] = {}
    alone = list_measured_by("cell", cases)
    baseline = next((lock.digest for cell, lock in zip(cells, locks, strict=True) if cell.baseline), "")
    planned = []
    for cell, lock in zip(cells, locks, strict=True):
        shared = None if lock.reason else first.setdefault(lock.digest, cell.id)
        planned.append(
            PlannedCell(
                cell=cell,
                lock=lock,
                cases=() if lock.reason else cases if baseline not in {"", lock.digest} else alone,
                same_as=None if shared == cell.id else shared,
            )
        )
    return tuple(planned)


def service_of(matrix: Matrix) -> Service:
    """What a matrix puts under test."""
    subject, model = matrix.subject, matrix.model
    return Service(
        embedder="" if subject.final else subject.embedder,
        normalizer="" if subject.final else subject.normalizer,
        service=subject.service or "",
        query=subject.query or "",
        document=subject.document or "",
        normalized=subject.normalized,
        model=model.distribution or str(model.path),
        dtypes=subject.dtypes,
        batch=subject.batch,
        corpus=matrix.corpus or "",
        strict=matrix.strict,
        own_model=not is_shipped_model(model),
        relies_on=subject.relies_on,
    )


def cases_of(matrix: Matrix) -> tuple[str, ...]:
    """The ids of the cases that every satisfiable cell of a matrix must report."""
    subject = matrix.subject
    asked = list_checks(
        load_checks(),
        service=bool(subject.final),
        normalized=subject.normalized,
        stored=matrix.stored is not None,
    )
    return tuple(case for check in asked for case in check.cases(subject.normalizers))


def catalogue_of(matrix: Matrix) -> tuple[Scenario, ...]:
    """The latency scenarios that fit the subject of a matrix, in the order of measurement."""
    subject = matrix.subject
    return load_scenarios(() if subject.final else subject.normalizers, subject.batch)


def scenarios_of(matrix: Matrix) -> tuple[ScenarioPlan, ...]:
    """The latency scenarios of a matrix, in the order of measurement."""
    return tuple(
        ScenarioPlan(
            id=scenario.id,
            rounds=matrix.latency.rounds,
            target_seconds=matrix.latency.target_seconds,
            budget_seconds=matrix.latency.budget_seconds,
        )
        for scenario in catalogue_of(matrix)
    )
