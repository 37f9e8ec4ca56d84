"""The symptoms of a failed gate, and their observation in a trial."""

from __future__ import annotations

import pytest
from support.cause_samples import NUMPY

from harness.gate.cause.symptoms import (
    Observation,
    Symptoms,
    find_symptoms,
    keep_cause,
    normalize_end,
    observe_cell,
    observe_speed,
)
from harness.records import (
    CellStatus,
    CellVerdict,
    Culprit,
    Decision,
    Finding,
    Outcome,
    Quantity,
    QuantityDecision,
    QuantityOutcome,
    Speed,
    TrialOutcome,
    Verdict,
)

FAILS = frozenset({"fail", "error", "xfail"})


def find(cell: str, check: str, outcome: Outcome) -> Finding:
    return Finding(cell=cell, check=check, layer="L0", outcome=outcome, message=f"it is {outcome}")


def verdict(cell: str = "candidate", status: CellStatus = "failed") -> CellVerdict:
    return CellVerdict(cell=cell, status=status, red=True, reason="no")


@pytest.mark.parametrize(
    ("before", "after", "looked_for"),
    [
        ("pass", "fail", frozenset({"fail", "xfail"})),
        ("pass", "error", frozenset({"error", "xfail"})),
        ("skip", "fail", frozenset({"fail", "xfail"})),
        ("xfail", "fail", frozenset({"fail"})),
        ("xfail", "error", frozenset({"error"})),
        ("pass", "xpass", frozenset({"xpass"})),
        ("pass", "missing", frozenset({"missing"})),
    ],
)
def test_new_failures_are_symptoms(before: Outcome, after: Outcome, looked_for: frozenset[str]) -> None:
    new = find("candidate", "a", after)
    decision = Decision(verdict="regressed", sentence="", cells=(verdict(),), new=(new,))
    found = find_symptoms(decision, None, [find("baseline", "a", before), new])
    assert found == Symptoms(cases={"a": looked_for})


@pytest.mark.parametrize("accepted", [True, False])
def test_known_divergences_are_symptoms_unless_accepted(*, accepted: bool) -> None:
    known = find("candidate", "a", "xfail")
    decision = Decision(
        verdict="regressed", sentence="", cells=(verdict(),), known=(known,), accepted=accepted
    )
    found = find_symptoms(decision, None, [find("baseline", "a", "pass"), known])
    assert found == Symptoms(cases={} if accepted else {"a": FAILS})


@pytest.mark.parametrize("before", ["fail", "error"])
def test_earlier_failures_are_no_symptoms(before: Outcome) -> None:
    known = find("candidate", "a", "xfail")
    decision = Decision(verdict="regressed", sentence="", cells=(verdict(),), known=(known,))
    assert find_symptoms(decision, None, [find("baseline", "a", before), known]) == Symptoms()


def test_the_end_is_the_only_symptom_of_a_dead_candidate() -> None:
    new = find("candidate", "a", "fail")
    decision = Decision(verdict="regressed", sentence="", cells=(verdict(status="crashed"),), new=(new,))
    found = find_symptoms(decision, None, [find("baseline", "a", "pass"), new])
    assert (found, found.of_suite) == (Symptoms(status="crashed", end="no"), ("status crashed",))
    nowhere = Decision(verdict="regressed", sentence="")
    assert find_symptoms(nowhere, None, []) == Symptoms(status="missing")


LOOKED_FOR = Symptoms(cases={"a": FAILS, "b": frozenset({"fail"}), "c": frozenset({"missing"})})


@pytest.mark.parametrize(
    ("outcomes", "observation"),
    [
        ("pass pass pass", Observation(green=frozenset("abc"))),
        ("fail pass pass", Observation(red=frozenset("a"), green=frozenset("bc"))),
        ("xfail xfail pass", Observation(red=frozenset("a"), green=frozenset("bc"))),
        ("error fail missing", Observation(red=frozenset("abc"))),
        ("pass error pass", Observation(green=frozenset("ac"), because="b: it is error")),
        ("pass pass error", Observation(green=frozenset("abc"))),
        ("skip pass pass", Observation(green=frozenset("bc"), because="a: it is skip")),
        ("missing pass fail", Observation(green=frozenset("bc"), because="a: it is missing")),
    ],
)
def test_findings_of_a_trial_are_observed(outcomes: str, observation: Observation) -> None:
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
    assert (
        observe_cell(LOOKED_FOR, verdict("trial"), [*findings, find("trial", "other", "fail")]) == observation
    )


