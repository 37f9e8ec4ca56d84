from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.runs import CASES, CHECKS, make_case, make_full_run, make_plan, make_planned, make_result

from harness.errors import ExitCode
from harness.judge.judgement import judge
from harness.judge.verdict import EXIT_CODES, exit_code
from harness.records import CellResult, CellStatus, CheckOutcome, Expectation, Plan, PlannedCell, Verdict

GOOD = make_result("base")
BASE = make_planned("base", baseline=True)


def told(plan: Plan, *results: CellResult) -> tuple[Verdict, str]:
    judgement = judge(plan, results, CHECKS)
    return judgement.verdict, judgement.sentence


def failed(cell: str = "a") -> CellResult:
    return make_result(cell, status="failed", cases=[make_case(CASES[0], "fail"), *map(make_case, CASES[1:])])


def died(status: CellStatus, cell: str = "a") -> CellResult:
    return make_result(cell, status=status, reason="it did", cases=())


def test_every_verdict_has_its_exit_code() -> None:
    assert {verdict: exit_code(verdict) for verdict in get_args(Verdict)} == {
        "pass": ExitCode.PASS,
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
    assert told(plan, GOOD, died("import-error")) == ("pass", "1 of 2 cells hold; 1 diverges as expected.")
    alone = make_plan(make_planned(), expectations=[known], subset=True)
    assert told(alone, died("import-error")) == ("pass", "0 of 1 cells hold; 1 diverges as expected.")


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


def red_in(cell: str, *cases: str) -> CellResult:
    found = [make_case(case, "fail" if case in cases else "pass") for case in CASES]
    return make_result(cell, status="failed", cases=found)


@pytest.mark.parametrize(
    ("base", "other", "said"),
    [
        (failed("base"), make_result(), "1 of 2 cells is red: base; it is the baseline itself."),
        (
            failed("base"),
            failed(),
            "2 of 2 cells are red: base, a; all of that is red in the baseline base too.",
        ),
        (red_in("base", *CASES[:2]), failed(), "... base, a; all of that is red in the baseline base too."),
        (
            failed("base"),
            red_in("a", *CASES[:2]),
            "... base, a; the baseline base is red too, but a is red where it is not.",
        ),
        (
            died("crashed", "base"),
            died("crashed"),
            "... base, a; all of that is red in the baseline base too.",
        ),
        (
            died("crashed", "base"),
            died("timed-out"),
            "... base, a; the baseline base is crashed, so nothing says what is new.",
        ),
        (
            died("install-error", "base"),
            failed(),
            "1 of 2 cells is red: a; the baseline base is install-error, so nothing says what is new.",
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
    assert told(make_plan(BASE, make_planned()), base, other) == ("regressed", whole)


def test_a_baseline_that_is_red_as_expected_is_no_measure() -> None:
    known = Expectation(status="crashed", where={"numpy": "<2"}, reason="known")
    base = make_planned("base", baseline=True, axes={"numpy": "1.26"})
    plan = make_plan(base, make_planned(), expectations=[known])
    assert told(plan, died("crashed", "base"), died("crashed")) == (
        "regressed",
        "1 of 2 cells is red: a; the baseline base is crashed, so nothing says what is new.",
    )


def test_a_cell_that_no_longer_crashes_is_not_what_a_red_baseline_is() -> None:
    known = Expectation(status="crashed", where={"numpy": ">=2"}, reason="crashes")
    base = make_planned("base", baseline=True, axes={"numpy": "1.26"})
    assert told(make_plan(base, make_planned(), expectations=[known]), failed("base"), make_result()) == (
        "regressed",
        "2 of 2 cells are red: base, a; the baseline base is red too, but a is red where it is not.",
    )


def test_error_where_a_cell_could_not_be_installed() -> None:
    plan = make_plan(BASE, make_planned())
    assert told(plan, GOOD, died("install-error")) == ("error", "a: could not be installed.")


def test_unsatisfiable_where_nobody_expected_it() -> None:
    said = ("unsatisfiable", "a: no solution, and nobody expected that.")
    assert told(make_plan(BASE, make_planned(reason="numpy<2 meets numpy>=2")), GOOD) == said
    assert told(make_plan(make_planned(reason="numpy<2 meets numpy>=2"), subset=True)) == said


def test_inconclusive_where_results_are_missing() -> None:
    plan = make_plan(BASE, make_planned())
    said = ("inconclusive", "a: results are missing; run again to carry on.")
    assert told(plan, GOOD) == said
    assert told(plan, GOOD, make_result(cases=GOOD.cases[1:])) == said


def test_inconclusive_where_the_baseline_is_not_ok() -> None:
    known = Expectation(status="crashed", where={"numpy": "<2"}, reason="known")
    plan = make_plan(
        make_planned("base", baseline=True, axes={"numpy": "1.26"}), make_planned(), expectations=[known]
    )
    said = ("inconclusive", "The baseline base is crashed, so there is nothing to compare with.")
    assert told(plan, died("crashed", "base"), make_result()) == said
    gone = make_plan(make_planned(), baseline="base")
    assert told(gone, make_result()) == ("inconclusive", "The baseline base is not in the plan.")


def test_error_where_nothing_was_measured() -> None:
    said = ("error", "Nothing was measured, so nothing can be said.")
    stale = [Expectation(check="l9.*", reason="gone")]
    assert told(make_plan()) == said
    assert told(make_plan(), make_result()) == said
    assert told(make_plan(expectations=stale)) == said
    assert told(make_plan(BASE, make_planned())) == said
    assert told(make_plan(BASE), make_result("base", cases=())) == said
    assert told(make_plan(make_planned(cases=()))) == said
    unsolved = [Expectation(status="unsatisfiable", reason="known")]
    assert told(make_plan(make_planned(reason="no"), expectations=unsolved)) == said


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


def test_the_full_run_has_every_status_and_says_why_a_cell_is_red() -> None:
    judgement = make_full_run().judgement
    assert {cell.status for cell in judgement.cells} == set(get_args(CellStatus))
    assert [(cell.cell, cell.status, cell.red, cell.reused, cell.reason) for cell in judgement.cells[:6]] == [
        ("base", "ok", False, True, ""),
        (
            "xpass",
            "failed",
            True,
            False,
            "l2.end-to-end/float32: passes, but is expected to fail; take the expectation out or narrow it",
        ),
        ("red", "failed", True, False, "l0.parity/manual/float32: boom  (and 1 more, in L0)"),
        ("gone", "missing", True, False, "the run ended before this cell had a result"),
        ("expected-import-error", "import-error", False, False, "cannot import "),
        ("twin", "ok", False, True, ""),
    ]
    assert judgement.cells[0].layers == {"ENV": {"pass": 1}, "L0": {"pass": 1, "xfail": 1}, "L2": {"pass": 1}}


def test_a_cell_that_should_have_died_is_red_and_says_so() -> None:
    known = Expectation(status="import-error", reason="gone")
    (cell,) = judge(make_plan(make_planned(), expectations=[known]), [make_result()], CHECKS).cells
    assert (cell.status, cell.red, cell.reason) == ("ok", True, "expected import-error, but the cell is ok")
    (cell,) = judge(make_plan(make_planned(), expectations=[known]), [died("crashed")], CHECKS).cells
    assert (cell.red, cell.reason) == (True, "expected import-error, but the cell is crashed: it did")


def test_a_cell_whose_process_says_failed_is_ok_when_all_its_failures_are_known() -> None:
    plan = make_plan(make_planned(), expectations=[Expectation(check=CASES[0], reason="known")])
    assert judge(plan, [failed()], CHECKS).cells[0].status == "ok"
    (cell,) = judge(
        make_plan(make_planned()), [make_result(status="failed", reason="pytest broke")], CHECKS
    ).cells
    assert (cell.status, cell.red, cell.reason) == ("failed", True, "pytest broke")


outcomes: st.SearchStrategy[CheckOutcome | None] = st.sampled_from(["pass", "fail", "error", "skip", None])
statuses = st.sampled_from(get_args(CellStatus))
names = ("base", "a", "b")


@st.composite
def sweeps(draw: st.DrawFn) -> tuple[Plan, list[CellResult]]:
    results: list[CellResult] = []
    planned: list[PlannedCell] = [
        make_planned(name, baseline=name == "base", reason=draw(st.sampled_from(["", "", "no"])))
        for name in draw(st.lists(st.sampled_from(names), unique=True))
    ]
    for name in draw(st.lists(st.sampled_from(names))):
        told = [(case, draw(outcomes)) for case in CASES]
        cases = [make_case(case, outcome) for case, outcome in told if outcome is not None]
        results.append(make_result(name, status=draw(statuses), cases=cases))
    globs = draw(st.lists(st.sampled_from(["*", "l0.*", "l9.*"]), max_size=1))
    return make_plan(
        *planned, expectations=[Expectation(check=glob, reason="known") for glob in globs]
    ), results


@given(sweeps(), st.randoms(use_true_random=False))
def test_order_does_not_matter_and_nothing_vanishes(
    sweep: tuple[Plan, list[CellResult]], random: object
) -> None:
    plan, results = sweep
    judgement = judge(plan, results, CHECKS)
    shuffled = list(results)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    assert judge(plan, shuffled, CHECKS) == judgement
    found = {(each.cell, each.check): each.outcome for each in judgement.findings}
    reported = {(result.cell, case.id) for result in results for case in result.cases}
    for planned in plan.cells:
        for case in planned.cases:
            owed = (planned.cell.id, case)
            assert owed in found
            assert (found[owed] == "missing") == (owed not in reported) or len(results) > len(
                {r.cell for r in results}
            )
    if judgement.verdict == "pass":
        assert results
        assert plan.cells
        assert not [cell for cell in judgement.cells if cell.red]
        assert not judgement.stale_expectations


@given(sweeps())
def test_without_results_there_is_never_a_pass(sweep: tuple[Plan, list[CellResult]]) -> None:
    plan, results = sweep
    assert judge(plan, [], CHECKS).verdict != "pass"
    assert judge(make_plan(), results, CHECKS).verdict == "error"


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
    assert judged.sentence == "1 of 2 cells hold; 1 diverges as expected."
