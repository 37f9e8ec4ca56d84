"""``nox -s kill``: planted faults, by what turns them red, beside correct variants, which must stay green.

Each fault runs with the checks of the suite in a real environment. What has run is kept in ``--folder``: the
same command goes on after an interruption. A row counts until the fault, the suite or the judging has
changed. Exit code 1: more survivors than are explained, or a correct variant that is red.
"""

from __future__ import annotations

import sys
from fnmatch import fnmatchcase
from pathlib import Path

import click

from harness.errors import HarnessError
from harness.protection import protect_process
from harness.resolve.pip_settings import read_pip_settings
from harness.store.store import Store
from harness.sweep.interrupt import run_interruptibly
from harness.sweep.limits import count_cores
from kill.registry import list_planted
from kill.running import Laboratory, Row
from kill.table import find_failures, publish, render

INTERRUPTED = 130
PUBLISHED = Path("reports/kill")


@click.command(help=__doc__)
@click.option("--only", multiple=True, metavar="GLOB", help="Faults such as 'embedder.limit*'; repeatable.")
@click.option("--folder", default=Path("build/kill"), show_default=True, type=click.Path(path_type=Path))
@click.option("--store", type=click.Path(path_type=Path), help="As of the harness.")
@click.option("--jobs", default=count_cores(), help="Processes at once.  [default: cores]")
@click.option("--publish", "published", is_flag=True, help=f"Write the table of all to {PUBLISHED}.")
def main(*, only: tuple[str, ...], folder: Path, store: Path | None, jobs: int, published: bool) -> int:
    """See the module."""
    if published and only:
        raise click.UsageError("--publish writes the table of all faults; leave --only out")
    wanted = [each for each in list_planted() if not only or any(fnmatchcase(each.id, glob) for glob in only)]
    if not wanted:
        raise click.UsageError("no fault matches")
    found: list[Row] = []
    absolute = folder.absolute()
    absolute.mkdir(parents=True, exist_ok=True)

    place = Store.default() if store is None else Store(store.absolute())
    place.refuse_foreign()

    async def work() -> None:
        settings = await read_pip_settings()
        say = lambda text: click.echo(text, err=True)  # noqa: E731 - of one use
        laboratory = Laboratory(absolute, place, settings, say, jobs)
        found.extend([row async for row in laboratory.run(wanted)])

    run_interruptibly(work())
    click.echo(render(found, wanted))
    if published:
        for path in publish(found, wanted, PUBLISHED):
            click.echo(path)
    failures = find_failures(found, wanted)
    for failure in failures:
        click.echo(failure, err=True)
    return int(bool(failures))


def _exit_code() -> int:
    try:
        return int(main.main(standalone_mode=False) or 0)
    except HarnessError as error:
        click.echo(f"kill: {error}", err=True)
        return int(error.exit_code)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("kill: interrupted; what is finished is kept, the same command goes on", err=True)
        return INTERRUPTED


if __name__ == "__main__":
    protect_process()
    sys.exit(_exit_code())
