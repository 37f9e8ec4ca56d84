"""Nothing that others wrote is obeyed: not by Markdown, not by a forge, not by a CI system or a terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from support.accepted_gates import SLOWER, accept, make_accepted
from support.comments import read_comment
from support.gate_samples import EVIL, make_gate
from support.pages import far, read_page
from support.runs import make_full_run

from harness.records import Disregarded, Gate
from harness.report.escape import escape_prose
from harness.report.gate.comment import render_gate_markdown
from harness.report.gate.html import render_gate_html
from harness.report.gate.junit import render_gate_junit
from harness.report.gate.terminal import render_gate_text

HOSTILE = {
    "all at once": EVIL,
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)><a href='https://a.example'>a</a>",
    "closing tags": "</code></td></tr></table></summary></details></details><details open>",
    "links": "[a](https://a.example) [b][c] <https://a.example> ![p](https://a.example/p.png) a@b.example",
    "definition": "\n\n[numpy]: https://a.example\n\n[^1]: note\n",
    "script address": "[a](javascript:alert(1)) <javascript:alert(1)> javascript:alert(1)",
    "mentions": "@team @org/team owner/name@0123456789abcdef",
    "references": "#1 owner/name#1 GH-1 !1 https://github.com/owner/name/issues/1",
    "backticks": "` `` ``` `a` \n```\ncode\n```",
    "pipes": "a | b || c \\| d \\",
    "newlines": "\n\n# a\n- [ ] b\n> c\n---\n===\n    d\r\n/close\r/merge\u2028e\x85f",
    "direction": "a\u202eb\u2066c\u200fd",
    "entities": "&lt;b&gt; &#64;team &#x202e; &num;1",
    "emphasis": "**a** __b__ ~~c~~ *d* $e$ $$f$$",
}
"""What others can write into the name of a package, a file or a version, or into an exception."""


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
    assert read_comment(comment).faults == []
    cases = (*gate.decision.new, *gate.decision.before, *gate.decision.known, *gate.decision.unchecked)
    junit = render_gate_junit(gate, cases)
    ElementTree.fromstring(junit)  # noqa: S314 - this test wrote it
    for text in (comment, junit, render_gate_text(gate), render_gate_text(gate, unicode=False)):
        assert commands(text) == []


@pytest.mark.parametrize("kind", HOSTILE)
def test_everywhere_at_once_it_has_the_same_shape(kind: str) -> None:
    plain, evil = (read_comment(render_gate_markdown(spoil_all(text))) for text in ("x", HOSTILE[kind]))
    assert evil.faults == plain.faults == []
    assert evil.order == plain.order


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
    assert read_comment(text).faults  # the planted fault is one
    assert read_comment(escape_prose(text)).faults == []


@pytest.mark.parametrize(
    "bad",
    [
        "/close",
        "<b>x</b>",
        "[a](b)",
        "![a](b)",
        "for @team",
        "see https://a.example",
        "</details>",
        "<details>",
        "```\nx\n```",
        "| a | b |\n| - | - |\n| c |\n\n\u202e",
        "<!-- x -->",
        "- [ ] a",
        "<p class=x>",
    ],
)
def test_a_fault_is_seen(bad: str) -> None:
    text = render_gate_markdown(make_gate())
    assert read_comment(text).faults == []
    assert read_comment(f"{text}\n\n{bad}").faults


def test_a_command_is_seen() -> None:
    assert commands(" ::error::x")
