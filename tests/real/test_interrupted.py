"""Ctrl-C in the middle of a sweep: nothing stays, and the same command carries on with what is left."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import psutil
import pytest
from planted.faults import version_of

from harness.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from planted.bench import Bench, Sweep

pytestmark = pytest.mark.real

PRINTS, HANGS = version_of("prints"), version_of("hangs")
AXES = f'[axes]\nsentence-transformers = ["{PRINTS}", "{HANGS}"]\n'
CHECKS = ("--checks", "env.*", "--checks", "l0.typical/*")
PATIENCE_SECONDS = 400.0
"""For a cell on a busy machine."""
ENDING_SECONDS = 20.0
"""Two are promised; a busy machine gets more, what must not happen is that a process stays."""


def wait_for(there: Callable[[], bool]) -> None:
    """Wait until something is there; never is a failure."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not there():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def interrupted(bench: Bench) -> tuple[int, list[psutil.Process]]:
    """Exit code of a sweep that got Ctrl-C while one cell was done and one hung, and what it had running."""
    matrix = bench.write_matrix("interrupted", AXES)
    command = bench.harness.start(*bench.arguments(matrix, *CHECKS))
    try:
        wait_for(lambda: command.poll() is not None or _is_done(bench))
        assert command.poll() is None, command.communicate()[0]
        running = psutil.Process(command.pid).children(recursive=True)
        os.killpg(command.pid, signal.SIGINT)
        command.communicate(timeout=ENDING_SECONDS)
    finally:
        command.kill()
    return command.returncode, running


def _is_done(bench: Bench) -> bool:
    return any(bench.reports.glob("runs/*/cells/*prints*/result.json"))


@pytest.fixture(scope="module")
def resumed(bench: Bench, interrupted: object) -> Sweep:  # noqa: ARG001 - it comes first
    """The same sweep again, now with little patience for the cell that hangs."""
    return bench.sweep(bench.write_matrix("interrupted", f"{AXES}[limits]\ntime = 15\n"), *CHECKS)


def test_no_process_is_left(interrupted: tuple[int, list[psutil.Process]]) -> None:
    _, running = interrupted

    assert running, "the cell that hangs was not running"
    _, alive = psutil.wait_procs(running, timeout=ENDING_SECONDS)
    assert alive == []


def test_the_command_does_not_say_pass(interrupted: tuple[int, list[psutil.Process]]) -> None:
    code, _ = interrupted

    assert code == 128 + signal.SIGINT  # as a shell has it


def test_a_run_that_was_cut_off_is_inconclusive(bench: Bench, resumed: Sweep) -> None:
    (folder,) = [path for path in bench.reports.glob("runs/2*interrupted*") if path != resumed.folder]

    cut_off = bench.judge_again(folder)

    assert (cut_off.exit_code, cut_off.run.judgement.verdict) == (ExitCode.INCONCLUSIVE, "inconclusive")
    assert cut_off.verdict(PRINTS).status == "ok"
    assert (cut_off.verdict(HANGS).status, cut_off.verdict(HANGS).red) == ("missing", True)


def test_a_finished_cell_is_kept(resumed: Sweep) -> None:
    assert resumed.run.reused == (resumed.cell(PRINTS),)
    assert resumed.verdict(PRINTS).reused


def test_a_package_that_prints_garbage_breaks_nothing(resumed: Sweep) -> None:
    assert resumed.red(PRINTS) == {}
    assert resumed.verdict(PRINTS).status == "ok"


def test_a_hanging_cell_is_timed_out(resumed: Sweep) -> None:
    verdict = resumed.verdict(HANGS)

    assert (verdict.status, verdict.red) == ("timed-out", True)
    assert "15 s" in verdict.reason
    assert resumed.exit_code == ExitCode.REGRESSED
