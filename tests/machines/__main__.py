"""``nox -s machines``: the same sweep by one machine, by four shards and by four workers, and what differs.

Twelve or more minutes on two cores. ``--predict`` then sweeps the default matrix on four workers, twice as
long, and prints how long that was predicted to take. Cut off, the same command goes on; after its end the
next one sweeps anew. Exit code 1: a verdict, a cell, a key, an answer or a case differs.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

from harness.errors import HarnessError
from harness.sweep.interrupt import run_interruptibly
from harness.sweep.limits import count_cores
from machines.comparing import render_comparison
from machines.predicting import predict, read_durations, render_prediction
from machines.sweeping import COUNT, Machines, Timed

INTERRUPTED = 130
DONE = "done"


@click.command(help=__doc__)
@click.option("--predict", "predicting", is_flag=True, help="Also predict a sweep of the default matrix.")
@click.option("--folder", default=Path("build/machines"), show_default=True, type=click.Path(path_type=Path))
def main(*, predicting: bool, folder: Path) -> int:
    """See the module."""
    if (folder / DONE).exists():
        shutil.rmtree(folder)
    machines = Machines(folder.absolute(), lambda text: click.echo(f"{text} ...", err=True), count_cores())
    small, differs = run_interruptibly(compare(machines))
    whole = run_interruptibly(machines.sweep_workers("default", "compat")) if predicting else None
    (folder / DONE).touch()
    if whole is not None:
        prediction = predict(small, whole, read_durations())
        click.echo(render_prediction(prediction, small, whole, machines.cores), nl=False)
    return int(differs)


async def compare(machines: Machines) -> tuple[Timed, bool]:
    """Sweep in every way, and print what differs; the sweep on the workers, and whether anything does.

    Raises:
        MachineError: a sweep failed.
    """
    machines.write_matrix()
    await machines.lock()
    alone = await machines.sweep_alone()
    merged = await machines.sweep_shards()
    workers = await machines.sweep_workers()
    others = {f"{COUNT} shards, merged": merged, f"{COUNT} workers": workers.run}
    text, differs = render_comparison(alone.run, others)
    click.echo(text)
    return workers, differs


def _exit_code() -> int:
    try:
        return int(main.main(standalone_mode=False) or 0)
    except HarnessError as error:
        click.echo(f"machines: {error}", err=True)
        return int(error.exit_code)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("machines: interrupted; the same command goes on", err=True)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(_exit_code())
