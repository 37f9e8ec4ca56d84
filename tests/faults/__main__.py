"""``nox -s faults``: works of the harness, disturbed at random moments, which have to go on and be right.

Signals to the controller, uv, cells and probes; a full disk; two at once; `clean` meanwhile. Tries are drawn
from a seed, with a small model made from a seed, some with all-MiniLM-L6-v2. Each leaves its result in
``--folder``: cut off, the same command goes on, in a new folder from the results that are published. Those of
another harness do not count. Exit code 1: something was wrong, lost, left or stuck. 200 tries take hours.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import click
import msgspec
from models.cells import Bench as ModelBench
from models.family import FAMILY

from faults.kept import find_result, find_usual, keep_result, publish, take_over
from faults.planted import PLANTED, plan_planted, plant
from faults.running import Disturber, Result, Usual
from faults.table import render
from faults.tries import Try, Work, plan_tries
from faults.works import Place, copy_environment, plant_wheels
from harness.errors import HarnessError
from harness.matrix.read import read_matrix
from harness.protection import protect_process
from harness.resolve.pip_settings import read_pip_settings
from harness.resolve.revisions import read_revision
from harness.store.store import Store
from harness.sweep.planning import build_plan

PUBLISHED = Path("reports/faults")
MEMBER = "bert-cls"

SOURCE: tuple[Work, bool, bool] = ("sweep", False, False)
"""The undisturbed work whose first environment is in every warm store."""


@click.command(help=__doc__)
@click.option("--tries", type=click.IntRange(1), default=200, show_default=True)
@click.option("--seed", default=20261201, show_default=True)
@click.option("--real", default=20, show_default=True, help="Tries with all-MiniLM-L6-v2.")
@click.option("--only", type=int, multiple=True, metavar="NUMBER", help="These tries alone; repeatable.")
@click.option("--folder", default=Path("build/faults"), show_default=True, type=click.Path(path_type=Path))
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Tries at once.")
@click.option("--keep", is_flag=True, help="Keep the folders of good tries.")
@click.option("--kept", "only_kept", is_flag=True, help="Count what is kept, and run nothing.")
@click.option("--publish", "published", is_flag=True, help=f"Write table and results to {PUBLISHED}.")
def main(
    *,
    tries: int,
    seed: int,
    real: int,
    only: tuple[int, ...],
    folder: Path,
    jobs: int,
    keep: bool,
    only_kept: bool,
    published: bool,
) -> int:
    """See the module."""
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    planned = [one for one in plan_tries(tries, seed, real) if not only or one.number in only]
    if not only:
        planned = [*map(plan_planted, PLANTED), *planned]
    take_over(PUBLISHED, folder, planned)
    results = [kept for one in planned if (kept := find_result(folder, one))]
    if not only_kept:
        results = run(planned, folder, jobs, keep=keep)
    command = f"nox -s faults -- --tries {tries} --seed {seed} --real {real} --jobs {jobs}"
    text = render(results, sum(not one.planted for one in planned), command)
    click.echo(text, nl=False)
    if published and not only:
        click.echo(publish(PUBLISHED, text, results))
    return int(not all(each.is_good for each in results))


def run(planned: Sequence[Try], folder: Path, jobs: int, *, keep: bool) -> list[Result]:
    """Run all tries that have no result, some at once."""
    links = plant_wheels(folder / "links")
    found = asyncio.run(read_pip_settings())
    variables = {"PIP_FIND_LINKS": " ".join([*found.find_links, str(links)])}
    commit = asyncio.run(read_revision(Path.cwd()))
    work = Bench(folder, links, asyncio.run(make_model(folder)), Disturber(variables, commit), keep)
    with ThreadPoolExecutor(jobs) as pool:
        # In the pool too, so that moments are drawn over the time that a work takes beside others.
        work.find_usual(SOURCE)
        missing = [one for one in planned if find_result(folder, one) is None]
        list(pool.map(work.find_usual, dict.fromkeys((one.work, one.real, one.is_warm) for one in missing)))
        return list(pool.map(work.judge, planned))


@dataclass(frozen=True)
class Bench:
    """Where tries are run, and their results and those of undisturbed works are kept."""

    folder: Path
    links: Path
    model: Path
    disturber: Disturber
    keep: bool

    def judge(self, one: Try) -> Result:
        """The kept result of a try, or that of a new one."""
        if kept := find_result(self.folder, one):
            return kept
        place = self._make_place(f"tries/{one.name}", real=one.real, warm=one.is_warm)
        disturber = self.disturber
        if one.planted:
            planted = plant(one.planted, place.folder / "planted")
            paths = os.pathsep.join([str(planted), os.environ.get("PYTHONPATH", "")])
            disturber = replace(disturber, environment={**disturber.environment, "PYTHONPATH": paths})
        result = disturber.run(one, place, self.find_usual((one.work, one.real, one.is_warm)))
        keep_result(self.folder, one, result)
        if result.is_good and not self.keep:
            shutil.rmtree(place.folder, ignore_errors=True)
        met, good = "met" if result.met else "not met", "good" if result.is_good else "BAD"
        click.echo(f"{one.name}: {one.describe()}: {met}, {good}, {result.seconds:.0f} s", err=True)
        return result

    def find_usual(self, which: tuple[Work, bool, bool]) -> Usual:
        """What an undisturbed work takes and says (work, real model, warm store); measured once."""
        work, real, warm = which
        name = f"{work}-{'real' if real else 'small'}-{'warm' if warm else 'cold'}"
        path = self.folder / f"usual-{name}.json"
        if kept := find_usual(path):
            return kept
        place = self._make_place(f"usual/{name}", real=real, warm=warm)
        usual = self.disturber.measure(place, work)
        if which == SOURCE:
            # A command that was cut off may have left a part of it.
            shutil.rmtree(self.warm, ignore_errors=True)
            copy_environment(place.store, self.warm)
        path.write_bytes(msgspec.json.encode(usual))
        shutil.rmtree(place.folder, ignore_errors=True)
        click.echo(f"{name}, undisturbed: {usual.seconds:.0f} s", err=True)
        return usual

    def _make_place(self, name: str, *, real: bool, warm: bool) -> Place:
        shutil.rmtree(self.folder / name, ignore_errors=True)
        place = Place(self.folder / name, self.links, None if real else self.model)
        if warm:
            copy_environment(self.warm, place.store)
        return place

    @property
    def warm(self) -> Path:
        """The store with one environment that warm ones begin with."""
        return self.folder / "warm"


async def make_model(folder: Path) -> Path:
    """The small model, made once in an environment of the store."""
    settings = await read_pip_settings()
    bench = ModelBench(folder, Store.default(), settings, lambda text: click.echo(text, err=True))
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
