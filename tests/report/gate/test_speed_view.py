"""Latency and memory in the words and units of a person."""

from __future__ import annotations

import msgspec
import pytest
from support.gate_samples import interval, make_gate, make_speed, quantity
from support.speed_samples import void

from harness.records import Interval, QuantityDecision, Speed
from harness.report.gate.speed_view import (
    Remedy,
    count_outcomes,
    describe_effort,
    describe_why,
    find_remedies,
    group_why,
    regressed,
    show_change,
    show_duration,
    show_floor,
    show_interval,
    show_threshold,
    show_value,
    times_longer,
    unclear,
    worst_first,
)
from harness.report.gate.terminal import render_gate_text


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (12.34e-6, "s", "12.3 µs"),
        (0.5e-6, "s", "0.5 µs"),
        (999.9e-6, "s", "1 ms"),
        (1.25e-3, "s", "1.25 ms"),
        (0.9999, "s", "1 s"),
        (2.5, "s", "2.5 s"),
        (312.4e6, "B", "312 MB"),
        (1234e6, "B", "1234 MB"),
        (41.26e6, "B", "41.3 MB"),
        (None, "s", "-"),
        (float("inf"), "B", "-"),
    ],
)
def test_units(value: float | None, unit: str, shown: str) -> None:
    assert show_value(value, unit) == shown
    assert show_value(value, unit, unicode=False) == shown.replace("µ", "u")


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0 s"), (45.2, "45 s"), (59.9, "1 min"), (492, "8 min 12 s"), (600, "10 min")]
)
def test_durations(seconds: float, shown: str) -> None:
    assert show_duration(seconds) == shown


def test_ratios() -> None:
    assert show_change(interval(1.021)) == "1.021x (1.011 to 1.031)"
    assert show_interval(interval(1.021)) == "1.011 to 1.031"
    assert show_floor(Interval(low=0.8, ratio=0.9, high=1.1)) == "1.250x"
    assert (show_change(None), show_interval(None), show_floor(None)) == ("-", "-", "-")
    for low, high in ((0.0, 1.1), (0.9, float("inf"))):
        assert show_floor(Interval(low=low, ratio=1, high=high)) == "-"


def test_the_worst_comes_first() -> None:
    speed = make_speed()
    assert [each.outcome for each in worst_first(speed)] == [
        "regressed",
        "control-failed",
        "unmeasured",
        "undecided",
        "passed",
        "passed",
    ]
    assert [each.outcome for each in regressed(speed)] == ["regressed"]
    assert [each.outcome for each in unclear(speed)] == ["control-failed", "unmeasured", "undecided"]
    assert (regressed(None), unclear(None)) == ([], [])
    assert count_outcomes([]) == "none"


def speed_of(*decisions: QuantityDecision) -> Speed:
    return Speed(quantities=decisions, confidence=0.99, spent=600, budget=600)


def test_why_nothing_can_be_said() -> None:
    speed = msgspec.structs.replace(make_speed(), spent=598)
    few = quantity(change=None, blocks=1, outcome="undecided")
    assert [describe_why(each, speed) for each in (*unclear(speed), few)] == [
        "The A/A arms differ (0.890 to 0.910): the machine is too noisy for a decision",
        "The measurement failed",
        (
            "1.020 to 1.060 lies on both sides of 1.05x after 20 processes per arm, "
            "and the budget of 10 min is spent"
        ),
        "1 process per arm is too few for an interval, and the budget of 10 min is spent",
    ]
    assert describe_why(few, make_speed()).endswith(", and it ended after 8 min 12 s")


def test_quantities_with_the_same_fault_are_told_together() -> None:
    broken = [quantity(name, change=None, blocks=0, because="x", outcome="unmeasured") for name in "ab"]
    assert group_why(broken, make_speed()) == {("The measurement failed", "x"): ["a", "b"]}
    text = render_gate_text(make_gate(speed=speed_of(*broken)))
    assert "  a, b: The measurement failed: x" in text.splitlines()


