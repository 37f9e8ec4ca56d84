"""``nox -s faults``: works of the harness, disturbed at random moments, which have to go on and be right.

Signals to the controller, uv, cells and probes; a full disk; two at once; `clean` meanwhile. Tries are drawn
from a seed, with a small model made from a seed, some with all-MiniLM-L6-v2. Each leaves its result in
``--folder``: cut off, the same command goes on. Exit code 1: something was wrong, lost, left or stuck. 200
tries take hours.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import click
import msgspec
from models.cells import Bench
from models.family import FAMILY

from faults.running import Disturber, Result, Usual
from faults.table import render
from faults.tries import Try, Work, plan_tries
from faults.works import Place, plant_wheels
from harness.errors import HarnessError
from harness.matrix.read import read_matrix
from harness.protection import protect_process
from harness.resolve.pip_settings import read_pip_settings
from harness.resolve.revisions import read_revision
from harness.store.store import Store
from harness.sweep.planning import build_plan

PUBLISHED = Path("reports/faults/README.md")
SMALL, MEMBER = "small", "bert-cls"


@click.command(help=__doc__)
@click.option("--tries", type=click.IntRange(1), default=200, show_default=True)
@click.option("--seed", default=20261201, show_default=True)
@click.option("--real", default=20, show_default=True, help="Tries with all-MiniLM-L6-v2.")
@click.option("--only", type=int, multiple=True, metavar="NUMBER", help="These tries alone; repeatable.")
@click.option("--folder", default=Path("build/faults"), show_default=True, type=click.Path(path_type=Path))
@click.option("--keep", is_flag=True, help="Keep the folders of good tries.")
@click.option("--publish", "published", is_flag=True, help=f"Write the table to {PUBLISHED}.")
def main(
    *, tries: int, seed: int, real: int, only: tuple[int, ...], folder: Path, keep: bool, published: bool
) -> int:
    """See the module."""
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    links = plant_wheels(folder / "links")
    model = asyncio.run(make_model(folder))
    found = asyncio.run(read_pip_settings())
    disturber = Disturber({"PIP_FIND_LINKS": " ".join([*found.find_links, str(links)])})
    planned = [one for one in plan_tries(tries, seed, real) if not only or one.number in only]
    results = []
    for one in planned:
        results.append(judge(one, folder, disturber, links, model, keep=keep))
        said = "good" if results[-1].is_good else "BAD"
        click.echo(
            f"{one.name}: {one.describe()}: {'met' if results[-1].met else 'not met'}, {said}", err=True
        )
    text = render(results, "nox -s faults", asyncio.run(read_revision(Path.cwd())))
    click.echo(text, nl=False)
    if published and not only:
        PUBLISHED.parent.mkdir(parents=True, exist_ok=True)
        PUBLISHED.write_text(text, encoding="utf-8")
        click.echo(PUBLISHED)
    return int(not all(each.is_good for each in results))


def judge(one: Try, folder: Path, disturber: Disturber, links: Path, model: Path, *, keep: bool) -> Result:
    """The kept result of a try, or that of a new one."""
    path = folder / "results" / f"{one.name}.json"
    if path.is_file():
        return msgspec.json.decode(path.read_bytes(), type=Result)
    usual = find_usual(one.work, folder, disturber, links, None if one.real else model, real=one.real)
    place = Place(folder / "tries" / one.name, links, None if one.real else model)
    shutil.rmtree(place.folder, ignore_errors=True)
    result = disturber.run(one, place, usual)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.encode(result))
    if result.is_good and not keep:
        shutil.rmtree(place.folder, ignore_errors=True)
    return result


def find_usual(
    work: Work, folder: Path, disturber: Disturber, links: Path, model: Path | None, *, real: bool
) -> Usual:
    """What an undisturbed work takes and says, measured once."""
    path = folder / f"usual-{work}-{'real' if real else SMALL}.json"
    if path.is_file():
        return msgspec.json.decode(path.read_bytes(), type=Usual)
    place = Place(folder / "usual" / f"{work}-{'real' if real else SMALL}", links, model)
    shutil.rmtree(place.folder, ignore_errors=True)
    click.echo(f"{work}, undisturbed ...", err=True)
    usual = disturber.measure(place, work)
    path.write_bytes(msgspec.json.encode(usual))
    shutil.rmtree(place.folder, ignore_errors=True)
    return usual


async def make_model(folder: Path) -> Path:
    """The small model, made once in an environment of the store."""
    settings = await read_pip_settings()
    bench = Bench(folder, Store.default(), settings, lambda text: click.echo(text, err=True))
    member = next(each for each in FAMILY if each.name == MEMBER)
    matrix = read_matrix(bench.write_matrix(member))
    if not (bench.place(member) / "modules.json").is_file():
        plan = await build_plan(matrix, settings, machine={})
        async with AsyncExitStack() as stack:
            await bench._make_models([member], await bench._enter(stack, plan, bench.maker))
    return bench.place(member)


def _exit_code() -> int:
    try:
        return int(main.main(standalone_mode=False) or 0)
    except HarnessError as error:
        click.echo(f"faults: {error}", err=True)
        return int(error.exit_code)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("faults: interrupted; what is finished is kept, the same command goes on", err=True)
        return 130


if __name__ == "__main__":
    protect_process()
    sys.exit(_exit_code())
