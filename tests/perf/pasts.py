"""A history made of one run: as it was, again and again, with noise, steps and creeps in its latencies."""

from __future__ import annotations

import datetime
import math
import random
from collections.abc import Iterator
from pathlib import Path

import msgspec

from harness.records import LatencyMeasure, Snapshot
from harness.runs.recording import History, record_runs

NOISE = 0.03
"""Standard deviation of a ratio from run to run, on the log scale."""

_ONE_IN = 50
"""So many series hold for each that creeps, and for each that steps."""


def write_history(path: Path, own: Snapshot, runs: int) -> None:
    """Record ``runs`` runs before ``own``, a day apart.

    The last is whole, for the page compares with it; of the others nothing is kept that trends do not read.
    """
    changed = msgspec.structs.replace
    bare = changed(own, cells=tuple(changed(cell, cases=(), facts={}) for cell in own.cells))
    *others, last = _repeat(bare, runs)
    history = History(path, keep=runs)
    record_runs([*others, changed(last, cells=own.cells)], history, lambda _: None)


def _repeat(own: Snapshot, runs: int) -> Iterator[Snapshot]:
    chance = random.Random(1)  # noqa: S311 - noise
    now = datetime.datetime.fromisoformat(own.created)
    for number in range(runs):
        before = now - datetime.timedelta(days=runs - number)
        yield msgspec.structs.replace(
            own,
            run=f"{before:%Y%m%d-%H%M%S}-{number:06x}",
            created=before.isoformat(),
            latency=tuple(
                _move(each, place, number / runs, f"session-{number}", chance)
                for place, each in enumerate(own.latency)
            ),
        )


def _move(
    each: LatencyMeasure, place: int, when: float, session: str, chance: random.Random
) -> LatencyMeasure:
    """A latency as it was at ``when``, from 0 (the first run) to 1 (now)."""
    step = 0.3 if place % _ONE_IN == 7 and when < 0.6 else 0.0
    creep = 0.3 * (1 - when) if place % _ONE_IN == 23 else 0.0
    factor = math.exp(chance.gauss(0, NOISE) - step - creep)
    return msgspec.structs.replace(
        each,
        session=session,
        p50=each.p50 * factor,
        ratio=None if each.ratio is None else each.ratio * factor,
    )
