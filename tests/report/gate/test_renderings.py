"""The renderings of a gate: what they say, and what they leave out."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from support.gate_samples import EVIL, REPLACE, finding, make_gate

from harness.errors import UsageError
from harness.records import SCHEMA, Gate
from harness.report.gate.comment import render_gate_markdown
from harness.report.gate.junit import render_gate_junit
from harness.report.gate.terminal import render_gate_text
from harness.report.gate.view import NOT_JUDGED
from harness.runs.documents import read_gate, render_gate_json, render_gate_schema


def correctness_alone() -> Gate:
    return make_gate(speed=None, culprit=None, judged=("correctness",))


def test_latency_that_was_not_judged_is_said_not_to_be() -> None:
    gate = correctness_alone()
    assert f" (1 direct, 1 transitive). {NOT_JUDGED}" in render_gate_markdown(gate)
    assert NOT_JUDGED in render_gate_text(gate).splitlines()
    assert NOT_JUDGED in render_gate_junit(gate)
    memory = make_gate(judged=("memory",))
    assert "Judged: memory only." in render_gate_markdown(memory)


def test_a_known_divergence_is_new_unless_it_is_accepted() -> None:
    decision = make_gate().decision
    known, accepted = decision.known, make_gate(decision=REPLACE(decision, accepted=True))
    told = "| known | `l0.known` | 1 |\n\n`--accept-known` accepts these.\n"
    assert told in render_gate_markdown(make_gate())
    assert "--accept-known" not in render_gate_markdown(accepted)
    lines = render_gate_text(make_gate()).splitlines()
    start = lines.index("Known divergences new in the candidate: 1")
    assert lines[start + 1 : start + 4] == [
        "  known",
        "    1 case of l0.known",
        "  --accept-known accepts these.",
    ]
    title = "Accepted known divergences: 1"
    assert f"<details><summary>{title}</summary>" in render_gate_markdown(accepted)
    assert title in render_gate_text(accepted).splitlines()
    assert title not in render_gate_text(make_gate())
    assert outcomes(make_gate(), known)["l0.known"] == ["failure"]
    assert outcomes(accepted, known)["l0.known"] == ["skipped"]


def test_the_terminal() -> None:
    lines = render_gate_text(make_gate(), width=100).splitlines()
    assert lines[-9:] == [
        "✗ Do not merge: numpy 1.26.2 → 2.4.6",
        "New: 1 case newly red; 1 known divergence that the baseline does not have; normalizing 32 rows in",
        "float32 takes 20.3 % longer (limit +5 %).",
        "Cause: numpy 1.26.2 → 2.4.6, since 2.0.0 (last good 1.26.4).",
        "To do: stay at numpy 1.26.4.",
        "Or: upgrade openvino to 2 or newer, too.",
        "REGRESSED (exit code 1): 1 case is newly red in the candidate, in L0: l0.zero/manual: 9 ULP",
        "Under test: service.embed:Embedder, the stable normalizer of the harness, float32, model m",
        "Judged: correctness, latency and memory.",
    ]
    for line in (
        "  openvino>=2 instead of openvino==1 (newest that works: 3)",
        "New in the candidate: 1",
        "  fail l0.zero/manual: 9 ULP",
        "    Advice: Keep the eps.",
        "Cause",
        "  numpy 1.26.2 -> 2.4.6",
        "  numpy alone does it",
        "Judged: correctness, latency and memory.",
    ):
        assert line in lines


@pytest.mark.parametrize("unicode", [True, False])
def test_eighty_columns_are_enough(*, unicode: bool) -> None:
    text = render_gate_text(make_gate(), unicode=unicode)
    assert max(map(len, text.splitlines())) <= 80
    assert text.isascii() is not unicode
    row = "  normalize.manual.float32.32  12.3 µs   14.8 µs 1.203x 1.183-1.223 1.005x 20"
    assert (row if unicode else row.replace("µ", "u")) in text.splitlines()


def outcomes(gate: Gate, cases: tuple[object, ...]) -> dict[str | None, list[str]]:
    document = render_gate_junit(gate, cases)  # type: ignore[arg-type]  # findings, as the callers know
    root = ElementTree.fromstring(document)  # noqa: S314 - this test wrote it
    return {case.get("name"): [child.tag for child in case] for case in root.iter("testcase")}


def test_junit_fails_for_what_is_new_and_for_every_quantity_that_does_not_pass() -> None:
    gate = make_gate()
    fine = finding("l0.fine", outcome="pass", message="")
    decision = gate.decision
    cases = (*decision.new, *decision.before, *decision.known, *decision.unchecked, fine)
    assert outcomes(gate, cases) == {
        "verdict": ["failure"],
        "l0.zero/manual": ["failure"],
        "l0.old": ["skipped"],
        "l0.known": ["failure"],
        "l0.skipped": ["skipped"],
        "l0.fine": [],
        "normalize.manual.float16.1": ["system-out"],
        "normalize.manual.float32.32": ["failure"],
        "normalize.manual.float32.4096": ["error"],
        "embed.openvino.float32.1": ["error"],
        "embed.openvino.float32.32": ["error"],
        "memory.normalizer": ["system-out"],
    }
    root = ElementTree.fromstring(render_gate_junit(gate, cases))  # noqa: S314 - this test wrote it
    assert (root.get("failures"), root.get("errors"), root.get("tests")) == ("4", "3", "12")


def test_json_is_what_its_schema_says_and_is_read_back(tmp_path: Path) -> None:
    schema = json.loads(render_gate_schema())
    path = tmp_path / "gate.json"
    for gate in (make_gate(EVIL), correctness_alone()):
        text = render_gate_json(gate)
        jsonschema.validate(json.loads(text), schema)
        path.write_text(text, encoding="utf-8")
        assert read_gate(path) == gate
        assert json.loads(text)["judged"] == list(gate.judged)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "no such file"),
        ("{", "incomplete or damaged file of a gate"),
        ('{"run": 3}', "expected schema version 1, found None"),
        (f'{{"schema": {SCHEMA}, "run": 3}}', "not a gate of this version"),
    ],
)
def test_what_is_no_gate(text: str | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "gate.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=said):
        read_gate(path)
