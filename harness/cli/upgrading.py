"""Judging an upgrade from the command line, for ``gate`` and for ``bisect``."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path

from harness import pipeline
from harness.cli.options import say_gate_command
from harness.cli.remembering import remember
from harness.cli.rendering import render_gate
from harness.cli.running import Running, make_request
from harness.cli.screen import Screen
from harness.errors import InterruptedGateError
from harness.gate.prepare import Terms, prepare_gate
from harness.gate.stages import run_gate
from harness.gate_records import Gate
from harness.plan.candidate import Wish
from harness.plan.pip_settings import read_pip_settings
from harness.redaction import redact
from harness.run.folder import GATE_FILE
from harness.run.interrupt import run_interruptibly


def judge_upgrade(wish: Wish, matrix: str, terms: Terms, running: Running, screen: Screen) -> Gate:
    """Run a gate, show it, and take it into the history.

    Raises:
        InterruptedGateError: a signal ended it; with how to go on.
        HarnessError: as the stages.
    """
    found = pipeline.open_matrix(matrix, max_cells=running["max_cells"])
    request = make_request(found, running, command=say_gate_command(), latency=False)
    arguments = _say_arguments(wish, matrix, running, terms)
    judged, folder = run_interruptibly(_judge(request, wish, arguments, terms, screen))
    screen.show_gate(judged, folder)
    remember(folder, running["reports"])
    return judged


async def _judge(
    request: pipeline.Request, wish: Wish, arguments: tuple[str, ...], terms: Terms, screen: Screen
) -> tuple[Gate, Path]:
    settings = await read_pip_settings()
    prepared = await prepare_gate(request, wish, arguments, settings, screen.notify, terms=terms)
    if prepared.runs_nothing:
        return await run_gate(prepared, request, settings, screen.notify, render_gate)
    try:
        with screen.board(prepared.plan):
            return await run_gate(prepared, request, settings, screen.notify, render_gate)
    except asyncio.CancelledError:
        folder = request.reports / "runs" / prepared.plan.run
        raise InterruptedGateError(_say_interrupted(folder, latency=bool(prepared.quantities))) from None


def _say_interrupted(folder: Path, *, latency: bool) -> str:
    """What is kept of a gate that was cut off, and how to go on."""
    kept = "interrupted; what finished of the suite is kept, and the same command carries on from there"
    anew = ", but measures latency anew" if latency else ""
    if not (folder / GATE_FILE).exists():
        return f"{kept}{anew}"
    return f"{kept}{anew}; `harness report {shlex.quote(str(folder))}` decides from what is there"


def _say_arguments(wish: Wish, matrix: str, running: Running, terms: Terms) -> tuple[str, ...]:
    """What has to be typed to ask the same again: all that the verdict depends on, without credentials."""
    named = [
        ("--from", wish.from_file),
        ("--to", wish.to_file),
        ("--matrix", matrix if matrix != "compat" else None),
        *(("--checks", glob) for glob in running["checks"]),
        *(("--quantities", glob) for glob in terms.quantities),
        ("--budget", None if terms.budget is None else f"{terms.budget:g}s"),
        ("--golden", None if running["golden"] is None else str(running["golden"])),
    ]
    flags = {
        "--no-latency": not terms.latency,
        "--accept-known": terms.accept_known,
        "--allow-equal": wish.allow_equal,
    }
    words = (
        *wish.changes,
        *(word for option, value in named if value is not None for word in (option, value)),
        *(flag for flag, is_set in flags.items() if is_set),
    )
    return tuple(map(redact, words))
