"""What the renderings of a gate say of acknowledgements: whole values, and nothing that hides what is red."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import jsonschema
import msgspec
import pytest
from support.accepted_gates import SLOW, SLOWER, accept, make_accepted
from support.gate_samples import make_gate
from support.pages import far, read_page

from harness.judge.acknowledgement import accept_nothing
from harness.records import CANDIDATE, Acknowledgements, Decision, Disregarded, Gate, Run
from harness.report.gate.acceptance import HOW, Ineffective, list_ineffective, suggest_lines
from harness.report.gate.comment import render_gate_markdown
from harness.report.gate.headline import find_headline
from harness.report.gate.html import render_gate_html
from harness.report.gate.junit import render_gate_junit
from harness.report.gate.terminal import render_gate_text
from harness.runs.documents import read_gate, render_gate_json, render_gate_schema

LINK = "https://forge.example/team/service/pull/12#issuecomment-5"
VECTORS, RANKING = accept("vectors", "numpy", link=LINK), accept("ranking", "numpy")
COST = accept("cost", SLOW, author="bob", reason="we serve batches")
OTHERS = (
    Disregarded(line="> harness: accept cost numpy because x", why="it is quoted", author="bob"),
    Disregarded(line="harness: accept dtype numpy because x", why="eve has no write access", author="eve"),
)
UNREAD = Disregarded(line="", why="GET returned 403")


def gate_with(*lines: Any, **changes: Any) -> tuple[Gate, Run]:
    given: dict[str, Any] = {"candidate": far, "speed": SLOWER} | changes
    return make_accepted(*lines, **given)


def test_the_comment_names_first_who_accepted_what() -> None:
    text = render_gate_markdown(gate_with(VECTORS, RANKING, COST)[0])
    lines = text.splitlines()
    assert lines[0] == "### ⚠️ Merge, what is red is accepted: `numpy 1.26.2 → 2.4.6`"
    assert lines[2] == (
        "**Accepted by `alice`:** `the index is built anew` (`vectors of numpy: 1 case`, "
        f"[comment]({LINK})). **Accepted by `alice`:** `the index is built anew` "
        "(`ranking of numpy: 1 case`). "
        f"**Accepted by `bob`:** `we serve batches` (`cost of {SLOW} +20.3 % (limit +5 %)`)."
    )
    (verdict,) = (line for line in lines if line.startswith("PASS"))
    assert verdict.startswith(
        "PASS (exit code 0, accepted): 2 newly red cases and 1 quantity above its limit are accepted; "
        "apart from them, no case is newly red in the candidate (599 cases); "
    )
    assert "| Same ranking? | ❌ no (before: yes) |" in text
    assert f"\n| `bob` | `cost of {SLOW}` | `{SLOW}` | `+20.3 % (limit +5 %)` |\n" in text
    assert "How to accept this" not in text


def test_a_gate_that_is_still_red_says_so_first() -> None:
    gate, _ = gate_with(VECTORS, COST)
    text = render_gate_markdown(gate)
    assert text.splitlines()[0] == (
        "### ❌ Do not merge: `numpy 1.26.2 → 2.4.6`: searches find something else"
    )
    headline = find_headline(gate)
    assert (headline.kind, headline.new) == ("red", "searches find something else")
    assert find_headline(gate_with(VECTORS, RANKING)[0]).faults == (
        "embedding one text takes 20.3 % longer (limit +5 %)",
    )
    assert find_headline(gate_with(COST)[0]).new == (
        "vectors differ from those of the baseline; searches find something else"
    )
    assert "<summary>New in the candidate: 1 case</summary>" in text
    assert "<summary>Accepted: 2</summary>" in text


@pytest.mark.parametrize("link", ["javascript:x", "https://a.example/a)[b](c", "https://a.example/ b"])
def test_only_an_address_of_a_comment_is_a_link(link: str) -> None:
    text = render_gate_markdown(gate_with(accept("vectors", "numpy", link=link))[0])
    assert (link in text, "[comment]" in text) == (False, False)


@pytest.mark.parametrize("lines", [(), (VECTORS,), (VECTORS, RANKING, COST), (*[COST] * 9, VECTORS)])
def test_at_most_twelve_lines_stand_before_the_first_fold(lines: Any) -> None:
    head = render_gate_markdown(gate_with(*lines)[0]).split("<details>")[0]
    assert len([line for line in head.splitlines() if line]) <= 12


def test_a_red_gate_tells_the_lines_to_write_and_when_they_have_an_effect() -> None:
    gate, run = gate_with()
    suggested = [f"harness: accept {each} numpy because REASON" for each in ("vectors", "ranking", "cost")]
    assert suggest_lines(gate) == suggested
    section = render_gate_markdown(gate).partition("<summary>How to accept this</summary>")[2]
    assert section.split("</details>")[0].split("\n\n")[1:-1] == [HOW, *(f"`{each}`" for each in suggested)]
    assert HOW.endswith("run the job of the gate again afterwards.")
    page = read_page(render_gate_html(gate, run)).text
    assert [each for each in (HOW, *suggested) if each not in page] == []
    assert suggest_lines(gate_with(VECTORS)[0]) == suggested[1:]
    assert suggest_lines(gate_with(VECTORS, RANKING, COST)[0]) == []


def test_lines_without_effect_are_told_with_the_reason() -> None:
    gate, run = gate_with(VECTORS, accept("dtype", "numpy", link=LINK), disregarded=(*OTHERS, UNREAD))
    line = "harness: accept dtype numpy because the index is built anew"
    assert list_ineffective(gate) == [
        Ineffective(line, "nothing of dtype is red", LINK),
        Ineffective("> harness: accept cost numpy because x", "it is quoted", ""),
        Ineffective("harness: accept dtype numpy because x", "eve has no write access", ""),
        Ineffective("none was read", "GET returned 403", ""),
    ]
    text = render_gate_markdown(gate)
    assert "<summary>Lines that accept nothing: 4</summary>" in text
    assert f"\n| `{line}` | `nothing of dtype is red` |\n" in text
    assert "\n| `> harness: accept cost numpy because x` | `it is quoted` |\n" in text
    shown = render_gate_text(gate, width=120).splitlines()
    start = shown.index("Lines in the pull request that accept nothing: 4")
    assert shown[start + 1] == f"  {line}: nothing of dtype is red"
    assert "eve has no write access" in read_page(render_gate_html(gate, run)).text
    passed, _ = gate_with(VECTORS, RANKING, COST, disregarded=(UNREAD,))
    assert list_ineffective(passed) == [], "nobody misses what was not read"


def test_the_terminal_names_first_who_accepted_what() -> None:
    lines = render_gate_text(gate_with(VECTORS, RANKING, COST)[0], width=100).splitlines()
    start = lines.index("Accepted by alice: the index is built anew (vectors of numpy: 1 case)")
    assert lines[start : start + 3] == [
        "Accepted by alice: the index is built anew (vectors of numpy: 1 case)",
        "Accepted by alice: the index is built anew (ranking of numpy: 1 case)",
        f"Accepted by bob: we serve batches (cost of {SLOW} +20.3 % (limit +5 %))",
    ]
    assert lines[start + 3].endswith("Merge, what is red is accepted: numpy 1.26.2 → 2.4.6")
    start = lines.index(f"Accepted by bob: cost of {SLOW}")
    assert lines[start + 1] == f"  {SLOW}: +20.3 % (limit +5 %)"
    narrow = render_gate_text(gate_with(VECTORS, RANKING, COST)[0], unicode=False)
    assert (max(map(len, narrow.splitlines())) <= 80, narrow.isascii()) == (True, True)


def test_the_page_names_first_who_accepted_what() -> None:
    page = read_page(render_gate_html(*gate_with(VECTORS, RANKING, COST)))
    said = [
        page.text.index(each)
        for each in ("Merge, what is red is accepted", "Accepted by alice: the", "Same vec")
    ]
    assert said == sorted(said)
    assert (
        "Accepted by bob: we serve batches (cost of embed.openvino.float32.1 +20.3 % (limit +5 %))."
        in page.text
    )
    assert "no check is red in the candidate only" not in page.text


def test_junit_has_no_failure_for_what_is_accepted() -> None:
    gate, run = gate_with(VECTORS, COST)
    findings = tuple(each for each in run.judgement.findings if each.cell == CANDIDATE)
    root = ElementTree.fromstring(render_gate_junit(gate, findings))  # noqa: S314 - this test wrote it
    cases = {
        case.get("name"): [(each.tag, each.get("message")) for each in case] for case in root.iter("testcase")
    }
    assert cases["gold.vectors"] == [
        ("skipped", "accepted by alice: the index is built anew (largest distance 0.12)")
    ]
    ((tag, message),) = cases[SLOW]
    assert (tag, str(message).startswith("accepted by bob: we serve batches (1.203x")) == ("skipped", True)
    assert [name for name, found in cases.items() if found and found[0][0] == "failure"] == [
        "verdict",
        "gold.ranking",
    ]


def test_it_is_recorded_and_older_gates_are_read(tmp_path: Any) -> None:
    gate, _ = gate_with(VECTORS, RANKING, COST, accept("dtype", "numpy"), disregarded=OTHERS)
    text = render_gate_json(gate)
    plain = json.loads(text)
    jsonschema.validate(plain, json.loads(render_gate_schema()))
    assert [each["acknowledgement"]["author"] for each in plain["decision"]["acknowledged"]] == [
        *("alice", "alice", "bob", "alice")
    ]
    (tmp_path / "gate.json").write_text(text, encoding="utf-8")
    assert read_gate(tmp_path / "gate.json") == gate
    del plain["decision"]["acknowledged"], plain["question"]["acknowledgements"]
    (tmp_path / "gate.json").write_text(json.dumps(plain), encoding="utf-8")
    older = read_gate(tmp_path / "gate.json")
    assert (older.decision.acknowledged, older.question.acknowledgements) == ((), Acknowledgements())


def test_a_gate_without_a_comparison_accepts_nothing() -> None:
    question = msgspec.structs.replace(
        make_gate().question, acknowledgements=Acknowledgements(counted=(VECTORS,), disregarded=OTHERS)
    )
    for verdict in ("unsatisfiable", "pass"):
        found = accept_nothing(Decision(verdict=verdict, sentence="s"), question)
        assert [(each.acknowledgement, each.unmatched) for each in found.acknowledged] == [
            (VECTORS, f"the verdict is {verdict}, and only what is red can be accepted")
        ]
        assert (found.verdict, found.sentence) == (verdict, "s")
