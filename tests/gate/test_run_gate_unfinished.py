"""A running or interrupted gate: its decision and the kept results."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from support.suite_front import Front, front_fixture, world_fixture  # noqa: F401 - fixtures

from harness.cli.earlier import open_runs
from harness.errors import UsageError
from harness.runs.folder import LATEST, UNFINISHED
from harness.sweep import run_sweep
from harness.sweep.schedule import sweep

Say = pytest.CaptureFixture[str]


def test_a_running_gate_is_unfinished(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    async def watch(*arguments: Any) -> Any:
        seen.append(look(front))
        swept = await sweep(*arguments)
        seen.append(look(front))
        return swept

    seen: list[tuple[str, str]] = []
    monkeypatch.setattr(run_sweep, "sweep", watch)
    assert front.run("numpy==2.0.2") == 0
    assert seen == [("inconclusive", "The gate was interrupted before its decision")] * 2
    assert not (front.runs[0] / UNFINISHED).exists()
    assert (front.folder / "reports" / "runs" / LATEST).resolve() == front.runs[0]


def look(front: Front) -> tuple[str, str]:
    """The verdict and sentence of a running gate."""
    reports = front.folder / "reports"
    assert (front.runs[-1] / UNFINISHED).exists()
    assert not (reports / "runs" / LATEST).exists()
    with pytest.raises(UsageError):
        open_runs(reports).find_folder(LATEST, "sweep")
    return front.read().decision.verdict, front.read().decision.sentence


@pytest.fixture
def heeded() -> Iterator[None]:
    """Handle SIGINT, which is ignored if the tests run in the background of a script."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_reports_the_kept_results(
    number: int, front: Front, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    async def wait(*arguments: Any) -> Any:
        await sweep(*arguments)
        os.kill(os.getpid(), number)
        await asyncio.sleep(60)

    monkeypatch.setattr(run_sweep, "sweep", wait)
    assert front.run("numpy==2.0.2") == 130
    said = capsys.readouterr().err
    command = f"harness report {front.runs[0]}"
    assert said.strip() == (
        "harness: interrupted; finished cases are kept, and the same command resumes the gate; "
        f"`{command}` decides on the results so far"
    )
    assert front.command("report", str(front.runs[0])) == 0, "the whole suite was over"
    assert front.run("numpy==2.0.2", latency=True) == 130
    assert "resumes the gate, but measures latency again; `harness report" in capsys.readouterr().err


def test_a_gate_interrupted_in_its_suite_has_no_cause(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    async def cut_off(*arguments: Any) -> Any:
        await sweep(*arguments)
        (front.runs[-1] / "cells" / "candidate" / "result.json").unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr(run_sweep, "sweep", cut_off)
    assert front.run("numpy==2.0.2") == 130
    assert front.command("report", str(front.runs[0])) == 4
    assert front.read().decision.sentence == "The gate was interrupted before its decision"
