from __future__ import annotations

from support.runs import make_case, make_plan, make_planned, make_result, make_timing, seen

from harness.cell.interface import load_checks, load_scenarios
from harness.judge.claims import CLAIMS, judge_claims, summarize_claim
from harness.judge.outcomes import Results
from harness.records import CaseResult, ClaimRow, Observation, Timing


def judged(
    cases: tuple[CaseResult, ...] = (), timings: tuple[Timing, ...] = ()
) -> dict[str, tuple[bool | None, str]]:
    plan = make_plan(make_planned())
    claims = judge_claims(plan, Results.of([make_result(cases=cases, timings=timings)]))
    return {claim.id: (row.holds, row.measured) for claim in claims for row in claim.rows}


def timed(target: str, batch: int, seconds: float, dtype: str = "float32") -> Timing:
    return make_timing(f"normalize.{target}.{dtype}.{batch}", rounds=(seconds,) * 3)


def test_what_was_not_measured_is_not_judged() -> None:
    assert judged() == {claim: (None, "not measured") for claim, _, _ in CLAIMS}
    assert len(CLAIMS) == 8
    plan = make_plan(make_planned())
    assert {row.holds for claim in judge_claims(plan, Results.of([])) for row in claim.rows} == {None}


def test_claims_are_judged_by_the_cases_of_the_suite() -> None:
    rejects = Observation(value=1, unit="", bound="equal", allowed=1, facts={"type": "AttributeError"})
    cases = (
        make_case("api.no-norm-method"),
        make_case("api.utility-rejects/ndarray", observation=rejects),
        make_case(
            "api.norm-dtype/2/float16", "fail", observation=seen(0, 1, bound="equal", sample="float32")
        ),
        make_case("api.norm-dtype/2/float32", observation=seen(1, 1, bound="equal")),
        make_case("l0.parity-extreme/tiny/manual/float32", "fail", observation=seen(9.0)),
        make_case("l0.parity-typical/typical/manual/float32", observation=seen(0.5)),
        make_case("l0.parity-typical/typical/stable/float32", "fail"),
        make_case("l0.zero/manual/float16", observation=seen(None, 0.0)),  # contradicts itself: no evidence
        make_case("l0.mixed-zero/manual/float32", observation=seen(0.0, 0.0)),
        make_case(
            "rt.memory/manual", observation=seen(2.0, 3.0, unit="times the input", facts={"reference": 1.0})
        ),
    )
    assert judged(cases) == {
        "no-norm-method": (True, "api.no-norm-method: yes (1 ulp, allowed 2)"),
        "utility-rejects-arrays": (True, "ndarray: yes (type AttributeError)"),
        "norm-keeps-dtype": (False, "float16: no (float32); float32: yes"),
        "manual-equals-utility": (
            False,
            "float32: yes for typical (0.5 ulp, allowed 2), no for tiny (9 ulp, allowed 2)",
        ),
        "zero-stays-zero": (True, "float32: yes (0 ulp, allowed 0)"),
        "milliseconds": (None, "not measured"),
        "numpy-is-faster": (None, "not measured"),
        "same-memory": (True, "manual: yes (2 times the input, allowed 3, reference 1)"),
    }


def test_claims_about_time_are_judged_by_the_timings() -> None:
    timings = (
        timed("manual", 32, 1.5e-3),
        timed("manual", 32, 3e-3, "float16"),
        timed("reference", 32, 3e-3),
        timed("manual", 1, 1e-5),
        timed("reference", 1, 5e-6),
        timed("manual", 4096, 1.0),
    )
    found = judged(timings=timings)
    assert found["milliseconds"] == (False, "float32 x 32: 1.5 ms; float16 x 32: 3 ms")
    assert found["numpy-is-faster"] == (False, "float32 x 32: 2x faster; float32 x 1: 2x slower")
    assert judged(timings=timings[:1])["milliseconds"] == (True, "float32 x 32: 1.5 ms")
    assert judged(timings=timings[:3])["numpy-is-faster"] == (True, "float32 x 32: 2x faster")


def test_every_claim_rests_on_cases_or_scenarios_that_the_suite_has() -> None:
    cases = [case for check in load_checks() for case in check.cases(("manual", "stable"))]
    found = judged(
        tuple(make_case(case) for case in cases),
        tuple(make_timing(scenario.id) for scenario in load_scenarios()),
    )
    assert {claim: holds is not None for claim, (holds, _) in found.items()} == {
        each[0]: True for each in CLAIMS
    }


def test_a_claim_is_summed_up_over_the_cells_that_measured_it() -> None:
    rows = [ClaimRow(claim="c", cell="a", holds=holds, measured="") for holds in (True, False, None)]
    assert summarize_claim(rows) == "holds in 1 of 2 cells"
    assert summarize_claim(rows[2:]) == "not measured"
