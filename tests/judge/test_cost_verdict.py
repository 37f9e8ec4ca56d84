"""What is said of a gate that measures quantities."""

from __future__ import annotations

import msgspec
import pytest
from support.gate_sides import FINE, GOOD, cell, gate
from support.speed_samples import EQUAL, LARGE, MEMORY, SMALL

from harness.judge.cost_verdict import list_regressed, name_quantity
from harness.judge.quantity_decision import summarize_speed
from harness.records import Interval, QuantityDecision, QuantityOutcome, Speed


def test_a_control_that_failed_is_named_beside_a_regression() -> None:
    third = msgspec.structs.replace(SMALL, id="normalize.third")
    planned = (SMALL, LARGE, third)
    outcomes: tuple[QuantityOutcome, ...] = ("control-failed", "regressed", "passed")
    decisions = {
        each.id: QuantityDecision(quantity=each, outcome=outcome, change=EQUAL)
        for each, outcome in zip(planned, outcomes, strict=True)
    }
    found = gate(GOOD, FINE, speed=summarize_speed(planned, decisions, spent=1.0, budget=2.0, looks=1))
    assert found.verdict == "regressed"
    assert found.sentence.endswith("; but normalize.manual.float32.1 differs between the A/A arms")


RISEN = {
    "normalize.subject.float32.1": 16.0,
    "memory.normalizer": 1.5,
    "memory.embedding": 1.2,
    "embed.openvino.float16.1": 1.1,
    "embed.openvino.float32.8": 2.8,
}


def test_what_users_wait_for_is_named_before_what_rises_most() -> None:
    group = {"embed": "embedding", "normalize": "normalizer"}
    decisions = {
        name: QuantityDecision(
            quantity=msgspec.structs.replace(
                SMALL,
                id=name,
                group=group.get(name.partition(".")[0], name.partition(".")[2]),
                unit="B" if "memory" in name else "s",
            ),
            outcome="regressed",
            change=Interval(low=ratio, ratio=ratio, high=ratio),
        )
        for name, ratio in RISEN.items()
    }
    planned = [each.quantity for each in decisions.values()]
    found = list_regressed(summarize_speed(planned, decisions, spent=1.0, budget=2.0, looks=1))
    assert [name_quantity(each.quantity) for each in found] == [
        "embedding 8 texts",
        "embedding one text in float16",
        "embedding",
        "normalizing one row in float32",
        "normalizing",
    ]


def speed(*outcomes: QuantityOutcome) -> Speed:
    decisions = {
        quantity.id: QuantityDecision(
            quantity=quantity,
            outcome=outcome,
            change=Interval(low=1.17, ratio=1.203, high=1.2411),
            control=Interval(low=1.01, ratio=1.02, high=1.03),
            because="it hung" if outcome == "unmeasured" else "",
        )
        for quantity, outcome in zip((SMALL, LARGE, MEMORY), outcomes, strict=False)
    }
    planned = (SMALL, LARGE, MEMORY)[: len(outcomes)]
    return summarize_speed(planned, decisions, spent=1.0, budget=2.0, looks=1)


@pytest.mark.parametrize(
    ("outcomes", "verdict", "sentence", "because"),
    [
        (
            ("passed", "passed", "passed"),
            "pass",
            (
                "No case is newly red in the candidate (4 cases); 3 quantities of "
                "latency and memory are within the threshold"
            ),
            "",
        ),
        (
            ("passed",),
            "pass",
            (
                "No case is newly red in the candidate (4 cases); 1 quantity of "
                "latency and memory is within the threshold"
            ),
            "",
        ),
        (
            ("undecided", "regressed", "passed"),
            "regressed",
            (
                "normalizing 256 rows in float32 takes 1.203 (1.170 to 1.241) times as long, "
                "where 1.05 is allowed"
            ),
            "",
        ),
        (
            ("regressed", "regressed", "passed"),
            "regressed",
            (
                "normalizing one row in float32 takes 1.203 (1.170 to 1.241) times as long, where 1.05 is "
                "allowed; 1 more quantity has regressed"
            ),
            "",
        ),
        (
            ("control-failed", "regressed", "regressed"),
            "regressed",
            (
                "embedding needs 1.203 (1.170 to 1.241) times as much memory, where 1.1 is allowed; "
                "but normalize.manual.float32.1, normalize.manual.float32.256 differ between the A/A arms"
            ),
            "",
        ),
        (
            ("passed", "passed", "regressed"),
            "regressed",
            "embedding needs 1.203 (1.170 to 1.241) times as much memory, where 1.1 is allowed",
            "",
        ),
        (
            ("passed", "undecided", "undecided"),
            "inconclusive",
            "2 of 3 quantities are undecided: normalize.manual.float32.256, 1.203 (1.170 to 1.241)",
            "",
        ),
        (
            ("undecided", "control-failed", "passed"),
            "inconclusive",
            (
                "2 of 3 quantities differ between the A/A arms: "
                "normalize.manual.float32.256, 1.020 (1.010 to 1.030)"
            ),
            "",
        ),
        (
            ("control-failed", "undecided", "unmeasured"),
            "inconclusive",
            "1 of 3 quantities could not be measured: memory.embedding, 1.203 (1.170 to 1.241)",
            "it hung",
        ),
        ((), "inconclusive", "No quantity of latency or memory was measured", ""),
    ],
)
def test_the_worst_quantity_speaks_for_the_gate(
    outcomes: tuple[QuantityOutcome, ...], verdict: str, sentence: str, because: str
) -> None:
    found = gate(GOOD, FINE, speed=speed(*outcomes))
    assert (found.verdict, found.sentence, found.because) == (verdict, sentence, because)


def test_speed_never_betters_what_correctness_says() -> None:
    red = cell("candidate", "fail", "pass", "pass", "pass", status="failed")
    for outcome in ("passed", "regressed", "undecided"):
        assert gate(GOOD, red, speed=speed(outcome)) == gate(GOOD, red)
    lost = cell("baseline", status="timed-out")
    assert gate(lost, FINE, speed=speed("passed")) == gate(lost, FINE)
    assert gate(lost, FINE).verdict == "inconclusive"
    assert gate(lost, FINE, speed=speed("regressed")).verdict == "regressed"
