"""Runs that lie in folders: of this machine, of somebody else's artifact, or published."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.errors import UsageError
from harness.history_records import Snapshot
from harness.judge.snapshot import take_snapshot
from harness.reading import is_descriptor
from harness.report.gate.jsonfile import read_gate
from harness.report.jsonfile import read_json
from harness.run.folder import GATE_FILE, UNFINISHED, read_run

RESULTS = ("results.json", "results.json.gz")


def read_folder(path: Path) -> Snapshot:
    """The run in a folder (of a sweep, of a gate, or published), or in a file of results.

    Raises:
        UsageError: there is none, it was cut off, or it is not as this version writes it.
    """
    if not path.is_dir():
        return read_folder(path.parent) if path.name == GATE_FILE else _read_results(path)
    if (path / UNFINISHED).exists():
        raise UsageError(f"{path}: a run that was cut off; its results are not complete")
    results = next((path / name for name in RESULTS if (path / name).is_file()), None)
    if results is not None:
        return _read_results(results)
    if not (path / GATE_FILE).is_file():
        raise UsageError(f"{path}: no run: no results.json, results.json.gz or gate.json in it")
    return take_snapshot(read_run(path).plan, (), None, read_gate(path / GATE_FILE))  # it was refused


def _read_results(path: Path) -> Snapshot:
    run = read_json(path)
    beside = path.parent / GATE_FILE
    gate = read_gate(beside) if beside.is_file() else None
    if gate is not None and gate.run != run.plan.run:
        raise UsageError(f"{beside}: of run {gate.run}, but beside it lie the results of {run.plan.run}")
    return take_snapshot(run.plan, run.results, run.judgement, gate)


def find_folders(path: Path) -> Iterator[Path]:
    """The folder itself if it is one of a run, else the folders of runs in it, by name.

    Raises:
        UsageError: there is none.
    """
    if is_descriptor(path) or path.is_file() or _is_run(path):
        yield path
        return
    inside = sorted(path.iterdir()) if path.is_dir() else []
    found = [each for each in inside if not each.is_symlink() and _is_run(each)]  # not `latest`, twice
    if not found:
        raise UsageError(f"{path}: no run there, and no folder of runs such as reports/runs")
    yield from found


def _is_run(path: Path) -> bool:
    return path.is_dir() and any((path / name).is_file() for name in (*RESULTS, GATE_FILE, "plan.json"))
