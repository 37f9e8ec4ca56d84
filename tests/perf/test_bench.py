"""The bench of the costs: the commands that it runs, its environment and its folder."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from support.fake_bench import make_bench

from harness.errors import MachineError
from perf.bench import Bench

ENVIRONMENT = "2" * 20


def test_the_environment_is_the_one_of_the_cell(tmp_path: Path) -> None:
    bench = make_bench(tmp_path)
    with pytest.raises(MachineError, match="nothing to measure there"):
        bench.find_environment()
    bench.leave_run("run-1")
    assert bench.find_environment() == tmp_path / "store" / "envs" / ENVIRONMENT
    with pytest.raises(MachineError, match="c is not in the plan"):
        bench.find_environment("c")


def make_command(code: int) -> tuple[str, ...]:
    return (sys.executable, "-c", f"import sys; print('some words'); sys.exit({code})")


@pytest.mark.parametrize("code", [0, 1, 3, 4])
def test_a_verdict_is_a_result_like_any_other(tmp_path: Path, code: int) -> None:
    assert asyncio.run(Bench.seconds(make_bench(tmp_path), make_command(code))) > 0


@pytest.mark.parametrize("code", [2, 5])
def test_a_broken_harness_is_not(tmp_path: Path, code: int) -> None:
    with pytest.raises(MachineError, match=rf"exit {code}\nsome words"):
        asyncio.run(Bench.seconds(make_bench(tmp_path), make_command(code)))


def test_what_a_command_tells_is_read(tmp_path: Path) -> None:
    bench = make_bench(tmp_path)
    command = (sys.executable, "-c", "print('{\"a\": 1.5}')")
    assert asyncio.run(Bench.tell(bench, command, dict[str, float])) == {"a": 1.5}
    for script in ("print('words')", "raise SystemExit(3)"):
        with pytest.raises(MachineError):
            asyncio.run(Bench.tell(bench, (sys.executable, "-c", script), dict[str, float]))
