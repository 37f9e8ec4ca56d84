from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from support.runs import make_case, make_plan, make_planned, make_result, make_run, seen

from harness.cell.interface import Check
from harness.records import CaseResult, CheckOutcome, Expectation, Observation, Run
from harness.report.parity import LayerSpread, Mark, find_parity, find_worst_texts, name_group
from harness.report.precision import Series, describe, find_precision, find_range

CHECKS = (
    Check("l0.precision", "L0", "t", "a", ("normalizer", "dtype")),
    Check("l0.precision-reference", "L0", "t", "a", ("dtype",)),
    Check("l0.parity", "L0", "t", "a", ("dtype",)),
    Check("l2.parity", "L2", "t", "a", ("dtype",)),
)


def series(**facts: Any) -> Observation:
    return Observation(
        value=1.0, unit="ulp", facts={name.replace("m", "-"): value for name, value in facts.items()}
    )


def run_of(cells: dict[str, list[CaseResult]], expectations: tuple[Expectation, ...] = ()) -> Run:
    cases = tuple(dict.fromkeys(case.id for found in cells.values() for case in found))
    plan = make_plan(
        *(make_planned(name, cases=cases, baseline=name == "base") for name in cells),
        expectations=expectations,
    )
    return make_run(plan, *(make_result(name, cases=found) for name, found in cells.items()), checks=CHECKS)


def precise(manual: Mapping[str, float | None]) -> list[CaseResult]:
    def case(name: str, points: Mapping[str, float | None]) -> CaseResult:
        facts: dict[str, str | float | int | bool | None] = {**points, "words": "more"}
        return make_case(name, observation=Observation(value=1.0, unit="ulp", facts=facts))

    return [
        case("l0.precision/manual/float16", manual),
        case("l0.precision-reference/float16", {"2^-14": 0.8, "2^0": 0.8, "2^14": None}),
    ]


def test_precision_of_each_formula_and_the_cells_that_agree_on_it() -> None:
    usual = {"2^14": 2000.0, "2^0": 0.7, "2^-14": 2000.0}
    run = run_of({"base": precise(usual), "b": precise(usual), "c": precise({**usual, "2^14": 0.7})})
    (found,) = find_precision(run)
    assert found.dtype == "float16"
    assert found.series == (
        Series("manual", ("base", "b"), ((-14, 2000.0), (0, 0.7), (14, 2000.0)), (0, 0)),
        Series("manual", ("c",), ((-14, 2000.0), (0, 0.7), (14, 0.7)), (0, 14)),
        Series("reference", ("base", "b", "c"), ((-14, 0.8), (0, 0.8), (14, None)), (-14, 0)),
    )
    assert [describe(each) for each in found.series] == [
        (
            "manual: up to 0.7 ULP for norms from 2⁰ to 2⁰; "
            "below that up to 2000 ULP, above that up to 2000 ULP."
        ),
        "manual: up to 0.7 ULP for norms from 2⁰ to 2¹⁴; below that up to 2000 ULP.",
        "reference: up to 0.8 ULP for norms from 2⁻¹⁴ to 2⁰; above that no finite number.",
    ]


@pytest.mark.parametrize(
    ("points", "holds"),
    [
        (((0, 0.1), (1, 0.9), (2, 1.1)), (0, 1)),  # an error below half an ULP counts as half of one
        (
            ((-1, 3.0), (0, 1.0), (1, 2.0), (2, 2.1), (3, 1.0)),
            (0, 1),
        ),  # what holds again further out does not count
        (((-3, 1.0), (-1, 1.0), (1, None)), (-3, -1)),
        (((0, None), (1, 1.0)), None),
        ((), None),
    ],
)
def test_the_range_in_which_a_formula_holds(
    points: tuple[tuple[int, float | None], ...], holds: tuple[int, int] | None
) -> None:
    assert find_range(points) == holds


def test_a_formula_that_breaks_at_norm_one_is_told() -> None:
    assert describe(Series("mine", ("a",), ((0, None),), None)) == "mine: no finite number at norm 1."


def test_landmarks_are_those_of_the_formats() -> None:
    (found,) = find_precision(run_of({"base": precise({"2^0": 1.0})}))
    assert [(each.power, each.name) for each in found.landmarks] == [
        (-14, "subnormal below"),
        (-7.0, "squares subnormal below"),
        (8.0, "squares overflow from here"),
    ]  # an eps of 1e-12 is no float16 at all


