from __future__ import annotations

import json
import re

import msgspec
import pytest
from support.runs import make_full_run, make_plan, make_planned, make_result, make_run, make_small_run

from harness.report.console import render_cells, render_cells_json
from harness.report.markdown import render_markdown
from harness.report.page.html import render_html
from harness.report.terminal import render_text

STORY = """\
NumPy x sentence-transformers; matrix compat, run run-1

cell status   ENV API L0 L1 L2 L3 RT GOLD
base + ok     +   .   ~1 .  -  .  .  .
new  x failed +   .   x1 .  -  .  .  .
+ all pass   * pass, with limits or notes   ~ diverges as expected   x red   ?
missing   - skipped   . not asked or not run

Red cells
  x failed: new
    l0.parity/manual/float16: worst error 9 ULP at (4, 7), but should be at most
    2
    Advice: Use the stable normalizer.
    nox -s compat -- --only new

Latency, ratio to the baseline (informative; noise floor 1.10x)
  scenarios                 batches  lowest  highest  noise
  normalize.manual.float32  32        2.00x    2.00x  1.10x
"""

DECISION = """
x REGRESSED
REGRESSED (exit code 1): 1 of 2 cells is red: new.
Under test: service.embed:Embedder, the manual normalizer of the harness, model
model
To do: Use the stable normalizer.

4 cases pass, 1 known or noted (-v shows them), 1 red, 2 cases skipped; 61 s
"""


def test_every_rendering_counts_the_cases_that_were_skipped() -> None:
    for render in (render_text, render_markdown, render_html):
        assert "2 cases skipped" in render(make_small_run())
        assert "cases skipped" not in render(make_run(make_plan(make_planned()), make_result()))


def test_cases_of_a_cell_that_does_not_start_are_not_run_and_not_red() -> None:
    plan = make_plan(make_planned())
    text = render_text(make_run(plan, make_result(status="import-error", cases=())))
    assert f"{len(plan.cells[0].cases)} not run" in text
    assert " red" not in text.splitlines()[-1]


def test_text_tells_the_whole_story_in_ascii_too() -> None:
    told = render_text(make_small_run(), unicode=False, verbose=True)
    story, rest = told.split("\nDiverges as expected\n")
    assert story == STORY
    known, _, claims = rest.partition("\nDocumented claims\n")
    assert known == "  ~ sums in float16 [l0.parity: 1 in 1 of the cells]\n"
    assert claims.endswith(DECISION)


def test_what_is_known_is_shown_only_where_it_is_asked_for() -> None:
    assert render_text(make_small_run(), unicode=False) == f"{STORY}{DECISION}"


def test_what_decides_fits_into_a_screen_of_24_lines() -> None:
    lines = render_text(make_full_run("a b" * 99), unicode=False).splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("x REGRESSED"))
    assert len(lines) - first <= 22  # and the path of the page, and the prompt


@pytest.mark.parametrize("width", [40, 80, 200])
def test_text_keeps_to_its_width(width: int) -> None:
    for unicode in (True, False):
        lines = render_text(make_full_run("a b" * 99), width=width, unicode=unicode).splitlines()
        assert max(map(len, lines)) <= width


def test_text_puts_axes_in_columns_where_ids_are_too_long() -> None:
    long = "numpy-2.4.6_sentence-transformers-3.3.1"
    axes = {"numpy": "2.4.6", "sentence-transformers": "3.3.1"}
    told = render_text(make_run(make_plan(make_planned(long, axes=axes)), make_result(long)))
    assert (
        "      sentence-\nnumpy transformers status ENV API L0 L1 L2 L3 RT GOLD\n2.4.6 3.3.1        ✓ ok"
    ) in told


def test_text_has_colour_only_where_it_is_asked_for() -> None:
    run = make_small_run()
    coloured, plain = render_text(run, color=True), render_text(run)
    assert "\x1b[1;31m✗ REGRESSED" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured).split() == plain.split()


def test_cells_are_listed_with_the_origin_of_their_lock() -> None:
    plan = make_plan(
        make_planned("base", baseline=True),
        make_planned("twin", same_as="base"),
        make_planned("none", reason="no way"),
    )
    assert (
        render_cells(plan)
        == """\
NumPy x sentence-transformers; Python 3.11, cells: 3, latency scenarios: 1

cell  lock
base  committed, 2 pinned, baseline
twin  committed, 2 pinned, same as base
none  unsatisfiable: no way
"""
    )
    assert json.loads(render_cells_json(plan))[2] == {
        "id": "none",
        "axes": {"numpy": "2.4.6"},
        "python": "3.11",
        "baseline": False,
        "lock": "unsatisfiable",
        "reason": "no way",
        "distributions": 0,
        "cases": 4,
        "same_as": None,
    }


def test_ids_of_cells_stay_whole_on_a_narrow_terminal_and_pythons_that_differ_are_told() -> None:
    first, second = make_planned("openvino-2024.6.0_numpy-1.26.2_sentence-transformers-3.3.1"), make_planned()
    other = msgspec.structs.replace(second, cell=msgspec.structs.replace(second.cell, python="3.12"))
    lines = render_cells(make_plan(first), width=80).splitlines()
    assert lines[3] == "openvino-2024.6.0_numpy-1.26.2_sentence-transformers-3.3.1  committed, 2 pinned"
    table = render_cells(make_plan(make_planned("base"), other), width=80).splitlines()[2:]
    assert table == [
        "cell  python  lock",
        "base  3.11    committed, 2 pinned",
        "a     3.12    committed, 2 pinned",
    ]


def test_cells_without_a_committed_lock_are_told_in_every_rendering() -> None:
    planned = make_planned("a")
    lock = msgspec.structs.replace(planned.lock, origin="resolved")
    run = make_run(make_plan(msgspec.structs.replace(planned, lock=lock)), make_result("a"))
    said = "1 cell was resolved on the fly: no lock is committed for linux-x86_64"
    for text in (render_text(run), render_markdown(run), render_html(run)):
        assert said in text
