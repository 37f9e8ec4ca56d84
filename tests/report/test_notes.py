"""Notes of a sweep: what is recorded, in how many cells, and with which releases; the embedder's first."""

from __future__ import annotations

import msgspec
from support.runs import make_plan, make_planned, make_result, make_run
from support.services import broken, held

from harness.cell.interface import load_checks
from harness.records import Run
from harness.report.markdown import render_markdown
from harness.report.notes import NoteRow, list_notes
from harness.report.page.html import render_html

MASKED, EIGHT = "rt.padding/masked-rows/openvino", "rt.padding/multiple-of-8/openvino"
REJECTS = "api.utility-rejects/tensor-1d"
NOT_SERVED = "l0.typical/stable/float32"
TUPLE = "rt.containers/tuple"
CASES = (REJECTS, NOT_SERVED, TUPLE, MASKED, EIGHT)
FAILS = "worst error 9 ULP at (4, 7), but should be at most 2"


def make_noted(*failing: tuple[str, ...]) -> Run:
    """A run with one cell for each set of failing cases, of transformers 4, 5, 6, ..."""
    planned = [
        make_planned(f"cell-{at}", cases=CASES, locked={"transformers": f"{at + 4}.0", "torch": "2.13.0+cpu"})
        for at in range(len(failing))
    ]
    results = [
        make_result(f"cell-{at}", cases=[broken(case) if case in red else held(case) for case in CASES])
        for at, red in enumerate(failing)
    ]
    return make_run(make_plan(*planned), *results, checks=load_checks())


def test_notes_are_grouped_by_their_cells_and_the_embedder_comes_first() -> None:
    run = make_noted((REJECTS, TUPLE), (REJECTS, TUPLE, MASKED, EIGHT), (REJECTS, MASKED, EIGHT))
    assert list_notes(run) == [
        NoteRow((MASKED, EIGHT), FAILS, 2, 3, "transformers 5.0, 6.0, not 4.0"),
        NoteRow((TUPLE,), FAILS, 2, 3, "transformers 4.0, 5.0, not 6.0"),
        NoteRow((REJECTS,), FAILS, 3, 3, ""),
    ]


def test_what_is_a_note_because_it_is_not_served_is_no_recorded_behaviour() -> None:
    assert list_notes(make_noted((NOT_SERVED,))) == []


def test_notes_are_shown_in_summary_and_page() -> None:
    run = make_noted((), (MASKED,))
    for text in (render_markdown(run), render_html(run)):
        assert "transformers 5.0, not 4.0" in text
        assert "1 of 2" in text
    none = make_noted((), ())
    assert "recorded behaviour" not in render_markdown(none)
    assert 'id="notes"' not in render_html(none)


def test_functions_of_the_library_are_told_one_by_one_but_missing_ones_together() -> None:
    cases = [f"api.library/{name}" for name in ("cos_sim", "normalize-3d", "similarity", "prompt")]
    told = ["off by 1", "off by 2", "this release has no similarity", "this release has no prompt"]
    found = [
        msgspec.structs.replace(broken(case), message=message)
        for case, message in zip(cases, told, strict=True)
    ]
    plan = make_plan(make_planned("one", cases=tuple(cases)))
    rows = list_notes(make_run(plan, make_result("one", cases=found), checks=load_checks()))
    assert [row.cases for row in rows] == [(cases[0],), (cases[1],), tuple(cases[2:])]
