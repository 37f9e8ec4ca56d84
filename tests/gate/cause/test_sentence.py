"""The sentence on the cause, and its certainty."""

from __future__ import annotations

import pytest
from support.cause_samples import HUB, NUMPY, OLD, make_found, trial

from harness.gate.cause.sentence import (
    describe_changes,
    describe_degradation,
    describe_found,
    describe_share,
    describe_uncertainty,
)
from harness.records import LockChange, ReleaseSearch, Trial


@pytest.mark.parametrize(
    ("changes", "without", "said"),
    [
        (
            (NUMPY,),
            trial("green", "hub", moved=(HUB,)),
            "numpy 1 -> 2 alone turns a red; all other changes together stay green",
        ),
        (
            (NUMPY, HUB),
            trial("green"),
            (
                "numpy 1 -> 2 and hub 3 (added) turn a red together, and each of them is necessary; "
                "without them no other change is possible, and the baseline is green"
            ),
        ),
        (
            (OLD,),
            trial("unresolved", because="no solution: x needs y"),
            (
                "old 4 (removed) alone turns a red; the effect of all other changes is unknown "
                "(no solution: x needs y)"
            ),
        ),
    ],
)
def test_the_sentence_of_a_cause(changes: tuple[LockChange, ...], without: Trial, said: str) -> None:
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
        ((NUMPY,), "green", "numpy 1 -> 2 is part of what turns a red, but alone it does not"),
        (
            *((NUMPY,), "unresolved"),
            "numpy 1 -> 2 is part of what turns a red; its effect alone is unknown (40 trials were run)",
        ),
        (
            *((NUMPY, HUB), "green"),
            "numpy 1 -> 2 and hub 3 (added) are part of what turns a red, but alone they do not",
        ),
        (
            *((NUMPY, HUB), "unresolved"),
            (
                "numpy 1 -> 2 and hub 3 (added) are part of what turns a red; their effect alone is unknown "
                "(40 trials were run)"
            ),
        ),
    ],
)
def test_the_sentence_depends_on_the_trial_alone(
    changes: tuple[LockChange, ...], alone: str, said: str
) -> None:
    found = make_found(changes, alone=ALONE[alone], without=trial("green", "x", moved=(OLD,)))
    head, _, _ = describe_found(found, "a", "red").rpartition("; ")
    assert head == said


@pytest.mark.parametrize(
    ("without", "said"),
    [
        (trial("green", "hub", moved=(HUB,)), "all other changes together do not"),
        (trial("green"), "without it no other change is possible"),
        (
            trial("red", "hub", moved=(HUB,)),
            "but all other changes together have the same effect, so there is a second cause",
        ),
    ],
)
def test_a_quantity_does_not_turn_red(without: Trial, said: str) -> None:
    assert describe_found(make_found((NUMPY,), without=without), "a", describe_degradation(["s"])) == (
        f"numpy 1 -> 2 alone makes a slower; {said}"
    )


def test_the_degradation_of_symptoms() -> None:
    said = [describe_degradation(units) for units in ([], ["s", "s"], ["B"], ["B", "s"])]
    assert said == ["red", "slower", "larger", "slower or larger"]


def test_uncertainty_is_reported() -> None:
    search = ReleaseSearch(name="numpy", last_good="1", first_bad="1.2", skipped=("1.1",))
    found = make_found((NUMPY,), dragged=(HUB,), releases=(search,))
    told = describe_found(found, describe_share("a", "ab", "cases"), "red")
    assert told.startswith("numpy 1 -> 2 (transitive: hub 3 (added)) alone turns 1 of 2 cases red; ")
    assert told.endswith(
        "first bad release of numpy is 1.2, the last good one 1 (1 in between could not be tried)"
    )
    assert (
        describe_uncertainty(("a", "b"), cut_off=False, trials=9)
        == "; it is unknown whether a and b are necessary"
    )
    assert describe_uncertainty((), cut_off=False, trials=9) == ""
    assert describe_changes((NUMPY, HUB, OLD), 1) == "numpy 1 -> 2 and 2 more"
