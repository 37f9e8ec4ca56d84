"""The verdict on a run, its sentence and its exit code."""

from __future__ import annotations

from typing import get_args

import pytest
from support.runs import CASES, make_case, make_plan, make_planned, make_result
from support.verdicts import BASE, GOOD, died, failed, told

from harness.errors import ExitCode
from harness.judge.verdict import EXIT_CODES, exit_code
from harness.records import CellStatus, Expectation, Plan, Verdict


def test_every_verdict_has_its_exit_code() -> None:
    assert {verdict: exit_code(verdict) for verdict in get_args(Verdict)} == {
        "pass": ExitCode.PASS,
        "failing, nothing new": ExitCode.PASS,
        "failing": ExitCode.REGRESSED,
        "regressed": ExitCode.REGRESSED,
        "unsatisfiable": ExitCode.UNSATISFIABLE,
        "inconclusive": ExitCode.INCONCLUSIVE,
        "error": ExitCode.ERROR,
    }
    assert {int(code) for code in EXIT_CODES.values()} == {0, 1, 3, 4, 5}


def test_pass() -> None:
    assert told(make_plan(BASE, make_planned()), GOOD, make_result()) == ("pass", "2 of 2 cells hold.")


def test_pass_with_a_cell_that_diverges_as_expected() -> None:
    known = Expectation(status="import-error", where={"numpy": ">=2"}, reason="gone")
    plan = make_plan(
        make_planned("base", baseline=True, axes={"numpy": "1.26"}), make_planned(), expectations=[known]
    )
    assert told(plan, GOOD, died("import-error")) == (
        "pass",
        "1 of 2 cells hold; 1 cannot be imported, as expected.",
    )
    alone = make_plan(make_planned(), expectations=[known], subset=True)
    assert told(alone, died("import-error")) == (
        "error",
        "No case passes: 1 cannot be imported, as expected.",
    )


@pytest.mark.parametrize("status", ["import-error", "crashed", "timed-out"])
def test_regressed_by_a_cell_that_died(status: CellStatus) -> None:
    said = ("regressed", "1 of 2 cells is red: a.")
    assert told(make_plan(BASE, make_planned()), GOOD, died(status)) == said


def test_regressed_by_a_red_case() -> None:
    plan = make_plan(BASE, make_planned())
    assert told(plan, GOOD, failed()) == ("regressed", "1 of 2 cells is red: a.")
    assert told(plan, GOOD, make_result(cases=[*GOOD.cases, make_case("l7.new")]))[0] == "regressed"


def test_regressed_by_an_unexpected_pass_of_a_case_or_of_a_cell() -> None:
    case = Expectation(check=CASES[0], reason="was broken", where={"numpy": ">=2"})
    cell = Expectation(status="crashed", reason="crashes", where={"numpy": ">=2"})
    base = make_planned("base", baseline=True, axes={"numpy": "1.26"})
    for known in (case, cell):
        plan = make_plan(base, make_planned(), expectations=[known])
        assert told(plan, GOOD, make_result()) == ("regressed", "1 of 2 cells is red: a.")


def test_regressed_by_a_stale_expectation() -> None:
    plan = make_plan(BASE, expectations=[Expectation(check="l9.*", reason="gone")])
    assert told(plan, GOOD) == ("regressed", "1 expectation matches nothing: l9.*.")


def test_error_where_a_cell_could_not_be_installed() -> None:
    plan = make_plan(BASE, make_planned())
    assert told(plan, GOOD, died("install-error")) == ("error", "a: could not be installed.")


def test_unsatisfiable_where_nobody_expected_it() -> None:
    said = ("unsatisfiable", "a: no solution, and no expectation covers that.")
    assert told(make_plan(BASE, make_planned(reason="numpy<2 meets numpy>=2")), GOOD) == said
    assert told(make_plan(make_planned(reason="numpy<2 meets numpy>=2"), subset=True)) == said


def test_inconclusive_where_results_are_missing() -> None:
    plan = make_plan(BASE, make_planned())
    said = ("inconclusive", "a: results are missing; run again to continue.")
    assert told(plan, GOOD) == said
    assert told(plan, GOOD, make_result(cases=GOOD.cases[1:])) == said


def test_error_where_nothing_was_measured() -> None:
    said = ("error", "Nothing was measured.")
    stale = [Expectation(check="l9.*", reason="gone")]
    assert told(make_plan()) == said
    assert told(make_plan(), make_result()) == said
    assert told(make_plan(expectations=stale)) == said
    assert told(make_plan(BASE, make_planned())) == said
    assert told(make_plan(BASE), make_result("base", cases=())) == said
    assert told(make_plan(make_planned(cases=()))) == said
    unsolved = [Expectation(status="unsatisfiable", reason="known")]
    assert told(make_plan(make_planned(reason="no"), expectations=unsolved)) == said


def test_error_where_no_case_passes_whatever_was_expected() -> None:
    """Skips and known divergences alone show nothing, nor does a run in which everything breaks."""
    base = make_planned("base", baseline=True, cases=CASES[1:3])
    known = [Expectation(check="l0.*", reason="known")]
    fails = make_result("base", cases=[make_case(case, "fail") for case in CASES[1:3]])
    skips = make_result("base", cases=[make_case(CASES[1], "fail"), make_case(CASES[2], "skip")])
    said = "No case passes: 2 cases diverge, as expected."
    assert told(make_plan(base, expectations=known), fails) == ("error", said)
    said = "No case passes: 1 case diverges, as expected."
    assert told(make_plan(base, expectations=known), skips) == ("error", said)
    gone = "No case passes: 2 cases diverge, as expected; 1 is missing."
    assert told(make_plan(base, make_planned(), expectations=known), fails) == ("error", gone)
    said = "No case passes: 1 of 1 cells is red: base; it is the baseline."
    assert told(make_plan(base), fails) == ("error", said)
    one = make_result("base", cases=[make_case(CASES[1], "fail"), make_case(CASES[2])])
    only = [Expectation(check=CASES[1], reason="known")]
    assert told(make_plan(base, expectations=only), one) == ("pass", "1 of 1 cells hold.")


def test_a_selection_without_the_baseline_says_so_and_keeps_its_exit_code() -> None:
    def alone(**changes: object) -> Plan:
        return make_plan(make_planned(**changes), baseline="base", subset=True)  # type: ignore[arg-type]

    assert told(alone(), make_result()) == ("pass", "1 of 1 cells hold; without the baseline.")
    assert told(alone(), failed()) == ("regressed", "1 of 1 cells is red: a; without the baseline.")
    said = "a: no solution, and no expectation covers that; without the baseline."
    assert told(alone(reason="no")) == ("unsatisfiable", said)
    assert told(make_plan(BASE, make_planned(), subset=True), GOOD, make_result())[1] == "2 of 2 cells hold."


def test_precedence() -> None:
    cells = [
        BASE,
        make_planned("gone"),
        make_planned("unsolved", reason="no"),
        make_planned("i"),
        make_planned("f"),
    ]
    results = [GOOD, died("install-error", "i"), failed("f")]
    assert told(make_plan(*cells), *results)[0] == "regressed"
    assert told(make_plan(*cells[:4]), *results[:2])[0] == "error"
    assert told(make_plan(*cells[:3]), *results[:1])[0] == "unsatisfiable"
    assert told(make_plan(*cells[:2]), *results[:1])[0] == "inconclusive"
    assert told(make_plan(*cells[:1]), *results[:1])[0] == "pass"
