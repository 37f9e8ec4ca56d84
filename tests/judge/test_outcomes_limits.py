"""What a stored result may be bound by: the catalogue and the plan say it, not the result."""

from __future__ import annotations

import functools
import gzip
import math
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.runs import make_case, make_plan, make_planned, make_result, seen

from harness.cell.interface import load_checks
from harness.judge.outcomes import Results, judge_findings
from harness.matrix.expected import allowed_values, read_tolerances
from harness.matrix.read import shipped_matrices
from harness.records import OLDER_TOLERANCES, CaseResult, Expectation, Run
from harness.runs.folder import assemble

CHECKS = load_checks()
REPORTS = Path(__file__).parents[2] / "reports"


@functools.cache
def read_published(name: str) -> Run:
    packed = (REPORTS / name / "results.json.gz").read_bytes()
    return msgspec.json.decode(gzip.decompress(packed), type=Run)


@pytest.mark.parametrize("name", ["compat", "openvino", "weekly"])
def test_every_published_case_is_accepted_as_it_is(name: str) -> None:
    run = read_published(name)
    again = assemble(run.plan, run.results, reused=run.reused, seconds=run.seconds)
    assert again.judgement == run.judgement


def loosen(case: CaseResult, bound: str, allowed: float | None) -> CaseResult:
    assert case.observation is not None
    observation = msgspec.structs.replace(case.observation, bound=bound, allowed=allowed)
    return msgspec.structs.replace(case, observation=observation)


@pytest.mark.parametrize(
    ("bound", "allowed"),
    [(None, 1e300), (None, math.nan), (None, math.inf), (None, -math.inf), (None, -1.0), (None, None),
     ("none", None), ("none", 1.0), ("max", 1e300), ("min", -1e300), ("min", 0.0)],
)  # fmt: skip
def test_a_published_case_that_allows_anything_is_refused(bound: str | None, allowed: float | None) -> None:
    """Every kind of case: all that passed in one cell, each with this bound put over its own."""
    run = read_published("compat")
    (planned, result) = run.plan.cells[0], run.results[0]
    bare = [case for case in result.cases if case.observation and case.observation.bound == "none"]
    bound_ = [
        case
        for case in result.cases
        if case.outcome == "pass" and case.observation and case.observation.bound != "none"
    ]
    assert (len(bare), len(bound_)) == (81, 446)
    planted = [loosen(case, bound or case.observation.bound, allowed) for case in bound_]  # type: ignore[union-attr]
    weaker = [case for case, own in zip(planted, bound_, strict=True) if not _is_stronger(case, own)]
    cases = tuple(case.id for case in weaker)
    plan = msgspec.structs.replace(
        run.plan, cells=(msgspec.structs.replace(planned, cases=cases),), expectations=()
    )
    found = judge_findings(plan, Results.of([msgspec.structs.replace(result, cases=tuple(weaker))]), CHECKS)
    assert {each.outcome for each in found} == {"error"}
    assert len(found) > 300
    assert all(each.message.startswith(("invalid limit: ", "reported as pass, but ")) for each in found)


def _is_stronger(planted: CaseResult, own: CaseResult) -> bool:
    """A control is bound by a least value: one of 1e300 could not be broken by a weaker limit."""
    before, after = own.observation, planted.observation
    assert before is not None
    assert after is not None
    return before.bound == after.bound == "min" and (after.allowed or 0) >= (before.allowed or 0)


def judge_one(case: CaseResult, **changes: Any) -> tuple[str, str]:
    known = [Expectation(check="*", reason="everything is known")]
    plan = make_plan(make_planned(cases=[case.id]), expectations=known, **changes)
    (found,) = judge_findings(plan, Results.of([make_result(cases=[case])]), CHECKS)
    return found.outcome, found.message


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (
            make_case("l0.typical/manual/float32", observation=seen(50.0, 100.0)),
            "invalid limit: 100.0 is allowed, but only 0 to 10.605 is valid",
        ),
        (
            make_case("l0.typical/manual/float16", observation=seen(1.0, 10.605)),
            "invalid limit: 10.605 is allowed, but only 0 to 3.03 is valid",
        ),
        (
            make_case("l0.typical/manual/float32", observation=seen(50.0, None, bound="none")),
            "invalid limit: bound none, but the check requires max",
        ),
        (
            make_case("l0.precision/manual/float32", observation=seen(5.0, 9.0, bound="max")),
            "invalid limit: bound max, but the check requires none",
        ),
        (
            make_case("rt.texts/empty-list", observation=seen(0.0, 0.0, bound="equal")),
            "invalid limit: 0.0 is allowed, but only 1 is valid",
        ),
        (
            make_case("l2.control/float32/float16-weights", observation=seen(1.0, 0.0, bound="min")),
            "invalid limit: 0.0 is allowed, but only 6e-06 and more is valid",
        ),
        (
            make_case("l0.huge/manual/float32", "fail", observation=seen(9.0, -1.0)),
            "invalid limit: -1.0 is allowed, but only 0 to 4.545 is valid",
        ),
        (
            make_case("l0.huge/manual/float32", "fail", observation=seen(1.0, 2.0)),
            "reported as fail, but 1 ulp is at most 2",
        ),
        (
            make_case("l0.huge/manual/float32", "skip", message="no time"),
            "skipped for a reason that l0.huge does not declare: no time",
        ),
    ],
)  # fmt: skip
def test_no_expectation_excuses_what_cannot_be_valid(case: CaseResult, message: str) -> None:
    assert judge_one(case) == ("error", message)


@pytest.mark.parametrize(
    ("allowed", "tolerances", "outcome"),
    [
        (2e-6, {}, "xpass"),
        (3e-6, {}, "error"),
        (3e-6, {"l2.float32": 3e-6}, "xpass"),
        (2e-6, {"l2.float32": 1e-6}, "error"),
        (2e-6, {"l1.hidden": 1e-5}, "error"),
    ],
)
def test_a_matrix_says_how_large_its_tolerances_are(
    allowed: float, tolerances: dict[str, float], outcome: str
) -> None:
    case = make_case("l2.parity/manual/float32", observation=seen(1e-7, allowed, unit="abs"))
    assert judge_one(case, tolerances=tolerances)[0] == outcome


def test_plans_without_tolerances_have_those_of_their_time() -> None:
    shipped = allowed_values(read_tolerances(shipped_matrices() / "tolerances.toml"))
    assert shipped.keys() >= OLDER_TOLERANCES.keys()
    assert {name: value for name, value in OLDER_TOLERANCES.items() if name.startswith(("l1", "l2"))} == {
        "l1.hidden": 3e-5,  # of absolute differences
        "l2.float32": 2e-6,
        "l2.float16": 5e-4,
    }
