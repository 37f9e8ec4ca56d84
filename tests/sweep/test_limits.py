"""The watch over memory and logs: when it fails, the sweep ends with an error instead of without limits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from support.fake_cells import LIMITS, Lab

from harness.errors import MachineError
from harness.sweep import limits


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(24, "Too many open files"), "cannot be checked: .*Too many open files"),
        (psutil.AccessDenied(1), "the limits of memory and logs cannot be checked: "),
    ],
)
def test_a_watch_that_fails_ends_the_sweep(
    error: Exception, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: set[int]) -> dict[int, int]:
        raise error

    monkeypatch.setattr(limits, "measure_sessions", fail)
    lab = Lab(tmp_path)
    with pytest.raises(MachineError, match=message):
        lab.run_one("hanging", limits=replace(LIMITS, contract=3.0))


def test_a_fault_of_the_watch_itself_is_raised_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: set[int]) -> dict[int, int]:
        raise RuntimeError("a fault of this program")

    monkeypatch.setattr(limits, "measure_sessions", fail)
    with pytest.raises(RuntimeError, match="a fault of this program"):
        Lab(tmp_path).run_one("hanging", limits=replace(LIMITS, contract=3.0))
