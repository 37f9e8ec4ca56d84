"""Asks the statistics process for intervals: scipy works there, the controller never imports NumPy."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from harness.errors import MachineError
from harness.gate_records import Interval
from harness.held import temporary_folder
from harness.processes import run

ANSWER_SECONDS = 120.0
"""A look takes about a second, most of it the import of scipy; this is for a machine that stands still."""


T = TypeVar("T")


class _Answer(msgspec.Struct, frozen=True):
    intervals: dict[str, Interval]


async def estimate(
    samples: Mapping[str, Sequence[float]],
    confidence: float,
    *,
    method: Literal["signed-rank", "t"] = "signed-rank",
    seconds: float = ANSWER_SECONDS,
) -> dict[str, Interval]:
    """The ratio of each sample with its interval.

    Args:
        samples: name -> paired log ratios.
        confidence: of each interval by itself, such as 0.9996; see ``judge.sampling.confidence_at``.
        method: which interval; the gate uses the first.
        seconds: how long the answer may take.

    Returns:
        By name; a sample that is too small for this confidence has none.

    Raises:
        MachineError: the statistics could not be had; the last line of the process says why.
    """
    request = {"samples": dict(samples), "confidence": confidence, "method": method}
    answer = await ask_statistics(msgspec.json.encode(request), _Answer, seconds=seconds)
    return answer.intervals


async def ask_statistics(request: bytes, kind: type[T], *, seconds: float = ANSWER_SECONDS) -> T:
    """The answer of the statistics process to a request.

    Raises:
        MachineError: the statistics could not be had; the last line of the process says why.
    """
    with temporary_folder("estimate") as folder:
        path = folder / "request.json"
        path.write_bytes(request)
        # -P: not what lies in the folder
        argv = (sys.executable, "-P", "-m", "harness.statistics", str(path))
        try:
            done = await run(argv, env=_surroundings(), timeout=seconds)
        except TimeoutError as error:
            raise MachineError(f"the statistics gave no answer in {seconds:g} s") from error
    if done.returncode != 0:
        said = [line.removeprefix("harness.statistics: ") for line in done.stderr.strip().splitlines()]
        why = said[-1] if said else "it said nothing"
        raise MachineError(f"the statistics failed (exit {done.returncode}): {why}")
    try:
        return msgspec.json.decode(done.stdout, type=kind)
    except msgspec.DecodeError as error:
        raise MachineError(f"the statistics said what cannot be read: {error}") from error


def _surroundings() -> dict[str, str]:
    """Ours, with the harness itself where it can be imported from (it may be a checkout), and one thread."""
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OPENBLAS_NUM_THREADS": "1"}
