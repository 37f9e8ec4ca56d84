"""The sentence that says who is to blame, and how certain that is."""

from __future__ import annotations

import pytest
from support.culprit_samples import HUB, NUMPY, OLD, make_found, trial

from harness.gate.cause.sentence import (
    describe_changes,
    describe_doubts,
    describe_found,
    describe_share,
    describe_worse,
)
from harness.records import LockChange, ReleaseSearch, Trial


@pytest.mark.parametrize(
    ("changes", "without", "said"),
    [
        (
            (NUMPY,),
            trial("green", "hub", moved=(HUB,)),
            "numpy 1 -> 2 alone turns a red; all the rest without it stays green",
        ),
        (
            (NUMPY, HUB),
            trial("green"),
            (
                "numpy 1 -> 2 and hub 3 (new) turn a red together, and none of them can be left out; "
                "without them nothing of the upgrade can stay, and the baseline is green"
            ),
        ),
        (
            (OLD,),
            trial("unresolved", because="no solution: x needs y"),
            (
                "old 4 (gone) alone turns a red; what all the rest does without it is not known "
                "(no solution: x needs y)"
            ),
        ),
    ],
)
def test_the_sentence_of_a_culprit(changes: tuple[LockChange, ...], without: Trial, said: str) -> None:
    assert (
        describe_found(make_found(changes, without=without), describe_share("a", "a", "cases"), "red") == said
    )


ALONE = {
    "red": trial("red"),
    "green": trial("green"),
    "unresolved": trial("unresolved", because="40 trials were run"),
}


@pytest.mark.parametrize(
    ("changes", "alone", "said"),
    [
        ((NUMPY,), "red", "numpy 1 -> 2 alone turns a red"),
        ((NUMPY,), "green", "numpy 1 -> 2 is in what turns a red, but alone it does not"),
        (
            *((NUMPY,), "unresolved"),
            "numpy 1 -> 2 is in what turns a red; what it does alone is not known (40 trials were run)",
        ),
        (
            *((NUMPY, HUB), "green"),
            "numpy 1 -> 2 and hub 3 (new) are in what turns a red, but alone they do not",
        ),
        (
            *((NUMPY, HUB), "unresolved"),
            (
                "numpy 1 -> 2 and hub 3 (new) are in what turns a red; what they do alone is not known "
                "(40 trials were run)"
            ),
        ),
    ],
)
def test_alone_is_said_of_a_trial_alone(changes: tuple[LockChange, ...], alone: str, said: str) -> None:
    found = make_found(changes, alone=ALONE[alone], without=trial("green", "x", moved=(OLD,)))
    head, _, _ = describe_found(found, "a", "red").rpartition("; ")
    assert head == said


@pytest.mark.parametrize(
    ("without", "said"),
    [
        (trial("green", "hub", moved=(HUB,)), "all the rest without it does not"),
        (trial("green"), "without it nothing of the upgrade can stay"),
        (
            trial("red", "hub", moved=(HUB,)),
            "but without it the rest makes the same slower, so there is a second cause",
        ),
    ],
)
def test_a_quantity_does_not_turn_red(without: Trial, said: str) -> None:
    assert describe_found(make_found((NUMPY,), without=without), "a", describe_worse(["s"])) == (
        f"numpy 1 -> 2 alone makes a slower; {said}"
    )


def test_what_becomes_of_what_is_looked_for() -> None:
    said = [describe_worse(units) for units in ([], ["s", "s"], ["B"], ["B", "s"])]
    assert said == ["red", "slower", "larger", "slower or larger"]


def test_what_is_not_certain_is_said() -> None:
    search = ReleaseSearch(name="numpy", last_good="1", first_bad="1.2", skipped=("1.1",))
    found = make_found((NUMPY,), dragged=(HUB,), releases=(search,))
    told = describe_found(found, describe_share("a", "ab", "cases"), "red")
    assert told.startswith("numpy 1 -> 2 (which moves hub 3 (new) along) alone turns 1 of 2 cases red; ")
    assert told.endswith("first bad numpy is 1.2, the last good one 1 (1 in between could not be tried)")
    assert describe_doubts(("a", "b"), cut_off=False, trials=9) == "; whether a and b are needed is not known"
    assert describe_doubts((), cut_off=False, trials=9) == ""
    assert describe_changes((NUMPY, HUB, OLD), 1) == "numpy 1 -> 2 and 2 more"
