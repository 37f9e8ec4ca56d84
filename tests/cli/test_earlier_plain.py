"""Trends from the columns of a history are those of the definition, whatever happened to its file."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.earlier_histories import write_earlier
from support.histories import record
from support.pasts import MACHINE, cell, latency, past
from support.plain_trends import list_plain_trends

from harness.cli.earlier import judge_past, make_trends, read_until
from harness.records import LatencyMeasure, Snapshot, Trends
from harness.runs.database import open_history, read_history, transaction
from harness.runs.recording import History, pin_run, remove_runs

RUNS = (1, 2, 3, 5, 8, 13, 30, 60)
SCENARIOS: dict[str, Callable[[float], float]] = {
    "holds": lambda _: 0.0,
    "steps": lambda when: 0.4 * (when > 0.5),
    "returns": lambda when: 0.2 * (0.3 < when < 0.6),
    "creeps": lambda when: 1.2 * when,
    "b.1": lambda _: 0.0,
    "b.2": lambda _: 0.0,
    "b.3": lambda _: 0.0,
}
"""Scenario -> the logarithm of its ratio, from the first run (0) to the last (1)."""


def make_history(seed: int) -> list[Snapshot]:
    """Runs with gaps, other baselines and machines, sessions taken over, and values that do not count."""
    chance = random.Random(seed)  # noqa: S311 - noise
    count = RUNS[seed % len(RUNS)]
    return [make_run(number, count, chance) for number in range(count)]


def make_run(number: int, count: int, chance: random.Random) -> Snapshot:
    baseline = chance.choice(["base"] * 9 + ["other", ""])
    cells = [name for name in ("a", "b", "base", "other") if name == baseline or chance.random() < 0.8]
    session = chance.choice([f"s{number}"] * 8 + [f"s{number - 1}", ""])
    timed = [make_latency(name, scenario, number / count, session, chance)
        for name in (*cells, "gone") for scenario in SCENARIOS if chance.random() < 0.9
        for _ in range(chance.choice([1] * 20 + [2]))]  # fmt: skip
    values: dict[str, Any] = {
        "created": f"2026-{1 + number // 28:02}-{1 + number % 28:02}T10:00:00+00:00",
        "commit": f"c{number}",
        "kind": chance.choice(["sweep"] * 12 + ["gate"]),
        "machine": chance.choice([MACHINE] * 9 + [{"class": "m2"}]),
        "latency": tuple(timed) if chance.random() < 0.95 else (),
    }
    return past(
        f"r{number:02}", *(cell(name, baseline=name == baseline) for name in cells or ["a"]), **values
    )


def make_latency(
    name: str, scenario: str, when: float, session: str, chance: random.Random
) -> LatencyMeasure:
    factor = math.exp(chance.gauss(0, 0.03) + SCENARIOS[scenario](when))
    return latency(
        name, scenario, session=session, p50=1e-3 * factor if chance.random() < 0.98 else math.inf,
        ratio=chance.choice([factor] * 30 + [None, 0.0, math.inf, 1.0]),
        noise=chance.choice([1.02, 1.05] * 20 + [None, 0.5]),
    )  # fmt: skip


def plain(snapshots: list[Snapshot], pinned: list[str]) -> tuple[object, ...]:
    newest = max((each for each in snapshots if each.kind == "sweep"), key=lambda each: each.created)
    trends, timed, levels = list_plain_trends(snapshots, newest, pinned)
    return tuple(trends), tuple(timed), levels


def parts(trends: Trends) -> tuple[object, ...]:
    return trends.trends, trends.timed, trends.levels


def record_all(path: Path, snapshots: list[Snapshot], _: random.Random) -> list[Snapshot]:
    record(path, *snapshots)
    return snapshots


def record_again(path: Path, snapshots: list[Snapshot], chance: random.Random) -> list[Snapshot]:
    """In any order, and some of them once more with other values."""
    first = [
        msgspec.structs.replace(each, latency=tuple(reversed(each.latency[1:])))
        for each in snapshots
        if chance.random() < 0.3
    ]
    record(path, *first, *chance.sample(snapshots, len(snapshots)))
    return snapshots


def remove_some(path: Path, snapshots: list[Snapshot], chance: random.Random) -> list[Snapshot]:
    record(path, *snapshots)
    gone = [each.run for each in snapshots[:-1] if chance.random() < 0.3]
    with open_history(path, pytest.fail) as connection, transaction(connection):
        remove_runs(connection, gone)
    return [each for each in snapshots if each.run not in gone]


def write_rows(path: Path, snapshots: list[Snapshot], chance: random.Random) -> list[Snapshot]:
    """Some by an earlier harness, the others by this one."""
    split = chance.randint(1, len(snapshots))
    write_earlier(path, chance.randint(1, 3), *snapshots[:split])
    record(path, *snapshots[split:])
    return snapshots


Write = Callable[[Path, list[Snapshot], random.Random], list[Snapshot]]


@pytest.mark.parametrize("write", [record_all, record_again, remove_some, write_rows])
def test_trends_are_those_of_the_definition(write: Write, tmp_path: Path) -> None:
    kinds = set()
    for seed in range(16):
        chance, path = random.Random(seed), tmp_path / f"h{seed}"  # noqa: S311 - choices
        kept = write(path, make_history(seed), chance)
        if not any(each.kind == "sweep" for each in kept):
            continue
        pinned = [each.run for each in kept if chance.random() < 0.1]
        for run in pinned:
            pin_run(run, History(path), pytest.fail, pinned=True)
        found = make_trends(path, None, pytest.fail, everything=True)
        assert parts(found) == plain(kept, pinned), seed
        kinds |= {each.kind for each in found.trends}
    assert kinds == {"steady", "stepped", "crept", "unclear"}


def test_trends_of_a_run_that_is_not_recorded_are_those_of_the_definition(tmp_path: Path) -> None:
    compared = 0
    for seed in range(16):
        path, (*before, own) = tmp_path / f"h{seed}", make_history(seed)
        own = msgspec.structs.replace(own, kind="sweep", machine=MACHINE)
        record(path, *before)
        with read_history(path, pytest.fail) as connection:
            found = read_until(connection, own)
        if found is not None:
            compared += 1
            assert parts(judge_past(found, everything=True)) == plain([*before, own], []), seed
            few = judge_past(found).trends
            assert [each for each in few if each.is_shown] == [
                each for each in judge_past(found, everything=True).trends if each.is_shown
            ]
            assert not any(each.points for each in few if not each.is_shown)
    assert compared >= 8
