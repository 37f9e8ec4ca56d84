"""Whoever reads what the command prints may leave at any time; the work and its exit code stay."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FAKE_SWEEP = """
import asyncio, sys
from pathlib import Path
from support.runs import make_plan, make_planned, make_small_run
from harness.sweep import run_sweep as pipeline
from harness.cli.main import main
from harness.cli import sweeping
from harness.records import Earlier
from harness.records import Progress

async def no_settings():
    return None

async def make_fake_plan(request, settings, notify, executor):
    notify(Progress(cell="base", stage="resolving", total=2))
    return make_small_run().plan

async def run_fake_plan(request, plan, settings, notify, since, executor):
    for stage in ("environment", "imports", "contract") * 50:
        notify(Progress(cell="base", stage=stage))
    notify(Progress(cell="base", stage="latency", note="\\N{MIDDLE DOT}" + "x" * 300))
    (request.reports / "ended").touch()
    return make_small_run(), Earlier()

sweeping.read_pip_settings = no_settings
pipeline.make_plan = make_fake_plan
pipeline.run_plan = run_fake_plan
sys.argv = ["harness", "sweep", "--reports", sys.argv[1], "--store", sys.argv[1], *sys.argv[2:]]
main()
"""


def surroundings(root: Path) -> dict[str, str]:
    """Variables of the command: the builders of the tests are there, and a history is not its business."""
    path = os.pathsep.join((str(root), str(root / "tests")))
    return {**os.environ, "PYTHONPATH": path, "HARNESS_KEEP_RUNS": "0"}


def run_without_reader(root: Path, *argv: str, both: bool = False) -> tuple[int, str]:
    """Exit code and standard error of a command into a pipe that nobody reads; ``both`` go into it."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, *argv],
            stdout=writer,
            stderr=writer if both else subprocess.PIPE,
            env=surroundings(root),
            check=False,
            cwd=root,
        )
    finally:
        os.close(writer)
    return done.returncode, "" if both else done.stderr.decode()


@pytest.mark.parametrize(
    ("command", "both"),
    [
        (("schema",), False),
        (("--help",), False),
        (("lock", "--check", "--matrix", "smoke"), True),
    ],
)
def test_a_cheap_command_ends_quietly(root: Path, command: tuple[str, ...], *, both: bool) -> None:
    assert run_without_reader(root, "-m", "harness", *command, both=both) == (0, "")


def test_a_fault_keeps_its_exit_code(root: Path) -> None:
    assert run_without_reader(root, "-m", "harness", "sweep", "--matrix", "nope", both=True) == (2, "")


@pytest.mark.parametrize("both", [False, True])
def test_a_sweep_goes_on_to_its_end_and_keeps_its_verdict(root: Path, tmp_path: Path, *, both: bool) -> None:
    assert run_without_reader(root, "-c", FAKE_SWEEP, str(tmp_path), both=both) == (1, "")  # regressed
    assert (tmp_path / "ended").exists()


@pytest.mark.parametrize(
    ("encoding", "dot", "end"),
    [
        ("utf-8", "\N{MIDDLE DOT}", "x\N{HORIZONTAL ELLIPSIS}"),
        ("latin-1", "\\xb7", "x..."),
        ("ascii", "\\xb7", "x..."),
    ],
)
def test_a_log_of_any_encoding_is_written(
    encoding: str, dot: str, end: str, root: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FAKE_SWEEP, str(tmp_path)],
        env=surroundings(root) | {"PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    (line,) = (
        line for line in done.stdout.decode(encoding).splitlines() if "latency" in line and "xxx" in line
    )
    assert (done.returncode, f": {dot}xxx" in line, line.endswith(end)) == (1, True, True)


def test_what_an_encoding_lacks_ends_nothing(root: Path) -> None:
    script = "from harness.cli.screen import tolerate_closed_pipes as f; f(); print('\\u2026')"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=surroundings(root) | {"PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"\\u2026\n"


def test_a_reader_that_stops_half_way(root: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", FAKE_SWEEP, str(tmp_path)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, env=surroundings(root)) as sweep:  # type: ignore[call-overload] # two pipes
        first = sweep.stdout.readline()
        sweep.stdout.close()
        told = sweep.stderr.read()
    assert (first, told, sweep.returncode) == (b"resolving base\n", b"", 1)
    assert (tmp_path / "ended").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device here that is always full")
def test_a_full_disk_is_still_told(root: Path) -> None:
    with Path("/dev/full").open("w", encoding="ascii") as full:
        done = subprocess.run(
            [sys.executable, "-m", "harness", "schema"],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            cwd=root,
        )
    assert (done.returncode, done.stderr.decode()) == (
        5,
        "harness: I/O error: no space left on device\n",
    )
