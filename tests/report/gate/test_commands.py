"""The commands that the renderings of a gate give to run."""

from __future__ import annotations

import click
from support.gate_samples import finding, make_gate, make_question

from harness.cli.gating import gate as gate_cli
from harness.records import CellVerdict, Decision
from harness.report.gate.comment import render_gate_markdown
from harness.report.gate.junit import render_gate_junit
from harness.report.gate.terminal import render_gate_text
from harness.report.gate.view import _VALUED, checks_command, gate_command


def test_the_command_is_right_where_it_is_read() -> None:
    checkout = make_gate(question=make_question(command="nox -s gate --"))
    for render in (render_gate_markdown, render_gate_text, render_gate_junit):
        assert "nox -s gate -- numpy==2.4.6" in render(checkout)
        assert "harness gate" not in render(checkout)
        assert "harness gate numpy==2.4.6" in render(make_gate())
        assert "nox" not in render(make_gate())


def test_what_was_not_run_anew_is_said() -> None:
    def verdict(cell: str, *, reused: bool) -> CellVerdict:
        return CellVerdict(cell=cell, status="ok", red=False, reused=reused)

    cells = (verdict("baseline", reused=True), verdict("candidate", reused=False))
    decision = Decision(verdict="pass", sentence="s", cells=cells)
    said = "Results of the baseline are reused from an earlier run."
    for render in (render_gate_markdown, render_gate_text):
        assert said in " ".join(render(make_gate(decision=decision)).split())
        assert "ran before" not in render(make_gate())


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
    assert "The first 8 red checks only: `harness gate" in text
    assert "l0.check7 --no-latency" in text


def test_options_with_a_value_are_what_the_command_takes_for_such() -> None:
    options = [each for each in gate_cli.params if isinstance(each, click.Option) and not each.is_flag]
    assert {name for each in options for name in each.opts} >= _VALUED
