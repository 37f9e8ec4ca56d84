"""Which cells and cases an expectation covers, and which expectations are stale."""

from __future__ import annotations

import msgspec
import pytest
from support.runs import make_case, make_plan, make_planned, make_result

from harness.errors import UsageError
from harness.judge.expectations import find_stale, satisfies
from harness.judge.outcomes import Results, judge_findings
from harness.records import Expectation


def test_where_speaks_of_axes_where_there_is_no_lock_and_says_what_is_no_specifier() -> None:
    unsolved = make_planned(axes={"openvino": "2024.6.0"}, reason="no solution")
    plan = make_plan(
        unsolved, expectations=[Expectation(status="unsatisfiable", where={"openvino": "<2025"}, reason="r")]
    )
    assert find_stale(plan) == ()
    with pytest.raises(
        UsageError, match=r"^expectation: where: Invalid specifier: 'two'; write one like '>=2.0,<3'$"
    ):
        satisfies({"numpy": "2.0"}, {"numpy": "two"})


def test_an_expectation_of_several_checks_covers_each_and_is_stale_glob_by_glob() -> None:
    cases = ("l0.one", "l1.one", "l2.one")
    several = Expectation(check=("l0.*", "l9.*", "l1.one", "l8.*"), reason="known", where={"numpy": ">=1"})
    elsewhere = Expectation(check=("l0.*", "l2.*"), reason="known", where={"numpy": "<1"})
    plan = make_plan(make_planned(cases=cases), expectations=[several, elsewhere])
    result = make_result(
        cases=[make_case("l0.one", "fail"), make_case("l1.one"), make_case("l2.one", "fail")]
    )

    outcomes = {each.check: each.outcome for each in judge_findings(plan, Results.of([result]), ())}

    assert outcomes == {"l0.one": "xfail", "l1.one": "xpass", "l2.one": "fail"}
    assert find_stale(plan) == ("l9.*, l8.* where numpy>=1", "l0.*, l2.* where numpy<1")


def test_an_expectation_that_matches_nothing_is_stale_unless_cells_were_left_out() -> None:
    expectations = (
        Expectation(check="l0.*", reason="matches"),
        Expectation(check="l9.*", reason="no such case"),
        Expectation(check="l0.*", where={"numpy": "<1"}, reason="no such cell"),
        Expectation(status="crashed", where={"numpy": "<1", "python": "<3"}, reason="no such cell"),
        Expectation(check="l9.*", matrix=("other",), reason="not of this matrix"),
    )
    plan = make_plan(make_planned(), expectations=expectations)
    assert find_stale(plan) == ("l9.*", "l0.* where numpy<1", "status crashed where numpy<1, python<3")
    assert find_stale(make_plan(make_planned(), expectations=expectations, subset=True)) == ()
    borrowed = msgspec.structs.replace(make_plan(make_planned()), borrowed=tuple(expectations))
    assert find_stale(borrowed) == ()