def test_parity_of_each_layer_and_the_cells_that_agree() -> None:
    def cases(value: float | None) -> list[CaseResult]:
        outcome: CheckOutcome = "pass" if value is not None and value <= 2 else "fail"
        return [
            make_case("l0.parity/float16", observation=seen(0.02, control=1.0)),
            make_case("l2.parity/float32", outcome, observation=seen(value, unit="distance", control=20.0)),
            make_case("l2.parity/float16", observation=seen(1.0, unit="abs", control=8.0)),
            make_case("l2.parity/zeros", observation=seen(1.0, allowed=0.0, unit="queries")),
        ]

    expected = (Expectation(check="l2.parity/float32", reason="known"),)
    run = run_of({"base": cases(2.5), "b": cases(2.5), "c": cases(None)}, expected)
    first, second = find_parity(run)
    assert (first.name, first.cells, second.name, second.cells) == ("A", ("base", "b"), "B", ("c",))
    low = Mark(pytest.approx(0.01), "within", 1)  # type: ignore[arg-type] # compares as a number
    half, beyond = Mark(10**-0.3, "within", 1), Mark(10**0.1, "expected", 1)
    assert first.layers == (
        LayerSpread("L0", (low,), 1, 0.01, 0.01, 0, None),
        LayerSpread("L2", (half, beyond), 2, 0.5, 1.25, 0, 4.0),
    )
    assert second.layers[1] == LayerSpread("L2", (half, Mark(None, "expected", 1)), 2, 0.5, 0.5, 1, 4.0)


def test_a_row_tells_the_worst_of_all_its_cells() -> None:
    def cases(value: float, control: float) -> list[CaseResult]:
        return [make_case("l2.parity/float32", observation=seen(value, unit="abs", control=control))]

    (group,) = find_parity(run_of({"base": cases(1.80, 20.0), "b": cases(1.98, 0.0), "c": cases(1.9, 9.0)}))
    (layer,) = group.layers
    assert (group.cells, layer.cases, layer.worst, layer.control) == (("base", "b", "c"), 1, 0.99, 0.0)
    assert (layer.median, layer.count("within"), layer.count("red")) == (0.95, 1, 0)


def test_rounding_keeps_the_side_of_the_tolerance() -> None:
    case = make_case("l2.parity/float32", "fail", observation=seen(2.02))
    (group,) = find_parity(run_of({"base": [case]}))
    ((mark,),) = (layer.marks for layer in group.layers)
    assert (mark.share, mark.kind) == (1.01, "red")


def test_what_holds_against_its_expectation_is_within_its_tolerance() -> None:
    case = "l2.end-to-end/float32"
    plan = make_plan(
        make_planned("base", cases=(case,)), expectations=[Expectation(check=case, reason="was broken")]
    )
    run = make_run(
        plan, make_result("base", cases=[make_case(case, observation=seen(1e-7, 2e-6, unit="abs"))])
    )
    assert run.judgement.findings[0].outcome == "xpass"
    (group,) = find_parity(run)
    assert [mark.kind for layer in group.layers for mark in layer.marks] == ["within"]


def test_groups_have_letters() -> None:
    assert [name_group(place) for place in (0, 25, 26, 27, 52)] == ["A", "Z", "AA", "AB", "BA"]


def test_the_worst_texts_come_first_and_once() -> None:
    def case(dtype: str, value: float | None, sample: str) -> CaseResult:
        return make_case(
            f"l2.parity/{dtype}",
            "fail" if value is None else "pass",
            observation=seen(value, unit="abs", worst=(3,), sample=sample),
        )

    cells = {
        "base": [case("float32", 0.5, "short: no"), case("float16", 1.5, "short: no")],
        "b": [case("float32", None, "long: yes"), case("float16", 1.0, "short: no")],
    }
    found = find_worst_texts(run_of(cells))
    assert [(each.case, each.kind, each.value, each.sample, each.cells) for each in found] == [
        ("l2.parity/float32", "red", None, "long: yes", 1),
        ("l2.parity/float16", "within", 1.5, "short: no", 2),
    ]
