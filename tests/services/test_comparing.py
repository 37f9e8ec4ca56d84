"""Every kind of difference between what was said and what is deserved, and nothing where they agree."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from services.comparing import Difference, Judged, Told, compare
from services.entries import Deserved, Ending

PASS = Ending(verdict="pass", exit=0)
NOTHING_NEW = Ending(verdict="failing, nothing new", exit=0)
REGRESSED = Ending(verdict="regressed", exit=1)
FAILING = Ending(verdict="failing", exit=1)
OPEN = Ending(verdict="inconclusive", exit=4)

RIGHT = Deserved(
    answers={"before": "yes", "dtype": "yes", "cost": "yes"},
    usable=(True, True),
    sweep=PASS,
    gate=PASS,
    why="it is right",
)
WRONG = Deserved(
    answers={"before": "yes", "dtype": "no"},
    usable=(False, False),
    sweep=FAILING,
    gate=NOTHING_NEW,
    why="zero rows become NaN",
)


def said(deserved: Deserved, ending: Ending, **changes: Any) -> Judged:
    """What says of each question what is deserved."""
    arms = tuple(
        {name: Told(answer=deserved.answer(name, arm) or "yes") for name in deserved.answers}
        for arm in (0, 1)
    )
    judged = Judged(ending=ending, sentence="so it is", answers=(arms[0], arms[1]), usable=deserved.usable)
    return msgspec.structs.replace(judged, **changes)


def find(deserved: Deserved, **changes: Any) -> list[tuple[str, str, str]]:
    """Kind, question and arm of what a sweep with these changes says differently; the gate agrees."""
    sweep = said(deserved, changes.pop("ending", deserved.sweep), **changes)
    found = compare(deserved, sweep, said(deserved, deserved.gate), timed=True)
    assert {each.run for each in found} <= {"sweep"}
    return [(each.kind, each.what, each.arm) for each in found]


def answer(question: str, word: str, arm: int = 1) -> dict[str, Any]:
    arms: list[dict[str, Told]] = [{}, {}]
    for place in (0, 1):
        arms[place] = {name: Told(answer=RIGHT.answers[name]) for name in RIGHT.answers}
    arms[arm][question] = Told(answer=word)
    return {"answers": (arms[0], arms[1])}


@pytest.mark.parametrize("deserved", [RIGHT, WRONG])
def test_nothing_where_both_agree(deserved: Deserved) -> None:
    assert find(deserved) == []


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        (answer("dtype", "no", 0), ("false failure", "dtype", "baseline")),
        (answer("dtype", "not measured"), ("not measured", "dtype", "candidate")),
        (answer("dtype", "not asked"), ("not measured", "dtype", "candidate")),
        ({"usable": (True, False)}, ("false failure", "usable", "candidate")),
        ({"usable": ("unknown", True)}, ("not measured", "usable", "baseline")),
        ({"ending": REGRESSED}, ("false failure", "verdict", "")),
        ({"ending": OPEN}, ("not measured", "verdict", "")),
    ],
)
def test_of_a_right_service(changes: dict[str, Any], found: tuple[str, str, str]) -> None:
    assert find(RIGHT, **changes) == [found]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        (answer("dtype", "yes", 0), ("false pass", "dtype", "baseline")),
        ({"usable": (False, True)}, ("false pass", "usable", "candidate")),
        ({"ending": PASS}, ("false pass", "verdict", "")),
        ({"ending": REGRESSED}, ("other word", "verdict", "")),
    ],
)
def test_of_a_wrong_service(changes: dict[str, Any], found: tuple[str, str, str]) -> None:
    assert found in find(WRONG, **changes)


def test_a_gate_that_hides_what_was_red_before_and_one_that_invents_it() -> None:
    hides = compare(WRONG, said(WRONG, FAILING), said(WRONG, PASS), timed=False)
    invents = compare(RIGHT, said(RIGHT, PASS), said(RIGHT, NOTHING_NEW), timed=False)

    assert [(each.kind, each.run) for each in hides] == [("false pass", "gate")]
    assert [(each.kind, each.run) for each in invents] == [("false failure", "gate")]


def test_the_baseline_has_nothing_before_it_and_only_a_gate_that_times_has_a_cost() -> None:
    changes = {"answers": ({"dtype": Told(answer="yes")}, {"dtype": Told(answer="yes")})}
    judged = said(RIGHT, PASS, **changes)

    assert [(each.run, each.what, each.arm) for each in compare(RIGHT, judged, judged, timed=True)] == [
        ("sweep", "before", "candidate"),
        ("gate", "before", "candidate"),
        ("gate", "cost", "candidate"),
    ]


def test_a_service_without_a_result_is_not_measured() -> None:
    assert compare(RIGHT, None, said(RIGHT, PASS), timed=True) == (
        Difference(kind="not measured", run="sweep", what="verdict", deserved="pass (0)", got="no result"),
    )
