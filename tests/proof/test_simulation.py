"""Simulated gates of the proof: they count what happened, and can go red."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from support.proofs import held, quantities_fixture  # noqa: F401 - fixtures

from harness.judge import quantity_decision as quantities_of_a_gate
from harness.records import Block, Quantity
from proof.goals import judge_at_threshold, judge_pools, judge_simulated
from proof.noise import KINDS, make_pool
from proof.simulation import Setting, Simulated, simulate
from proof.stages import find_measured

GATES = 40


def run(setting: Setting, pool: Sequence[Block], gates: int = GATES) -> list[Simulated]:
    return simulate(setting, {"normalizer": pool}, gates, seed=1)


@pytest.mark.parametrize("kind", KINDS)
def test_identical_environments_do_not_regress_whatever_the_noise(
    quantities: tuple[Quantity, ...], kind: str
) -> None:
    setting = Setting(quantities, seconds=60)
    verdict = judge_simulated(0, setting, run(setting, make_pool(kind, quantities, 60, 1)))[0]
    assert (verdict.count, verdict.gates, verdict.holds) == (0, GATES, True), verdict


@pytest.mark.parametrize("percent", [10, 20])
def test_a_planted_slow_down_is_found(quantities: tuple[Quantity, ...], percent: int) -> None:
    setting = Setting(quantities, slower=1 + percent / 100)
    pool = make_pool("normal", quantities, 60, 1)
    verdict, in_time = judge_simulated(percent, setting, run(setting, pool))
    assert (verdict.count, verdict.holds) == (GATES, True), verdict
    assert in_time.count == GATES, in_time


def test_a_slow_down_that_is_too_small_to_be_found_misses_the_goal(quantities: tuple[Quantity, ...]) -> None:
    setting = Setting(quantities, slower=1.02, seconds=60)
    verdict, _ = judge_simulated(10, setting, run(setting, make_pool("normal", quantities, 60, 1)))
    assert (verdict.holds, verdict.goal) == (False, "at least 38")


def test_arms_that_are_not_alike_are_seen(quantities: tuple[Quantity, ...]) -> None:
    """A decision that called noise a regression would show: identical gates that are not miss the goal."""
    setting = Setting(quantities, slower=1.2)
    verdict = judge_simulated(0, setting, run(setting, make_pool("normal", quantities, 60, 1)))[0]
    assert (verdict.holds, verdict.goal) == (False, "at most 0")


@pytest.mark.parametrize("kind", KINDS)
def test_at_the_threshold_nothing_is_said(quantities: tuple[Quantity, ...], kind: str) -> None:
    """Neither slower nor not: whoever decides there decides by chance.

    Many blocks, for the gates of a small pool have most of their blocks in common, and its luck with them.
    """
    setting = Setting(quantities, slower=1.05, seconds=60)
    found = judge_at_threshold(setting, run(setting, make_pool(kind, quantities, 600, 1), gates=100))
    assert (found.goal, found.holds) == ("at most 1", True), found
    assert found.what == "simulated, 5% slower, as is allowed: decided"


def test_who_decides_at_the_threshold_is_seen(quantities: tuple[Quantity, ...]) -> None:
    setting = Setting(quantities, slower=1.2)
    found = judge_at_threshold(setting, run(setting, make_pool("normal", quantities, 60, 1)))
    assert (found.count, found.holds) == (GATES, False)
    assert " regressed in 40, " in found.note
    assert not judge_at_threshold(setting, []).holds


def test_identical_environments_pass_where_there_is_time(quantities: tuple[Quantity, ...]) -> None:
    pool = make_pool("normal", quantities, 60, 1)
    _, passed, _ = judge_simulated(0, Setting(quantities), run(Setting(quantities), pool))
    assert (passed.count, passed.goal, passed.holds) == (GATES, "at least 38", True), passed
    short = Setting(quantities, seconds=32)  # for one look
    noisy = make_pool("every other process takes 1.1 times", quantities, 60, 1)
    _, passed, in_time = judge_simulated(0, short, run(short, noisy))
    assert (passed.count < GATES / 10, passed.holds, in_time.count < GATES / 10) == (True, False, True)
    assert passed.note.endswith(" and 6 more")
    assert " undecided in " in passed.note


def test_processes_in_each_others_way_do_not_keep_a_gate_from_deciding(
    quantities: tuple[Quantity, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where every block counts, many do not decide in the time in which nearly all do."""
    setting = Setting(quantities, seconds=100)
    pool = make_pool("two of three take 1.3 times in 1 block of 15", quantities, 400, 1)
    _, passed, _ = judge_simulated(0, setting, run(setting, pool))
    assert passed.count >= 0.9 * GATES, passed
    monkeypatch.setattr(quantities_of_a_gate, "exclude_outliers", lambda blocks, *_: blocks)
    _, passed, _ = judge_simulated(0, setting, run(setting, pool))
    assert passed.count <= 0.8 * GATES, passed


def test_a_gate_without_a_block_holds_nothing(quantities: tuple[Quantity, ...]) -> None:
    """A thousand gates that measured nothing are never wrong, and no proof."""
    setting = Setting(quantities)
    gates = simulate(setting, {}, 1000, seed=1)
    assert held(judge_simulated(0, setting, gates)) == [True, False, None]
    assert held(judge_simulated(10, setting, gates)) == [False, None]
    assert held(judge_simulated(0, setting, [])) == [False, False, None]
    assert held(judge_pools(quantities, quantities, {})) == [False, None]
    assert held(judge_pools(quantities, quantities, {"normalizer": 3})) == [True, None]


def test_a_quantity_that_late_blocks_lack_is_left_out_and_told(quantities: tuple[Quantity, ...]) -> None:
    pool = make_pool("normal", quantities, 3, 1)
    lost = quantities[4]
    late = {name: value for name, value in pool[2].again.items() if name != lost.id}
    pools = {"normalizer": [*pool[:2], msgspec.structs.replace(pool[2], again=late)]}
    used = find_measured(quantities, pools)
    assert used == (*quantities[:4], *quantities[5:])
    *_, row = judge_pools(quantities, used, {"normalizer": 3})
    assert (row.count, row.gates, row.note) == (8, 9, f"left out, as some blocks lack them: {lost.id}")
    assert find_measured(quantities, {}) == quantities


def test_the_same_seed_gives_the_same_gates(quantities: tuple[Quantity, ...]) -> None:
    setting = Setting(quantities, seconds=60)
    pool = make_pool("heavy tails", quantities, 60, 1)
    first, again = (run(setting, pool, gates=3) for _ in range(2))
    assert [gate.decided for gate in first] == [gate.decided for gate in again]
    assert len({str(gate.decided) for gate in first}) == 3


def test_a_gate_is_cut_off_by_its_time(quantities: tuple[Quantity, ...]) -> None:
    few = run(Setting(quantities, seconds=20), make_pool("normal", quantities, 60, 1), gates=2)
    assert [(len(gate.draws["normalizer"]), gate.decided) for gate in few] == [(10, {}), (10, {})]
