"""What becomes of a run that has ended: its judgement, and the way back to it later."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec

from harness.cell.catalogue import load_checks
from harness.errors import UsageError
from harness.files import write_text
from harness.judge.judgement import judge
from harness.plan.front_door import say_sweep
from harness.reading import MAX_RESULTS, exists, input_fault, read_input
from harness.records import UNREADABLE, CellResult, Plan, Run
from harness.report.jsonfile import render_json, render_schema
from harness.run.folder import GATE_FILE, LATEST, UNFINISHED, StoredRun, find_change, read_run
from harness.run.seals import load_sealer

RESULTS = "results.json"


def assemble(
    plan: Plan, results: tuple[CellResult, ...], *, reused: tuple[str, ...], seconds: dict[str, float]
) -> Run:
    """A judged run."""
    judgement = judge(plan, results, load_checks())
    return Run(plan=plan, results=results, judgement=judgement, reused=reused, seconds=seconds)


def write_results(run: Run, folder: Path) -> None:
    """Write the judged run and the schema of its file into its folder, sealed."""
    write_text(folder / RESULTS, render_json(run))
    load_sealer().seal(folder / RESULTS, f"{run.plan.run}/{RESULTS}")
    write_text(folder / "schema.json", render_schema())


def judge_again(folder: Path) -> tuple[Run, StoredRun]:
    """Judge a run once more from what lies in its folder, and write nothing; cells not there are missing.

    Raises:
        UsageError: it is not the folder of a run.
    """
    stored = read_run(folder)
    path = folder / RESULTS
    if change := find_change(path, f"{stored.plan.run}/{RESULTS}") if path.exists() else "":
        told = f"{change}; it is made anew from the results of the cells"
        stored = replace(stored, problems=(*stored.problems, told))
    kept = _read_kept(path)
    return assemble(stored.plan, stored.results, reused=kept.reused, seconds=kept.seconds), stored


class _Kept(msgspec.Struct, frozen=True):
    """The part of ``results.json`` that the folders of the cells do not hold."""

    reused: tuple[str, ...] = ()
    seconds: dict[str, float] = {}


def _read_kept(path: Path) -> _Kept:
    try:
        return msgspec.json.decode(read_input(path, MAX_RESULTS), type=_Kept)
    except (UsageError, *UNREADABLE):  # cut off before it was written; or it is made anew now
        return _Kept()


def find_sweep(reports: Path, name: str | None) -> Path:
    """The folder of a sweep: named by id or path, or the newest that is complete; a gate is none.

    Raises:
        UsageError: there is none.
    """
    if name is not None:
        return find_run(reports, name)
    for folder in sorted((reports / "runs").glob("2*"), key=lambda path: path.name, reverse=True):
        if not (folder / GATE_FILE).exists() and not (folder / UNFINISHED).exists():
            return folder.resolve()
    raise UsageError(f"{reports / 'runs'}: no complete sweep there; run `{say_sweep()}` first")


def find_run(reports: Path, name: str | None) -> Path:
    """The folder of a run: named by id or path, or the newest that is complete.

    Raises:
        UsageError: there is none; lists the newest.
    """
    runs = reports / "runs"
    wanted = runs / (name or LATEST)
    if name is not None and not exists(wanted) and exists(Path(name)):
        wanted = Path(name)
    if not exists(wanted):
        there = sorted((path.name for path in runs.glob("2*")), reverse=True)[:5]
        listed = f"; the newest are: {', '.join(there)}" if there else f"; run `{say_sweep()}` first"
        raise UsageError(f"{wanted}: no such run{listed}")
    if fault := input_fault(wanted, "folder"):
        raise UsageError(f"{fault}, that of a run")
    return wanted.resolve()
