"""``python -m models``: the shipped embedder with a family of models, right and with mistakes.

Each model is swept with all checks in the oldest and the newest cell, where it must have nothing red. Then
each mistake (pooling, prompt, limit, bfloat16) is made on purpose, and must be found. What has run is kept in
``--folder``: the same command goes on after an interruption. Rows of other code of the cells are run again.
Exit code 1: a right model is red, or a mistake is missed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from harness.errors import HarnessError
from harness.protection import protect_process
from harness.resolve.pip_settings import read_pip_settings
from harness.store.store import Store
from harness.sweep.interrupt import run_interruptibly
from models.cells import MISTAKES, RIGHT, Bench, Row, identify
from models.family import FAMILY, Member
from models.matrices import CELLS
from models.table import COLUMNS, find_faults, has_mistake, index, render

ROWS = "rows.jsonl"
INTERRUPTED = 130
PUBLISHED = Path("reports/models/summary.md")


def read_kept(folder: Path) -> list[Row]:
    """The rows of the present code and the present family."""
    path = folder / ROWS
    lines = path.read_bytes().splitlines() if path.exists() else []
    present = {(each.name, mistake): identify(each, mistake) for each in FAMILY for mistake in COLUMNS}
    rows = [msgspec.json.decode(line, type=Row) for line in lines]
    return [row for row in rows if present.get((row.member, row.mistake)) == row.made]


def keep(folder: Path, row: Row) -> None:
    """Add a row."""
    with (folder / ROWS).open("ab") as file:
        file.write(msgspec.json.encode(row) + b"\n")


@click.command(help=__doc__)
@click.option("--only", multiple=True, help="Name of a model; may be given several times.")
@click.option("--folder", default=Path("build/models"), show_default=True, type=click.Path(path_type=Path))
@click.option("--store", type=click.Path(path_type=Path), help="As of the harness.")
@click.option("--publish", is_flag=True, help=f"Write the table to {PUBLISHED}.")
def main(*, only: tuple[str, ...], folder: Path, store: Path | None, publish: bool) -> int:
    """See the module."""
    members = tuple(each for each in FAMILY if not only or each.name in only)
    if unknown := set(only) - {each.name for each in FAMILY}:
        raise click.UsageError(f"no model is called {', '.join(sorted(unknown))}")
    place = Store.default() if store is None else Store(store.absolute())
    place.refuse_foreign()

    absolute = folder.absolute()

    async def work() -> None:
        settings = await read_pip_settings()
        bench = Bench(absolute, place, settings, lambda text: click.echo(text, err=True))
        await run_all(bench, members)

    run_interruptibly(work())
    rows = index(read_kept(folder))
    table = render(members, rows, "nox -s models")
    click.echo(table)
    if publish:
        PUBLISHED.parent.mkdir(parents=True, exist_ok=True)
        PUBLISHED.write_text(table, encoding="utf-8")
    return int(bool(find_faults(members, rows)))


async def run_all(bench: Bench, members: tuple[Member, ...]) -> None:
    """Run what has no row yet, the right ones first."""
    kept = index(read_kept(bench.folder))
    for cell in CELLS:
        for mistakes in ((RIGHT,), tuple(MISTAKES)):
            wanted = [
                (member, mistake)
                for member in members
                for mistake in mistakes
                if has_mistake(member, mistake) and (member.name, mistake, cell) not in kept
            ]
            bench.say(f"{cell} cell: {len(wanted)} to run, {', '.join(mistakes)}")
            async for row in bench.run(wanted, cell):
                keep(bench.folder, row)


def _exit_code() -> int:
    try:
        return int(main.main(standalone_mode=False) or 0)
    except HarnessError as error:
        click.echo(f"models: {error}", err=True)
        return int(error.exit_code)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("models: interrupted; what has run is kept, the same command goes on", err=True)
        return INTERRUPTED


if __name__ == "__main__":
    protect_process()
    sys.exit(_exit_code())
