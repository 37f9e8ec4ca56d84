"""The command ``reproduce``: one failure of a run as a script that needs no harness."""

from __future__ import annotations

import re
from pathlib import Path

import click

from harness.cell.interface import load_checks
from harness.cli.earlier import open_runs, show_note
from harness.cli.help import Command
from harness.cli.options import names_runs, open_store, reports_option, store_option
from harness.cli.waiting import find_waiting
from harness.errors import ExitCode, UsageError
from harness.files import write_text
from harness.input_files import exists
from harness.isolation import Level, find_isolation
from harness.judge.verdict import judge
from harness.matrix.read import read_matrix
from harness.records import Plan
from harness.redaction import redact
from harness.reproduce.failures import Failure, choose_failure
from harness.reproduce.make import Place, Reproduction, reproduce
from harness.resolve.pip_settings import read_pip_settings
from harness.runs.folder import read_stored
from harness.sweep.interrupt import run_interruptibly
from harness.sweep.run_sweep import find_golden


@click.command(
    "reproduce",
    cls=Command,
    examples=("latest l2.parity", "reports/openvino 'l0.huge/*' --cell 'numpy-2*'"),
    codes={
        0: "a script was written, and it fails in the environment of the cell",
        2: "no such run or case, or no script can show it",
        4: "a script was written, but here it does not fail",
        5: "the harness or the machine failed",
    },
)
@click.argument("run")
@click.argument("case")
@click.option("--cell", default="*", metavar="GLOB", help="The cell.  [default: the first where it fails]")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    metavar="FOLDER",
    help="The folder to write to.  [default: .]",
)
@click.option("--with-texts", is_flag=True, help="Allow your own texts in the script.")
@click.option("--force", is_flag=True, help="Replace files of the same names.")
@names_runs
@reports_option
@store_option
def reproduce_case(  # noqa: PLR0913 - one parameter an option
    *,
    run: str,
    case: str,
    cell: str,
    out: Path,
    with_texts: bool,
    force: bool,
    reports: Path,
    store: Path | None,
) -> int:
    """Write a script that shows one failure of a run without the harness.

    CASE is the id of a case, the beginning of one or a glob, or `import-error`. The script pins the versions
    of the cell (PEP 723, for `uv run`), holds the smallest input that was found, prints both sides, and exits
    with 1 as long as they differ. A text for an issue tracker is beside it. Both are tried and shrunk in the
    environment of the cell. Your code is imported from `--subject`, a folder, never copied; your own texts
    are left out without `--with-texts`.
    """
    stored = read_stored(open_runs(reports).find_stored(run))
    failure = choose_failure(
        stored.plan, judge(stored.plan, stored.results, load_checks()).findings, case, cell
    )
    files = [out / f"{name_file(failure)}{suffix}" for suffix in (".py", ".md")]
    if not force and (taken := next((path for path in files if exists(path)), None)):
        raise UsageError(f"{taken} exists; name another folder with --out, or replace it with --force")
    click.echo(f"{failure.case} in {failure.planned.cell.id}")
    made = run_interruptibly(_make(failure, stored.plan, store, with_texts=with_texts))
    write_text(files[0], redact(made.script))
    write_text(files[1], redact(made.issue.replace("NAME.py", files[0].name)))
    for path in files:
        click.echo(path)
    click.echo(redact(made.printed.strip()))
    if not made.fails:
        show_note("the script does not fail in the environment of this cell on this machine")
    return ExitCode.PASS if made.fails else ExitCode.INCONCLUSIVE


async def _make(failure: Failure, plan: Plan, store: Path | None, *, with_texts: bool) -> Reproduction:
    waiting = find_waiting()
    waiting.begin("the settings of pip")
    matrix = read_matrix(Path(plan.matrix_path))
    level: Level = "none" if plan.isolation.startswith("none") else "auto"
    place = Place(
        matrix=matrix,
        store=open_store(store),
        settings=await read_pip_settings(),
        golden=find_golden(None),
        say=waiting.begin,
        isolation=await find_isolation(level, network=matrix.subject.network),
    )
    try:
        return await reproduce(failure, place, with_texts=with_texts)
    finally:
        waiting.begin("")


def name_file(failure: Failure) -> str:
    """The name of the files of a failure, such as ``l2-parity-manual-float32``."""
    return re.sub(r"[^a-z0-9]+", "-", failure.case.lower()).strip("-")


COMMANDS = (reproduce_case,)
