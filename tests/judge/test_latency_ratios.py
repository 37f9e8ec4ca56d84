from __future__ import annotations

import math

import msgspec
import pytest
from support.runs import CHECKS, make_case, make_plan, make_planned, make_result, make_timing

from harness.judge.latency_ratios import judge_latency, noise_floor, paired_logs, session_floors
from harness.judge.outcomes import Results
from harness.judge.verdict import judge
from harness.records import CheckOutcome, Expectation, LatencyRow


def rounded(row: LatencyRow) -> LatencyRow:
    """Without the last digits, which exp and log leave behind."""
    values = {name: getattr(row, name) for name in ("ratio", "low", "high", "floor")}
    return msgspec.structs.replace(row, **{name: value and round(value, 9) for name, value in values.items()})


def test_a_row_has_the_paired_ratio_its_quartiles_and_the_noise_floor() -> None:
    timing = make_timing(
        rounds=(1.0, 2.0, 4.0, 8.0, 16.0),
        baseline=(1.0, 1.0, 1.0, 1.0, 1.0),
        control=(0.5, 0.5, 0.5, 0.5, 0.5),
    )
    plan = make_plan(make_planned())
    (row,) = judge_latency(plan, Results.of([make_result(timings=(timing,))]))
    assert rounded(row) == LatencyRow(
        cell="a",
        scenario="normalize.manual.float32.32",
        p50=4.0,
        ratio=4.0,
        low=2.0,
        high=8.0,
        floor=2.0,
        rounds=5,
        iterations=10,
    )


def test_ratios_are_paired_round_by_round() -> None:
    slow = (1.0, 10.0, 1.0, 10.0)
    timing = make_timing(rounds=tuple(2 * each for each in slow), baseline=slow, control=())
    (row,) = judge_latency(make_plan(make_planned()), Results.of([make_result(timings=(timing,))]))
    row = rounded(row)
    assert (row.low, row.ratio, row.high, row.floor) == (2.0, 2.0, 2.0, None)


@pytest.mark.parametrize(
    ("baseline", "ratio"), [((), None), ((1e-5,), 2.0), ((0.0, 0.0), None), ((math.nan, 1e-5), 2.0)]
)
def test_arms_that_are_empty_short_or_broken(baseline: tuple[float, ...], ratio: float | None) -> None:
    timing = make_timing(rounds=(2e-5, 2e-5), baseline=baseline, control=())
    (row,) = judge_latency(make_plan(make_planned()), Results.of([make_result(timings=(timing,))]))
    row = rounded(row)
    assert (row.ratio, row.low, row.high) == (ratio, ratio, ratio)
    assert row.p50 == 2e-5


def test_a_scenario_without_rounds_has_no_row_and_rows_follow_the_plan() -> None:
    timings = (make_timing("z.other"), make_timing(), make_timing("empty", rounds=()))
    plan = make_plan(make_planned(), make_planned("twin", same_as="a"), make_planned("gone"))
    rows = judge_latency(plan, Results.of([make_result(timings=timings)]))
    assert [(row.cell, row.scenario) for row in rows] == [
        ("a", "normalize.manual.float32.32"),
        ("a", "z.other"),
        ("twin", "normalize.manual.float32.32"),
        ("twin", "z.other"),
    ]


def test_the_floor_of_a_session_is_its_largest_deviation_in_either_direction() -> None:
    timings = (
        make_timing("one", baseline=(1.0,), control=(1.1,)),
        make_timing("two", baseline=(1.0,), control=(0.5,)),
        make_timing("three", baseline=(1.0,), control=(), session="s2"),
        make_timing("four", baseline=(1.0,), control=(1.3,), session="s0"),
    )
    assert session_floors([make_result(timings=timings)]) == {
        "s0": 1.3,
        "s1": 2.0,
    }
    assert noise_floor(timings[2]) is None
    assert paired_logs((2.0, 3.0), (2.0,)) == [0.0]


def test_the_floor_of_a_row_is_the_largest_of_its_family_and_session() -> None:
    timings = (
        make_timing("normalize.a.float32.1", baseline=(1.0,), control=(0.8,)),
        make_timing("normalize.a.float32.32", baseline=(1.0,), control=(1.0,)),
        make_timing("normalize.a.float16.32", baseline=(1.0,), control=(1.5,)),
        make_timing("normalize.b.float32.32", baseline=(1.0,), control=()),
    )
    other = make_timing("normalize.a.float32.32", session="s2", baseline=(1.0,), control=(1.1,))
    results = [make_result(timings=timings), make_result("b", timings=(other,))]
    rows = judge_latency(make_plan(make_planned(), make_planned("b")), Results.of(results))
    floors = [(row.cell, row.scenario[len("normalize.") :], rounded(row).floor) for row in rows]
    assert floors == [
        ("a", "a.float16.32", 1.5),
        ("a", "a.float32.1", 1.25),
        ("a", "a.float32.32", 1.25),
        ("a", "b.float32.32", None),
        ("b", "a.float32.32", 1.1),
    ]


EMBEDS = ("embed.openvino.float32.1", "embed.sentence-transformers.float32.1", "normalize.a.float32.1")


@pytest.mark.parametrize(
    ("base", "other", "wrong"),
    [
        ({}, {}, set()),
        ({}, {"l1.hidden": "fail"}, {"embed.openvino.float32.1"}),
        ({}, {"l2.end-to-end/float32": "error"}, {"embed.openvino.float32.1"}),
        ({"l1.hidden": "fail"}, {"l1.hidden": "fail"}, set()),  # as the baseline does
        ({"l1.hidden": "fail"}, {"l2.end-to-end/float32": "fail"}, {"embed.openvino.float32.1"}),
        ({}, {"l0.parity/manual/float32": "fail"}, set()),
        ({}, {"l2.end-to-end/float32": "skip"}, set()),
        ({}, {"l1.control": "error", "l2.control/float32/max-pooling": "fail"}, set()),
    ],
)
@pytest.mark.parametrize("expected", [True, False])
def test_the_time_of_wrong_embeddings_is_told_apart(
    base: dict[str, CheckOutcome], other: dict[str, CheckOutcome], wrong: set[str], *, expected: bool
) -> None:
    cases = (
        "l0.parity/manual/float32",
        "l1.hidden",
        "l2.end-to-end/float32",
        "l1.control",
        "l2.control/float32/max-pooling",
    )
    timings = tuple(map(make_timing, EMBEDS))
    results = [
        make_result(cell, cases=[make_case(e, outcomes.get(e, "pass")) for e in cases], timings=timings)
        for cell, outcomes in (("base", base), ("a", other))
    ]
    planned = [make_planned("base", baseline=True, cases=cases), make_planned(cases=cases)]
    known = [Expectation(check="*", reason="known")] if expected else []
    judged = judge(make_plan(*planned, expectations=known), results, CHECKS)
    assert {(row.cell, row.scenario) for row in judged.latency if row.wrong} == {("a", e) for e in wrong}
