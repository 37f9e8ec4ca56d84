"""The latency of the command ``gate`` over fake probe processes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock
import psutil
import pytest
from support.fake_probes import estimate_simply, read_probes, set_probes
from support.speed_front import ALL, LATENCIES, ask, blocks_of, find, outcomes, speed_front_fixture  # noqa: F401 - fixtures
from support.suite_front import Front, front_fixture, world_fixture  # noqa: F401 - fixtures

from harness.gate import measuring
from harness.judge import intervals
from harness.records import ScenarioPlan
from harness.store.store import Store
from harness.sweep.latency_turns import count_rounds_to_decide

Say = pytest.CaptureFixture[str]

CODES = {"pass": 0, "regressed": 1, "inconclusive": 4}


def test_an_upgrade_without_a_regression_passes(speed_front: Front) -> None:
    assert ask(speed_front) == 0
    gate = speed_front.read()
    assert gate.judged == ("correctness", "latency", "memory")
    assert outcomes(speed_front) == dict.fromkeys(ALL, "passed")
    assert gate.speed is not None
    assert (gate.speed.budget, gate.speed.looks, gate.speed.confidence) == (600.0, 2, 0.99)
    blocks = blocks_of(speed_front)
    assert [(block.group, block.number) for block in blocks] == [
        *(("normalizer", number) for number in (1, 2, 3)),
        *(("embedding", number) for number in (4, 5, 6)),
    ]
    assert blocks[0].slots == blocks[1].slots[::-1]
    assert {tuple(sorted(block.slots)) for block in blocks} == {("again", "baseline", "candidate")}
    assert list(blocks[0].candidate) == [*LATENCIES, "memory.normalizer"]
    started = sorted(read_probes(speed_front.folder)[:3])  # two start at once, and either writes first
    assert [arm for _, arm, _ in started] == list(blocks[0].slots)
    assert not any(psutil.pid_exists(pid) for pid, _, _ in read_probes(speed_front.folder))
    rounds = (speed_front.folder / "rounds.txt").read_text(encoding="ascii").split()
    assert set(rounds) == {"8", "7"}, "calls of 0.1 s get more than five: see count_rounds_to_decide"
    assert not (speed_front.runs[-1] / "probes").exists(), "a block was invalid"


@pytest.mark.parametrize(
    ("does", "verdict", "normalizer", "memory"),
    [
        ({"candidate": "slow"}, "regressed", "regressed", "passed"),
        ({"candidate": "quick"}, "pass", "passed", "passed"),
        ({"again": "slow"}, "inconclusive", "control-failed", "passed"),
        ({"candidate": "slow", "again": "slow"}, "inconclusive", "control-failed", "passed"),
        ({"candidate": "leaking"}, "regressed", "passed", "regressed"),
    ],
)
def test_the_behaviour_of_the_arms_decides(
    does: dict[str, str], verdict: str, normalizer: str, memory: str, speed_front: Front
) -> None:
    set_probes(speed_front.folder, **does)
    assert ask(speed_front, "--no-culprit", "--quantities", "*normali*") == CODES[verdict]
    assert speed_front.read().decision.verdict == verdict
    assert outcomes(speed_front) == dict.fromkeys(LATENCIES, normalizer) | {"memory.normalizer": memory}
    first, factors = find(speed_front, LATENCIES[0]), {"slow": 1.3, "quick": 0.8}
    seconds = 0.001 * factors.get(does.get("candidate", ""), 1.0)
    assert first.baseline == pytest.approx(0.001, rel=0.01)
    assert first.candidate == pytest.approx(seconds, rel=0.01)


def test_decided_quantities_are_not_measured_again(
    speed_front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    def estimate(samples: Any, confidence: float) -> Any:
        found = estimate_simply(samples, confidence)
        wide = LATENCIES[3]
        if wide in found and len(samples[wide]) < 5:
            found[wide] = type(found[wide])(low=0.5, ratio=1.0, high=2.0)
        return found

    monkeypatch.setattr(intervals, "estimate", estimate)
    assert ask(speed_front, "--quantities", "*normali*") == 0
    counts = [len(block.baseline) for block in blocks_of(speed_front)]
    assert counts == [9, 9, 9, 1, 1]
    assert [count for _, arm, count in read_probes(speed_front.folder) if arm == "candidate"] == [
        8,
        8,
        8,
        1,
        1,
    ]
    assert find(speed_front, LATENCIES[3]).blocks == 5


def test_open_scenarios_get_the_time_of_decided_ones() -> None:
    every = tuple(
        ScenarioPlan(id=name, rounds=50, target_seconds=5e-4, budget_seconds=0.03) for name in LATENCIES
    )
    assert measuring.extend_time(every, 8) == every
    for left, more in ((5, 1), (4, 2), (1, 2)):
        given = measuring.extend_time(every[:left], 8)
        assert [each.rounds for each in given] == [50 * more] * left
        assert [each.budget_seconds for each in given] == [pytest.approx(0.03 * more)] * left
        long, short = (count_rounds_to_decide(given[0], seconds).rounds for seconds in (0.0135, 6e-6))
        assert (long, short) == (20 * more, 50 * more)


def test_memory_is_that_of_the_whole_group(speed_front: Front) -> None:
    assert ask(speed_front, "--quantities", "memory.normalizer") == 0
    assert {count for _, _, count in read_probes(speed_front.folder)} == {8}
    assert [list(block.again) for block in blocks_of(speed_front)] == [["memory.normalizer"]] * 3
    assert speed_front.read().judged == ("correctness", "memory")


def test_a_spent_budget_leaves_quantities_undecided(speed_front: Front) -> None:
    set_probes(speed_front.folder, candidate="dawdling")
    asked = ("--quantities", "normalize.*.1", "--budget", "1.5s")
    assert ask(speed_front, *asked) == 4
    gate = speed_front.read()
    assert gate.speed is not None
    assert (gate.decision.verdict, gate.speed.budget) == ("inconclusive", 1.5)
    assert set(outcomes(speed_front).values()) == {"undecided"}
    assert gate.question.arguments[-6:] == ("--matrix", str(speed_front.matrix.path), *asked)
    assert ask(speed_front, *asked, "--allow-inconclusive") == 0


def test_a_candidate_that_died_is_not_timed(speed_front: Front) -> None:
    speed_front.does(candidate="exiting")
    assert ask(speed_front, "--no-culprit") == 1
    assert (speed_front.read().speed, speed_front.read().judged) == (None, ("correctness",))
    speed_front.does(baseline="exiting")
    assert ask(speed_front, "--rerun") == 4
    assert read_probes(speed_front.folder) == []


def test_a_skipped_check_does_not_hide_a_regression(speed_front: Front) -> None:
    speed_front.does(candidate="skipping")
    set_probes(speed_front.folder, candidate="slow")
    assert ask(speed_front, "--quantities", "*.1", "--no-culprit", "--allow-inconclusive") == 1
    set_probes(speed_front.folder)
    assert ask(speed_front, "--quantities", "*.1") == 4
    assert "no longer checked" in speed_front.read().decision.sentence
    assert ask(speed_front, "--quantities", "*.1", "--accept-known") == 0


def test_two_harnesses_do_not_measure_at_once(
    speed_front: Front, capsys: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one finishes as soon as this one has said that it waits."""
    held = filelock.FileLock(speed_front.folder / "store" / "locks" / "latency.lock")
    Path(held.lock_file).parent.mkdir(parents=True)
    held.acquire()
    lock = Store.lock

    def release_when_told(store: Store, name: str, say_waiting: Callable[[], None] | None = None) -> Any:
        def say() -> None:
            assert say_waiting is not None
            say_waiting()
            held.release()

        return lock(store, name, say if name == "latency" else say_waiting)

    monkeypatch.setattr(Store, "lock", release_when_told)
    assert ask(speed_front, "--quantities", "memory.normalizer") == 0
    said = capsys.readouterr().out
    assert "note: another harness is measuring latency; waiting for it to finish" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--no-latency", "--budget", "1m"), "--quantities and --budget have no effect with --no-latency"),
        (("--budget", "soon"), "--budget 'soon' is not a duration such as 10m, 90s or 600 (seconds)"),
        (("--budget", "0s"), "--budget '0s' is not a duration"),
        (("--quantities", "normalise.*"), "--quantities 'normalise.*' matches no quantity"),
    ],
)
def test_an_invalid_request_writes_no_file(
    arguments: tuple[str, ...], said: str, speed_front: Front, capsys: Say
) -> None:
    there = sorted(speed_front.folder.iterdir())
    assert ask(speed_front, *arguments) == 2
    assert said in capsys.readouterr().err
    assert sorted(speed_front.folder.iterdir()) == there
