"""Renders a large sweep once, in a process of its own, and tells what it took.

Run as ``python -m perf.rendering RESULTS CELLS RUNS``, it prints the seconds and the bytes as JSON:
of asking a history of so many runs, of the page with what it said, of the terminal report.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from harness.cell.interface import load_checks
from harness.cli.earlier import find_earlier
from harness.errors import MachineError
from harness.held import temporary_folder
from harness.judge.snapshot import take_snapshot
from harness.judge.verdict import judge
from harness.records import CellResult, PlannedCell, Run
from harness.report.page.html import render_html
from harness.report.terminal import render_text
from harness.runs.database import FILE
from harness.runs.documents import read_json
from harness.runs.recording import History
from perf.pasts import write_history


def multiply(run: Run, count: int) -> Run:
    """The cells of a run again and again, on an axis of their own, until there are ``count``; judged anew."""
    cells: list[PlannedCell] = []
    results: list[CellResult] = []
    own = {result.cell: result for result in run.results}
    change = msgspec.structs.replace
    while len(cells) < count:
        copy = str(len(cells) // len(run.plan.cells) + 1)
        for planned in run.plan.cells[: count - len(cells)]:
            cell = planned.cell
            name = f"copy-{copy}_{cell.id}"
            axes = {**cell.axes, "copy": copy}
            cells.append(
                change(
                    planned,
                    cell=change(cell, id=name, axes=axes, baseline=cell.baseline and copy == "1"),
                    same_as=planned.same_as and f"copy-{copy}_{planned.same_as}",
                )
            )
            if cell.id in own:
                results.append(change(own[cell.id], cell=name))
    baseline = run.plan.baseline and f"copy-1_{run.plan.baseline}"
    plan = change(run.plan, cells=tuple(cells), baseline=baseline)
    judgement = judge(plan, tuple(results), load_checks())
    return change(run, plan=plan, results=tuple(results), judgement=judgement, reused=())


def main(arguments: list[str]) -> None:
    """Render both once, from nothing as a sweep does, and tell what it took."""
    large = multiply(read_json(Path(arguments[0])), int(arguments[1]))
    told: dict[str, float] = {}
    with temporary_folder("perf") as folder:
        path = folder / FILE
        write_history(path, take_snapshot(large.plan, large.results, large.judgement), int(arguments[2]))
        with _timed(told, "history"):
            earlier = find_earlier(large, History(path), _fail)
    with _timed(told, "page"):
        page = render_html(large, earlier)
    with _timed(told, "terminal"):
        render_text(large, earlier)
    sys.stdout.write(json.dumps({**told, "bytes": len(page.encode())}))


def _fail(text: str) -> None:
    raise MachineError(f"the history of the page: {text}")


@contextlib.contextmanager
def _timed(told: dict[str, float], name: str) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    told[name] = time.perf_counter() - begun


if __name__ == "__main__":
    main(sys.argv[1:])
