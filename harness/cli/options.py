"""Options that several commands share, and the request built from them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict, get_args
from urllib.parse import SplitResult, parse_qsl, urlsplit

import click

from harness.errors import UsageError
from harness.held import temporary_folder
from harness.input_files import MAX_RESULTS, is_descriptor, read_input
from harness.isolation import Level
from harness.matrix.expand import MAX_CELLS
from harness.matrix.read import default_matrix, describe_sweep, in_checkout
from harness.matrix.schema import MAX_SECONDS, Matrix, parse_memory
from harness.matrix.variables import find_variables
from harness.records import CULPRIT_SECONDS
from harness.redaction import redact
from harness.runs.find import RUN_HELP
from harness.store.clean import remove_leftovers
from harness.store.store import Store
from harness.sweep import run_sweep
from harness.sweep.executors.crew import WAIT_SECONDS, Address
from harness.sweep.limits import Limits, Options, count_cores

Command = Callable[..., Any]

store_option = click.option(
    "--store",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="HARNESS_STORE",
    show_envvar=True,
    help="Folder of environments, models and finished cells.  [default: the user's cache]",
)
reports_option = click.option(
    "--reports",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("reports"),
    show_default=True,
    help="Folder that runs are written to.",
)
matrix_option = click.option(
    "--matrix",
    default=lambda: default_matrix(Path.cwd()),
    metavar="NAME|FILE",
    help="The matrix.  [default: the one in matrices, else compat]",
)
max_cells_option = click.option(
    "--max-cells",
    type=click.IntRange(1, 1_000_000),
    default=MAX_CELLS,
    show_default=True,
    metavar="NUMBER",
    help="Refuse a matrix with more cells.",
)
isolation_option = click.option(
    "--isolation",
    type=click.Choice(get_args(Level)),
    default="auto",
    show_default=True,
    help="Run cells in namespaces: auto, where that works; strict, or not at all; none, never.",
)
verbose_option = click.option(
    "-v", "--verbose", is_flag=True, help="Show known divergences, limits and claims, too."
)
plain_option = click.option("--plain", is_flag=True, help="Print plain lines instead of a live board.")


def names_runs(command: Command) -> Command:
    """Append to the help of a command how a run is named."""
    command.__doc__ = f"{inspect.getdoc(command)}\n\n{RUN_HELP}"
    return command


def cells_options(command: Command) -> Command:
    """Add ``--only`` and ``--skip`` to a command."""
    skip = click.option("--skip", multiple=True, metavar="GLOB", help="Skip cells whose id matches.")
    return click.option("--only", multiple=True, metavar="GLOB", help="Run only cells whose id matches.")(
        skip(command)
    )


def shard_options(command: Command) -> Command:
    """Add ``--shard`` and ``--durations`` to a command."""
    durations = click.option(
        "--durations",
        metavar="RUN",
        help="Balance the shards by what cells took in this run.  [default: the published sweep]",
    )
    return click.option("--shard", metavar="K/N", help="Only shard K of N, and the baseline; see `merge`.")(
        durations(command)
    )


def choice_options(default: str = "") -> Callable[[Command], Command]:
    """Add ``--extra`` and ``--group``, which choose from a lock, to a command; their help has the default."""
    shown = f"  [default: {default}]" if default else ""

    def add(command: Command) -> Command:
        for name, what in (("group", "dependency group"), ("extra", "extra")):
            text = f"Use this {what} of a lock.{shown}"
            option = click.option(f"--{name}", f"{name}s", multiple=True, metavar="NAME", help=text)
            command = option(command)
        return command

    return add


def open_store(folder: Path | None) -> Store:
    """Open the store in this folder or the user's own, and remove remains of killed processes.

    The folder is created when the first entry is stored.

    Raises:
        UsageError: the folder is something other than a store, or its name is blank.
        StoreError: the store cannot be read.
    """
    if folder is not None and not str(folder).strip():
        raise UsageError("HARNESS_STORE is blank; name a folder, or unset it")
    store = Store.default() if folder is None else Store(folder.absolute())
    store.refuse_foreign()
    remove_leftovers(store)
    return store


def describe_command(matrix: str) -> str:
    """The command that sweeps this matrix: through nox in a checkout of the harness, else directly."""
    front = f"{describe_sweep()} --" if in_checkout() else describe_sweep()
    return front if is_default(matrix) else f"{front} --matrix {matrix}"


def is_default(matrix: str) -> bool:
    """Whether a command without ``--matrix`` uses this matrix."""
    try:
        return matrix == default_matrix(Path.cwd())
    except UsageError:  # there are several
        return False


def describe_gate_command() -> str:
    """The command of a gate, without its arguments."""
    return "nox -s gate --" if in_checkout() else "harness gate"


def parse_size(text: str) -> int:
    """Parse a size such as ``20GiB`` into bytes, as in the memory limit of a matrix.

    Raises:
        UsageError: the text is not a size.
    """
    try:
        return parse_memory(text)
    except ValueError:
        raise UsageError(f"--max-size {text!r} is not a size such as 20GiB or 500MiB") from None


# Options of commands that run cells

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


culprit_budget_option = click.option(
    "--culprit-budget",
    metavar="TIME",
    help="Time limit of the search for the cause, such as 20m or 90s.  [default: 20m]",
)


class Running(TypedDict):
    """Values of the options that ``running_options`` adds."""

    max_cells: int
    checks: tuple[str, ...]
    jobs: int | None
    fresh: bool
    rerun: bool
    golden: Path | None
    isolation: Level
    python_downloads: bool
    store: Path | None
    reports: Path


def running_options(command: Command) -> Command:
    """Add the options of commands that run cells, ``--plain`` included."""
    options = (
        max_cells_option,
        click.option("--checks", multiple=True, metavar="GLOB", help="Run only cases whose id matches."),
        click.option(
            "--jobs",
            type=click.IntRange(1, 1024),
            metavar="NUMBER",
            help="Parallel cells.  [default: one per core]",
        ),
        click.option("--fresh", is_flag=True, help="Start a new run instead of resuming an unfinished one."),
        click.option("--rerun", is_flag=True, help="Run finished cells again."),
        click.option("--golden", type=click.Path(path_type=Path), help="File of golden embeddings."),
        isolation_option,
        click.option("--python-downloads", is_flag=True, help="Let uv download a missing Python."),
        store_option,
        reports_option,
        plain_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


def make_request(matrix: Matrix, running: Running, *, command: str, latency: bool) -> run_sweep.Request:
    """Build the request of a command; ``command`` runs it again.

    Raises:
        UsageError: a variable that the matrix passes on is not set.
    """
    find_variables(matrix)  # before anything is resolved
    return run_sweep.Request(
        matrix=matrix,
        store=open_store(running["store"]),
        reports=running["reports"],
        checks=running["checks"],
        golden=_keep_golden(running["golden"]),
        command=command,
        python_downloads=running["python_downloads"],
        level=running["isolation"],
        options=Options(
            jobs=running["jobs"] or count_cores(),
            latency=latency,
            fresh=running["fresh"],
            rerun=running["rerun"],
            limits=Limits(contract=matrix.limits.time, memory=matrix.limits.memory_bytes),
        ),
    )


def _keep_golden(named: Path | None) -> Path | None:
    """The file of golden embeddings; a pipe is copied to a temporary file, because several cells read it.

    Raises:
        UsageError: the pipe cannot be read.
    """
    if named is None or not is_descriptor(named):
        return named
    folder = click.get_current_context().with_resource(temporary_folder("piped"))
    kept = folder / "golden.json"
    kept.write_bytes(read_input(named, MAX_RESULTS))
    return kept


def parse_shard(text: str | None) -> tuple[int, int] | None:
    """Parse the number of a shard and that of all, such as ``2/8``; None without one.

    Raises:
        UsageError: the text is something else, or there are fewer shards.
    """
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text.strip())
    number, count = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= number <= count:
        raise UsageError(f"--shard {text!r} is not the number of a shard and that of all, such as 2/8")
    return number, count


def parse_executor(text: str | None) -> Address | None:
    """Parse where cells run, such as ``dask://scheduler:8786?class=gpu&wait=10m``; None: on this machine.

    Raises:
        UsageError: the text is something else.
    """
    if text is None or text == "local":
        return None
    try:
        parts = urlsplit(text)
    except ValueError:  # such as an open bracket
        parts = SplitResult("", "", "", "", "")
    given = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=False))
    local = parts.netloc == "local"
    known = {"class", "wait", *(("workers",) if local else ())}
    if (
        parts.scheme not in {"dask", "tcp", "tls"}
        or not parts.netloc
        or parts.path.strip("/")
        or given.keys() - known
    ):
        raise UsageError(
            f"--executor {redact(text)!r} is neither local nor the address of a cluster, such as "
            "dask://scheduler:8786, tls://scheduler:8786?class=NAME&wait=10m or dask://local?workers=4"
        )
    workers = given.get("workers", str(count_cores()))
    if not re.fullmatch(r"[1-9][0-9]{0,2}", workers):
        raise UsageError(f"--executor: workers={workers} is not a number from 1 to 999")
    scheme = "" if parts.scheme == "dask" else f"{parts.scheme}://"  # else that of dask's configuration
    return Address(
        scheduler="" if local else f"{scheme}{parts.netloc}",
        workers=int(workers),
        label=given.get("class", ""),
        wait=parse_budget(given["wait"], "--executor: wait") if "wait" in given else WAIT_SECONDS,
    )


def parse_budget(text: str, option: str = "--budget") -> float:
    """Parse a duration such as ``10m``, ``90s``, ``1.5h`` or ``600`` into seconds.

    Raises:
        UsageError: the text is not a duration within the limits; with the name of the ``option``.
    """
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smh]?)", text.strip())
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if seconds <= 0:
        raise UsageError(f"{option} {text!r} is not a duration such as 10m, 90s or 600 (seconds)")
    if seconds > MAX_SECONDS:
        raise UsageError(f"{option} {text!r} is longer than a week ({MAX_SECONDS} s), the longest allowed")
    return seconds


def parse_culprit_budget(text: str | None) -> float:
    """Parse the time limit of the search for the cause into seconds; the default is ``CULPRIT_SECONDS``.

    Raises:
        UsageError: the text is not a duration.
    """
    return CULPRIT_SECONDS if text is None else parse_budget(text, "--culprit-budget")
