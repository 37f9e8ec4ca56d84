"""Options that several commands share, and the request that they make."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict

import click

from harness.errors import UsageError
from harness.held import temporary_folder
from harness.matrix.expand import MAX_CELLS
from harness.matrix.read import describe_sweep, in_checkout
from harness.matrix.schema import MAX_SECONDS, Matrix, parse_memory
from harness.reading import MAX_RESULTS, is_descriptor, read_input
from harness.records import CULPRIT_SECONDS
from harness.runs.find import RUN_HELP
from harness.store.clean import remove_leftovers
from harness.store.store import Store
from harness.sweep import stages
from harness.sweep.limits import Limits, Options, count_cores

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


def names_runs(command: Command) -> Command:
    """Append to the help of a command how a run is named."""
    command.__doc__ = f"{inspect.getdoc(command)}\n\n{RUN_HELP}"
    return command


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


def describe_command(matrix: str) -> str:
    """What a person types here to sweep this matrix: by nox in a checkout of the harness, else without."""
    front = f"{describe_sweep()} --" if in_checkout() else describe_sweep()
    return front if matrix == "compat" else f"{front} --matrix {matrix}"


def describe_gate_command() -> str:
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


# Options of every command that runs cells, and the request that they make.

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


culprit_budget_option = click.option(
    "--culprit-budget", metavar="TIME", help="For the package to blame: 20m, 90s.  [default: 20m]"
)


class Running(TypedDict):
    """What ``running_options`` reads."""

    max_cells: int
    checks: tuple[str, ...]
    jobs: int | None
    fresh: bool
    rerun: bool
    golden: Path | None
    python_downloads: bool
    store: Path | None
    reports: Path


def running_options(command: Command) -> Command:
    """Options of every command that runs cells, ``--plain`` among them."""
    options = (
        max_cells_option,
        click.option("--checks", multiple=True, metavar="GLOB", help="Only checks whose case id matches."),
        click.option("--jobs", type=click.IntRange(1, 1024), help="Cells at once.  [default: one a core]"),
        click.option("--fresh", is_flag=True, help="Do not carry on with a run that was cut off."),
        click.option("--rerun", is_flag=True, help="Run finished cells again."),
        click.option("--golden", type=click.Path(path_type=Path), help="Golden embeddings to compare with."),
        click.option("--python-downloads", is_flag=True, help="Let uv fetch a Python that is not there."),
        store_option,
        reports_option,
        plain_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


def make_request(matrix: Matrix, running: Running, *, command: str, latency: bool) -> stages.Request:
    """The request of a command; ``command`` is what a person types to run it again."""
    return stages.Request(
        matrix=matrix,
        store=open_store(running["store"]),
        reports=running["reports"],
        checks=running["checks"],
        golden=_keep_golden(running["golden"]),
        command=command,
        python_downloads=running["python_downloads"],
        options=Options(
            jobs=running["jobs"] or count_cores(),
            latency=latency,
            fresh=running["fresh"],
            rerun=running["rerun"],
            limits=Limits(contract=matrix.limits.time, memory=matrix.limits.memory_bytes),
        ),
    )


def _keep_golden(named: Path | None) -> Path | None:
    """The golden embeddings; those of a pipe in a file of their own until the command ends: cells read them.

    Raises:
        UsageError: the pipe cannot be read.
    """
    if named is None or not is_descriptor(named):
        return named
    folder = click.get_current_context().with_resource(temporary_folder("piped"))
    kept = folder / "golden.json"
    kept.write_bytes(read_input(named, MAX_RESULTS))
    return kept


def parse_budget(text: str, option: str = "--budget") -> float:
    """Seconds of a duration such as ``10m``, ``90s``, ``1.5h`` or ``600``; ``option`` is what says it.

    Raises:
        UsageError: it is no such duration, or none at all.
    """
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smh]?)", text.strip())
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if seconds <= 0:
        raise UsageError(f"{option} {text!r} is not a duration such as 10m, 90s or 600 (seconds)")
    if seconds > MAX_SECONDS:
        raise UsageError(
            f"{option} {text!r} is longer than a week ({MAX_SECONDS} s), the most that is allowed"
        )
    return seconds


def parse_culprit_budget(text: str | None) -> float:
    """Seconds for the search for the culprit; where nobody says so, ``CULPRIT_SECONDS``.

    Raises:
        UsageError: it is no duration.
    """
    return CULPRIT_SECONDS if text is None else parse_budget(text, "--culprit-budget")
