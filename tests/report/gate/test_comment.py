"""The comment of a gate: its order, and what gives way where it would be too long."""

from __future__ import annotations

import re

import pytest
from support.comment_picture import make_published_gate, render_page
from support.comments import read_comment
from support.gate_samples import (
    EVIL,
    REPLACE,
    finding,
    make_culprit,
    make_gate,
    make_question,
    quantity,
)
from support.pages import far, make_compared, make_cost, make_decided, near, read_page

from harness.forge.comment import LIMIT, marker
from harness.records import Decision, Gate, LockChange, Speed
from harness.report.gate.comment import ROOMS, render_gate_markdown
from harness.report.gate.markdown import Room
from harness.report.gate.terminal import render_gate_text


def headings(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(("#", "<details>"))]


NEW = (
    "### ❌ Do not merge: `numpy 1.26.2 → 2.4.6`: 1 case newly red; 1 known divergence that the baseline "
    "does not have; and more"
)


def test_the_comment_says_first_what_matters_first() -> None:
    text = render_gate_markdown(make_gate())
    lines = text.splitlines()
    assert lines[0] == NEW
    assert lines[2] == (
        "Under test: `service.embed:Embedder, the stable normalizer of the harness, float32, model m`."
    )
    assert lines[4] == (
        "**Cause:** `numpy` `1.26.2` → `2.4.6`. **To do:** stay at numpy 1.26.4, or upgrade openvino to 2 or "
        "newer, too."
    )
    assert lines[6] == (
        "REGRESSED (exit code 1): 1 case is newly red in the candidate, in L0: `l0.zero/manual: 9 ULP`. "
        "From `base` to `the same with numpy==2.4.6` (1 direct, 1 transitive). "
        "Judged: correctness, latency and memory."
    )
    assert lines[-1] == marker("compat")


def test_at_most_twelve_lines_stand_before_the_first_fold() -> None:
    changed, _ = make_compared(far, speed=make_cost(slower=True), culprit=make_culprit())
    for gate in (make_gate(), changed, make_compared(near)[0], make_decided("inconclusive")):
        comment = read_comment(render_gate_markdown(gate))
        assert 3 <= comment.above <= 12
        assert comment.faults == []


def test_the_comment_in_the_readme_says_no() -> None:
    text = render_gate_markdown(make_published_gate())
    comment = read_comment(text)
    assert text.startswith(
        "### ❌ Do not merge: `sentence-transformers 3.3.1 → 6.2.0`: vectors differ from those"
    )
    assert comment.above <= 12
    assert comment.faults == []
    shown = read_page(render_page(text)).text
    assert "✗ no (before: yes)" in shown
    assert not set(shown) & set("❌✅➖⚠"), "every sign has one in the picture"  # noqa: RUF001


def test_tables_and_folds_are_what_the_comment_means() -> None:
    text = render_gate_markdown(make_gate())
    comment = read_comment(text)
    assert not re.search(r"[|<`]|\*\*", comment.prose), "nothing stands there as it was written"
    assert comment.summaries == re.findall("<summary>(.*?)</summary>", text)
    assert comment.order.count("details") == len(comment.summaries) > 10
    assert comment.order.count("table") == len(re.findall(r"(?m)^\| ---", text)) > 10
    assert comment.order.count("tr") == len(re.findall(r"(?m)^\| (?!---)", text))


def test_each_question_has_a_line_with_the_answer_of_the_candidate() -> None:
    gate, _ = make_compared(far, speed=make_cost(slower=True))
    rows = [line.split(" | ")[:2] for line in render_gate_markdown(gate).splitlines()[6:12]]
    assert rows == [
        ["| Same vectors as before?", "❌ no"],
        ["| Same vectors as the reference?", "✅ yes"],
        ["| Same ranking?", "❌ no (before: yes)"],
        ["| Dtype and zero rows kept?", "✅ yes"],
        ["| Does it hold up?", "✅ yes"],
        ["| Cost within the limits?", "❌ no"],
    ]


