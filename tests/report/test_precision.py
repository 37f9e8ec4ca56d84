from __future__ import annotations

from typing import Any

import numpy as np
from support.runs import make_case, make_plan, make_planned, make_result, make_run, make_timing

from harness.report.markdown import render_markdown
from harness.report.page.html import render_html
from harness.report.precision import read_code, recommend
from harness.report.terminal import render_text

CASES = ("l0.tiny/manual/float32", "l0.tiny/stable/float32", "l0.parity-zero/zero/stable/float16")


def make_measured() -> Any:
    slow = make_timing("normalize.manual.float32.32", rounds=(4e-5, 4e-5))
    fast = make_timing("normalize.stable.float32.32", rounds=(2e-5, 2e-5))
    cases = [make_case(CASES[0], "fail"), make_case(CASES[1]), make_case(CASES[2], "fail")]
    result = make_result("a", cases=cases, timings=(slow, fast), status="failed")
    return make_run(make_plan(make_planned("a", cases=CASES)), result)


def test_it_says_what_this_run_measured_of_it() -> None:
    assert recommend(make_measured()).measured == (
        "Against the oracle it passes 1 of 1 cases, the manual formula 0 of 1.",
        (
            "It takes 0.50x to 0.50x the time of the manual formula (medians over the cells; scenarios: 1, "
            "timed one after the other; python -m harness.cell.speed times both in turns, which is more "
            "exact)."
        ),
    )


def test_what_failed_in_this_run_is_not_called_right() -> None:
    assert "is right for zero, tiny, huge and mixed rows" in recommend(make_measured()).advice
    result = make_result("a", cases=[make_case(CASES[1], "fail")], status="failed")
    found = recommend(make_run(make_plan(make_planned("a", cases=CASES[1:2])), result))
    assert found.advice.startswith(
        "`harness.cell.normalizers:stable` is designed to keep the dtype and be right for every row"
    )
    assert found.measured == ("Against the oracle it passes 0 of 1 cases.",)


def test_nothing_is_said_that_was_not_measured() -> None:
    assert recommend(make_run(make_plan(make_planned("a")))).measured == ()


def test_every_rendering_for_people_says_where_it_is() -> None:
    run = make_measured()
    for text in (render_html(run), render_markdown(run), render_text(run, width=200, verbose=True)):
        assert "harness.cell.normalizers:stable" in text
        assert "harness/cell/normalizers.py" in text
        assert "it passes 1 of 1 cases" in text
    assert "def stable(embeddings" in render_html(run)


def test_the_code_that_is_shown_works_as_it_stands() -> None:
    code = read_code()
    pasted: dict[str, Any] = {}
    exec(compile(code, "pasted", "exec"), pasted)  # noqa: S102 - it is our own, as a reader would paste it
    rows = np.array([[3e-30, 4e-30], [0, 0], [3e30, 4e30]], dtype=np.float32)
    units = pasted["stable"](rows)
    assert units.dtype == np.float32
    np.testing.assert_allclose(units, [[0.6, 0.8], [0, 0], [0.6, 0.8]], rtol=1e-6, atol=0)
    halves = np.resize(np.array([3e4, 4e4], np.float16), (4000, 2))
    assert pasted["stable"](halves).tolist() == [[0.60009765625, 0.7998046875]] * 4000
    assert "manual(" not in code
