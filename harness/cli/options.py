"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from harness.errors import UsageError
from harness.plan.expand import MAX_CELLS
from harness.plan.front_door import in_checkout, say_sweep
from harness.plan.schema import parse_memory
from harness.run.leftovers import remove_leftovers
from harness.run.store import Store

Command = Callable[..., Any]

store_option = click.option(
    "--store",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="HARNESS_STORE",
    help="Where environments, models and finished cells are kept.  [default: the user's cache]",
)
reports_option = click.option(
    "--reports",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("reports"),
    show_default=True,
    help="Where runs are written.",
)
matrix_option = click.option(
    "--matrix", default="compat", show_default=True, metavar="NAME|FILE", help="The matrix."
)
max_cells_option = click.option(
    "--max-cells",
    type=click.IntRange(1, 1_000_000),
    default=MAX_CELLS,
    show_default=True,
    help="Refuse a matrix of more cells.",
)
plain_option = click.option("--plain", is_flag=True, help="Plain lines, no live board.")


def cells_options(command: Command) -> Command:
    """``--only`` and ``--skip``."""
    skip = click.option("--skip", multiple=True, metavar="GLOB", help="Not the cells whose id matches.")
    return click.option("--only", multiple=True, metavar="GLOB", help="Only cells whose id matches.")(
        skip(command)
    )


def open_store(folder: Path | None) -> Store:
    """The store in this folder, or the user's own; what killed processes left in it is removed.

    It is made when something is put into it.

    Raises:
        UsageError: something else lies in the folder, or its name is blank.
        StoreError: it cannot be read.
    """
    if folder is not None and not str(folder).strip():
        raise UsageError("HARNESS_STORE is blank; name a folder, or unset it")
    store = Store.default() if folder is None else Store(folder.absolute())
    store.refuse_foreign()
    remove_leftovers(store)
    return store


def say_command(matrix: str) -> str:
    """What a person types here to sweep this matrix: by nox in a checkout of the harness, else without."""
    front = f"{say_sweep()} --" if in_checkout() else say_sweep()
    return front if matrix == "compat" else f"{front} --matrix {matrix}"


def say_gate_command() -> str:
    """What a person types here before the arguments of a gate."""
    return "nox -s gate --" if in_checkout() else "harness gate"


def parse_size(text: str) -> int:
    """Bytes of a size such as ``20GiB``, as a matrix writes its memory limit.

    Raises:
        UsageError: it is no such size.
    """
    try:
        return parse_memory(text)
    except ValueError:
        raise UsageError(f"--max-size {text!r} is not a size such as 20GiB or 500MiB") from None
