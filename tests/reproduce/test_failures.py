"""Which failure of a run is meant by a case and a cell."""

from __future__ import annotations

import pytest
from support.runs import make_plan, make_planned

from harness.errors import UsageError
from harness.records import Finding, Outcome
from harness.reproduce.failures import choose_failure
from harness.reproduce.script_recipes import IMPORT

CASES = ("l2.parity/manual/float32", "l2.parity/manual/float16", "l0.huge/manual/float16")
PLAN = make_plan(*(make_planned(name, cases=CASES, baseline=name == "old") for name in ("old", "mid", "new")))


def find(cell: str, check: str, outcome: Outcome, message: str = "") -> Finding:
    return Finding(cell=cell, check=check, layer="L2", outcome=outcome, message=message)


FINDINGS = [
    find("old", CASES[0], "pass"),
    find("old", CASES[2], "limit"),
    find("mid", CASES[0], "xfail"),
    find("mid", CASES[1], "note"),
    find("mid", CASES[2], "limit"),
    find("new", CASES[0], "fail"),
    find("new", CASES[1], "pass"),
]
BROKEN = [find("mid", CASES[0], "missing", "no result: the cell is import-error")]


@pytest.mark.parametrize(
    ("case", "cell", "chosen"),
    [
        ("l2.parity", "*", ("new", CASES[0], True)),  # what is red comes first
        ("l2.*", "*", ("new", CASES[0], True)),
        ("l2.parity", "mid", ("mid", CASES[0], True)),
        ("l2.parity/manual/float16", "*", ("mid", CASES[1], False)),
        ("l0.huge", "*", ("old", CASES[2], False)),
        ("l0.huge", "m*", ("mid", CASES[2], False)),
    ],
)
def test_a_case_and_a_cell(case: str, cell: str, chosen: tuple[str, str, bool]) -> None:
    found = choose_failure(PLAN, FINDINGS, case, cell)
    assert (found.planned.cell.id, found.case, found.right) == chosen


def test_a_cell_that_cannot_be_imported() -> None:
    found = choose_failure(PLAN, [*FINDINGS, *BROKEN], IMPORT, "*")
    assert (found.planned.cell.id, found.case, found.finding) == ("mid", IMPORT, None)


@pytest.mark.parametrize(
    ("case", "cell", "said"),
    [
        ("l2.parity", "newest", "--cell newest: the run has no such cell"),
        (
            "l3.top10",
            "*",
            "l3.top10: no such case differs in these cells; these do: l0.huge/manual/float16, l2",
        ),
        ("l2.parity/manual/float16", "new", "these do: l2.parity/manual/float32"),
        (IMPORT, "*", "every one of these cells can import its packages"),
    ],
)
def test_what_does_not_fail_is_refused(case: str, cell: str, said: str) -> None:
    with pytest.raises(UsageError, match=said.replace("*", r"\*")):
        choose_failure(PLAN, FINDINGS, case, cell)
