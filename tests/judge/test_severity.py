"""What a failure means for a service: by its check, what is served, and the norms of its embeddings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.runs import make_case
from support.services import RAISED, Change, broken, held, judge_service

from harness.cell.interface import load_checks
from harness.judge.gate_verdict import decide
from harness.judge.severity import UNKNOWN_MARGIN, Served, Weights
from harness.records import CaseResult, Judgement

OWN = ("subject", "manual", "stable")


def fine(_: str) -> None:
    return None


def fails(*cases: str, **changes: Any) -> Change:
    return lambda case: broken(case, **changes) if case in cases else None


def margins(**facts: Any) -> Change:
    """The margins of every normalizer with other facts."""

    def change(case: str) -> CaseResult | None:
        usual = held(case).observation
        if not case.startswith("l0.margin/") or usual is None:
            return None
        return held(case, facts=usual.facts | facts)

    return change


def raises(case: str) -> CaseResult | None:
    """An embedder that raises at each call: nothing but its normalizer is measured."""
    layer = case.split(".", maxsplit=1)[0]
    if layer in {"l2", "l3", "rt", "gold"} and ".control" not in case and "rt.memory" not in case:
        return make_case(case, "error", message=RAISED)
    return make_case(case, "error", message=RAISED) if case.startswith("l0.margin/") else None


def both(*changes: Change) -> Change:
    return lambda case: next((found for change in changes if (found := change(case))), None)


def outcome(judged: Judgement, case: str, cell: str = "candidate") -> tuple[str, str]:
    (found,) = [each for each in judged.findings if (each.cell, each.check) == (cell, case)]
    return found.outcome, found.margin


def answers(judged: Judgement, cell: str = "candidate") -> dict[str, str]:
    (found,) = [each for each in judged.cells if each.cell == cell]
    return {each.question: each.answer for each in found.answers}


YES = dict.fromkeys(("before", "reference", "ranking", "dtype", "stability"), "yes")


def test_a_service_that_holds_answers_every_question_with_yes() -> None:
    judged = judge_service(fine, fine, *OWN)
    assert answers(judged) == YES
    assert [cell.usable for cell in judged.cells] == [True, True]
    assert (judged.verdict, judged.sentence) == ("pass", "2 of 2 combinations are usable.")


TINY = "l0.tiny/subject/float32"


def test_a_limit_far_from_the_embeddings_is_told_with_its_margin() -> None:
    judged = judge_service(fails(TINY), fails(TINY), *OWN)
    said = "breaks at norm 0.00586 in float32; the embeddings go down to 3 (factor 512)"
    assert outcome(judged, TINY) == ("limit", said)
    assert (judged.verdict, answers(judged)) == ("pass", YES)
    huge = fails("l0.huge/subject/float32")
    said = "breaks at norm 256 in float32; the embeddings reach 8 (factor 32)"
    assert outcome(judge_service(huge, huge, *OWN), "l0.huge/subject/float32") == ("limit", said)


def unmeasured(case: str) -> CaseResult | None:
    return held(case, facts={}) if case.startswith("l0.margin/") else None


@pytest.mark.parametrize(
    ("usual", "service"),
    [(margins(down=2.0), {}), (unmeasured, {}), (fine, {"strict": True})],
    ids=["near", "norms-unknown", "strict"],
)
def test_a_limit_that_may_be_reached_breaks(usual: Change, service: dict[str, Any]) -> None:
    judged = judge_service(usual, both(fails(TINY), usual), *OWN, service=service)
    assert outcome(judged, TINY)[0] == "fail"
    assert (judged.verdict, answers(judged)["reference"]) == ("regressed", "no")


def test_a_cell_without_margins_has_those_of_the_baseline() -> None:
    judged = judge_service(fine, both(fails(TINY), unmeasured), *OWN)
    assert outcome(judged, TINY)[0] == "limit"


@pytest.mark.parametrize("on", ["subject", "embedder", "library"])
def test_only_what_the_check_runs_on_the_subject_can_break_it(on: str) -> None:
    (check,) = [replace(each, severity="breaks", on=on) for each in load_checks() if each.id == "rt.padding"]
    weights = Weights(Served("subject", frozenset({"float32"})), {})
    wanted = "breaks" if on == "subject" else "notes"
    assert weights.weigh(check, "rt.padding/left/torch", None) == wanted


@pytest.mark.parametrize(
    ("case", "changes"),
    [
        ("api.utility-rejects/tensor-1d", {}),
        ("l0.typical/stable/float32", {}),
        ("l0.zero/subject/float16", {}),
        ("l0.parity-zero/zero/subject/float32", {"blame": "reference"}),
        ("l0.one-dimensional/subject/float32", {}),
        ("rt.padding/masked-rows/openvino", {}),
        ("rt.compilations/again", {}),
        ("rt.containers/generator", {}),
    ],
    ids=[
        "library",
        "another-normalizer",
        "dtype-not-served",
        "reference-is-wrong",
        "note",
        "padding-of-the-embedder",
        "compilation-of-the-embedder",
        "note-on-containers",
    ],
)
def test_what_does_not_concern_the_service_is_a_note(case: str, changes: dict[str, Any]) -> None:
    judged = judge_service(fine, fails(case, **changes), *OWN)
    assert outcome(judged, case)[0] == "note"
    assert (judged.verdict, answers(judged)) == ("pass", YES)


@pytest.mark.parametrize(
    ("case", "question"),
    [
        ("l0.typical/subject/float32", "reference"),
        ("l0.zero/subject/float32", "dtype"),
        ("l0.parity-zero/zero/subject/float32", "reference"),
        ("l2.parity/subject/float32", "reference"),
        ("l3.top10/subject/float32", "ranking"),
        ("rt.threads", "stability"),
        ("gold.drift/float32", "reference"),
    ],
)
def test_what_concerns_the_service_breaks(case: str, question: str) -> None:
    judged = judge_service(fine, fails(case), *OWN)
    assert outcome(judged, case)[0] == "fail"
    assert judged.verdict == "regressed"
    assert answers(judged) == YES | {question: "no"}


def test_a_function_of_the_library_breaks_a_service_that_relies_on_it() -> None:
    case = "api.library/cos_sim"
    for relied, found, verdict in (((), "note", "pass"), (("cos_sim",), "fail", "regressed")):
        judged = judge_service(fine, fails(case, sample="off by 1"), *OWN, service={"relies_on": relied})
        assert (outcome(judged, case)[0], judged.verdict) == (found, verdict)
        assert {each.remark for cell in judged.cells for each in cell.answers} == {""}
    assert answers(judged) == YES | {"stability": "no"}


def test_a_served_dtype_is_declared_or_that_of_the_embedder_in_the_baseline() -> None:
    case = "l0.zero/subject/float16"
    declared = judge_service(fine, fails(case), *OWN, service={"dtypes": ("float16",)})
    returned = judge_service(margins(served="float16"), both(fails(case), margins(served="float64")), *OWN)
    assert [outcome(judged, case)[0] for judged in (declared, returned)] == ["fail", "fail"]


def test_an_embedder_that_always_raises_is_not_measured() -> None:
    judged = judge_service(both(raises, fails(TINY)), both(raises, fails(TINY)), *OWN)
    unmeasured = "not measured"
    assert set(answers(judged).values()) == {unmeasured}
    assert outcome(judged, TINY) == ("limit", UNKNOWN_MARGIN)
    assert judged.verdict == "inconclusive"
    assert judged.sentence.startswith(f"Not measured: {RAISED} (")
    assert judged.sentence.endswith("), in 2 of 2 cells.")


def test_an_embedder_that_answers_once_is_wrong_and_its_other_questions_are_open() -> None:
    once = both(fails("rt.again"), raises)
    judged = judge_service(once, once, *OWN)
    assert answers(judged) == dict.fromkeys(YES, "not measured") | {"stability": "no"}
    assert judged.verdict == "failing"
    assert decide(judged).verdict == "inconclusive"


def test_an_embedder_that_raises_in_the_candidate_alone_is_regressed() -> None:
    judged = judge_service(fine, raises, *OWN)
    assert judged.verdict == "regressed"
    assert decide(judged).verdict == "regressed"


def test_a_gate_whose_environments_both_raise_is_inconclusive() -> None:
    decision = decide(judge_service(raises, raises, *OWN))
    assert decision.verdict == "inconclusive"
    assert decision.sentence.startswith(f"Not measured: {RAISED} (")
    assert decision.sentence.endswith(") in both environments")


def test_a_question_whose_only_check_is_skipped_is_not_measured() -> None:
    reason = "the embedder returns float64; judged as float32"

    def skipped(case: str) -> CaseResult | None:
        if case.startswith("l3.top10/"):
            return make_case(case, "skip", message=reason, observation=None)
        return None

    judged = judge_service(skipped, skipped, *OWN)
    assert answers(judged) == YES | {"ranking": "not measured"}
    assert judged.sentence == f"Not measured: {reason} (1 case), in 2 of 2 cells."
    assert (judged.verdict, decide(judged).verdict) == ("inconclusive", "inconclusive")


def test_a_service_without_golden_embeddings_is_not_asked_for_them() -> None:
    reason = "no golden embeddings are kept for this model and corpus; 'harness golden' makes them"

    def skipped(case: str) -> CaseResult | None:
        if case.startswith("gold.drift/"):
            return make_case(case, "skip", message=reason, observation=None)
        return None

    judged = judge_service(skipped, skipped, *OWN)
    assert answers(judged, "baseline") == YES | {"before": "not asked"}
    assert answers(judged) == YES  # compared with the baseline
    assert (judged.verdict, decide(judged).verdict) == ("pass", "pass")


@pytest.mark.parametrize(
    ("case", "question"), [("gold.vectors", "before"), ("gold.ranking", "ranking"), ("gold.dtype", "dtype")]
)
def test_a_service_that_differs_from_the_baseline_is_new(case: str, question: str) -> None:
    judged = judge_service(fine, fails(case), *OWN)
    assert answers(judged) == YES | {question: "no"}
    assert answers(judged, "baseline") == YES | {
        "before": "not asked"
    }  # it is what the others are compared with
    assert (judged.verdict, decide(judged).verdict) == ("regressed", "regressed")


def test_the_owner_of_an_index_reads_first_what_concerns_it() -> None:
    judged = judge_service(fine, fails("l3.top10/subject/float32", "gold.ranking"), *OWN)
    (found,) = [cell for cell in judged.cells if cell.cell == "candidate"]
    (ranking,) = [each for each in found.answers if each.question == "ranking"]
    assert ranking.because.startswith("gold.ranking: ")


def test_a_reference_that_differs_from_the_baseline_is_a_note() -> None:
    judged = judge_service(fine, fails("gold.reference"), *OWN)
    assert outcome(judged, "gold.reference")[0] == "note"
    assert answers(judged) == YES
    assert (judged.verdict, decide(judged).verdict) == ("pass", "pass")


def test_vectors_that_cannot_be_compared_leave_the_question_open() -> None:
    lost = "the baseline has no vectors: the file vectors.npz is missing"

    def uncompared(case: str) -> CaseResult | None:
        compared = {"gold.vectors", "gold.ranking", "gold.dtype", "gold.reference"}
        return make_case(case, "error", message=lost) if case in compared else None

    judged = judge_service(fine, uncompared, *OWN)
    assert answers(judged) == YES | dict.fromkeys(("before", "ranking", "dtype"), "not measured")
    decision = decide(judged)
    assert (decision.verdict, decision.new) == ("inconclusive", ())
    assert decision.sentence == f"Not measured: {lost} (1 case) in the candidate"


@pytest.mark.parametrize(("own_model", "verdict"), [(False, "failing"), (True, "pass")])
def test_a_control_judges_the_tolerances_of_the_shipped_model_alone(own_model: bool, verdict: str) -> None:  # noqa: FBT001 - a parameter
    red = fails("l2.control/float32/bfloat16-weights")
    judged = judge_service(red, red, *OWN, service={"own_model": own_model})
    assert answers(judged) == YES
    assert judged.verdict == verdict


def test_rows_that_are_not_finite_are_far_from_finite_embeddings() -> None:
    cases = ("l0.nan/subject/float32", "l0.inf/subject/float32", "l0.parity-non-finite/nan/subject/float32")
    judged = judge_service(fine, fails(*cases), *OWN)
    assert [outcome(judged, case) for case in cases] == [("limit", "the embeddings are finite")] * 3
    assert answers(judged) == YES
    unknown = margins(**{"largest norm": None})  # of embeddings that hold a NaN
    judged = judge_service(unknown, both(unknown, fails(*cases)), *OWN)
    assert [outcome(judged, case) for case in cases] == [("fail", UNKNOWN_MARGIN)] * 3


def test_a_fault_of_both_environments_is_nothing_new_and_no_pass() -> None:
    decision = decide(judge_service(fails("rt.threads"), fails("rt.threads"), *OWN))
    assert decision.verdict == "failing, nothing new"
    judged = judge_service(fails("rt.threads"), fails("rt.threads"), *OWN)
    assert judged.verdict == "failing"


def test_a_behaviour_of_a_library_that_changes_is_one_note_with_both() -> None:
    case = "api.utility-rejects/tensor-1d"
    decision = decide(judge_service(fine, fails(case), *OWN))
    (note,) = decision.notes
    assert (note.check, note.baseline, note.candidate) == (
        case,
        "pass",
        "worst error 9 ULP at (4, 7), but should be at most 2",
    )
    assert decision.verdict == "pass"


def test_a_note_that_is_skipped_in_the_candidate_leaves_no_question_open() -> None:
    reason = "the peak of a call cannot be measured here: no status"

    def skipped(case: str) -> CaseResult | None:
        if case == "rt.memory/stable":
            return make_case(case, "skip", message=reason, observation=None)
        return None

    decision = decide(judge_service(fine, skipped, *OWN))
    assert (decision.verdict, decision.unchecked) == ("pass", ())


def test_a_control_tests_a_tolerance_and_answers_nothing() -> None:
    judged = judge_service(fine, fails("l2.control/float32/bfloat16-weights"), *OWN)
    assert answers(judged) == YES
    assert judged.verdict == "regressed"  # the tolerance would miss a wrong model
