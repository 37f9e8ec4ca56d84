"""Expectations that are proposed for a run: which cells each covers, and what it says."""

from __future__ import annotations

import pytest
from support.runs import CASES, CHECKS, make_case, make_plan, make_planned, make_result, seen

from harness.errors import UsageError
from harness.judge.proposals import Proposal, list_unacceptable, propose
from harness.judge.verdict import judge
from harness.records import CaseResult, CellResult, CellStatus, Expectation, Judgement, Plan, PlannedCell

NUMPY, REFERENCE = ("1.26.2", "2.0.2", "2.4.6"), ("2.7.0", "3.3.1", "6.2.0")
GRID = {f"{n}_{r}": {"numpy": n, "sentence-transformers": r} for n in NUMPY for r in REFERENCE}

Faults = dict[str, dict[str, CaseResult]]
"""Cell -> case -> its result; every other case holds."""


def judge_grid(faults: Faults, cells: tuple[PlannedCell, ...] = ()) -> tuple[Plan, Judgement]:
    planned = cells or tuple(make_planned(cell, axes=axes) for cell, axes in GRID.items())
    results = []
    for each in planned:
        cell = each.cell.id
        cases = [faults.get(cell, {}).get(case) or make_case(case) for case in CASES]
        status = "failed" if cell in faults else "ok"
        results.append(make_result(cell, cases=cases, status=status))
    plan = make_plan(*planned)
    return plan, judge(plan, results, CHECKS)


def accept(faults: Faults, cells: tuple[PlannedCell, ...] = ()) -> tuple[Proposal, ...]:
    plan, judgement = judge_grid(faults, cells)
    proposals = propose(plan, judgement, "known")
    under = make_plan(*plan.cells, expectations=[each.expectation for each in proposals])
    again = judge(under, [make_result_of(under, cell, faults) for cell in under.cells], CHECKS)
    assert [each for each in again.findings if each.outcome in {"fail", "error", "xpass", "missing"}] == []
    return proposals


def make_result_of(plan: Plan, planned: PlannedCell, faults: Faults) -> CellResult:
    cases = [faults.get(planned.cell.id, {}).get(case) or make_case(case) for case in CASES]
    return make_result(planned.cell.id, cases=cases, run=plan.run)


def wheres(proposals: tuple[Proposal, ...]) -> list[dict[str, str]]:
    return [each.expectation.where for each in proposals]


@pytest.mark.parametrize(
    ("red", "where"),
    [
        ({"2.4.6_6.2.0"}, [{"numpy": "==2.4.6", "sentence-transformers": "==6.2.0"}]),
        (
            {each for each in GRID if each.endswith("_6.2.0")},
            [{"numpy": ">=1.26.2,<=2.4.6", "sentence-transformers": "==6.2.0"}],
        ),
        (
            {each for each in GRID if not each.startswith("1.26.2")},
            [{"numpy": ">=2.0.2,<=2.4.6", "sentence-transformers": ">=2.7.0,<=6.2.0"}],
        ),
        (
            {"1.26.2_2.7.0", "2.4.6_6.2.0"},
            [
                {"numpy": "==1.26.2", "sentence-transformers": "==2.7.0"},
                {"numpy": "==2.4.6", "sentence-transformers": "==6.2.0"},
            ],
        ),
        (
            {"2.0.2_6.2.0", "2.4.6_6.2.0", "2.4.6_3.3.1"},
            [
                {"numpy": ">=2.0.2,<=2.4.6", "sentence-transformers": "==6.2.0"},
                {"numpy": "==2.4.6", "sentence-transformers": ">=3.3.1,<=6.2.0"},
            ],
        ),
    ],
)
def test_where_holds_for_the_red_cells_and_for_no_green_one(
    red: set[str], where: list[dict[str, str]]
) -> None:
    assert wheres(accept({cell: {CASES[2]: make_case(CASES[2], "fail")} for cell in red})) == where


