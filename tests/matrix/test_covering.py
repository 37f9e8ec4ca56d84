"""Covering arrays: every feasible combination in a row, and a proof that agrees with trying every row."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.matrix.covering import (
    complete,
    drop_redundant,
    find_obstacles,
    is_ruled_out,
    list_combinations,
    make_rows,
    prove_coverage,
)
from harness.matrix.expand import Row
from harness.records import Combination, Coverage, RuledOut

AXES = {"numpy": ("1", "2"), "openvino": ("1", "2"), "torch": ("1", "2", "3")}


def rule_out(by: str = "resolver", /, **versions: str) -> RuledOut:
    texts = {axis: tuple(text.split(",")) for axis, text in versions.items()}
    return RuledOut(versions=texts, reason="because", by="exclude" if by == "exclude" else "resolver")


def number(rows: list[Row]) -> dict[str, Row]:
    return {f"cell{place}": row for place, row in enumerate(rows)}


@dataclass(frozen=True)
class World:
    axes: dict[str, tuple[str, ...]]
    strength: int
    ruled_out: list[RuledOut]

    def feasible_rows(self) -> list[Row]:
        """Every row, by trying all."""
        rows = (dict(zip(self.axes, texts, strict=True)) for texts in itertools.product(*self.axes.values()))
        return [
            row
            for row in rows
            if not any(
                all(row[axis] in texts for axis, texts in each.versions.items()) for each in self.ruled_out
            )
        ]

    def feasible(self) -> set[frozenset[tuple[str, str]]]:
        """Every combination that some row has."""
        rows = self.feasible_rows()
        return {
            frozenset(each) for row in rows for each in itertools.combinations(row.items(), self.strength)
        }

    def has(self, combination: Row) -> bool:
        return frozenset(combination.items()) in self.feasible()


@st.composite
def worlds(draw: st.DrawFn) -> World:
    sizes = draw(st.lists(st.integers(1, 3), min_size=2, max_size=4))
    axes = {f"a{place}": tuple(map(str, range(size))) for place, size in enumerate(sizes)}
    ruled_out = []
    for _ in range(draw(st.integers(0, 5))):
        names = draw(st.lists(st.sampled_from(sorted(axes)), min_size=1, max_size=3, unique=True))
        texts = {
            name: tuple(
                draw(st.lists(st.sampled_from(axes[name]), min_size=1, max_size=2, unique=True)),
            )
            for name in names
        }
        ruled_out.append(RuledOut(versions=texts, reason="because", by="resolver"))
    return World(axes, draw(st.integers(2, min(3, len(axes)))), ruled_out)


@given(worlds(), st.data())
@settings(deadline=None, max_examples=40)
def test_rows_have_all_that_trying_every_row_finds_and_the_proof_says_so(
    world: World, data: st.DataObject
) -> None:
    possible = world.feasible_rows()
    first = data.draw(st.lists(st.sampled_from(possible), max_size=4)) if possible else []
    rows = make_rows(world.axes, world.strength, world.ruled_out, first)
    assert all(row in possible for row in rows)
    assert all(list(row) == list(world.axes) for row in rows)
    rows = drop_redundant(world.axes, world.strength, rows)
    feasible = world.feasible()
    assert all(any(each <= row.items() for row in rows) for each in feasible)

    cells = number(rows)
    proof = prove_coverage(world.axes, world.strength, world.ruled_out, cells)
    assert [each.versions for each in proof.combinations] == list(
        list_combinations(world.axes, world.strength)
    )
    for each in proof.combinations:
        if each.cell:
            assert each.versions.items() <= cells[each.cell].items()
        else:
            assert frozenset(each.versions.items()) not in feasible
            named = [world.ruled_out[place] for place in each.ruled_out]
            assert not World(world.axes, world.strength, named).has(each.versions)
            for left_out in named:
                rest = [other for other in named if other is not left_out]
                assert World(world.axes, world.strength, rest).has(each.versions)

    for lost in rows:  # none is redundant, so without one the proof fails
        others = number([row for row in rows if row != lost])
        with pytest.raises(UsageError, match="the covering array lacks"):
            prove_coverage(world.axes, world.strength, world.ruled_out, others)


@given(worlds())
@settings(deadline=None, max_examples=40)
def test_rows_are_completed_where_trying_every_row_completes_them(world: World) -> None:
    possible = world.feasible_rows()
    for part in list_combinations(world.axes, world.strength):
        found = complete(world.axes, part, world.ruled_out)
        assert (
            (found in possible)
            if found is not None
            else not any(part.items() <= row.items() for row in possible)
        )


def test_an_array_that_misses_one_pair_is_refused() -> None:
    rows = make_rows(AXES, 2, [], [])
    assert prove_coverage(AXES, 2, [], number(rows)).product == 12
    lost = {"openvino": "2", "torch": "3"}
    planted = [
        {**row, "torch": "1"} if lost.items() <= row.items() else row
        for row in [
            *rows,
            {"numpy": "1", "openvino": "1", "torch": "3"},
            {**lost, "numpy": "2", "openvino": "1"},
        ]
    ]
    with pytest.raises(UsageError, match=r"^the covering array lacks openvino 2, torch 3: no cell has"):
        prove_coverage(AXES, 2, [], number(planted))


def test_the_proof_names_cells_reasons_and_cells_without_a_solution() -> None:
    axes = {"numpy": ("1", "2"), "openvino": ("1", "2")}
    ruled_out = [rule_out("exclude", numpy="1", openvino="1")]
    cells = {"a": {"numpy": "1", "openvino": "2"}, "b": {"numpy": "2", "openvino": "1"}}
    cells |= {"c": {"numpy": "2", "openvino": "2"}, "again": {"numpy": "1", "openvino": "2"}}
    assert prove_coverage(axes, 2, ruled_out, cells, ["a", "b"]) == Coverage(
        strength=2,
        product=4,
        combinations=(
            Combination(versions={"numpy": "1", "openvino": "1"}, ruled_out=(0,)),
            Combination(versions={"numpy": "1", "openvino": "2"}, cell="again"),
            Combination(versions={"numpy": "2", "openvino": "1"}, cell="b", unresolved=True),
            Combination(versions={"numpy": "2", "openvino": "2"}, cell="c"),
        ),
        ruled_out=tuple(ruled_out),
    )


def test_a_pair_is_infeasible_if_every_version_of_a_third_axis_is_ruled_out() -> None:
    ruled_out = [
        rule_out(numpy="1", torch="1"),
        rule_out(openvino="2"),
        rule_out(openvino="1", torch="2,3"),
        rule_out(numpy="2", torch="3"),
    ]
    assert find_obstacles(AXES, {"numpy": "1", "openvino": "1"}, ruled_out) == (0, 2)
    assert find_obstacles(AXES, {"numpy": "1", "openvino": "2"}, ruled_out) == (1,)
    assert find_obstacles(AXES, {"numpy": "2", "openvino": "1"}, ruled_out) is None


def test_rows_so_far_are_kept_if_they_add_something() -> None:
    first = [
        {"numpy": "2", "openvino": "2", "torch": "3"},
        {"numpy": "2", "openvino": "2", "torch": "3"},
        {"numpy": "1", "openvino": "1", "torch": "1"},
        {"numpy": "1", "openvino": "1", "torch": "2"},
    ]
    rows = make_rows(AXES, 2, [rule_out(torch="2")], first)
    assert rows[:2] == [first[0], first[2]]
    assert first[3] not in rows


def test_what_is_redundant_goes_but_for_what_is_always_there() -> None:
    axes = {"numpy": ("1", "2"), "openvino": ("1", "2")}
    rows = [dict(zip(axes, texts, strict=True)) for texts in itertools.product(*axes.values())]
    assert drop_redundant(axes, 2, [*rows, rows[0]]) == rows
    both = {"numpy": ("1",), "openvino": ("1", "2"), "torch": ("1", "2")}
    whole = [dict(zip(both, texts, strict=True)) for texts in itertools.product(*both.values())]
    assert drop_redundant(both, 1, whole) != drop_redundant(both, 1, whole, [whole[3]])
    assert whole[3] in drop_redundant(both, 1, whole, [whole[3]])


def test_nine_thousand_rows_are_covered_by_at_most_45() -> None:
    sizes = {"a": 6, "b": 5, "c": 5, "d": 5, "e": 4, "f": 3}
    axes = {axis: tuple(map(str, range(size))) for axis, size in sizes.items()}
    ruled_out = [rule_out(a=str(place), b=str(4 - place)) for place in range(5)]
    ruled_out += [rule_out(c=str(place), d=str(place), e="0,1") for place in range(5)]
    rows = make_rows(axes, 2, ruled_out, [])
    proof = prove_coverage(axes, 2, ruled_out, number(rows))
    assert (proof.product, len(proof.combinations)) == (9000, 324)
    assert len(rows) <= 45
    assert not any(is_ruled_out(row, ruled_out) for row in rows)
