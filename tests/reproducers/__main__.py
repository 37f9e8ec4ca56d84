"""``nox -s reproduce``: a script for every check that diverges in the published sweeps, known or not.

Each is made by the harness, then run by `uv run` in an environment of its own, where it has to fail, and in
the environment of the baseline, where it has to be right if the case passed there. Results are kept in
``--folder``: cut off, the same command goes on. Exit code 1: a script does not do so, or was not made.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import click
import msgspec

from harness import processes
from harness.cell.interface import check_of
from harness.cli.reproducing import name_file
from harness.errors import HarnessError, UsageError
from harness.matrix.read import read_matrix
from harness.protection import protect_process
from harness.records import Finding
from harness.reproduce.failures import ORDER, Failure, choose_failure
from harness.reproduce.make import Place, hide_paths, open_cells, reproduce
from harness.reproduce.script_recipes import IMPORT, choose_recipe
from harness.resolve import uv
from harness.resolve.pip_settings import IndexSettings, read_pip_settings
from harness.runs.documents import read_json
from harness.store.store import Store
from harness.sweep.run_sweep import find_golden
from reproducers.table import Row, render_page

RUNS = ("compat", "openvino", "weekly")
PUBLISHED = Path("reports/reproduce")
LIMIT = 1200.0
"""Seconds of one script: `uv run` installs its environment."""


@click.command(help=__doc__)
@click.option("--only", multiple=True, metavar="GLOB", help="Cases that match; repeatable.")
@click.option("--folder", default=Path("build/reproduce"), show_default=True, type=click.Path(path_type=Path))
@click.option("--store", type=click.Path(path_type=Path), help="As of the harness.")
@click.option("--publish", "published", is_flag=True, help=f"Write scripts and table to {PUBLISHED}.")
def main(*, only: tuple[str, ...], folder: Path, store: Path | None, published: bool) -> int:
    """See the module."""
    if published and only:
        raise click.UsageError("--publish writes the table of all checks; leave --only out")
    place = Store.default() if store is None else Store(store.absolute())
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for run, failure in list_failures():
        if only and not any(fnmatchcase(failure.case, glob) for glob in only):
            continue
        rows.append(_keep(run, failure, folder, place))
        click.echo(f"{rows[-1].case}: {rows[-1].describe()}", err=True)
    page = render_page(rows, "nox -s reproduce")
    click.echo(page, nl=False)
    if published:
        _publish(rows, page, folder)
    return int(not all(row.is_good for row in rows))


def list_failures() -> Iterator[tuple[str, Failure]]:
    """One failure of each check that diverges, in the run that has it first; of some checks one of each case.

    Functions of the library and kinds of padding are different findings, although a check asks for all.
    """
    seen: set[str] = set()
    for run in RUNS:
        judged = read_json(Path("reports", run, "results.json.gz"))
        plan = judged.plan
        findings = judged.judgement.findings
        for finding in sorted((each for each in findings if each.outcome in ORDER), key=_rank):
            check = check_of(finding.check)
            name = finding.check if check.startswith("api.") or check == "rt.padding" else check
            if name not in seen:
                seen.add(name)
                yield run, choose_failure(plan, findings, finding.check, finding.cell)
        if IMPORT not in seen and any(each.status == IMPORT for each in judged.judgement.cells):
            seen.add(IMPORT)
            yield run, choose_failure(plan, findings, IMPORT, "*")


def _rank(finding: Finding) -> int:
    return ORDER.index(finding.outcome)


def _keep(run: str, failure: Failure, folder: Path, store: Store) -> Row:
    """The kept row of a failure of this run, or a new one."""
    path = folder / f"{name_file(failure)}.json"
    if path.is_file():
        kept = msgspec.json.decode(path.read_bytes(), type=Row)
        if (kept.run, kept.cell) == (run, failure.planned.cell.id):
            return kept
    row = asyncio.run(make_row(run, failure, folder, store))
    path.write_bytes(msgspec.json.encode(row))
    return row


async def make_row(run: str, failure: Failure, folder: Path, store: Store) -> Row:
    """Make the script of a failure, and run it where it has to fail and where it has to be right."""
    settings = await read_pip_settings()
    plan = read_json(Path("reports", run, "results.json.gz")).plan
    row = Row(run=run, case=failure.case, cell=failure.planned.cell.id, passes=failure.right)
    matrix = read_matrix(Path(plan.matrix_path))
    place = Place(matrix, store, settings, find_golden(None), _say)
    try:
        made = await reproduce(failure, place)
    except UsageError as error:
        return msgspec.structs.replace(row, why=str(error))
    for suffix, text in ((".py", made.script), (".md", made.issue.replace("NAME", name_file(failure)))):
        (folder / f"{name_file(failure)}{suffix}").write_text(text, encoding="utf-8")
    with_model = choose_recipe(failure.case, failure.service).takes_model
    arguments, baseline = await _try_baseline(failure, place, made.script)
    code, printed = await run_script(
        folder / f"{name_file(failure)}.py", arguments if with_model else [], settings
    )
    lines = dict(line.split(None, 1) for line in printed.splitlines() if len(line.split(None, 1)) == 2)
    said = hide_paths(lines.get("observed", printed[-200:]).strip(), {Path.home(): "~"})
    return msgspec.structs.replace(
        row, code=code, baseline=baseline, said=said, lines=made.script.count("\n")
    )


async def _try_baseline(failure: Failure, place: Place, script: str) -> tuple[list[str], int | None]:
    """The arguments that name the model, and the exit code in the environment of the baseline."""
    async with open_cells(place) as cells:
        model = ["--model", str(cells.inputs.model_dir)]
        if not failure.right or failure.baseline is None:
            return model, None
        async with cells.open(failure.baseline) as process:
            recipe = choose_recipe(failure.case, failure.service)
            return model, (await process.try_script(script, recipe))[0]


async def run_script(path: Path, arguments: list[str], settings: IndexSettings) -> tuple[int, str]:
    """Run a script by `uv run`, with the sources of packages of this machine and without the Hub."""
    env = {**uv.environment(settings.environment()), "HF_HUB_OFFLINE": "1", "CI": "true"}
    argv = [*uv.command("run", "--quiet", *settings.install_arguments()), "--script", str(path), *arguments]
    done = await processes.run(argv, env=env, timeout=LIMIT)
    return done.returncode, done.stdout or done.stderr


def _publish(rows: list[Row], page: str, folder: Path) -> None:
    PUBLISHED.mkdir(parents=True, exist_ok=True)
    for old in PUBLISHED.glob("*"):
        old.unlink()
    for row in rows:
        for source in (folder / f"{row.name}.py", folder / f"{row.name}.md"):
            if source.is_file():
                (PUBLISHED / source.name).write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    (PUBLISHED / "README.md").write_text(page, encoding="utf-8")
    click.echo(PUBLISHED)


def _say(text: str) -> None:
    click.echo(f"  {text}", err=True)


def _exit_code() -> int:
    try:
        return int(main.main(standalone_mode=False) or 0)
    except HarnessError as error:
        click.echo(f"reproduce: {error}", err=True)
        return int(error.exit_code)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("reproduce: interrupted; what is finished is kept, the same command goes on", err=True)
        return 130


if __name__ == "__main__":
    protect_process()
    sys.exit(_exit_code())
