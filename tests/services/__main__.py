"""``nox -s services``: what the harness says of twenty services that do not know it.

Each is swept over two environments and gated from the first to the second, and what was said is compared
with what the service deserves (``tests/services/deserved.toml``). Results are kept in ``--folder``: cut off,
the same command goes on. A result counts until its service, what it deserves, or the harness has changed.
Exit code 1: a false pass or a false failure, or a service without a result.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from fnmatch import fnmatchcase
from pathlib import Path

import click

from harness.cell.interface import QUESTIONS
from harness.errors import HarnessError
from harness.matrix.read import read_matrix, shipped_matrices
from harness.protection import protect_process
from harness.resolve.pip_settings import read_pip_settings
from harness.store.models import make_installer, obtain_model
from harness.store.store import Store
from services.entries import Service, read_services
from services.kept import Result, find_result, keep_result, make_result, make_skipped
from services.published import count_kinds, publish, render_head, render_table
from services.running import BASELINE, CANDIDATE, Place, run_service

INTERRUPTED = 130
PUBLISHED = Path("reports/services")
KEPT = "results"


@click.command(help=__doc__)
@click.option("--only", multiple=True, metavar="GLOB", help="Services whose name matches; repeatable.")
@click.option("--folder", default=Path("build/services"), show_default=True, type=click.Path(path_type=Path))
@click.option("--store", type=click.Path(path_type=Path), help="As of the harness.")
@click.option("--budget", default="15m", show_default=True, metavar="TIME", help="Of a gate that times.")
@click.option("--fresh", is_flag=True, help="Run again what is kept.")
@click.option("--earlier", is_flag=True, help="Take results of an earlier harness too; the table names them.")
@click.option("--publish", "published", is_flag=True, help=f"Write the table of all services to {PUBLISHED}.")
def main(
    *,
    only: tuple[str, ...],
    folder: Path,
    store: Path | None,
    budget: str,
    fresh: bool,
    earlier: bool,
    published: bool,
) -> int:
    """See the module."""
    services = read_services()
    chosen = [each for each in services if not only or any(fnmatchcase(each.name, glob) for glob in only)]
    if not chosen:
        raise click.UsageError(f"no service matches; there are: {', '.join(each.name for each in services)}")
    if published and only:
        raise click.UsageError("--publish writes the table of all services; leave --only out")
    place = make_place(folder.absolute(), store, budget)
    results = [judge(service, place, fresh=fresh, earlier=earlier) for service in chosen]
    head = render_head(results, "nox -s services", tuple(QUESTIONS), (BASELINE, CANDIDATE))
    click.echo(head + render_table(results), nl=False)
    if published:
        for path in publish(results, head, PUBLISHED):
            click.echo(path)
    counts = count_kinds(results)
    lost = any(not each.skipped and None in (each.sweep, each.gate) for each in results)
    return int(bool(counts["false pass"] or counts["false failure"] or lost))


def make_place(folder: Path, store: Path | None, budget: str) -> Place:
    """Where services are run, with the model in the store of the harness.

    Raises:
        HarnessError: the model cannot be provided.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = Store.default() if store is None else Store(store.absolute())
    model = asyncio.run(_obtain_model(found))
    return Place(folder, None if store is None else store.absolute(), model, budget)


async def _obtain_model(store: Store) -> Path:
    matrix = read_matrix(shipped_matrices() / "compat.toml")
    installer = make_installer(await read_pip_settings())
    async with AsyncExitStack() as stack:
        found = await obtain_model(matrix.model, None, store, installer, _say, stack)
    return found.folder


def _say(text: str) -> None:
    click.echo(text, err=True)


def judge(service: Service, place: Place, *, fresh: bool, earlier: bool) -> Result:
    """The kept result of a service, or that of a run; one service cannot stop the others."""
    kept = place.folder / KEPT
    result = None if fresh else find_result(kept, service, earlier=earlier)
    if result is None:
        _say(f"{service.name}: sweep and gate ...")
        if service.entry.needs and service.entry.needs not in read_cpu_features():
            result = make_skipped(service, f"this CPU does not execute {service.entry.needs}")
        else:
            result = make_result(service, *run_service(service, place))
        keep_result(kept, result)
    counts = ", ".join(f"{each.kind} ({each.run}, {each.what})" for each in result.differences)
    _say(f"{service.name}: {result.skipped or counts or 'as deserved'}")
    return result


def read_cpu_features() -> str:
    """The features of the CPU as the system lists them, such as ``amx_bf16``; empty if unknown."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith("flags")), "")


def _exit_code() -> int:
    try:
        return int(main.main(standalone_mode=False) or 0)
    except HarnessError as error:
        click.echo(f"services: {error}", err=True)
        return int(error.exit_code)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("services: interrupted; what is finished is kept, the same command goes on", err=True)
        return INTERRUPTED


if __name__ == "__main__":
    protect_process()
    sys.exit(_exit_code())
