from __future__ import annotations

from typing import Any

import msgspec
import pytest
from support.compared import RED, Change, alter, changed_key, decided, later, make, replaced, slow
from support.pasts import past

from harness.judge.compare import compare
from harness.records import QuantityDecision


@pytest.mark.parametrize(("factor", "worse"), [(1.2, True), (0.8, False)])
def test_latency_beyond_the_noise_of_both_is_told(factor: float, worse: bool) -> None:  # noqa: FBT001 - a column
    found = compare(make(), slow(changed_key(later()), "a", "embed.3", factor))
    (each,) = (e for e in found.differences if e.kind == "latency-changed")
    assert (each.cell, each.what, each.worse) == ("a", "embed.3", worse)
    assert (each.before, each.after) == ("1.000x the baseline", f"{factor:.3f}x the baseline")
    assert each.ratio == pytest.approx(factor)
    assert each.beyond == pytest.approx(1.05**2)
    assert each.causes == ("openvino 2027.0 is new",)


@pytest.mark.parametrize("factor", [1.09, 0.92])
def test_latency_within_the_noise_of_both_is_silent(factor: float) -> None:
    found = compare(make(), slow(changed_key(later()), "a", "embed.3", factor))
    assert {each.kind for each in found.differences} == {"lock-changed"}


def test_latency_of_the_very_same_is_told_but_is_not_worse() -> None:
    (each,) = compare(make(), slow(later(), "a", "embed.3", 1.5)).differences
    assert (each.kind, each.worse) == ("latency-changed", False)
    assert compare(
        make(), slow(alter(later(), "base"), "a", "embed.3", 1.5)
    ).worse  # it may be the baseline's


def test_a_slower_machine_is_told_and_taken_out_and_a_slower_baseline_is_not() -> None:
    slower = later()
    for size in range(1, 7):
        slower = slow(slower, "base", f"embed.{size}", 1.5)
    found = compare(make(), slower)
    assert found.differences == ()
    assert found.notes[0].startswith("the baseline took 1.50x its earlier time over all its scenarios")
    (each,) = compare(make(), slow(alter(slower, "base"), "base", "embed.2", 1.5)).differences
    assert (each.cell, each.what, each.worse) == ("base", "embed.2", True)
    assert (each.before, each.after) == ("2000 us", "4500 us")
    assert each.ratio == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("change", "compared", "note"),
    [
        (
            lambda s: replaced(s, session="s1"),
            0,
            "latency of 18 scenarios is not compared: reused from the same session",
        ),
        (lambda s: replaced(s, noise=None), 0, "latency of 18 scenarios is not compared: no noise floor"),
        (
            lambda s: replaced(s, ratio=None),
            0,
            "latency of 18 scenarios is not compared: no paired rounds of the baseline",
        ),
        (lambda s: replaced(s, p50=0.0), 0, "latency of 18 scenarios is not compared: no time was measured"),
        (
            lambda s: msgspec.structs.replace(s, latency=s.latency[:9] + s.latency[12:15]),
            9,
            "latency of 3 scenarios is not compared: the baseline has too few",
        ),
        (
            lambda s: msgspec.structs.replace(
                s, cells=tuple(msgspec.structs.replace(c, baseline=c.id == "a") for c in s.cells)
            ),
            0,
            "the baselines differ: latency is not compared",
        ),
    ],
)
def test_latency_that_cannot_be_compared_is_counted_with_its_reason(
    change: Change, compared: int, note: str
) -> None:
    found = compare(make(), change(slow(changed_key(later()), "b", "embed.6", 3.0)))
    assert found.latency == compared
    assert [each for each in found.notes if each.startswith(note)]
    if not compared:
        assert {each.kind for each in found.differences} == {"lock-changed"}


@pytest.mark.parametrize("machine", [{"class": "m2", "cpu": "two"}, {}])
def test_runs_of_different_machine_classes_are_compared_for_correctness_alone_and_it_says_so(
    machine: Any,
) -> None:
    after = slow(later(machine=machine), "a", "embed.3", 9.0)
    after = alter(after, "a", cases=(RED,), facts={"threads": "64"})
    found = compare(
        msgspec.structs.replace(make(), quantities=(decided("passed", 1.0),)),
        msgspec.structs.replace(after, quantities=(decided("regressed", 1.4),)),
    )
    assert [each.kind for each in found.differences] == ["new-red"]
    assert (found.same_class, found.latency) == (False, 0)
    cpu = machine.get("cpu", "unknown machine")
    assert found.notes == (
        (f"the machine classes differ: only correctness is compared, not latency and memory (one; {cpu})"),
    )


def test_nothing_is_known_of_a_machine_without_a_class() -> None:
    assert not compare(make(machine={}), later(machine={})).same_class


@pytest.mark.parametrize(
    ("was", "now", "worse"),
    [
        (decided("passed", 1.0), decided("regressed", 1.2), True),
        (decided("regressed", 1.2), decided("passed", 1.0), False),
        (decided("passed", 1.0), decided("undecided", 1.0), True),
        (decided("passed", 1.0), decided("passed", 1.08), True),
        (decided("passed", 1.08), decided("passed", 1.0), False),
        (decided("passed", 1.0), decided("passed", 1.01), None),
    ],
)
def test_what_two_gates_decided(was: QuantityDecision, now: QuantityDecision, worse: bool | None) -> None:  # noqa: FBT001 - a column
    found = compare(past(kind="gate", quantities=(was,)), past("run-2", kind="gate", quantities=(now,)))
    expected = [] if worse is None else [("quantity-changed", "candidate", "memory.embedding", worse)]
    assert [(each.kind, each.cell, each.what, each.worse) for each in found.differences] == expected


def test_a_baseline_that_stood_by_is_not_another_one() -> None:
    part = later(cells=make().cells[:2], subset=True)
    part = msgspec.structs.replace(part, latency=tuple(e for e in part.latency if e.cell != "base"))
    found = compare(make(), slow(alter(part, "a"), "a", "embed.3", 1.5))
    assert found.latency == 12
    assert [(e.kind, e.cell, e.what) for e in found.differences] == [("latency-changed", "a", "embed.3")]
    assert not any("baseline" in note for note in found.notes)
