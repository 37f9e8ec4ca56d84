"""The renderings of a gate, and that nothing in them can be injected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import msgspec
import pytest
from unit.runs import seen

from harness.errors import UsageError
from harness.gate_records import (
    Decision,
    FurtherChange,
    Gate,
    LeftOut,
    LockChange,
    LockDiff,
    Question,
    WayOut,
)
from harness.records import Finding
from harness.report.gate_json import read_gate, render_gate_json, render_gate_schema
from harness.report.gate_junit import render_gate_junit
from harness.report.gate_markdown import MOST_ROWS, marker, render_gate_markdown
from harness.report.gate_text import render_gate_text
from harness.report.gate_view import NOT_JUDGED

EVIL = "|`</code>\n::set-output::x\n<!-- --> <b>@team</b> [a](https://a.example) ]]> \x1b[2J ##[command]x"


def finding(check: str = "l0.zero/manual", **changes: Any) -> Finding:
    values: dict[str, Any] = {
        "cell": "candidate",
        "check": check,
        "layer": "L0",
        "outcome": "fail",
        "message": "9 ULP",
    }
    return Finding(**(values | {"advice": "Keep the eps.", "observation": seen(9.0)} | changes))


def make_gate(text: str = "", **changes: Any) -> Gate:
    diff = LockDiff(
        changes=(
            LockChange(name="numpy", kind="changed", asked=True, before="1.26.2", after="2.4.6"),
            LockChange(name=f"hub{text}", kind="added", asked=False, after=f"2{text}"),
        ),
        unchanged=40,
    )
    question = Question(
        baseline=f"base{text}",
        candidate="base with numpy==2.4.6",
        arguments=("numpy==2.4.6", "--from", f"a b{text}.txt"),
        diff=diff,
        left_out=(LeftOut(file=f"a{text}.txt", name=f"flask{text}", reason="not needed"),),
        notes=(f"a note{text}",),
        way_out=WayOut(
            changes=(
                FurtherChange(name="openvino", held=f"openvino==1{text}", lowest="2", newest=f"3{text}"),
            ),
            smallest=True,
            calls=3,
        ),
    )
    decision = Decision(
        verdict="regressed",
        sentence="1 case is red",
        because=f"9 ULP{text}",
        new=(finding(message=f"9 ULP{text}"),),
        before=(finding("l0.old", message=f"7 ULP{text}"),),
        gone=(finding("l0.gone", cell="baseline", message=text),),
        known=(finding("l0.known", outcome="xfail", expectation=f"known{text}"),),
        unchecked=(finding("l0.skipped", outcome="skip", message=f"no kernel{text}"),),
    )
    values: dict[str, Any] = {
        "run": "run-1",
        "matrix": "compat",
        "created": "now",
        "question": question,
        "decision": decision,
    }
    return Gate(**(values | changes))


def test_the_comment() -> None:
    lines = render_gate_markdown(make_gate()).splitlines()
    assert lines[0] == "**REGRESSED**: 1 case is red: `9 ULP`"
    assert lines[-1] == "<!-- harness-gate:compat -->"
    assert [line for line in lines if line.startswith("#")] == [
        "### What would make it possible",
        "### New in the candidate",
        "### What the upgrade changes",
        "### Known divergences that the baseline does not have",
        "### No longer checked",
        "### Red before",
        "### No longer red",
        "### Left out",
        "### Run it yourself",
    ]
    for line in (
        f"From `base` to `base with numpy==2.4.6`. Matrix `compat`, run `run-1`. {NOT_JUDGED}",
        "| `openvino==1` | `openvino>=2` | `3` |",
        "It would be possible with this as well (the resolver was asked 3 times).",
        "| `numpy` | `1.26.2` | `2.4.6` | asked for |",
        "| `hub` | - | `2` | dragged along, added |",
        "40 others are the same.",
        "| `flask` | `a.txt` | not needed |",
        "- `a note`",
        "In a checkout: `nox -s gate -- numpy==2.4.6 --from 'a b.txt'`",
    ):
        assert line in lines


def test_nothing_can_be_injected() -> None:
    text = render_gate_markdown(make_gate(EVIL, matrix=f"mine{EVIL}"))
    plain = render_gate_markdown(make_gate())
    assert len(text.splitlines()) == len(plain.splitlines())
    assert text.splitlines()[-1] == marker(f"mine{EVIL}")
    assert "--" not in marker(f"mine{EVIL}")[5:-4]
    for word in ("\x1b", "\n::", "##["):
        assert word not in text
    for line in text.splitlines()[:-1]:
        outside = line
        for fence in ("``", "`"):
            outside = "".join(outside.split(fence)[::2])
        assert "<" not in outside
        assert "@" not in outside


def test_long_lists_are_cut_and_said_to_be() -> None:
    many = tuple(finding(f"l0.zero/{number}", message="m" * 900) for number in range(300))
    known = tuple(msgspec.structs.replace(each, outcome="xfail", expectation="e" * 900) for each in many)
    decision = Decision(
        verdict="regressed", sentence="s", new=many, before=many, gone=many, known=known, unchecked=many
    )
    text = render_gate_markdown(make_gate(decision=decision))
    assert f"And {300 - MOST_ROWS} more, in `gate.json`." in text
    assert len(text) < 65_536


def test_the_terminal() -> None:
    lines = render_gate_text(make_gate(), width=100).splitlines()
    assert (lines[0], lines[-1]) == ("REGRESSED: 1 case is red: 9 ULP", "REGRESSED: 1 case is red")
    for line in (
        "  openvino>=2 instead of openvino==1 (newest that works: 3)",
        "New in the candidate: 1",
        "  fail l0.zero/manual: 9 ULP",
        "    Advice: Keep the eps.",
        NOT_JUDGED,
    ):
        assert line in lines
    evil = render_gate_text(make_gate(EVIL), unicode=False)
    assert evil.isascii()
    assert not [line for line in evil.splitlines() if line.startswith("::")]


def test_junit_fails_for_what_is_new_only() -> None:
    gate = make_gate(EVIL)
    fine = finding("l0.fine", outcome="pass", message="")
    decision = gate.decision
    cases = (*decision.new, *decision.before, *decision.known, *decision.unchecked, fine)
    root = ElementTree.fromstring(render_gate_junit(gate, cases))  # noqa: S314 - this test wrote it
    found = {case.get("name"): [child.tag for child in case] for case in root.iter("testcase")}
    assert found == {
        "verdict": ["failure"],
        "l0.zero/manual": ["failure"],
        "l0.old": ["skipped"],
        "l0.known": ["skipped"],
        "l0.skipped": ["skipped"],
        "l0.fine": [],
    }
    assert (root.get("failures"), root.get("errors"), root.get("tests")) == ("2", "0", "6")


def test_json_is_what_its_schema_says_and_is_read_back(tmp_path: Path) -> None:
    gate = make_gate(EVIL)
    text = render_gate_json(gate)
    jsonschema.validate(json.loads(text), json.loads(render_gate_schema()))
    path = tmp_path / "gate.json"
    path.write_text(text, encoding="utf-8")
    assert read_gate(path) == gate
    assert json.loads(text)["judged"] == ["correctness"]


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "cannot be read"), ("{", "not a gate"), ('{"run": 3}', "not a gate")],
)
def test_what_is_no_gate(text: str | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "gate.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=said):
        read_gate(path)
