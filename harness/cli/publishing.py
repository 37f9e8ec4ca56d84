"""Files that a team commits: published sweeps, golden embeddings, and canaries."""

from __future__ import annotations

import gzip
import re
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from harness.errors import MachineError, UsageError
from harness.files import inside, write_output, write_text, write_whole
from harness.held import temporary_folder
from harness.judge.compare import compare
from harness.judge.snapshot import take_snapshot
from harness.matrix.expand import cell_id
from harness.matrix.schema import Matrix
from harness.matrix.variables import make_cell_environment
from harness.processes import run as run_process
from harness.records import Comparison, Earlier, Run, discard
from harness.redaction import redact
from harness.report.markdown import render_markdown
from harness.report.page.html import render_html
from harness.resolve.pip_settings import IndexSettings
from harness.runs.canary import make_canary
from harness.runs.documents import read_json, render_json
from harness.runs.folder import read_folder, read_run
from harness.store.models import make_environments, make_installer, prepare_inputs
from harness.sweep.machine import read_machine
from harness.sweep.planning import PlanOptions, build_plan
from harness.sweep.run_sweep import Request

_CHECK_CANARY = Path(__file__).parents[1] / "report" / "templates" / "check_canary.py"
_SAME = 15
"""Characters at the start by which a file of `harness canary` is recognized: the schema, or the docstring."""
_RESULTS = "results.json.gz"
_GOLDEN = re.compile(r"[0-9a-f]{12}-[0-9a-f]{12}-[0-9a-f]{12}\.json")
"""File name of golden embeddings, as ``harness.cell.golden`` writes them."""


def publish(folder: Path, reports: Path) -> tuple[Path, ...]:
    """Render a complete run into ``<reports>/<matrix>/`` and return the written files.

    These are the page and the summary, both compared with the sweep published before, and the compressed
    results. Paths of the machine are removed.

    Raises:
        UsageError: the run is incomplete or covers a part of its matrix, or the target is not a published
            sweep.
    """
    run = read_json(folder / "results.json")
    if run.plan.subset:
        raise UsageError(f"{folder}: the run has only some cells of its matrix; publish a whole sweep")
    if any(cell.status == "missing" for cell in run.judgement.cells):
        raise UsageError(f"{folder}: cells are missing; run the same command again first")
    target = inside(reports, run.plan.matrix, f"{folder / 'results.json'}: plan.matrix")
    _refuse_others(target)
    plan = msgspec.structs.replace(run.plan, matrix_path=f"matrices/{run.plan.matrix}.toml")
    portable = msgspec.structs.replace(run, plan=plan)
    earlier = Earlier(since=_compare_published(target, portable))
    contents = {
        "index.html": redact(render_html(portable, earlier, ("summary.md", _RESULTS))).encode(),
        "summary.md": redact(render_markdown(portable, earlier)).encode(),
        _RESULTS: gzip.compress(redact(render_json(portable)).encode(), mtime=0),  # reproducible bytes
    }
    for name, content in contents.items():
        write_whole(target / name, content)
    return tuple(target / name for name in contents)


def _refuse_others(folder: Path) -> None:
    """Refuse a page without the results it shows: the harness did not publish it."""
    if (folder / _RESULTS).is_file():
        return
    for name in ("index.html", "summary.md"):
        if (folder / name).exists():
            raise UsageError(f"{folder / name}: not published by the harness; move it, or rename the matrix")


def _compare_published(folder: Path, run: Run) -> Comparison | None:
    """Compare with the sweep published there now; None for the same run or incomparable ones."""
    if not (folder / _RESULTS).is_file():
        return None
    own = take_snapshot(run.plan, run.results, run.judgement)
    try:
        before = read_folder(folder)
        return None if before.run == own.run else compare(before, own)
    except UsageError:
        return None  # another schema version, or other cells


def write_canary(folder: Path, out: Path, cell: str = "") -> tuple[Path, Path]:
    """Write ``canary.json`` of a run, and the file that checks it, into the folder ``out``.

    Raises:
        UsageError: the run has no vectors of this cell, or one of the files is somebody else's.
    """
    text = make_canary(read_run(folder), folder, cell)
    check = _CHECK_CANARY.read_text(encoding="utf-8")
    canary = out / "canary.json"
    for path, ours in ((canary, text), (out / _CHECK_CANARY.name, check)):
        if path.exists() and not path.read_bytes().startswith(ours[:_SAME].encode()):
            raise UsageError(f"{path}: not written by `harness canary`; move it, or name another folder")
    write_text(canary, text)
    write_text(out / _CHECK_CANARY.name, check)
    return canary, out / _CHECK_CANARY.name


def baseline_of(matrix: Matrix) -> str:
    """The id of the baseline cell.

    Raises:
        UsageError: the matrix names no baseline.
    """
    if not matrix.baseline:
        raise UsageError(f"{matrix.path}: no [baseline]; add one that names the baseline cell")
    return cell_id(matrix.baseline)


async def make_golden(request: Request, settings: IndexSettings, folder: Path) -> Path:
    """Write golden embeddings of the corpus, by the reference of the baseline cell, into ``folder``.

    Raises:
        MachineError: the process failed; with its last lines of output.
    """
    options = PlanOptions(run_id="golden", only=(baseline_of(request.matrix),))
    plan = await build_plan(request.matrix, settings, options, machine=read_machine())
    planned = plan.cells[0]
    if planned.lock.reason:
        raise UsageError(f"{request.matrix.path}: the baseline has no solution: {planned.lock.reason}")
    installer = make_installer(settings)
    async with AsyncExitStack() as stack:
        material = await prepare_inputs(request.matrix, request.store, installer, discard, stack, golden=None)
        scratch = stack.enter_context(temporary_folder("golden"))
        made = scratch / "made"
        made.mkdir()
        material.make_spec(planned.cell.id, planned.lock, scratch, ()).write(scratch / "spec.json")
        environments = make_environments(request.store, installer)
        async with environments.use(planned.cell, planned.lock, discard) as python:
            material.suite.put(scratch / "suite")
            env = make_cell_environment(python, scratch / "suite", scratch, material.threads)
            argv = [str(python), "-m", "harness.cell.golden", str(scratch / "spec.json"), str(made)]
            try:
                done = await run_process(argv, env=env, timeout=request.matrix.limits.time)
            except TimeoutError:
                limit = f"{request.matrix.limits.time:g} s (limits.time of {request.matrix.path})"
                raise MachineError(f"golden embeddings were not made within {limit}") from None
        files = [path for path in made.iterdir() if _GOLDEN.fullmatch(path.name) and not path.is_symlink()]
        if done.returncode != 0 or len(files) != 1:
            raise MachineError(f"golden embeddings were not made:\n{(done.stdout + done.stderr)[-2000:]}")
        target = folder / files[0].name
        write_output(target, files[0].read_bytes())
    return target
