"""Options of every command that runs cells, and the request that they make."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypedDict

import click

from harness import pipeline
from harness.cli.options import (
    Command,
    max_cells_option,
    open_store,
    plain_option,
    reports_option,
    store_option,
)
from harness.errors import UsageError
from harness.gate_records import CULPRIT_SECONDS
from harness.held import temporary_folder
from harness.plan.schema import MAX_SECONDS, Matrix
from harness.reading import MAX_RESULTS, is_descriptor, read_input
from harness.run.options import Limits, Options, count_cores

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


def make_request(matrix: Matrix, running: Running, *, command: str, latency: bool) -> pipeline.Request:
    """The request of a command; ``command`` is what a person types to run it again."""
    return pipeline.Request(
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
