"""What a trial looks for, and how its findings are read."""

from __future__ import annotations

from typing import Any

import pytest

from harness.culprit.found import Found
from harness.culprit.symptoms import Seen, Symptoms, find_symptoms, keep_culprit, see_cell, see_speed
from harness.culprit.words import say_changes, say_doubts, say_found, say_share, say_worse
from harness.gate_records import (
    Culprit,
    Decision,
    LockChange,
    Quantity,
    QuantityDecision,
    QuantityOutcome,
    ReleaseSearch,
    Speed,
    Trial,
    TrialOutcome,
)
from harness.records import CellStatus, CellVerdict, Finding, Outcome, Verdict

FAILS = frozenset({"fail", "error", "xfail"})


def find(cell: str, check: str, outcome: Outcome) -> Finding:
    return Finding(cell=cell, check=check, layer="L0", outcome=outcome, message=f"it is {outcome}")


def verdict(cell: str = "candidate", status: CellStatus = "failed") -> CellVerdict:
    return CellVerdict(cell=cell, status=status, red=True, reason="no")


@pytest.mark.parametrize(
    ("before", "after", "looked_for"),
    [
        ("pass", "fail", FAILS),
        ("pass", "error", FAILS),
        ("skip", "fail", FAILS),
        ("xfail", "fail", frozenset({"fail", "error"})),
        ("pass", "xpass", frozenset({"xpass"})),
        ("pass", "missing", frozenset({"missing"})),
    ],
)
def test_what_is_new_is_looked_for(before: Outcome, after: Outcome, looked_for: frozenset[str]) -> None:
    new = find("candidate", "a", after)
    decision = Decision(verdict="regressed", sentence="", cells=(verdict(),), new=(new,))
    found = find_symptoms(decision, None, [find("baseline", "a", before), new])
    assert found == Symptoms(cases={"a": looked_for})


@pytest.mark.parametrize("accepted", [True, False])
def test_known_divergences_are_looked_for_unless_accepted(*, accepted: bool) -> None:
    known = find("candidate", "a", "xfail")
    decision = Decision(
        verdict="regressed", sentence="", cells=(verdict(),), known=(known,), accepted=accepted
    )
    found = find_symptoms(decision, None, [find("baseline", "a", "pass"), known])
    assert found == Symptoms(cases={} if accepted else {"a": FAILS})


@pytest.mark.parametrize("before", ["fail", "error"])
def test_what_failed_before_is_not(before: Outcome) -> None:
    known = find("candidate", "a", "xfail")
    decision = Decision(verdict="regressed", sentence="", cells=(verdict(),), known=(known,))
    assert find_symptoms(decision, None, [find("baseline", "a", before), known]) == Symptoms()


def test_of_a_candidate_that_died_only_its_end() -> None:
    new = find("candidate", "a", "fail")
    decision = Decision(verdict="regressed", sentence="", cells=(verdict(status="crashed"),), new=(new,))
    found = find_symptoms(decision, None, [find("baseline", "a", "pass"), new])
    assert (found, found.of_suite) == (Symptoms(status="crashed"), ("status crashed",))


LOOKED_FOR = Symptoms(cases={"a": FAILS, "b": frozenset({"fail", "error"}), "c": frozenset({"missing"})})


@pytest.mark.parametrize(
    ("outcomes", "seen"),
    [
        ("pass pass pass", Seen(green=frozenset("abc"))),
        ("fail pass pass", Seen(red=frozenset("a"), green=frozenset("bc"))),
        ("xfail xfail pass", Seen(red=frozenset("a"), green=frozenset("bc"))),
        ("error error missing", Seen(red=frozenset("abc"))),
        ("skip pass pass", Seen(green=frozenset("bc"), because="a: it is skip")),
        ("missing pass fail", Seen(green=frozenset("bc"), because="a: it is missing")),
    ],
)
def test_a_trial_is_read(outcomes: str, seen: Seen) -> None:
    words: dict[str, Outcome] = {
        "pass": "pass",
        "fail": "fail",
        "xfail": "xfail",
        "error": "error",
        "skip": "skip",
        "missing": "missing",
    }
    said = zip("abc", outcomes.split(), strict=True)
    findings = [find("trial", check, words[outcome]) for check, outcome in said]
    assert see_cell(LOOKED_FOR, verdict("trial"), [*findings, find("trial", "other", "fail")]) == seen


@pytest.mark.parametrize("status", ["crashed", "timed-out", "import-error", "install-error"])
def test_another_end_is_no_answer(status: CellStatus) -> None:
    assert see_cell(LOOKED_FOR, verdict("trial", status), []) == Seen(because=f"it is {status}: no")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("crashed", "red"), ("ok", "green"), ("failed", "green"), ("timed-out", "unresolved")],
)
def test_the_same_end_is_red(status: CellStatus, outcome: TrialOutcome) -> None:
    died = Symptoms(status="crashed")
    assert see_cell(died, verdict("trial", status), []).judge(died.of_suite)[0] == outcome


