"""The files of a finished run, and the renderer of each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.cli.waiting import find_waiting
from harness.files import write_text
from harness.judge.snapshot import take_snapshot
from harness.records import CANDIDATE, Earlier, Gate, Run
from harness.report.gate.comment import render_gate_markdown
from harness.report.gate.html import render_gate_html
from harness.report.gate.junit import render_gate_junit
from harness.report.junit import render_junit
from harness.report.markdown import render_markdown
from harness.report.measurements import render_measurements, render_measurements_of
from harness.report.page.html import render_html

PAGE = "index.html"
"""The file name of the page, of a sweep and of a gate."""

BESIDE = ("summary.md", "results.json", "measurements.csv", "junit.xml")
"""The files of a sweep to which its page links."""

RENDERINGS: dict[str, Callable[[Run, Earlier], str]] = {
    "summary.md": render_markdown,
    "junit.xml": lambda run, _: render_junit(run),
    "measurements.csv": lambda run, _: render_measurements(run),
    PAGE: lambda run, earlier: render_html(run, earlier, BESIDE),
}
"""File name -> renderer of a sweep, which takes the run and the comparison with earlier runs."""


def render_run(run: Run, folder: Path, earlier: Earlier) -> None:
    """Write the summary, JUnit XML, measurements and the page of a sweep into its folder.

    Raises:
        OSError: a file cannot be written.
    """
    find_waiting().begin("the page and the other files of the run")
    for name, render in RENDERINGS.items():
        write_text(folder / name, render(run, earlier))


def render_gate(gate: Gate, run: Run | None, folder: Path) -> None:
    """Write the page, the comment, JUnit XML and any measurements of a gate into its folder.

    Raises:
        OSError: a file cannot be written.
    """
    find_waiting().begin("the page and the comment")
    found = () if run is None else tuple(each for each in run.judgement.findings if each.cell == CANDIDATE)
    write_text(folder / "gate.md", render_gate_markdown(gate))
    write_text(folder / PAGE, render_gate_html(gate, run))
    write_text(folder / "junit.xml", render_gate_junit(gate, found))
    if run is not None:
        snapshot = take_snapshot(run.plan, run.results, run.judgement, gate)
        write_text(folder / "measurements.csv", render_measurements_of([snapshot]))


def find_page(folder: Path) -> Path:
    """The page of a run; the comment of a gate of an earlier version that cannot be rendered again."""
    page, comment = folder / PAGE, folder / "gate.md"
    return comment if comment.exists() and not page.exists() else page
