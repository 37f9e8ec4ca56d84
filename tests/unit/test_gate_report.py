"""The renderings of a gate: what they say, and what they leave out."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import click
import jsonschema
import msgspec
import pytest
from unit.gate_samples import EVIL, NUMPY, finding, make_culprit, make_gate, make_question, quantity

from harness.cli.gating import gate as gate_cli
from harness.errors import UsageError
from harness.gate_records import Culprit, Decision, Gate, LockChange, Speed
from harness.records import SCHEMA
from harness.report.gate.jsonfile import read_gate, render_gate_json, render_gate_schema
from harness.report.gate.junit import render_gate_junit
from harness.report.gate.markdown import LIMIT, ROOMS, marker, render_gate_markdown
from harness.report.gate.markdown_parts import Room
from harness.report.gate.text import render_gate_text
from harness.report.gate.view import _VALUED, NOT_JUDGED, checks_command, gate_command

REPLACE = msgspec.structs.replace


def correctness_alone() -> Gate:
    return make_gate(speed=None, culprit=None, judged=("correctness",))


def headings(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(("#", "<details>"))]


def test_the_comment_says_first_what_matters_first() -> None:
    text = render_gate_markdown(make_gate())
    lines = text.splitlines()
    assert lines[0] == (
        "**REGRESSED**: 1 case is red that the baseline holds, in L0: `l0.zero/manual: 9 ULP`"
    )
    assert lines[2] == (
        "From `base` to `base with numpy==2.4.6` (1 asked for, 1 dragged along); "
        "to blame: **`numpy` `1.26.2` → `2.4.6`**. Judged: correctness, latency and memory."
    )
    assert lines[-1] == "<!-- harness-gate:compat -->"
    assert headings(text) == [
        "### What would make it possible",
        "### New in the candidate: 1 case",
        "### Known, and new in the candidate: 1 case",
        "<details><summary>Every new case: 2</summary>",
        "### Slower, or larger: 1",
        "### Who is to blame",
        "### Undecided: 3",
        (
            "<details><summary>Latency and memory: 1 regressed, 1 control-failed, 1 unmeasured, 1 undecided, "
            "2 passed</summary>"
        ),
        "<details><summary>What the upgrade changes: 1 asked for, 1 dragged along</summary>",
        "<details><summary>No longer checked: 1</summary>",
        "<details><summary>Red before: 1</summary>",
        "<details><summary>No longer red: 1</summary>",
        "<details><summary>What was tried to find who is to blame: 4</summary>",
        "<details><summary>Left out: 1</summary>",
        "<details><summary>Notes: 1</summary>",
        "### Run it yourself",
    ]
    for line in (
        "| `openvino==1` | `openvino>=2` | `3` |",
        "It would be possible with this as well (the resolver was asked 3 times).",
        "| `l0.zero` | 1 | `9 ULP` | Keep the eps. |",
        "| `numpy` | `1.26.2` | `2.4.6` | asked for |",
        "| `hub` | - | `2` | dragged along, added |",
        "40 others are the same.",
        "| `flask` | `a.txt` | not needed |",
        "- `a note`",
        "All of it: `harness gate numpy==2.4.6 --from 'a b.txt'`",
        (
            "What is red alone: `harness gate numpy==2.4.6 --from 'a b.txt' --checks l0.zero/manual "
            "--checks l0.known --no-latency --no-culprit`"
        ),
    ):
        assert line in lines


def test_the_comment_of_a_gate_that_passed_is_short() -> None:
    decision = Decision(verdict="pass", sentence="Nothing is red")
    question = make_question(left_out=(), notes=())
    speed = Speed(quantities=(quantity(),), confidence=0.99, spent=61, budget=600)
    gate = make_gate(decision=decision, question=question, speed=speed, culprit=None)
    assert headings(render_gate_markdown(gate)) == [
        "<details><summary>Latency and memory: 1 passed</summary>",
        "<details><summary>What the upgrade changes: 1 asked for, 1 dragged along</summary>",
        "### Run it yourself",
    ]


def test_latency_that_was_not_judged_is_said_not_to_be() -> None:
    gate = correctness_alone()
    assert f" (1 asked for, 1 dragged along). {NOT_JUDGED}" in render_gate_markdown(gate)
    assert NOT_JUDGED in render_gate_text(gate).splitlines()
    assert NOT_JUDGED in render_gate_junit(gate)
    memory = make_gate(judged=("memory",))
    assert "Judged: memory alone." in render_gate_markdown(memory)


def test_the_command_is_right_where_it_is_read() -> None:
    checkout = make_gate(question=make_question(command="nox -s gate --"))
    for render in (render_gate_markdown, render_gate_text, render_gate_junit):
        assert "nox -s gate -- numpy==2.4.6" in render(checkout)
        assert "harness gate" not in render(checkout)
        assert "harness gate numpy==2.4.6" in render(make_gate())
        assert "nox" not in render(make_gate())


def test_a_known_divergence_is_new_unless_it_is_accepted() -> None:
    decision = make_gate().decision
    known, accepted = decision.known, make_gate(decision=REPLACE(decision, accepted=True))
    told = "| known | `l0.known` | 1 |\n\n`--accept-known` lets these pass.\n"
    assert told in render_gate_markdown(make_gate())
    assert "--accept-known" not in render_gate_markdown(accepted)
    lines = render_gate_text(make_gate()).splitlines()
    start = lines.index("Known, and new in the candidate: 1")
    assert lines[start + 1 : start + 4] == [
        "  known",
        "    1 case of l0.known",
        "  --accept-known lets these pass.",
    ]
    title = "Known divergences that were accepted: 1"
    assert f"<details><summary>{title}</summary>" in render_gate_markdown(accepted)
    assert title in render_gate_text(accepted).splitlines()
    assert title not in render_gate_text(make_gate())
    assert outcomes(make_gate(), known)["l0.known"] == ["failure"]
    assert outcomes(accepted, known)["l0.known"] == ["skipped"]


def test_cases_of_one_check_are_one_row() -> None:
    new = tuple(finding(f"l0.zero/float{bits}") for bits in (16, 32))
    gate = make_gate(decision=Decision(verdict="regressed", sentence="s", new=new))
    text = render_gate_markdown(gate)
    assert "| `l0.zero` | 2 | `9 ULP` | Keep the eps. |" in text
    assert "<details><summary>Every new case: 2</summary>" in text
    assert "--checks 'l0.zero/*'" in text
    assert "  fail l0.zero (2 cases): 9 ULP" in render_gate_text(gate).splitlines()


def many_of_everything() -> Gate:
    """As long as a gate can be, in characters of four bytes."""
    long = "\N{PILE OF POO}" * 900
    many = tuple(finding(f"l0.zero{number}/{long}", message=long, advice=long) for number in range(300))
    known = tuple(REPLACE(each, outcome="xfail", expectation=long) for each in many)
    decision = Decision(
        verdict="regressed",
        sentence=long,
        because=long,
        new=many,
        before=many,
        gone=many,
        known=known,
        unchecked=many,
    )
    changes = tuple(
        LockChange(name=f"p{number}", kind="changed", asked=False, before=long, after=long)
        for number in range(300)
    )
    question = make_question(notes=(long,) * 300)
    question = REPLACE(question, diff=REPLACE(question.diff, changes=changes))
    return make_gate(decision=decision, question=question)


def test_what_does_not_fit_into_a_comment_is_cut_and_said_to_be() -> None:
    text = render_gate_markdown(many_of_everything())
    assert len(text.encode()) <= LIMIT
    assert text.splitlines()[-3:] == [
        "Shortened to what a comment may hold; the whole is in `gate.json`.",
        "",
        "<!-- harness-gate:compat -->",
    ]
    assert "And 290 more, in `gate.json`." in text
    assert "Shortened" not in render_gate_markdown(make_gate())


def test_the_rest_gives_way_before_what_is_new() -> None:
    decision = many_of_everything().decision
    gate = make_gate(decision=REPLACE(decision, new=decision.new[:3], known=()))
    text = render_gate_markdown(gate)
    assert text.count("| `l0.zero") >= 3
    assert "### New in the candidate: 3 cases" in text


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_is_smaller_than_the_one_before(room: Room) -> None:
    index = ROOMS.index(room)
    if index:
        before = ROOMS[index - 1]
        assert (ROOMS[index].fresh, ROOMS[index].rest) < (before.fresh, before.rest)


def test_the_terminal() -> None:
    lines = render_gate_text(make_gate(), width=100).splitlines()
    assert (lines[0], lines[-1]) == (
        "REGRESSED: 1 case is red that the baseline holds, in L0: l0.zero/manual: 9 ULP",
        "REGRESSED: 1 case is red that the baseline holds, in L0",
    )
    for line in (
        "  openvino>=2 instead of openvino==1 (newest that works: 3)",
        "New in the candidate: 1",
        "  fail l0.zero/manual: 9 ULP",
        "    Advice: Keep the eps.",
        "Who is to blame",
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
        (None, "cannot be read"),
        ("{", "not a whole file of a gate"),
        ('{"run": 3}', "schema version None, but"),
        (f'{{"schema": {SCHEMA}, "run": 3}}', "not a gate as this version"),
    ],
)
def test_what_is_no_gate(text: str | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "gate.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=said):
        read_gate(path)


def test_the_culprit_can_be_asked_for_alone() -> None:
    question = make_question(
        arguments=("--from", "main:a.txt", "--to", "a.txt", "--matrix", "m.toml", "--no-latency")
    )
    text = render_gate_markdown(make_gate(question=question))
    assert "Just this: `harness gate numpy==2.0.0 --from main:a.txt --matrix m.toml --no-latency`" in text


def test_an_interaction_is_said_to_be_one() -> None:
    torch = LockChange(name="torch", kind="changed", asked=False, before="2.1", after="2.13.0+cpu")
    culprit = REPLACE(make_culprit(), changes=(NUMPY, torch), releases=(), without="red")
    text = render_gate_markdown(make_gate(culprit=culprit))
    for line in (
        "**`numpy` `1.26.2` → `2.4.6` together with `torch` `2.1` → `2.13.0+cpu`**: numpy alone does it",
        "Just this: `harness gate numpy==2.4.6 torch==2.13.0 --from 'a b.txt'`",
    ):
        assert line in text.splitlines()


def test_nobody_to_blame_says_why() -> None:
    gate = make_gate(culprit=Culprit(sentence="No part of it does it again"))
    assert "### Who is to blame\n\nNo part of it does it again\n" in render_gate_markdown(gate)
    assert "  No part of it does it again" in render_gate_text(gate).splitlines()
    assert "No part of it does it again" in render_gate_junit(gate)


def test_a_removed_package_cannot_be_asked_for() -> None:
    gone = LockChange(name="hub", kind="removed", asked=False, before="1")
    text = render_gate_markdown(make_gate(culprit=REPLACE(make_culprit(), changes=(gone,))))
    assert "**`hub` `1` (removed)**" in text
    assert "Just this" not in text


def test_one_marker_a_matrix() -> None:
    assert marker(f"Mine{EVIL}") != marker("mine")
    assert "--" not in marker(f"mine{EVIL}")[5:-4]


def test_a_command_is_not_asked_the_same_twice() -> None:
    arguments = ("numpy==2.4.6", "--checks", "l0.*", "--quantities", "n*", "--budget", "90s", "--no-latency")
    gate = make_gate(question=make_question(arguments=arguments), speed=None)
    assert checks_command(gate, ["l0.zero/a", "l2.b"]) == (
        "harness gate numpy==2.4.6 --no-latency --checks l0.zero/a --checks l2.b --no-culprit"
    )
    assert gate_command(gate, "--quantities", "a", "--quantities", "b", "--budget", "20m") == (
        "harness gate numpy==2.4.6 --checks 'l0.*' --no-latency --quantities a --quantities b --budget 20m"
    )
    assert gate_command(gate) == (
        "harness gate numpy==2.4.6 --checks 'l0.*' --quantities 'n*' --budget 90s --no-latency"
    )


def test_a_command_with_too_many_checks_says_that_it_is_not_all() -> None:
    many = tuple(finding(f"l0.check{number}") for number in range(9))
    text = render_gate_markdown(make_gate(decision=Decision(verdict="regressed", sentence="s", new=many)))
    assert "The first 8 red checks alone: `harness gate" in text
    assert "l0.check7 --no-latency" in text


def test_options_with_a_value_are_what_the_command_takes_for_such() -> None:
    options = [each for each in gate_cli.params if isinstance(each, click.Option) and not each.is_flag]
    assert {name for each in options for name in each.opts} >= _VALUED