def decided(name: str, outcome: QuantityOutcome) -> QuantityDecision:
    return QuantityDecision(
        quantity=Quantity(id=name, group="normalizer", unit="s", threshold=1.05), outcome=outcome
    )


def test_only_what_is_decided_counts_of_a_measurement() -> None:
    seen = see_speed([decided("a", "regressed"), decided("b", "passed"), decided("c", "undecided")])
    assert seen == Seen(red=frozenset("a"), green=frozenset("b"), because="c is undecided")
    assert [seen.judge([name])[0] for name in "abc"] == ["red", "green", "unresolved"]
    speed = Speed(
        quantities=(decided("a", "regressed"), decided("b", "passed")), confidence=0.99, spent=1, budget=2
    )
    decision = Decision(verdict="regressed", sentence="", cells=(verdict(status="ok"),))
    assert find_symptoms(decision, speed, []).of_speed == ("a",)


def test_an_outcome_needs_all_that_is_looked_for() -> None:
    seen = Seen(red=frozenset("a"), green=frozenset("b"), because="no time")
    assert seen.judge("ab") == ("red", "")
    assert seen.judge("b") == ("green", "")
    assert seen.judge("bc") == ("unresolved", "no time")
    assert seen.judge("") == ("green", "")


NUMPY = LockChange(name="numpy", kind="changed", asked=True, before="1", after="2")
HUB = LockChange(name="hub", kind="added", asked=False, after="3")
OLD = LockChange(name="old", kind="removed", asked=False, before="4")


def trial(
    outcome: TrialOutcome, *applied: str, moved: tuple[LockChange, ...] = (), because: str = ""
) -> Trial:
    return Trial(applied=applied, moved=moved, outcome=outcome, because=because)


def make_found(changes: tuple[LockChange, ...], **other: Any) -> Found:
    values: dict[str, Any] = {
        "dragged": (),
        "explained": ("a",),
        "alone": trial("red"),
        "without": trial("green"),
        "releases": (),
    }
    return Found(changes=changes, **(values | other))


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
    assert say_found(make_found(changes, without=without), say_share("a", "a", "cases"), "red") == said


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
    head, _, _ = say_found(found, "a", "red").rpartition("; ")
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
    assert say_found(make_found((NUMPY,), without=without), "a", say_worse(["s"])) == (
        f"numpy 1 -> 2 alone makes a slower; {said}"
    )


def test_what_becomes_of_what_is_looked_for() -> None:
    said = [say_worse(units) for units in ([], ["s", "s"], ["B"], ["B", "s"])]
    assert said == ["red", "slower", "larger", "slower or larger"]


@pytest.mark.parametrize(
    ("looked_for", "further", "word", "stays"),
    [
        ("a", "", "regressed", True),
        ("ab", "", "regressed", True),
        ("a", "b", "regressed", True),
        ("ac", "", "regressed", False),
        ("a", "c", "regressed", False),
        ("", "", "regressed", True),
        ("a", "", "inconclusive", False),
        ("", "", "pass", False),
    ],
)
def test_a_culprit_stays_as_long_as_it_explains(
    looked_for: str, further: str, word: Verdict, *, stays: bool
) -> None:
    others = (Culprit(sentence="", looked_for=tuple(further)),) if further else ()
    culprit = Culprit(sentence="x", looked_for=tuple(looked_for), changes=(NUMPY,), further=others)
    quantity = Quantity(id="b", group="normalizer", unit="s", threshold=1.05)
    symptoms = Symptoms(cases={"a": FAILS}, quantities=(quantity,))
    decision = Decision(verdict=word, sentence="")
    assert keep_culprit(culprit, decision, symptoms) == (culprit if stays else None)
    assert keep_culprit(None, decision, symptoms) is None


def test_what_is_not_certain_is_said() -> None:
    search = ReleaseSearch(name="numpy", last_good="1", first_bad="1.2", skipped=("1.1",))
    found = make_found((NUMPY,), dragged=(HUB,), releases=(search,))
    told = say_found(found, say_share("a", "ab", "cases"), "red")
    assert told.startswith("numpy 1 -> 2 (which moves hub 3 (new) along) alone turns 1 of 2 cases red; ")
    assert told.endswith("first bad numpy is 1.2, the last good one 1 (1 in between could not be tried)")
    assert say_doubts(("a", "b"), cut_off=False, trials=9) == "; whether a and b are needed is not known"
    assert say_doubts((), cut_off=False, trials=9) == ""
    assert say_changes((NUMPY, HUB, OLD), 1) == "numpy 1 -> 2 and 2 more"
