"""What is said where the baseline is red, died or diverges itself."""

from __future__ import annotations

import msgspec
import pytest
from support.runs import CASES, CHECKS, make_case, make_plan, make_planned, make_result
from support.verdicts import BASE, died, failed, told

from harness.judge.verdict import judge
from harness.records import CellResult, Expectation


def red_in(cell: str, *cases: str) -> CellResult:
    found = [make_case(case, "fail" if case in cases else "pass") for case in CASES]
    return make_result(cell, status="failed", cases=found)


@pytest.mark.parametrize(
    ("base", "other", "said"),
    [
        (failed("base"), make_result(), "1 of 2 cells is red: base; it is the baseline."),
        (
            failed("base"),
            failed(),
            "2 of 2 cells are red: base, a; all of this is red in the baseline base too.",
        ),
        (red_in("base", *CASES[:2]), failed(), "... base, a; all of this is red in the baseline base too."),
        (
            failed("base"),
            red_in("a", *CASES[:2]),
            "... base, a; the baseline base is red too, but a is red where it is not.",
        ),
        (
            died("crashed", "base"),
            died("crashed"),
            "... base, a; all of this is red in the baseline base too.",
        ),
        (
            died("crashed", "base"),
            died("timed-out"),
            "... base, a; the baseline base is crashed, so new failures are unknown.",
        ),
        (
            died("install-error", "base"),
            failed(),
            "1 of 2 cells is red: a; the baseline base is install-error, so new failures are unknown.",
        ),
        (
            failed("base"),
            died("crashed"),
            "... base, a; the baseline base is red too, but a is red where it is not.",
        ),
    ],
)
def test_what_is_red_in_the_baseline_too_is_said_to_be(
    base: CellResult, other: CellResult, said: str
) -> None:
    whole = said.replace("...", "2 of 2 cells are red:")
    passes = any(case.outcome == "pass" for case in (*base.cases, *other.cases))
    name = "failing" if "too." in said or "it is the baseline" in said else "regressed"
    verdict = (name, whole) if passes else ("error", f"No case passes: {whole}")
    assert told(make_plan(BASE, make_planned()), base, other) == verdict


def test_a_baseline_that_is_red_as_expected_is_no_measure() -> None:
    known = Expectation(status="crashed", where={"numpy": "<2"}, reason="known")
    base = make_planned("base", baseline=True, axes={"numpy": "1.26"})
    plan = make_plan(base, make_planned(), expectations=[known])
    said = "1 of 2 cells is red: a; the baseline base is crashed, so new failures are unknown."
    assert told(plan, died("crashed", "base"), failed()) == ("regressed", said)
    assert told(plan, died("crashed", "base"), died("crashed")) == ("error", f"No case passes: {said}")


def test_a_cell_that_no_longer_crashes_is_not_what_a_red_baseline_is() -> None:
    known = Expectation(status="crashed", where={"numpy": ">=2"}, reason="crashes")
    base = make_planned("base", baseline=True, axes={"numpy": "1.26"})
    assert told(make_plan(base, make_planned(), expectations=[known]), failed("base"), make_result()) == (
        "regressed",
        "2 of 2 cells are red: base, a; the baseline base is red too, but a is red where it is not.",
    )


def test_inconclusive_where_the_baseline_is_not_ok() -> None:
    known = Expectation(status="crashed", where={"numpy": "<2"}, reason="known")
    plan = make_plan(
        make_planned("base", baseline=True, axes={"numpy": "1.26"}), make_planned(), expectations=[known]
    )
    said = ("inconclusive", "The baseline base is crashed, so there is nothing to compare with.")
    assert told(plan, died("crashed", "base"), make_result()) == said
    gone = make_plan(make_planned(), baseline="base")
    assert told(gone, make_result()) == ("inconclusive", "The baseline base is not in the plan.")


def test_a_cell_that_diverges_where_the_baseline_does_not_is_counted_apart() -> None:
    base = make_planned("base", cases=CASES[:2], axes={"numpy": "1.26.2"}, baseline=True)
    new = make_planned("new", cases=CASES[:2], axes={"numpy": "2.4.6"})
    everywhere = Expectation(check=CASES[0], reason="everywhere")
    only_new = Expectation(check=CASES[1], where={"numpy": ">=2"}, reason="new in this release")
    results = (
        make_result("base", cases=[make_case(CASES[0], "fail"), make_case(CASES[1])]),
        make_result("new", cases=[make_case(CASES[0], "fail"), make_case(CASES[1], "fail")]),
    )
    judged = judge(make_plan(base, new, expectations=[everywhere, only_new]), results, CHECKS)
    assert [(cell.status, cell.divergent) for cell in judged.cells] == [("ok", 0), ("ok", 1)]
    assert judged.sentence == "1 of 2 cells hold; 1 diverges, as expected."


def test_a_cell_run_alone_diverges_from_the_baseline_that_stands_by() -> None:
    base = make_planned("base", axes={"numpy": "1.26.2"}, baseline=True)
    new = make_planned("new", cases=CASES[:3], axes={"numpy": "2.4.6"})
    everywhere = Expectation(check=CASES[0], reason="everywhere")
    only_new = Expectation(check=CASES[1], where={"numpy": ">=2"}, reason="new in this release")
    plan = make_plan(new, expectations=[everywhere, only_new], baseline="base")
    alone = msgspec.structs.replace(plan, subset=True, baseline_cell=base)
    failing = [make_case(CASES[0], "fail"), make_case(CASES[1], "fail")]
    result = make_result("new", cases=[*failing, make_case(CASES[2])])
    judged = judge(alone, [result], CHECKS)
    assert [(cell.status, cell.divergent) for cell in judged.cells] == [("ok", 1)]
    assert judged.sentence == "0 of 1 cells hold; 1 diverges, as expected; without the baseline."
    for_all = msgspec.structs.replace(alone, baseline=None, baseline_cell=None)
    assert judge(for_all, [result], CHECKS).cells[0].divergent == 0