@pytest.mark.parametrize(
    ("change", "times"),
    [
        (None, 2),
        (Interval(low=0.0, ratio=1.0, high=2.0), 2),
        (Interval(low=0.90, ratio=1.00, high=1.10), 5),
        (Interval(low=1.00, ratio=1.02, high=1.06), 2),
        (Interval(low=1.00, ratio=1.05, high=1.10), 9),
        (Interval(low=1.00, ratio=1.04, high=1.10), 9),
        (Interval(low=1.05, ratio=1.05, high=1.05), 2),
    ],
)
def test_how_much_longer_it_would_take(change: Interval | None, times: int) -> None:
    assert times_longer(quantity(change=change)) == times


@pytest.mark.parametrize(("blocks", "times"), [(0, 2), (1, 16), (5, 4), (13, 2)])
def test_so_many_times_as_long_until_there_is_an_interval(blocks: int, times: int) -> None:
    few = quantity(change=None, outcome="undecided", blocks=blocks)
    assert times_longer(few) == times
    (remedy,) = find_remedies(make_gate(speed=speed_of(few)), [few])
    assert (remedy.advice, remedy.command.partition(" --budget ")[2]) == (
        "Use a larger budget",
        f"{10 * times}m",
    )


def test_a_threshold_is_shown_as_it_is() -> None:
    tight = msgspec.structs.replace(quantity().quantity, threshold=1.025)
    assert show_threshold(msgspec.structs.replace(quantity(), quantity=tight)) == "1.025x"


def test_what_to_do() -> None:
    near = quantity("normalize.manual.float16.1", change=interval(1.05, 0.03), outcome="undecided")
    gate = make_gate(speed=speed_of(*make_speed().quantities, near))
    assert gate.speed is not None
    asked = "harness gate numpy==2.4.6 --from 'a b.txt' --quantities"
    assert find_remedies(gate, unclear(gate.speed)) == [
        Remedy("Run it again on an idle machine", f"{asked} embed.openvino.float32.1"),
        Remedy("See the logs of the run, then run it again", f"{asked} embed.openvino.float32.32"),
        Remedy("Use a larger budget", f"{asked} normalize.manual.float32.4096 --budget 50m"),
        Remedy(
            "The ratio is so near its threshold that no budget decides: look at the numbers, and set the "
            "threshold in [gate] of the matrix",
            f"{asked} normalize.manual.float16.1",
        ),
    ]


def test_all_quantities_need_no_names() -> None:
    few = quantity(change=None, outcome="undecided")
    odd = Speed(quantities=(few,), confidence=0.99, spent=10, budget=45.5)
    for speed, budget in ((speed_of(few), "20m"), (odd, "91s")):
        assert [each.command for each in find_remedies(make_gate(speed=speed), [few])] == [
            f"harness gate numpy==2.4.6 --from 'a b.txt' --budget {budget}"
        ]


def test_void_blocks_are_told() -> None:
    blocks = [void(1), void(2), void(3, "again", "baseline"), msgspec.structs.replace(void(4), arms=())]
    speed = msgspec.structs.replace(make_speed(), void=tuple(blocks))
    told = (
        "4 invalid blocks were excluded: 2 of the normalizer by candidate, 1 of the normalizer by again and "
        "baseline, 1 of the normalizer by no arm alone."
    )
    assert describe_effort(speed).endswith(f" {told}")
    one = msgspec.structs.replace(speed, void=(void(),))
    assert describe_effort(one).endswith(" 1 invalid block was excluded: 1 of the normalizer by candidate.")
    assert "void" not in describe_effort(make_speed())
    assert told in " ".join(render_gate_text(make_gate(speed=speed)).split())


@pytest.mark.parametrize(("left_out", "told"), [((1, 0), "1 process"), ((1, 3), "3 processes")])
def test_the_effort_tells_what_does_not_count(left_out: tuple[int, int], told: str) -> None:
    speed = speed_of(*(quantity(blocks=16, left_out=each) for each in left_out))
    found = describe_effort(speed)
    assert found.endswith(
        f" Up to {told} per arm are excluded from a ratio: the A/A ratio of their block is an outlier."
    )
    assert f"Up to {told} per arm are excluded" in " ".join(render_gate_text(make_gate(speed=speed)).split())
    assert "left out" not in describe_effort(speed_of(quantity(blocks=16)))
