"""When the gate looks, and that all its looks together spend no more than it may."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from support.plan_texts import make_matrix

from harness.gate.quantities import plan_quantities
from harness.judge import alpha_spending
from harness.judge.alpha_spending import (
    ALPHA,
    InterimAnalysis,
    compute_confidence,
    find_final_analysis,
    find_next_analysis,
    plan_analyses,
    spend_alpha,
)


def spent(share: Callable[[int], float], number: int = 2000) -> float:
    return sum(share(each) for each in range(1, number + 1))


def test_all_looks_together_spend_the_error_once() -> None:
    assert 0.999 < spent(spend_alpha) < 1
    assert all(spend_alpha(number) > 0 for number in range(1, 2000))
    told = [spend_alpha(number) for number in range(1, 6)]
    assert told == pytest.approx([1 / 3, 1 / 2, 1 / 12, 1 / 36, 1 / 72])


@pytest.mark.parametrize("share", [lambda _: 0.25, lambda number: 1 / number**2, lambda number: 1 / number])
def test_a_schedule_that_spends_too_much_is_caught(share: Callable[[int], float]) -> None:
    assert spent(share) > 1


def test_looks_come_after_growing_numbers_of_blocks() -> None:
    first = list(itertools.islice(plan_analyses(), 6))
    assert [(look.number, look.blocks) for look in first] == [
        (1, 16),
        (2, 24),
        (3, 36),
        (4, 54),
        (5, 81),
        (6, 122),
    ]
    assert [look.share for look in first] == [spend_alpha(number) for number in range(1, 7)]


@pytest.mark.parametrize(("blocks", "due"), [(0, 16), (15, 16), (16, 24), (53, 54), (54, 81)])
def test_the_next_look_is_one_that_has_not_been(blocks: int, due: int) -> None:
    assert find_next_analysis(blocks).blocks == due


@pytest.mark.parametrize(
    ("blocks", "look"),
    [
        (0, None),
        (15, None),
        (16, None),
        (17, InterimAnalysis(2, 17, 1 / 2)),
        (24, None),
        (35, InterimAnalysis(3, 35, spend_alpha(3))),
        (53, InterimAnalysis(4, 53, spend_alpha(4))),
    ],
)
def test_the_last_look_takes_the_share_of_the_next(blocks: int, look: InterimAnalysis | None) -> None:
    assert find_final_analysis(blocks) == look


def test_the_error_is_divided_among_both_intervals_of_all_planned_quantities() -> None:
    assert compute_confidence(find_next_analysis(0), 13) == pytest.approx(1 - 0.01 / 3 / 26)
    all_looks = [InterimAnalysis(number, 14, spend_alpha(number)) for number in range(1, 2000)]
    spent_by_all = sum(2 * 13 * (1 - compute_confidence(look, 13)) for look in all_looks)
    assert 0.999 * ALPHA < spent_by_all < ALPHA
    with pytest.raises(ValueError, match="without quantities"):
        compute_confidence(find_next_analysis(0), 0)


def test_the_first_look_has_just_enough_blocks_even_if_two_are_left_out(tmp_path: Path) -> None:
    """The exact interval of n pairs exists down to an error of 2 ** (1 - n)."""
    quantities = len(plan_quantities(make_matrix(tmp_path)))
    needed = 1 - compute_confidence(find_next_analysis(0), quantities)
    enough = next(n for n in itertools.count(1) if 2.0 ** (1 - n) <= needed)
    assert (quantities, enough + 2) == (13, alpha_spending.FIRST_BLOCKS)
