"""The cause of wrong cells in a covering array: what all of them have and no right one, and what decides."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.judge.array_cause import Explanation, find_deciding_rows, find_explanations
from harness.records import RuledOut

CELLS = {
    "a": {"numpy": "2", "torch": "2", "hub": "2"},
    "b": {"numpy": "2", "torch": "1", "hub": "1"},
    "c": {"numpy": "1", "torch": "2", "hub": "1"},
    "d": {"numpy": "1", "torch": "1", "hub": "2"},
}
TWO = ("2",)
PAIRS: tuple[Explanation, ...] = (
    {"numpy": TWO, "torch": TWO},
    {"numpy": TWO, "hub": TWO},
    {"torch": TWO, "hub": TWO},
)


def test_one_version_that_all_wrong_cells_have_and_no_right_one() -> None:
    assert find_explanations(CELLS, ["a", "b"], ["c", "d"], 2) == ({"numpy": TWO},)


def test_pairs_are_left_where_no_version_explains_it() -> None:
    assert find_explanations(CELLS, ["a"], ["b", "c", "d"], 2) == PAIRS
    assert find_explanations(CELLS, ["a"], ["b", "c", "d"], 1) == ()
    assert find_explanations(CELLS, ["a"], ["b"], 2) == ({"torch": TWO}, {"hub": TWO})  # c, d: not measured


def test_several_versions_of_an_axis_may_be_wrong() -> None:
    cells = CELLS | {
        "e": {"numpy": "3", "torch": "2", "hub": "1"},
        "f": {"numpy": "3", "torch": "1", "hub": "2"},
    }
    assert find_explanations(cells, ["a", "e"], ["b", "c", "d", "f"], 2) == (
        {"numpy": ("2", "3"), "torch": TWO},
    )


def test_there_may_be_no_explanation() -> None:
    cells = CELLS | {"e": {"numpy": "1", "torch": "1", "hub": "1"}}
    assert find_explanations(cells, ["a", "e"], ["b", "c", "d"], 2) == ()
    assert find_explanations(CELLS, [], ["a"], 2) == ()
    assert find_explanations(CELLS, ["a"], [], 2) == ()


def test_a_right_row_with_the_versions_of_one_explanation_decides() -> None:
    right = [CELLS[cell] for cell in "bcd"]
    assert find_deciding_rows(PAIRS, right, []) == (
        {"numpy": "2", "torch": "2", "hub": "1"},
        {"numpy": "2", "torch": "1", "hub": "2"},
    )
    ruled_out = [
        RuledOut(versions={"torch": ("1",), "numpy": ("2",), "hub": ("2",)}, reason="r", by="resolver")
    ]
    assert find_deciding_rows(PAIRS, right, ruled_out) == ({"numpy": "2", "torch": "2", "hub": "1"},)
    assert find_deciding_rows(PAIRS[:1], right, []) == ()


AXES = {"a": "123", "b": "12", "c": "123", "d": "12"}
ROWS = [dict(zip(AXES, texts, strict=True)) for texts in itertools.product(*AXES.values())]


def contains(explanation: Explanation, row: dict[str, str]) -> bool:
    return all(row[axis] in texts for axis, texts in explanation.items())


@given(st.sampled_from(ROWS), st.sets(st.sampled_from(sorted(AXES)), min_size=1, max_size=2), st.data())
@settings(deadline=None, max_examples=60)
def test_the_true_cause_is_always_among_the_explanations(
    row: dict[str, str], axes: set[str], data: st.DataObject
) -> None:
    cause: Explanation = {axis: (row[axis],) for axis in axes}
    ran = data.draw(st.lists(st.sampled_from(ROWS), min_size=1, max_size=12, unique_by=str))
    cells = {str(place): each for place, each in enumerate([row, *ran])}
    wrong = [cell for cell, each in cells.items() if contains(cause, each)]
    right = [cell for cell in cells if cell not in wrong]
    found = find_explanations(cells, wrong, right, 2)
    assert not right or any(each.keys() <= cause.keys() for each in found)
    for each in found:
        assert all(contains(each, cells[cell]) for cell in wrong)
        assert not any(contains(each, cells[cell]) for cell in right)
    for decides in find_deciding_rows(found, [cells[cell] for cell in right], []):
        assert sum(contains(each, decides) for each in found) == 1
        assert decides not in cells.values()
