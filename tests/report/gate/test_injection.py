"""Nothing that others wrote is obeyed: not by Markdown, not by a forge, not by a CI system or a terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from support.accepted_gates import SLOWER, accept, make_accepted
from support.gate_samples import EVIL, make_gate
from support.pages import far, read_page
from support.runs import make_full_run

from harness.records import Disregarded, Gate
from harness.report.escape import escape_prose
from harness.report.gate.comment import render_gate_markdown
from harness.report.gate.html import render_gate_html
from harness.report.gate.junit import render_gate_junit
from harness.report.gate.terminal import render_gate_text

OURS = re.compile(r"<details><summary>[^<`]*</summary>|</details>|<!-- harness-gate:[a-z0-9_.-]+ -->")
ASKED = re.compile(r"(?i)[@#!~%$&]\w|://|www\.|\bGH-\d|\[[a-z_]+:|\b[0-9a-f]{7,}\b")


def plain_of(gate: Gate) -> Any:
    return json.loads(msgspec.json.encode(gate))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where a text stands in a record that was made plain."""
    if isinstance(value, str):
        yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from places(inner, (*path, key))


def with_text(gate: Gate, path: tuple[Any, ...], text: str) -> Gate | None:
    """The gate with another text in one place; None where only words of ours may stand."""
    plain = plain_of(gate)
    inner = plain
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] += text
    try:
        return msgspec.convert(plain, Gate)
    except msgspec.ValidationError:
        return None


def make_acknowledged() -> Gate:
    """A gate with lines that have an effect, and others that have none."""
    lines = (accept("vectors", "numpy"), accept("cost", "numpy"), accept("dtype", "numpy"))
    other = Disregarded(line="harness: accept", why="it is quoted", author="bob")
    return make_accepted(*lines, candidate=far, speed=SLOWER, disregarded=(other,))[0]


def spoiled() -> Iterator[tuple[str, Gate]]:
    usual, acknowledged = make_gate(), make_acknowledged()
    chosen = [(usual, path) for path in places(plain_of(usual))]
    of_lines = {"acknowledged", "acknowledgements"}
    chosen += [(acknowledged, path) for path in places(plain_of(acknowledged)) if of_lines & {*path}]
    for gate, path in chosen:
        found = with_text(gate, path, EVIL)
        if found is not None:
            yield ".".join(map(str, path)), found


SPOILED = dict(spoiled())


def tokens(text: str) -> Iterator[Token]:
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        yield token
        yield from token.children or ()


def faults(text: str) -> list[str]:
    """What a forge would obey in a comment."""
    found = [line for line in text.splitlines() if line.startswith("/")]  # quick actions of GitLab
    for token in tokens(text):
        if token.type in {"link_open", "image", "html_inline"}:
            found.append(f"{token.type}: {token.attrs or token.content}")
        elif token.type == "html_block" and OURS.sub("", token.content).strip():
            found.append(f"html: {token.content}")
        elif token.type == "text" and ASKED.search(token.content):
            found.append(f"reference: {token.content}")
    return found


def commands(text: str) -> list[str]:
    """What a CI system or a terminal would obey in a log."""
    return [line for line in text.splitlines() if re.search(r"^\s*::|##\[|\x1b", line)]


def test_the_places_are_many() -> None:
    assert {
        "matrix",
        "decision.because",
        "decision.new.0.message",
        "question.diff.changes.1.after",
        "question.arguments.2",
        "speed.quantities.4.because",
        "culprit.releases.0.tried.1.version",
        "decision.acknowledged.0.acknowledgement.reason",
        "decision.acknowledged.0.findings.0.message",
        "question.acknowledgements.disregarded.0.line",
    } <= set(SPOILED)
    assert len(SPOILED) > 100


@pytest.mark.parametrize("place", SPOILED)
def test_nothing_is_obeyed(place: str) -> None:
    gate = SPOILED[place]
    comment = render_gate_markdown(gate)
    assert faults(comment) == []
    assert [token.type for token in tokens(comment) if token.type == "fence"] == []
    cases = (*gate.decision.new, *gate.decision.before, *gate.decision.known, *gate.decision.unchecked)
    junit = render_gate_junit(gate, cases)
    ElementTree.fromstring(junit)  # noqa: S314 - this test wrote it
    for text in (comment, junit, render_gate_text(gate), render_gate_text(gate, unicode=False)):
        assert commands(text) == []


def test_all_of_it_at_once_has_the_same_shape() -> None:
    plain, evil = (render_gate_markdown(make_gate(text)) for text in ("x", EVIL))
    assert [each.type for each in MarkdownIt("commonmark").enable("table").parse(evil)] == [
        each.type for each in MarkdownIt("commonmark").enable("table").parse(plain)
    ]


def test_a_page_has_the_same_tags_whatever_is_written(tags: list[str]) -> None:
    page = render_gate_html(spoil_all(), make_full_run(EVIL))
    assert read_page(page).order == tags
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e\ud800]", page)
    assert "<b>@team</b>" in read_page(page).text, "it stands there as text"


@pytest.fixture(name="tags")
def tags_fixture() -> list[str]:
    """The tags of the page of a gate with harmless text in the same places."""
    return read_page(render_gate_html(spoil_all("x"), make_full_run("x"))).order


def spoil_all(text: str = EVIL) -> Gate:
    """The gate with a text in every place that takes one."""
    gate = make_gate()
    for path in places(plain_of(gate)):
        gate = with_text(gate, path, text) or gate
    return gate


@pytest.mark.parametrize(
    "text",
    [
        "@team",
        "see #12",
        "https://a.example",
        "www.a.example",
        "!3 ~bug %1 $2 &4",
        "a@b.example",
        "GH-123",
        "gh-1",
        "see a5c3785ed8d6a35868bc169f07e40e889087fd2e",
        "a5c3785",
        "A5C3785ED8D6A",
        "[vulnerability:123]",
        "<b>",
        "[a](b)",
    ],
)
def test_prose_refers_to_nothing(text: str) -> None:
    assert faults(text) or ASKED.search(text)  # the planted fault is one
    assert faults(escape_prose(text)) == []


def test_a_fault_is_seen() -> None:
    text = render_gate_markdown(make_gate())
    for bad in ("\n/close", "\n<b>x</b>", "\n[a](b)", "\nfor @team", "\nsee https://a.example"):
        assert faults(text + bad)
    assert commands(" ::error::x")
