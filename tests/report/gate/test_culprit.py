"""The cause in the renderings of a gate."""

from __future__ import annotations

import pytest
from support.gate_samples import NUMPY, REPLACE, make_culprit, make_gate, make_question

from harness.records import Culprit, LockChange
from harness.report.gate.comment import render_gate_markdown
from harness.report.gate.junit import render_gate_junit
from harness.report.gate.terminal import render_gate_text


def test_the_culprit_can_be_asked_for_alone() -> None:
    question = make_question(
        arguments=("--from", "main:a.txt", "--to", "a.txt", "--matrix", "m.toml", "--no-latency")
    )
    text = render_gate_markdown(make_gate(question=question))
    assert (
        "This change only: `harness gate numpy==2.0.0 --from main:a.txt --matrix m.toml --no-latency`" in text
    )


def test_an_interaction_is_said_to_be_one() -> None:
    torch = LockChange(name="torch", kind="changed", asked=False, before="2.1", after="2.13.0+cpu")
    culprit = REPLACE(make_culprit(), changes=(NUMPY, torch), releases=(), without="red")
    text = render_gate_markdown(make_gate(culprit=culprit))
    for line in (
        "**`numpy` `1.26.2` → `2.4.6` together with `torch` `2.1` → `2.13.0+cpu`**: numpy alone does it",
        "This change only: `harness gate numpy==2.4.6 torch==2.13.0 --from 'a b.txt'`",
    ):
        assert line in text.splitlines()


@pytest.mark.parametrize("alone", ["green", "unresolved", None])
def test_what_does_nothing_alone_is_not_asked_for_alone(alone: str | None) -> None:
    text = render_gate_markdown(make_gate(culprit=REPLACE(make_culprit(), alone=alone)))
    assert "Just this" not in text


def test_nobody_to_blame_says_why() -> None:
    gate = make_gate(culprit=Culprit(sentence="No part of it does it again"))
    assert "<summary>Cause</summary>\n\nNo part of it does it again\n" in render_gate_markdown(gate)
    assert "  No part of it does it again" in render_gate_text(gate).splitlines()
    assert "No part of it does it again" in render_gate_junit(gate)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (LockChange(name="hub", kind="removed", asked=False, before="1"), "**`hub` `1` (removed)**"),
        (LockChange(name="hub", kind="added", asked=False, after="2"), "**`hub` `2` (added)**"),
        (LockChange(name="hub", kind="changed", asked=False, before="2", after="1"), "**`hub` `2` → `1`**"),
    ],
)
def test_what_the_gate_takes_for_no_change_cannot_be_asked_for(change: LockChange, said: str) -> None:
    text = render_gate_markdown(make_gate(culprit=REPLACE(make_culprit(), changes=(change,))))
    assert said in text
    assert "Just this" not in text
