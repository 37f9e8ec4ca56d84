"""The status of each cell, and why one is red."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest
from support.runs import CASES, CHECKS, make_full_run, make_plan, make_planned, make_result
from support.services import CHECKS as SERVED
from support.services import Change, broken, cases_of, result
from support.verdicts import died, failed

from harness.cell.interface import list_measured_by
from harness.judge.cell_verdicts import judge_checked
from harness.judge.verdict import judge
from harness.records import CellStatus, Expectation

TOTAL = len(cases_of())
RED = f"1 of {TOTAL} cases red, the first is rt.threads; 1 limits or notes"


def fails(*cases: str) -> Change:
    return lambda case: broken(case) if case in cases else None


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
            "l2.end-to-end/float32: passes, but is expected to fail; remove the expectation or narrow it",
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


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (fails("l0.huge/manual/float32"), ("ok", f"none of {TOTAL} cases is red; 1 limits or notes")),
        (fails("rt.threads", "l0.huge/manual/float32"), ("failed", RED)),
        (fails(), ("ok", "")),
    ],
)
def test_a_cell_is_judged_by_severity_as_soon_as_its_checks_are_over(
    change: Change, found: tuple[str, str]
) -> None:
    plan = make_plan(make_planned("a", cases=cases_of()), make_planned("b", cases=cases_of()))
    measured = result("a", change)
    assert measured.status == ("failed" if found[1] else "ok")
    assert judge_checked(plan, measured, SERVED) == found
    alone = list_measured_by("cell", cases_of())
    uncompared = [case for case in measured.cases if case.id in alone]
    status, text = judge_checked(plan, msgspec.structs.replace(measured, cases=uncompared), SERVED)
    assert (status, text) == (found[0], found[1].replace(str(TOTAL), str(len(alone))))


def test_a_cell_that_died_keeps_its_reason() -> None:
    plan = make_plan(make_planned("a"))
    dead = make_result("a", status="crashed", reason="it was killed", cases=())
    assert judge_checked(plan, dead, CHECKS) == ("crashed", "it was killed")
