"""A baseline that is fine, cells that are not, and what is told of both."""

from __future__ import annotations

from support.runs import CASES, CHECKS, make_case, make_planned, make_result

from harness.judge.verdict import judge
from harness.records import CellResult, CellStatus, Plan, Verdict

GOOD = make_result("base")
BASE = make_planned("base", baseline=True)


def told(plan: Plan, *results: CellResult) -> tuple[Verdict, str]:
    judgement = judge(plan, results, CHECKS)
    return judgement.verdict, judgement.sentence


def failed(cell: str = "a") -> CellResult:
    return make_result(cell, status="failed", cases=[make_case(CASES[0], "fail"), *map(make_case, CASES[1:])])


def died(status: CellStatus, cell: str = "a") -> CellResult:
    return make_result(cell, status=status, reason="it did", cases=())
