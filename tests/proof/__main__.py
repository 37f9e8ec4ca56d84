"""``python -m proof``: how often the gate's decision on latency is right, simulated and for real.

Simulated: blocks of identical environments are measured first (``--record`` seconds, kept), then gates are
made of them and decided by the gate's own code, as they are and with a slow-down planted.

Real (``--real N``): N gates of identical environments, N with a normalizer that is 20% slower, N with 10%,
and N with 5% at a threshold of 3%.

What is measured is kept in ``--folder``: cut off, the same command goes on, in a new folder from the real
gates that are published. On a machine of another class it records noise of its own; gates that were measured
or decided by other code are not counted.
Exit code 1: a goal is missed, or nothing was counted.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from harness.errors import HarnessError
from harness.protection import protect_process
from harness.records import Progress
from harness.resolve.pip_settings import read_pip_settings
from harness.store.store import Store
from harness.sweep.interrupt import run_interruptibly
from harness.sweep.machine import read_machine
from proof.goals import Row
from proof.published import publish, take_over
from proof.stages import Wanted, choose, prove
from proof.table import ASSUMED, render_rows

INTERRUPTED = 130
PUBLISHED = Path("reports/proof")


def _say(progress: Progress) -> None:
    if progress.stage == "note" or not progress.stage:
        click.echo(progress.note, err=True)


@click.command(help=__doc__)
@click.option("--gates", default=1000, show_default=True, help="Simulated gates, each way.")
@click.option(
    "--record", default=600.0, show_default=True, help="Seconds of measured noise to simulate with."
)
@click.option("--real", default=0, show_default=True, help="Real gates, each way.")
@click.option("--budget", default=600.0, show_default=True, help="Seconds of a real gate that is identical.")
@click.option(
    "--choice", is_flag=True, help="Only: compare the two intervals, on measured and made-up noise."
)
@click.option("--folder", default=Path("build/proof"), show_default=True, type=click.Path(path_type=Path))
@click.option("--store", type=click.Path(path_type=Path), help="As of the harness.")
@click.option("--fresh", is_flag=True, help="Forget what was measured before.")
@click.option("--publish", "published", is_flag=True, help=f"Write table and measurements to {PUBLISHED}.")
def main(
    *,
    gates: int,
    record: float,
    real: int,
    budget: float,
    choice: bool,
    folder: Path,
    store: Path | None,
    fresh: bool,
    published: bool,
) -> int:
    """See the module."""
    place = Store.default() if store is None else Store(store.absolute())
    place.refuse_foreign()
    wanted = Wanted(folder, place, gates=gates, record=record, real=real, budget=budget, fresh=fresh)

    if real and not fresh and take_over(PUBLISHED, folder):
        click.echo(f"going on from the gates in {PUBLISHED}", err=True)

    async def work() -> list[Row]:
        settings = await read_pip_settings()
        return await (choose if choice else prove)(wanted, settings, _say)

    rows = run_interruptibly(work())
    click.echo(render_rows(rows), nl=False)
    click.echo(ASSUMED)
    if published:
        command = f"nox -s prove -- --record {record:g} --gates {gates} --real {real}"
        for path in publish(folder, rows, command, read_machine(), PUBLISHED):
            click.echo(path)
    return int(not rows or any(row.holds is False for row in rows))


def _exit_code() -> int:
    try:
        return int(main.main(standalone_mode=False) or 0)
    except HarnessError as error:
        click.echo(f"proof: {error}", err=True)
        return int(error.exit_code)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("proof: interrupted; what is measured is kept, the same command goes on", err=True)
        return INTERRUPTED


if __name__ == "__main__":
    protect_process()
    sys.exit(_exit_code())
