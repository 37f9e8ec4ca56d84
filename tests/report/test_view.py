from __future__ import annotations

from support.runs import CASES, make_case, make_plan, make_planned, make_result, make_run

from harness.records import describe_machine
from harness.report.markdown import render_markdown
from harness.report.page.html import render_html
from harness.report.terminal import render_text
from harness.report.view import RedCheck, findings_by_cell, list_red_checks


def test_every_red_check_is_told_and_not_only_the_first() -> None:
    cases = [make_case(case, "fail", message="is off") for case in CASES[1:]]
    result = make_result("a", cases=[make_case(CASES[0]), *cases], status="failed")
    run = make_run(make_plan(make_planned("a")), result)
    assert list_red_checks(findings_by_cell(run)["a"]) == [
        RedCheck(
            check="l0.parity",
            layer="L0",
            cases=2,
            message="l0.parity/manual/float32: is off",
            advice="Use the stable normalizer.",
        ),
        RedCheck(
            check="l2.end-to-end",
            layer="L2",
            cases=1,
            message="l2.end-to-end/float32: is off",
            advice="Set the f32 hint.",
        ),
    ]
    for text in (render_html(run), render_markdown(run), render_text(run, width=200)):
        assert "l2.end-to-end/float32: is off" in text


def test_a_machine_is_told_in_words() -> None:
    facts = {
        "system": "Linux",
        "cpu": "Xeon",
        "cores": "2",
        "memory_bytes": str(24 * 1024**3),
        "class": "5" * 16,
    }
    assert describe_machine(facts) == "Linux, Xeon, 2 cores, 24 GiB, machine class 55555555"
    assert describe_machine({}) == ""