def test_the_comment_has_what_decides_first_and_folds_the_rest() -> None:
    text = render_gate_markdown(make_gate())
    lines = text.splitlines()
    assert headings(text) == [
        NEW,
        "<details><summary>Upgrades that make it possible</summary>",
        "<details><summary>New in the candidate: 1 case</summary>",
        "<details><summary>Known divergences new in the candidate: 1 case</summary>",
        "<details><summary>Every new case: 2</summary>",
        "<details><summary>Slower, or larger: 1</summary>",
        "<details><summary>Cause</summary>",
        "<details><summary>How to accept this</summary>",
        "<details><summary>Undecided: 3</summary>",
        (
            "<details><summary>Latency and memory: 1 regressed, 1 control-failed, 1 unmeasured, 1 undecided, "
            "2 passed</summary>"
        ),
        "<details><summary>Changes of the upgrade: 1 direct, 1 transitive</summary>",
        "<details><summary>No longer checked: 1</summary>",
        "<details><summary>Red before: 1</summary>",
        "<details><summary>No longer red: 1</summary>",
        "<details><summary>Trials of the search for the cause: 4</summary>",
        "<details><summary>Excluded packages: 1</summary>",
        "<details><summary>Notes: 1</summary>",
        "<details><summary>Reproduce</summary>",
    ]
    for line in (
        "| `openvino==1` | `openvino>=2` | `3` |",
        "This makes it possible (the resolver ran 3 times).",
        "| `l0.zero` | 1 | `9 ULP` | Keep the eps. |",
        "| `numpy` | `1.26.2` | `2.4.6` | direct |",
        "| `hub` | - | `2` | transitive, added |",
        "40 others are unchanged.",
        "| `flask` | `a.txt` | not needed |",
        "- `a note`",
        "Whole gate: `harness gate numpy==2.4.6 --from 'a b.txt'`",
        (
            "Red checks only: `harness gate numpy==2.4.6 --from 'a b.txt' --checks l0.zero/manual "
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
        "### ✅ Merge: `numpy 1.26.2 → 2.4.6`",
        "<details><summary>Latency and memory: 1 passed</summary>",
        "<details><summary>Changes of the upgrade: 1 direct, 1 transitive</summary>",
        "<details><summary>Reproduce</summary>",
    ]


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
        "Shortened to the limit of comments; `gate.json` has all.",
        "",
        marker("compat"),
    ]
    assert "And 290 more, in `gate.json`." in text
    assert "Shortened" not in render_gate_markdown(make_gate())


def test_the_rest_gives_way_before_what_is_new() -> None:
    decision = many_of_everything().decision
    gate = make_gate(decision=REPLACE(decision, new=decision.new[:3], known=()))
    text = render_gate_markdown(gate)
    assert text.count("| `l0.zero") >= 3
    assert "<summary>New in the candidate: 3 cases</summary>" in text


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_is_smaller_than_the_one_before(room: Room) -> None:
    index = ROOMS.index(room)
    if index:
        before = ROOMS[index - 1]
        assert (ROOMS[index].fresh, ROOMS[index].rest) < (before.fresh, before.rest)


def test_one_marker_a_matrix() -> None:
    assert marker(f"Mine{EVIL}") != marker("mine")
    assert "--" not in marker(f"mine{EVIL}")[5:-4]


def test_two_files_of_a_matrix_have_a_comment_each() -> None:
    def last_line(*arguments: str) -> str:
        return render_gate_markdown(make_gate(question=make_question(arguments=arguments))).splitlines()[-1]

    asked = ("--from", "main:a.txt", "--to", "deps/a.txt")
    assert last_line(*asked) == marker("compat", "deps/a.txt")
    assert re.fullmatch(r"<!-- harness-gate:compat-deps-a.txt-[0-9a-f]{8} -->", last_line(*asked))
    chosen = ("--extra", "cpu", "--group", "a")
    assert last_line(*asked, *chosen) == marker("compat", "deps/a.txt", ("--extra cpu", "--group a"))
    assert "--" not in last_line(*asked, *chosen)[5:-4]
    assert last_line("numpy==2.4.6") == marker("compat")
    # A gate with the only matrix of its project does not name it, and its pipeline names the path.
    assert last_line(*asked) == marker("matrices/compat.toml", "deps/a.txt")
    found = {
        last_line("--to", file, *(("--matrix", matrix) if matrix else ()))
        for file in ("requirements-dev.txt", "requirements/dev.txt")
        for matrix in ("", "services/a/gate.toml", "services/b/gate.toml")
    }
    assert len(found) == 6


def test_the_commit_that_was_judged_is_told() -> None:
    assert "`, commit `0123abc`.\n" in render_gate_markdown(REPLACE(make_gate(), commit="0123abc"))
    assert "commit" not in render_gate_markdown(make_gate())
