"""Latency over time out of the history: what each session measured, once."""

from __future__ import annotations

import itertools
import math
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from harness.history_records import Snapshot
from harness.records import Record


class _Run(NamedTuple):
    number: int
    id: str
    created: str
    commit: str


class Timed(Record, frozen=True, gc=False):
    """One scenario in one cell of one run; ``baseline`` says that the cell is the baseline of its matrix.

    ``session`` is as in ``harness.history_records.LatencyMeasure``. There may be a million of these, which
    hold texts and numbers only, so the garbage collector need not look at them.
    """

    run: str
    created: str
    commit: str
    cell: str
    baseline: bool
    scenario: str
    session: str
    p50: float
    ratio: float
    noise: float


def read_series(
    connection: sqlite3.Connection, matrix: str, machine_class: str, own: Snapshot | None = None
) -> list[Timed]:
    """Every timing of a matrix on one class of machine, the oldest run first, each run in its own order.

    With ``own`` those of the runs before it, then its own, whether it is recorded or not. Runs that were held
    against another baseline than the last have other ratios, so they are left out, as far as it is known: a
    run of some cells may not have it. What a run took over from an earlier session is not there twice;
    without ratio or noise floor it is not there at all, for nothing could be said of it.
    """
    rows = connection.execute(
        "SELECT number, id, created, commit_id FROM run"
        " WHERE kind = 'sweep' AND matrix = ? AND machine_class = ? ORDER BY created, id",
        (matrix, machine_class),
    )
    runs = [_Run(*row) for row in rows.fetchall()]
    before = [run for run in runs if own is None or (run.created <= own.created and run.id != own.run)]
    before = [run for run in before if _is_timed(connection, run.number)]
    cells = [_read_cells(connection, run.number) for run in before]
    mine = {each.id: each.baseline for each in own.cells} if own is not None else {}
    last = next(filter(None, map(_baseline_of, (mine, *reversed(cells)))), "")
    timed = itertools.chain.from_iterable(
        _read_run(connection, run, there)
        for run, there in zip(before, cells, strict=True)
        if _baseline_of(there) in {"", last}
    )
    return _first_of_each_session(itertools.chain(timed, _timed_by(own) if own is not None else ()))


def count_rebased(
    connection: sqlite3.Connection, matrix: str, machine_class: str, timed: Sequence[Timed]
) -> int:
    """How many runs are left out of ``timed``, for they were held against another baseline."""
    last = next((each.cell for each in reversed(timed) if each.baseline), None)
    newest = timed[-1].created if timed else ""
    (count,) = connection.execute(
        "SELECT count(*) FROM run JOIN cell ON cell.run = run.number AND cell.baseline"
        " WHERE run.kind = 'sweep' AND matrix = ?1 AND machine_class = ?2 AND cell.id != ?3"
        " AND created <= ?4",
        (matrix, machine_class, last, newest),
    ).fetchone()
    return int(count)


def _is_timed(connection: sqlite3.Connection, run: int) -> bool:
    return connection.execute("SELECT 1 FROM latency WHERE run = ? LIMIT 1", (run,)).fetchone() is not None


def _read_cells(connection: sqlite3.Connection, run: int) -> dict[str, bool]:
    """The cells of a run, and whether each is its baseline."""
    cells = connection.execute("SELECT id, baseline FROM cell WHERE run = ?", (run,))
    return {cell: bool(baseline) for cell, baseline in cells}


def _baseline_of(cells: Mapping[str, bool]) -> str:
    """Empty where a run of some cells had it beside them."""
    return next((cell for cell, baseline in cells.items() if baseline), "")


def _read_run(connection: sqlite3.Connection, run: _Run, baseline: Mapping[str, bool]) -> Iterator[Timed]:
    """The timings of one run, by the key of the table: neither searched for nor sorted."""
    rows = connection.execute(
        "SELECT cell, name.text, session, p50, ratio, noise"
        " FROM latency JOIN name ON name.number = latency.scenario"
        " WHERE run = ? AND ratio > 0 AND noise >= 1 AND p50 > 0 ORDER BY place",
        (run.number,),
    )
    for cell, scenario, session, p50, ratio, noise in rows:
        if cell in baseline:
            yield Timed(
                run.id, run.created, run.commit, cell, baseline[cell], scenario, session, p50, ratio, noise
            )


def _timed_by(own: Snapshot) -> Iterator[Timed]:
    baselines = {cell.id for cell in own.cells if cell.baseline}
    for each in own.latency:
        if each.ratio and each.noise and each.ratio > 0 and each.noise >= 1 and each.p50 > 0:
            yield Timed(
                own.run, own.created, own.commit, each.cell, each.cell in baselines, each.scenario,
                each.session, each.p50, each.ratio, each.noise,
            )  # fmt: skip


def _first_of_each_session(timed: Iterable[Timed]) -> list[Timed]:
    seen: set[tuple[str, str, str]] = set()
    found = []
    for each in timed:
        key = (each.session, each.cell, each.scenario)
        if (each.session and key in seen) or not all(map(math.isfinite, (each.p50, each.ratio, each.noise))):
            continue
        seen.add(key)
        found.append(each)
    return found
