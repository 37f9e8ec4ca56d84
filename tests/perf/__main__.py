"""``nox -s perf``: what the harness costs, part by part, each figure printed as soon as it is there.

What is measured is kept in ``--folder``: cut off by hand or by ``--budget``, the same command goes on with
the parts that are left. Once all parts are there the next command measures anew.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click
import msgspec

from harness.cli.options import parse_budget
from harness.cli.publishing import baseline_of
from harness.errors import HarnessError, MachineError
from harness.files import write_whole
from harness.matrix.cells import cells_of, select
from harness.sweep.interrupt import run_interruptibly
from harness.sweep.limits import count_cores
from harness.sweep.run_sweep import open_matrix
from perf.bench import Bench
from perf.figures import Figure, render_figures
from perf.parts import PARTS, measure_part

KEPT = "figures.json"
INTERRUPTED = 130


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a measuring that is not over has so far; ``asked`` is what it was asked for."""

    asked: tuple[str, ...]
    parts: dict[str, tuple[Figure, ...]] = {}


@click.command(help=__doc__)
@click.argument("parts", nargs=-1, metavar=f"[{'|'.join(PARTS)}]...")
@click.option("--matrix", default="compat", show_default=True, metavar="NAME|FILE", help="The matrix.")
@click.option("--only", metavar="GLOB", help="Measure the first cell that matches.  [default: the baseline]")
@click.option("--rounds", type=click.IntRange(1), default=2, show_default=True, help="Of each figure.")
@click.option("--budget", default="5m", show_default=True, metavar="TIME", help="No part begins after this.")
@click.option("--folder", default=Path("build/perf"), show_default=True, type=click.Path(path_type=Path))
@click.option("--fresh", is_flag=True, help="Forget what was measured before.")
def main(
    *,
    parts: tuple[str, ...],
    matrix: str,
    only: str | None,
    rounds: int,
    budget: str,
    folder: Path,
    fresh: bool,
) -> int:
    """See the module."""
    if unknown := [name for name in parts if name not in PARTS]:
        raise click.UsageError(f"{unknown[0]!r} is no part; there are: {', '.join(PARTS)}")
    wanted = parts or tuple(name for name, part in PARTS.items() if part.usual)
    until = time.monotonic() + parse_budget(budget)
    bench = make_bench(matrix, only, folder)
    kept = read_kept(folder, (matrix, bench.cell, str(rounds), *wanted), fresh=fresh)
    failed = False
    for name in wanted:
        if name in kept.parts:
            figures = kept.parts[name]
        elif time.monotonic() > until:
            click.echo(f"{name}: not measured yet, the budget is spent; the same command goes on")
            continue
        else:
            try:
                figures = run_interruptibly(measure_part(name, bench, rounds))
            except (MachineError, OSError) as error:
                failed = True
                click.echo(f"{name}: not measured: {error}")
                continue
            kept = msgspec.structs.replace(kept, parts={**kept.parts, name: figures})
            write_whole(folder / KEPT, msgspec.json.encode(kept))
        click.echo(render_figures(figures), nl=False)
    if set(wanted) <= kept.parts.keys():
        (folder / KEPT).unlink(missing_ok=True)
    return int(failed)


def make_bench(matrix: str, only: str | None, folder: Path) -> Bench:
    """Where and on what the costs are measured.

    Raises:
        UsageError: there is no such matrix or cell.
    """
    found = open_matrix(matrix)
    measured = select(cells_of(found), (only or baseline_of(found),))[0]
    folder.mkdir(parents=True, exist_ok=True)
    return Bench(
        matrix=str(found.path),
        cell=measured.id,
        several=tuple(each.id for each in cells_of(found) if not each.source)[: 2 * count_cores()],
        scratch=folder.absolute(),
        say=lambda text: click.echo(f"{text} ...", err=True),
    )


def read_kept(folder: Path, asked: tuple[str, ...], *, fresh: bool) -> Kept:
    """What the same command measured before it was cut off; nothing of another command, or where fresh."""
    try:
        kept = msgspec.json.decode((folder / KEPT).read_bytes(), type=Kept)
    except (OSError, msgspec.DecodeError):
        return Kept(asked)
    return Kept(asked) if fresh or kept.asked != asked else kept


def _exit_code() -> int:
    try:
        return int(main.main(standalone_mode=False) or 0)
    except HarnessError as error:
        click.echo(f"perf: {error}", err=True)
        return int(error.exit_code)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("perf: interrupted; what is measured is kept, the same command goes on", err=True)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(_exit_code())