def test_cases_that_are_red_together_are_one_expectation_with_the_worst_of_them() -> None:
    bad = {
        case: make_case(case, "fail", message=f"worst error {value:g} ULP", observation=seen(value))
        for case, value in ((CASES[1], 9.0), (CASES[2], 50.0))
    }
    error = {CASES[3]: make_case(CASES[3], "error")}
    assert accept({"2.4.6_6.2.0": bad | error, "2.4.6_3.3.1": bad}) == (
        Proposal(
            Expectation(
                check="l0.parity/*",
                where={"numpy": "==2.4.6", "sentence-transformers": ">=3.3.1,<=6.2.0"},
                reason="known",
            ),
            f"Run run-1: 2 cases in 2 cells; worst: {CASES[2]} in 2.4.6_3.3.1: worst error 50 ULP",
        ),
        Proposal(
            Expectation(
                check=CASES[3],
                outcome="error",
                where={"numpy": "==2.4.6", "sentence-transformers": "==6.2.0"},
                reason="known",
            ),
            f"Run run-1: 1 case in 1 cell; worst: {CASES[3]} in 2.4.6_6.2.0: ValueError: no such port",
        ),
    )


def test_cells_that_differ_in_a_transitive_package_are_told_apart_by_it() -> None:
    cells = tuple(
        make_planned(name, axes={"numpy": "2.4.6"}, locked={"numpy": "2.4.6", "transformers": version})
        for name, version in (("baseline", "4.57.6"), ("candidate", "5.5.4"))
    )
    found = accept({"candidate": {CASES[1]: make_case(CASES[1], "fail")}}, cells)
    assert wheres(found) == [{"numpy": "==2.4.6", "transformers": "==5.5.4"}]


def test_cells_of_equal_versions_cannot_be_told_apart() -> None:
    cells = (make_planned("one"), make_planned("other"))
    with pytest.raises(UsageError, match="red in one and not in other, which have the same versions"):
        accept({"one": {CASES[1]: make_case(CASES[1], "fail")}}, cells)


def test_a_status_is_accepted_and_a_lost_result_is_not() -> None:
    statuses: dict[str, CellStatus] = {
        "1.26.2": "import-error",
        "2.0.2": "crashed",
        "2.1.3": "ok",
        "2.4.6": "install-error",
    }
    cells = tuple(make_planned(version, axes={"numpy": version}) for version in (*statuses, "3.0"))
    cells = (*cells, make_planned("1.20", axes={"numpy": "1.20"}, reason="no such release"))
    results = [
        make_result(version, status=status, reason=f"it is {status}", cases=None if status == "ok" else ())
        for version, status in statuses.items()
    ]
    plan = make_plan(*cells)
    judgement = judge(plan, results, CHECKS)
    assert propose(plan, judgement, "known") == (
        Proposal(
            Expectation(status="unsatisfiable", where={"numpy": "==1.20"}, reason="known"),
            "Run run-1: 1 cell, such as 1.20: no such release",
        ),
        Proposal(
            Expectation(status="import-error", where={"numpy": "==1.26.2"}, reason="known"),
            "Run run-1: 1 cell, such as 1.26.2: it is import-error",
        ),
        Proposal(
            Expectation(status="crashed", where={"numpy": "==2.0.2"}, reason="known"),
            "Run run-1: 1 cell, such as 2.0.2: it is crashed",
        ),
    )
    assert list(list_unacceptable(judgement, ())) == [
        "2.4.6: install-error: it is install-error",
        "3.0: missing: the run ended before this cell had a result",
    ]


def test_only_chosen_checks_are_accepted() -> None:
    faults = {"2.4.6_6.2.0": {case: make_case(case, "fail") for case in (CASES[2], CASES[3])}}
    plan, judgement = judge_grid(faults)
    (found,) = propose(plan, judgement, "known", checks=("l2.*",), link="https://a.example", matrix=("m",))
    assert found.expectation == Expectation(
        check=CASES[3],
        where={"numpy": "==2.4.6", "sentence-transformers": "==6.2.0"},
        reason="known",
        link="https://a.example",
        matrix=("m",),
    )