@pytest.mark.parametrize("status", ["crashed", "timed-out", "import-error", "install-error"])
def test_another_end_is_unresolved(status: CellStatus) -> None:
    assert observe_cell(LOOKED_FOR, verdict("trial", status), []) == Observation(
        because=f"the cell is {status}: no"
    )


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("crashed", "red"), ("ok", "green"), ("failed", "green"), ("timed-out", "unresolved")],
)
def test_the_same_end_is_red(status: CellStatus, outcome: TrialOutcome) -> None:
    died = Symptoms(status="crashed", end="no")
    assert observe_cell(died, verdict("trial", status), []).judge(died.of_suite)[0] == outcome


FLOAT = "importing service.embed failed: AttributeError: `np.float_` was removed in 2.0"


@pytest.mark.parametrize(
    ("status", "reason", "outcome"),
    [
        ("import-error", FLOAT, "red"),
        ("import-error", "importing service.embed failed: AttributeError: `np.cast` was removed", "red"),
        ("import-error", "importing service.embed failed: ImportError: cannot import name 'x'", "unresolved"),
        ("import-error", "importing openvino failed: AttributeError: `np.float_` was", "unresolved"),
        ("crashed", FLOAT, "unresolved"),
        ("failed", "", "green"),
    ],
)
def test_the_same_status_for_another_reason_is_unresolved(
    status: CellStatus, reason: str, outcome: TrialOutcome
) -> None:
    dead = CellVerdict(cell="candidate", status="import-error", red=True, reason=FLOAT)
    symptoms = find_symptoms(Decision(verdict="regressed", sentence="", cells=(dead,)), None, [])
    observation = observe_cell(
        symptoms, CellVerdict(cell="trial", status=status, red=True, reason=reason), []
    )
    assert observation.judge(symptoms.of_suite)[0] == outcome


@pytest.mark.parametrize(
    ("reason", "end"),
    [
        (FLOAT, "importing service.embed failed: AttributeError"),
        (
            f"expected crashed, but the cell is import-error: {FLOAT}",
            "importing service.embed failed: AttributeError",
        ),
        (
            "it was killed by SIGSEGV (Segmentation fault) before it was finished (stage contract)",
            "it was killed by SIGSEGV (Segmentation fault)",
        ),
        ("it used 6.1 GiB, and 6 are allowed", "it used # GiB, and # are allowed"),
    ],
)
def test_the_end_of_a_process_is_normalized(reason: str, end: str) -> None:
    assert normalize_end(reason) == end


def decided(name: str, outcome: QuantityOutcome) -> QuantityDecision:
    return QuantityDecision(
        quantity=Quantity(id=name, group="normalizer", unit="s", threshold=1.05), outcome=outcome
    )


def test_only_decided_quantities_count() -> None:
    observation = observe_speed(
        [decided("a", "regressed"), decided("b", "passed"), decided("c", "undecided")]
    )
    assert observation == Observation(red=frozenset("a"), green=frozenset("b"), because="c is undecided")
    assert [observation.judge([name])[0] for name in "abc"] == ["red", "green", "unresolved"]
    speed = Speed(
        quantities=(decided("a", "regressed"), decided("b", "passed")), confidence=0.99, spent=1, budget=2
    )
    decision = Decision(verdict="regressed", sentence="", cells=(verdict(status="ok"),))
    assert find_symptoms(decision, speed, []).of_speed == ("a",)


def test_green_requires_all_symptoms() -> None:
    observation = Observation(red=frozenset("a"), green=frozenset("b"), because="no time")
    assert observation.judge("ab") == ("red", "")
    assert observation.judge("b") == ("green", "")
    assert observation.judge("bc") == ("unresolved", "no time")
    assert observation.judge("") == ("green", "")


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
def test_a_cause_is_kept_while_its_symptoms_are_present(
    looked_for: str, further: str, word: Verdict, *, stays: bool
) -> None:
    others = (Culprit(sentence="", looked_for=tuple(further)),) if further else ()
    culprit = Culprit(sentence="x", looked_for=tuple(looked_for), changes=(NUMPY,), further=others)
    quantity = Quantity(id="b", group="normalizer", unit="s", threshold=1.05)
    symptoms = Symptoms(cases={"a": FAILS}, quantities=(quantity,))
    decision = Decision(verdict=word, sentence="")
    assert keep_cause(culprit, decision, symptoms) == (culprit if stays else None)
    assert keep_cause(None, decision, symptoms) is None
