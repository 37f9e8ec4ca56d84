"""What the gate says of made-up runs."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from support.gate_sides import FINE, GOOD, cell, gate
from support.runs import CASES

from harness.judge.gate_verdict import refuse
from harness.records import CellResult, CheckOutcome, Decision, Expectation

FLOAT16 = Expectation(check=CASES[2], where={"numpy": "<2"}, reason="sums in float16")


def checks(decision: Decision) -> dict[str, list[str]]:
    """Which cases are in which list."""
    names = ("new", "before", "gone", "known", "unchecked")
    found = {name: [each.check for each in getattr(decision, name)] for name in names}
    return {name: cases for name, cases in found.items() if cases}


SKIPS: tuple[CheckOutcome, ...] = ("skip",) * 4
FAILS: tuple[CheckOutcome, ...] = ("fail",) * 4


def test_nothing_new_passes() -> None:
    found = gate(GOOD, FINE)
    assert (found.verdict, checks(found)) == ("pass", {})
    assert found.sentence == "No case is newly red in the candidate (4 cases)"
    assert [each.cell for each in found.cells] == ["baseline", "candidate"]


def test_only_what_is_new_fails() -> None:
    found = gate(
        cell("baseline", "fail", "pass", "error", "pass", status="failed"),
        cell("candidate", "fail", "fail", "pass", "pass", status="failed"),
    )
    assert found.verdict == "regressed"
    assert checks(found) == {"new": [CASES[1]], "before": [CASES[0]], "gone": [CASES[2]]}
    assert found.sentence == "1 case is newly red in the candidate, in L0"
    assert found.because == ("l0.parity/manual/float32: worst error 9 ULP at (4, 7), but should be at most 2")


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ("fail", "fail", "failing, nothing new"),
        ("fail", "error", "failing, nothing new"),
        ("error", "error", "failing, nothing new"),
        ("error", "fail", "inconclusive"),
        ("pass", "error", "regressed"),
    ],
)
def test_what_a_red_baseline_excuses(before: CheckOutcome, after: CheckOutcome, verdict: str) -> None:
    found = gate(
        cell("baseline", before, "pass", "pass", "pass"), cell("candidate", after, "pass", "pass", "pass")
    )
    assert found.verdict == verdict


def test_a_case_that_held_against_its_expectation_excuses_no_failure() -> None:
    older = Expectation(check=CASES[2], where={"numpy": "<2"}, reason="sums in float16")
    found = gate(
        GOOD, cell("candidate", "pass", "pass", "fail", "pass"), expectations=(older,), before="1.26.2"
    )
    assert (found.verdict, checks(found)) == ("regressed", {"new": [CASES[2]]})


@pytest.mark.parametrize(
    ("before", "lists", "verdict"),
    [
        ("fail", {"before": [CASES[0]]}, "pass"),
        ("error", {"before": [CASES[0]]}, "inconclusive"),
        ("pass", {"known": [CASES[0]]}, "regressed"),
        ("skip", {"known": [CASES[0]]}, "regressed"),
    ],
)
def test_what_failed_before_and_is_expected_from_this_release_on(
    before: CheckOutcome, lists: dict[str, list[str]], verdict: str
) -> None:
    from_now_on = Expectation(check=CASES[0], where={"numpy": ">=2"}, reason="sums in float16")
    found = gate(
        cell("baseline", before, "pass", "pass", "pass"),
        cell("candidate", "fail", "pass", "pass", "pass"),
        expectations=(from_now_on,),
    )
    assert (found.verdict, checks(found)) == (verdict, lists)
    if verdict == "pass":
        assert found.sentence.endswith("; 1 was red before")


def test_what_was_red_before_passes_and_is_said() -> None:
    red: tuple[CheckOutcome, ...] = ("fail", "pass", "pass", "pass")
    found = gate(cell("baseline", *red, status="failed"), cell("candidate", *red, status="failed"))
    assert (found.verdict, checks(found)) == ("failing, nothing new", {"before": [CASES[0]]})
    assert found.sentence.endswith("; 1 was red before")


def test_expectations_hold_for_both() -> None:
    red: tuple[CheckOutcome, ...] = ("pass", "pass", "fail", "pass")
    expected = (FLOAT16,)
    baseline, candidate = cell("baseline", *red), cell("candidate", *red)
    assert checks(gate(baseline, FINE, expectations=expected)) == {}
    assert checks(gate(baseline, candidate, expectations=expected)) == {"new": [CASES[2]]}
    same = gate(baseline, candidate, expectations=expected, after="1.26.4")
    assert (same.verdict, checks(same)) == ("pass", {})
    assert same.sentence.endswith("; 1 diverges as expected in both")
    found = gate(GOOD, candidate, expectations=expected, before="2.4.6", after="1.26.2")
    assert (found.verdict, checks(found), found.accepted) == ("regressed", {"known": [CASES[2]]}, False)
    assert found.sentence == "1 known divergence is not in the baseline and not accepted"
    assert found.because == f"{CASES[2]}: sums in float16"
    found = gate(GOOD, candidate, expectations=expected, before="2.4.6", after="1.26.2", accept_known=True)
    assert (found.verdict, checks(found), found.accepted) == ("pass", {"known": [CASES[2]]}, True)
    assert found.sentence.endswith("; 1 known divergence that the baseline does not have")


def test_an_expectation_that_ends_with_the_upgrade_is_new() -> None:
    anywhere = Expectation(check=CASES[2], reason="sums in float16")
    found = gate(cell("baseline", "pass", "pass", "fail", "pass"), FINE, expectations=(anywhere,))
    assert [(each.check, each.outcome) for each in found.new] == [(CASES[2], "xpass")]
    assert found.verdict == "regressed"


def test_what_is_skipped_now_does_not_pass_unless_it_is_accepted() -> None:
    candidate = cell("candidate", "pass", "pass", "pass", "skip")
    found = gate(GOOD, candidate)
    assert (found.verdict, checks(found)) == ("inconclusive", {"unchecked": [CASES[3]]})
    assert found.sentence == (
        "1 case of the baseline is no longer checked in the candidate; only --accept-known accepts that: "
        "l2.end-to-end/float32"
    )
    found = gate(GOOD, cell("candidate", "pass", "pass", "skip", "skip"))
    assert (found.verdict, found.sentence.split(" of ")[0]) == ("inconclusive", "2 cases")
    assert gate(cell("baseline", "pass", "pass", "pass", "skip"), candidate).verdict == "pass"
    found = gate(GOOD, candidate, accept_known=True)
    assert (found.verdict, checks(found)) == ("pass", {"unchecked": [CASES[3]]})
    assert found.sentence.endswith("; 1 no longer checked")


ERRORS: tuple[CheckOutcome, ...] = ("error",) * 4


def test_a_suite_that_only_errors_compares_nothing() -> None:
    broken = cell("baseline", *ERRORS, status="failed")
    env_only = cell("baseline", "pass", "error", "error", "error", status="failed")
    failing = cell("candidate", *ERRORS, status="failed")
    for baseline, candidate in ((broken, FINE), (broken, failing), (env_only, FINE)):
        found = gate(baseline, candidate)
        assert (found.verdict, found.sentence) == (
            "inconclusive",
            (
                "The candidate cannot be compared: the baseline is without any measurement; its "
                "checks end in errors"
            ),
        )
    mixed = cell("baseline", "error", "skip", "skip", "error", status="failed")
    assert gate(mixed, FINE).verdict == "inconclusive"
    found = gate(cell("baseline", *FAILS), cell("candidate", *ERRORS, status="failed"))
    assert (found.verdict, found.sentence) == (
        "error",
        "Nothing was measured in the candidate",
    )


def test_a_layer_in_which_the_baseline_only_errors_is_said() -> None:
    outcomes: tuple[CheckOutcome, ...] = ("pass", "pass", "error", "error")
    found = gate(cell("baseline", *outcomes, status="failed"), cell("candidate", *outcomes, status="failed"))
    assert found.verdict == "failing, nothing new"
    assert found.sentence.endswith("; not compared: L2, where the baseline has only errors")


@pytest.mark.parametrize("status", ["import-error", "crashed", "timed-out"])
def test_a_candidate_that_dies_is_regressed_even_where_that_is_expected(status: Any) -> None:
    died = cell("candidate", "pass", status=status, reason="no such name")
    for expectations in ((), (Expectation(status=status, reason="known"),)):
        found = gate(GOOD, died, expectations=expectations)
        assert (found.verdict, found.sentence) == ("regressed", f"The candidate is {status}")
        assert (found.because, checks(found)) == ("no such name", {})


def test_a_case_that_the_candidate_never_came_to_is_new() -> None:
    found = gate(GOOD, cell("candidate", "pass", "pass", "pass"))
    assert (found.verdict, checks(found)) == ("regressed", {"new": [CASES[3]]})


def test_a_case_that_held_against_its_expectation_and_is_lost_is_new() -> None:
    older = Expectation(check=CASES[3], where={"numpy": "<2"}, reason="sums in float16")
    found = gate(GOOD, cell("candidate", "pass", "pass", "pass"), expectations=(older,), before="1.26.2")
    assert (found.verdict, checks(found)) == ("regressed", {"new": [CASES[3]]})


def test_a_case_that_the_baseline_never_came_to_excuses_nothing() -> None:
    found = gate(cell("baseline", "pass", "pass", "pass"), cell("candidate", "pass", "pass", "pass", "fail"))
    assert (found.verdict, checks(found)) == ("regressed", {"new": [CASES[3]]})


def test_no_result_of_the_candidate_is_regressed() -> None:
    assert gate(GOOD).verdict == "regressed"


@pytest.mark.parametrize(
    ("results", "verdict", "said"),
    [
        ((cell("baseline", status="crashed", reason="signal 11"), FINE), "inconclusive", "crashed|signal 11"),
        ((FINE,), "inconclusive", "the baseline is missing"),
        ((), "error", "Nothing was measured in the candidate, and the baseline is missing"),
        ((cell("baseline", *SKIPS), FINE), "inconclusive", "is without any measurement"),
        ((GOOD, cell("candidate", *SKIPS)), "error", "Nothing was measured in the candidate"),
        ((cell("baseline", *FAILS), cell("candidate", *FAILS)), "error", "No case passes, neither in"),
        ((GOOD, cell("candidate", status="install-error", reason="disk")), "error", "installed|disk"),
        ((GOOD, msgspec.structs.replace(FINE, status="failed", reason="odd")), "regressed", "cases is|odd"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared(results: tuple[CellResult, ...], verdict: str, said: str) -> None:
    found = gate(*results)
    assert found.verdict == verdict
    assert said in f"{found.sentence}|{found.because}"


def test_no_solution() -> None:
    assert refuse("Because.") == Decision(
        verdict="unsatisfiable", sentence="The candidate has no solution", because="Because."
    )
