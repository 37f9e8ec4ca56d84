from __future__ import annotations

from support.runs import CASES, make_case, make_plan, make_planned, make_result, make_run, seen

from harness.report.markdown import render_markdown
from harness.report.page.html import render_html
from harness.report.parity import Margin, find_margins

END_TO_END = CASES[3]


def test_margins_are_of_the_worst_that_held_and_of_the_nearest_control() -> None:
    cells = make_planned("base", cases=(END_TO_END,), baseline=True), make_planned("new", cases=(END_TO_END,))
    near, far = (
        make_case(END_TO_END, observation=seen(value, 2.0, unit="abs", control=control))
        for value, control in ((0.5, 9.0), (1.0, 8.0))
    )
    run = make_run(make_plan(*cells), make_result("base", cases=[near]), make_result("new", cases=[far]))
    (margin,) = find_margins(run)
    assert margin == Margin(
        check=END_TO_END, unit="abs", worst=1.0, cell="new", allowed=2.0, control=8.0, cells=2
    )
    assert (margin.used, margin.distance) == (0.5, 4.0)
    row = f"| `{END_TO_END}` | 1 abs | 2 | 50% | 8 | 4x | 2 |"
    assert row in render_markdown(run)
    assert "Margins of the tolerances" in render_html(run)


def test_what_did_not_hold_has_no_margin() -> None:
    failed = make_case(END_TO_END, "fail", observation=seen(3.0, 2.0), message="too much")
    run = make_run(make_plan(make_planned(cases=(END_TO_END,))), make_result(cases=[failed]))
    assert find_margins(run) == []
    assert "Room that" not in render_markdown(run)
