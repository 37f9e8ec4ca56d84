from __future__ import annotations

from support.runs import CASES, make_case, make_plan, make_planned, make_result, make_run

from harness.report.escape import SUMMARY_BYTES, fit_rows
from harness.report.markdown import render_markdown


def test_rows_are_counted_in_bytes() -> None:
    assert fit_rows(["ab", "ü", "c"], 6) == (["ab", "ü"], 1)
    assert fit_rows(["ab", "ü", "c"], 8) == (["ab", "ü", "c"], 0)
    assert fit_rows(["a" * 9], 6) == ([], 1)


def test_a_summary_that_is_too_large_is_cut_and_says_so() -> None:
    """60 cells, 100 red checks in each, with what a CI system would obey in every message."""
    names = [f"l0.check-{number}/manual/float32" for number in range(100)]
    cells = [f"numpy-{number}" for number in range(60)]
    run = make_run(
        make_plan(*(make_planned(cell, cases=[CASES[0], *names]) for cell in cells)),
        *(
            make_result(
                cell,
                status="failed",
                cases=[
                    make_case(CASES[0]),
                    *(make_case(name, "fail", message=f"{cell} {'##[' * 70}") for name in names),
                ],
            )
            for cell in cells
        ),
    )
    told = render_markdown(run)
    assert sum(len(each.message) for each in run.judgement.findings) > SUMMARY_BYTES
    assert len(told.encode()) < SUMMARY_BYTES
    assert " of 6000 rows are cut off here; the page and results.json have all.**" in told
    assert told.startswith("**✗ REGRESSED**\n\nREGRESSED (exit code 1): 60 of 60 cells are red")


def test_a_summary_that_fits_is_whole() -> None:
    run = make_run(make_plan(make_planned(cases=CASES)), make_result())
    assert "cut off" not in render_markdown(run)
