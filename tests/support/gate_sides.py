"""The two cells of a gate, made up, and the decision on them."""

from __future__ import annotations

from typing import Any

from support.runs import CASES, CHECKS, make_case, make_plan, make_planned, make_result

from harness.judge.gate_verdict import decide
from harness.judge.verdict import judge
from harness.records import CaseResult, CellResult, CheckOutcome, Decision, Expectation, Speed


def cell(name: str, *outcomes: CheckOutcome, **changes: Any) -> CellResult:
    cases: list[CaseResult] = [
        make_case(case, outcome) for case, outcome in zip(CASES, outcomes, strict=False)
    ]
    return make_result(name, cases=cases, **changes)


def gate(
    *results: CellResult,
    expectations: tuple[Expectation, ...] = (),
    before: str = "1.26.2",
    after: str = "2.4.6",
    speed: Speed | None = None,
    accept_known: bool = False,
) -> Decision:
    plan = make_plan(
        make_planned("baseline", axes={"numpy": before}, baseline=True),
        make_planned("candidate", axes={"numpy": after}),
        expectations=expectations,
        subset=True,
    )
    return decide(judge(plan, results, CHECKS), speed, accept_known=accept_known)


GOOD = cell("baseline", "pass", "pass", "pass", "pass")
FINE = cell("candidate", "pass", "pass", "pass", "pass")
