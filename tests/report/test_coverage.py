"""The covering array in words and grids: before a sweep, on its page, in its report."""

from __future__ import annotations

from typing import Any

import msgspec
from support.pages import read_page
from support.runs import make_full_run, make_plan, make_planned

from harness.records import Combination, Coverage, Plan, RuledOut
from harness.report.console import render_cells, render_coverage
from harness.report.coverage import describe_cause, describe_coverage, list_grids
from harness.report.markdown import render_markdown
from harness.report.page.html import render_html
from harness.report.terminal import render_text

RULED_OUT = (
    RuledOut(versions={"numpy": ("1",), "openvino": ("2",)}, reason="too old", by="exclude"),
    RuledOut(versions={"openvino": ("2",), "torch": ("1",)}, reason="Because torch needs", by="resolver"),
    RuledOut(versions={"torch": ("2",)}, reason="no wheel", by="resolver"),
)


def cover(*, cells: tuple[str, ...] = ("a", "b"), **changes: Any) -> Coverage:
    first, second = cells
    values: dict[str, Any] = {
        "strength": 2,
        "product": 9000,
        "combinations": (
            Combination(versions={"numpy": "1", "openvino": "1"}, cell=first),
            Combination(versions={"numpy": "1", "openvino": "2"}, ruled_out=(0,)),
            Combination(versions={"numpy": "2", "openvino": "1"}, cell=second),
            Combination(versions={"numpy": "2", "openvino": "2"}, ruled_out=(0, 1, 2)),
            Combination(versions={"openvino": "1", "torch": "1"}, cell=first),
            Combination(versions={"openvino": "2", "torch": "1"}, cell=second),
        ),
        "ruled_out": RULED_OUT,
    }
    return Coverage(**(values | changes))


def plan(coverage: Coverage) -> Plan:
    return make_plan(make_planned("a"), make_planned("b"), coverage=coverage)


def test_one_sentence_says_what_the_cells_stand_for() -> None:
    assert describe_coverage(make_plan(make_planned("a"))) == ""
    assert describe_coverage(plan(cover())) == (
        "2 cells in place of 9,000 have all 4 possible pairs of versions (ruled out: 2)"
    )
    left = (*cover().combinations[:2], Combination(versions={"torch": "1"}, cell="b", unresolved=True))
    assert describe_coverage(plan(cover(combinations=left, strength=3))) == (
        "1 cells in place of 9,000 have 1 of 2 possible triples of versions (ruled out: 1); "
        "the cells of the others have no solution here"
    )


def test_every_combination_is_in_a_grid() -> None:
    first, second = list_grids(plan(cover()))
    assert (first.axes, first.columns) == (("numpy", "openvino"), ("1", "2"))
    words = {down: [(each.kind, each.word, each.cell) for each in row] for down, row in first.rows}
    assert words == {
        ("1",): [("pass", "1", "a"), ("skip", "x1", "")],
        ("2",): [("pass", "2", "b"), ("skip", "x1+2...", "")],
    }
    assert first.rows[1][1][1].text == (
        "ruled out: numpy 1 with openvino 2; openvino 2 with torch 1; torch 2"
    )
    assert (second.axes, second.columns, len(second.rows)) == (("openvino", "torch"), ("1",), 2)


def test_a_cell_without_a_solution_and_one_that_is_left_out_are_no_plain_numbers() -> None:
    found = (
        Combination(versions={"numpy": "1", "torch": "1"}, cell="b", unresolved=True),
        Combination(versions={"numpy": "1", "torch": "2"}, cell="elsewhere"),
    )
    (grid,) = list_grids(plan(cover(combinations=found)))
    assert [(each.kind, each.word) for each in grid.rows[0][1]] == [("missing", "!2"), ("none", "-")]


COVERED = """\

In the tables, a number: the cell that has these versions; x: ruled out, by the
reason of that number; !: the cell has no solution here.

numpy, by openvino
numpy  1  2
1      1  x1
2      2  x1+2...

openvino, by torch
openvino  1
1         1
2         2

x1  numpy 1 with openvino 2
  exclude: too old

x2  openvino 2 with torch 1
  resolver: Because torch needs

x3  torch 2
  resolver: no wheel
"""


def test_the_terminal_shows_it_before_anything_runs() -> None:
    assert render_coverage(plan(cover()), width=80).rstrip("\n") == COVERED.rstrip("\n")
    assert render_coverage(make_plan(make_planned("a"))) == ""
    text = render_cells(plan(cover()), width=80)
    assert "\n#  cell  lock\n1  a     committed" in text
    assert "2 cells in place of 9,000" in text
    assert "#" not in render_cells(make_plan(make_planned("a")))


def test_page_and_reports_of_a_run_have_it() -> None:
    run = make_full_run()
    cells = tuple(each.cell.id for each in run.plan.cells[:2])
    covered = msgspec.structs.replace(
        run,
        plan=msgspec.structs.replace(run.plan, coverage=cover(cells=cells)),
    )
    html = render_html(covered)
    page = read_page(html)
    assert {link.removeprefix("#") for link in page.links} <= page.anchors
    assert "coverage" in page.anchors
    assert "Because torch needs" in html
    assert 'title="ruled out: numpy 1 with openvino 2; openvino 2 with torch 1; torch 2"' in html
    for text in (html, render_text(covered, width=200), render_markdown(covered)):
        assert "have all 4 possible pairs of versions" in text.replace("\\", "")
    assert "coverage" not in read_page(render_html(run)).anchors


AXES = {
    "a": {"numpy": "2", "torch": "2", "hub": "2"},
    "b": {"numpy": "2", "torch": "1", "hub": "1"},
    "c": {"numpy": "1", "torch": "2", "hub": "1"},
    "d": {"numpy": "1", "torch": "1", "hub": "2"},
}


def test_the_cause_of_wrong_cells_is_a_sentence_with_what_decides() -> None:
    cells = [make_planned(cell, axes=axes) for cell, axes in AXES.items()]
    covered = make_plan(*cells, coverage=cover(ruled_out=()))
    assert describe_cause(covered, ["a", "b"], {"c", "d"}) == "In all 2 and in no right one: numpy 2"
    assert describe_cause(covered, ["a", "d"], {"b", "c"}) == "In all 2 and in no right one: hub 2"
    assert describe_cause(covered, ["a"], {"b", "c", "d"}) == (
        "In the only wrong cell and in no right one: numpy 2 with torch 2; or numpy 2 with hub 2; or torch 2 "
        'with hub 2. To decide, add as [[include]], lock, and run `nox -s compat --`: numpy = "2", '
        'torch = "2", hub = "1"; numpy = "2", torch = "1", hub = "2"'
    )
    none = make_plan(*cells, make_planned("e", axes=dict.fromkeys(AXES["a"], "1")), coverage=cover())
    assert describe_cause(none, ["a", "e"], {"b", "c", "d"}) == "No versions of 2 axes explain all 2"
    assert describe_cause(covered, ["a"], set()) == ""
    assert describe_cause(make_plan(*cells), ["a"], {"b"}) == ""
