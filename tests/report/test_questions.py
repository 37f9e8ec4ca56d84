"""What is under test and the answers to the questions, as every rendering shows them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from support.gate_samples import make_gate
from support.runs import make_case, make_plan, make_planned, make_run, make_timing
from support.services import CHECKS, RAISED, Change, broken, cases_of, judge_service, result

from harness.judge.gate_verdict import decide
from harness.records import CaseResult, Decision, Gate, Run, ScenarioPlan, Service
from harness.report.gate.comment import render_gate_markdown
from harness.report.gate.junit import render_gate_junit
from harness.report.gate.terminal import render_gate_text
from harness.report.gate.view import group_findings
from harness.report.junit import render_junit
from harness.report.markdown import render_markdown
from harness.report.page.html import render_html
from harness.report.questions import (
    LimitRow,
    QuestionRow,
    describe_service,
    list_gate_questions,
    list_limits,
    list_questions,
)
from harness.report.terminal import render_text
from harness.report.view import findings_by_cell, group_red, list_red_checks


@pytest.mark.parametrize(
    ("service", "words"),
    [
        (None, "the service is not recorded: the run is of an earlier version"),
        (
            Service(
                embedder="harness.cell.embedder:OpenVinoEmbedder",
                normalizer="harness.cell.normalizers:manual",
                model="m==1",
            ),
            "the embedder of the harness, the manual normalizer of the harness, model m==1",
        ),
        (
            Service(embedder="a.b:C", normalizer="a.n:to_unit", dtypes=("float16", "float32")),
            "a.b:C, normalizer a.n:to_unit, float16, float32",
        ),
        (
            Service(service="app:embed", dtypes=("float32",), batch=16, corpus="texts.txt", model="m"),
            "service app:embed, float32, batch 16, corpus texts.txt, model m",
        ),
        (
            Service(query="a:q", document="a:d", normalized=False),
            "queries by a:q, documents by a:d, not normalized",
        ),
    ],
)
def test_what_is_under_test(service: Service | None, words: str) -> None:
    assert describe_service(service) == words


HALF = "the reference computes in float16 (transformers 5.22.1): 0.0003 from its embeddings in float32"


def half(case: str) -> CaseResult | None:
    return broken(case, sample=HALF) if case == "env.reference-dtype" else None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, ""),
        ({"b": half}, f"now {HALF} (in 1 of 3 cells)"),
        ({"a": half, "b": half, "c": half}, HALF),
    ],
)
def test_another_dtype_of_the_reference_is_told_with_the_answer(
    changes: dict[str, Change], told: str
) -> None:
    cells = [make_planned(name, cases=cases_of(), baseline=name == "a") for name in ("a", "b", "c")]
    results = [result(name, changes.get(name, lambda _: None)) for name in ("a", "b", "c")]
    run = make_run(make_plan(*cells), *results, checks=CHECKS)
    (row,) = (each for each in list_questions(run) if each.title == "Same vectors as the reference?")
    assert (row.show(), row.because.rpartition("; ")[0]) == ("yes", told)
    for text in (render_text(run, width=200), render_markdown(run), render_html(run)):
        assert ("the reference computes in float16" in " ".join(text.split())) == bool(told)


def test_a_gate_tells_that_the_reference_changes_its_dtype() -> None:
    gate = msgspec.structs.replace(make_gate(), decision=decide(judge_service(lambda _: None, half)))
    assert gate.decision.verdict == "pass"
    for text in (render_gate_markdown(gate), render_gate_text(gate, width=200)):
        assert f"now {HALF}" in " ".join(text.split())


def test_the_baseline_is_not_asked_whether_it_is_as_before() -> None:
    judged = judge_service(lambda _: None, lambda _: None)
    cells = [
        make_planned(name, cases=cases_of(), baseline=name == "baseline")
        for name in ("baseline", "candidate")
    ]
    run = msgspec.structs.replace(make_run(make_plan(*cells), checks=CHECKS), judgement=judged)
    (before, *_) = list_questions(run)
    assert (before.title, before.show()) == ("Same vectors as before?", "yes")


def threads(case: str) -> CaseResult | None:
    return broken(case) if case == "rt.threads" else None


def no_rank(case: str) -> CaseResult | None:
    return make_case(case, "error", message=RAISED) if case.startswith("l3.top10/") else None


@pytest.fixture
def run() -> Run:
    cells = [make_planned(name, cases=cases_of(), baseline=name == "a") for name in ("a", "b", "c")]
    results = (result("a"), result("b", threads), result("c", no_rank))
    return make_run(make_plan(*cells), *results, checks=CHECKS)


def test_answers_are_counted_over_the_cells_the_worst_first(run: Run) -> None:
    rows = {row.title: row for row in list_questions(run)}
    assert list(rows) == [
        "Same vectors as before?",
        "Same vectors as the reference?",
        "Same ranking?",
        "Dtype and zero rows kept?",
        "Does it hold up?",
        "Cost within the limits?",
    ]
    assert rows["Same ranking?"] == QuestionRow(
        "Same ranking?", (("not measured", 1), ("yes", 2)), f"{RAISED} (1 case)"
    )
    assert rows["Does it hold up?"].show() == "no in 1, yes in 2"
    assert rows["Dtype and zero rows kept?"].show() == "yes"


def test_every_rendering_shows_the_service_and_the_questions(run: Run) -> None:
    for text in (render_text(run, width=200), render_markdown(run), render_html(run)):
        assert "Under test: " in text
        assert "service.embed:Embedder, the manual normalizer of the harness" in text
        assert "not measured in 1, yes in 2" in text


def limited(case: str) -> CaseResult | None:
    limits = ("l0.tiny/manual/float32", "l0.subnormal/manual/float32", "l0.huge/manual/float32")
    return broken(case) if case in limits else None


LIMITS = [
    LimitRow(
        "manual/float32: breaks at norm 0.00586 in float32; the embeddings go down to 3 (factor 512)",
        ("l0.subnormal", "l0.tiny"),
        2,
    ),
    LimitRow(
        "manual/float32: breaks at norm 256 in float32; the embeddings reach 8 (factor 32)",
        ("l0.huge",),
        2,
    ),
]


def test_limits_are_grouped_by_their_margin_and_shown_everywhere() -> None:
    cells = [
        make_planned(name, cases=cases_of(), baseline=name == "baseline")
        for name in ("baseline", "candidate")
    ]
    results = (result("baseline", limited), result("candidate", limited))
    run = make_run(make_plan(*cells), *results, checks=CHECKS)
    assert list_limits(run.judgement.findings) == LIMITS
    decision = decide(run.judgement)
    assert list_limits(decision.limits) == [replace(each, cells=1) for each in LIMITS]
    gate = msgspec.structs.replace(make_gate(), decision=decision)
    texts = (render_text(run, width=200, verbose=True), render_markdown(run), render_html(run))
    for text in (*texts, render_gate_markdown(gate), render_gate_text(gate, width=200)):
        assert "breaks at norm 256 in float32; the embeddings reach 8 (factor 32)" in text


@pytest.mark.parametrize("render", [render_gate_markdown, render_gate_text])
def test_a_gate_shows_the_service(render: object) -> None:
    gate: Gate = make_gate()
    assert callable(render)
    words = " ".join(render(gate).split())
    assert "service.embed:Embedder, the stable normalizer of the harness, float32" in words


def test_limits_and_notes_are_no_failures_for_a_ci_system() -> None:
    def change(case: str) -> CaseResult | None:
        return broken(case) if case == "api.utility-rejects/tensor-1d" else limited(case)

    names = ("baseline", "candidate")
    cells = [make_planned(name, cases=cases_of(), baseline=name == "baseline") for name in names]
    run = make_run(make_plan(*cells), result("baseline", change), result("candidate", change), checks=CHECKS)
    gate = msgspec.structs.replace(make_gate(), decision=decide(run.judgement), speed=None, culprit=None)
    findings = [each for each in run.judgement.findings if each.cell == "candidate"]
    for text in (render_junit(run), render_gate_junit(gate, findings)):
        root = ElementTree.fromstring(text.encode())  # noqa: S314 # our own text
        assert (root.findall(".//failure"), root.findall(".//error")) == ([], [])
        skipped = [each.get("message", "") for each in root.findall(".//skipped")]
        assert [each for each in skipped if each.startswith("limit: breaks at norm 256 in float32")]
        assert [each for each in skipped if each.startswith("note: worst error 9 ULP")]


def test_a_gate_with_nothing_new_fails_no_case_of_a_ci_system() -> None:
    names = ("baseline", "candidate")
    cells = [make_planned(name, cases=cases_of(), baseline=name == "baseline") for name in names]
    run = make_run(
        make_plan(*cells), result("baseline", threads), result("candidate", threads), checks=CHECKS
    )
    decision = decide(run.judgement)
    assert decision.verdict == "failing, nothing new"
    text = render_gate_junit(
        msgspec.structs.replace(make_gate(), decision=decision, speed=None, culprit=None)
    )
    assert "<failure" not in text
    assert "<error" not in text


def timed(*cells: tuple[str, float], scenario: str, **changes: Any) -> Run:
    """A sweep with a baseline ``a`` and cells that take so many times as long."""
    names = ("a", *(name for name, _ in cells))
    planned = [make_planned(name, cases=cases_of(), baseline=name == "a") for name in names]
    scenarios = [ScenarioPlan(id=name, rounds=4, target_seconds=0.01) for name in (scenario, REFERENCE)]
    slow = make_timing(REFERENCE, rounds=(9.0,) * 4, baseline=(1.0,) * 4)
    plan = make_plan(*planned, **({"scenarios": scenarios} | changes))
    results = [
        msgspec.structs.replace(
            result(name),
            timings=(
                make_timing(scenario, rounds=(ratio,) * 4, baseline=(1.0,) * 4, control=(1.04,) * 4),
                slow,
            ),
        )
        for name, ratio in (("a", 1.0), *cells)
    ]
    return make_run(plan, *results, checks=CHECKS)


REFERENCE = "normalize.reference.float32.32"
SERVED = "normalize.manual.float32.32"


@pytest.mark.parametrize(
    ("run", "shown", "because"),
    [
        (
            timed(("b", 0.94), ("c", 1.31), scenario=SERVED),
            "0.94x to 1.31x",
            "of the latency of the baseline (noise floor 1.04), 2 cells; no limit is set",
        ),
        (timed(("b", 2.0), scenario=SERVED, scenarios=()), "not asked", ""),
        (
            timed(scenario=SERVED),
            "not measured",
            "no cell has a latency to compare with that of the baseline",
        ),
        (
            timed(("b", 2.0), scenario="normalize.stable.float32.32"),
            "not measured",
            "no cell has a latency to compare with that of the baseline",
        ),
    ],
)
def test_a_sweep_has_a_range_of_latency_and_no_answer(run: Run, shown: str, because: str) -> None:
    row = list_questions(run)[-1]
    assert (row.title, row.show(), row.because) == ("Cost within the limits?", shown, because)
    for text in (render_text(run, width=200), render_markdown(run), render_html(run)):
        assert "Cost within the limits?" in text
        assert shown in text
    assert run.judgement.verdict == "pass"


def test_one_exception_behind_many_answers_is_told_once() -> None:
    def second(case: str) -> CaseResult | None:
        message = f"KeyError: 'no slot for batch {len(case)}' in embed.py, line 5"
        asked = case.split(".", maxsplit=1)[0] in {"l2", "l3", "rt", "gold"} and ".control" not in case
        return make_case(case, "error", message=message) if asked else None

    cells = [make_planned(name, cases=cases_of(), baseline=name == "baseline") for name in ARMS]
    run = make_run(make_plan(*cells), *(result(name, second) for name in ARMS), checks=CHECKS)
    told = [row.because for row in list_questions(run)[:-1]]
    assert [text for text in told if "KeyError" in text] == told[:1]
    assert all(text.startswith("the same reason (") for text in told[1:])
    assert list_red_checks(findings_by_cell(run)["candidate"])[1:] == []
    gate = msgspec.structs.replace(make_gate(), decision=decide(run.judgement))
    assert [row.because for row in list_gate_questions(gate)[:-1]] == told
    assert len(group_findings(gate.decision.before)) == 1
    for text in (render_text(run, width=400), render_markdown(run), render_html(run)):
        assert "(this exception in " in text


def test_one_exception_behind_many_notes_of_a_gate_is_one_change() -> None:
    def raised(case: str) -> CaseResult | None:
        message = f"KeyError: 'no slot for batch {len(case)}' in embed.py, line 5"
        served = case.split(".", maxsplit=1)[0] in {"l2", "l3"} and "/stable/" in case
        return make_case(case, "error", message=message) if served else None

    decision = gate_of(raised)
    (note,) = decision.notes
    assert (note.check, note.baseline) == ("l2.parity/stable/float32", "pass")
    count = sum(bool(raised(case)) for case in cases_of())
    assert note.cases == count
    gate = msgspec.structs.replace(make_gate(), decision=decision)
    for text in (render_gate_text(gate, width=200), render_gate_markdown(gate)):
        assert f"l2.parity/stable/float32 and {count - 1} more" in text


def gate_of(change: Change) -> Decision:
    """The decision on a baseline in which all is well, and a candidate with this change."""
    cells = [make_planned(name, cases=cases_of(), baseline=name == "baseline") for name in ARMS]
    run = make_run(make_plan(*cells), result("baseline"), result("candidate", change), checks=CHECKS)
    return decide(run.judgement)


ARMS = ("baseline", "candidate")


def test_cells_with_one_exception_are_one_entry_whatever_its_numbers() -> None:
    def raised(number: int, *cases: str) -> Change:
        message = f"ValueError: text {number} is empty in embed.py, line 5"
        return lambda case: make_case(case, "error", message=message) if case in cases else None

    cells = [make_planned(name, cases=cases_of()) for name in ("a", "b", "c", "d")]
    two = ("l3.top10/manual/float32", "rt.threads")
    results = (
        result("a", raised(1, *two)),
        result("b", raised(2, *two)),
        result("c", raised(1, two[0])),
        result("d", threads),
    )
    run = make_run(make_plan(*cells), *results, checks=CHECKS)
    assert [[cell.cell for cell in group] for group in group_red(run)] == [["a", "b"], ["c"], ["d"]]
