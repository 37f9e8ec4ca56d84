"""The command ``gate``: may this upgrade be merged?"""

from __future__ import annotations

from pathlib import Path

import click

from harness import gate as stages
from harness import pipeline
from harness.cli.options import (
    matrix_option,
    open_store,
    plain_option,
    reports_option,
    say_gate_command,
    store_option,
)
from harness.cli.screen import Screen
from harness.errors import ExitCode
from harness.gate_records import Gate
from harness.judge.verdict import exit_code
from harness.plan.candidate import Wish, parse_changes
from harness.plan.pip_settings import read_pip_settings
from harness.run.interrupt import run_interruptibly
from harness.run.options import Limits, Options, count_cores


@click.command()
@click.argument("changes", nargs=-1, metavar="[CHANGE]...")
@click.option("--from", "from_file", metavar="FILE", help="The baseline.  [default: of the matrix]")
@click.option("--to", "to_file", metavar="FILE", help="The candidate, instead of changes.")
@matrix_option
@click.option("--checks", multiple=True, metavar="GLOB", help="Only checks whose case id matches.")
@click.option("--allow-inconclusive", is_flag=True, help="Exit 0 where nothing can be said (4).")
@click.option("--jobs", type=click.IntRange(1), help="Cells at once.  [default: one a core]")
@click.option("--fresh", is_flag=True, help="Do not carry on with a run that was cut off.")
@click.option("--rerun", is_flag=True, help="Run finished cells again.")
@click.option("--golden", type=click.Path(path_type=Path), help="Golden embeddings to compare with.")
@click.option("--python-downloads", is_flag=True, help="Let uv fetch a Python that is not there.")
@store_option
@reports_option
@plain_option
def gate(  # noqa: PLR0913 - one parameter an option
    *,
    changes: tuple[str, ...],
    from_file: str | None,
    to_file: str | None,
    matrix: str,
    checks: tuple[str, ...],
    allow_inconclusive: bool,
    jobs: int | None,
    fresh: bool,
    rerun: bool,
    golden: Path | None,
    python_downloads: bool,
    store: Path | None,
    reports: Path,
    plain: bool,
) -> int:
    """Judge an upgrade before it is merged: what does it break that holds now?

    A CHANGE is a requirement such as numpy==2.4.6. A FILE is a requirements file, the output of pip freeze,
    a uv.lock or a pylock.toml, or one of a git revision (main:requirements.txt). Latency is not judged.
    """
    wish = Wish(changes=changes, from_file=from_file, to_file=to_file)
    parse_changes(wish)  # before anything is read
    found = pipeline.open_matrix(matrix)
    request = pipeline.Request(
        matrix=found,
        store=open_store(store),
        reports=reports,
        checks=checks,
        golden=golden,
        command=say_gate_command(),
        python_downloads=python_downloads,
        options=Options(
            jobs=jobs or count_cores(),
            latency=False,
            fresh=fresh,
            rerun=rerun,
            limits=Limits(contract=found.limits.time, memory=found.limits.memory_bytes),
        ),
    )
    screen = Screen(plain=plain)
    judged, folder = run_interruptibly(_gate(request, wish, _arguments(wish, matrix), screen))
    screen.show_gate(judged, folder)
    allowed = allow_inconclusive and judged.decision.verdict == "inconclusive"
    return ExitCode.PASS if allowed else exit_code(judged.decision.verdict)


async def _gate(
    request: pipeline.Request, wish: Wish, arguments: tuple[str, ...], screen: Screen
) -> tuple[Gate, Path]:
    settings = await read_pip_settings()
    prepared = await stages.prepare_gate(request, wish, arguments, settings, screen.notify)
    if prepared.reason:
        return await stages.run_gate(prepared, request, settings, screen.notify)
    with screen.board(prepared.plan):
        return await stages.run_gate(prepared, request, settings, screen.notify)


def _arguments(wish: Wish, matrix: str) -> tuple[str, ...]:
    """What has to be typed to ask the same again."""
    named = {
        "--from": wish.from_file,
        "--to": wish.to_file,
        "--matrix": matrix if matrix != "compat" else None,
    }
    options = (word for option, value in named.items() if value is not None for word in (option, value))
    return (*wish.changes, *options)


COMMANDS = (gate,)
