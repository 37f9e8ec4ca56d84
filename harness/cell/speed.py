"""Time of ``stable`` relative to ``manual``: ``python -m harness.cell.speed`` in an environment with NumPy.

Both run in every round, one after the other, so disturbances of the machine affect both. The output is the
median of the ratios of the rounds with its quartiles. Time is CPU time of the thread, so the measurement
works on a busy machine. It needs neither a model nor torch.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from typing import Callable, List

import numpy as np

from harness.cell.normalizers import manual, stable

SHAPES = ((1, 384), (32, 384), (256, 384), (4096, 384))
ROUND_SECONDS = 2e-3
"""Duration of a timed round of ``manual`` (or one call), far above the resolution of the clock."""


def _seconds(function: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, calls: int) -> float:
    start = time.thread_time()
    for _ in range(calls):
        function(rows)
    return (time.thread_time() - start) / calls


def measure_ratios(rows: np.ndarray, rounds: int) -> List[float]:
    """Time of ``stable`` relative to ``manual`` on the same rows, by round; the order alternates."""
    calls = max(1, int(ROUND_SECONDS / min(_seconds(manual, rows, 1) for _ in range(3))))
    ratios = []
    for number in range(rounds):
        pair = (manual, stable) if number % 2 else (stable, manual)
        taken = {function: _seconds(function, rows, calls) for function in pair}
        ratios.append(taken[stable] / taken[manual])
    return ratios


def table(rounds: int) -> str:
    """Measure and format one line for each dtype and shape."""
    source = np.random.RandomState(1)
    lines = [f"numpy {np.__version__}, {rounds} rounds: stable / manual, median (quartiles)"]
    for dtype in ("float32", "float16"):
        for shape in SHAPES:
            ratios = measure_ratios(source.standard_normal(shape).astype(dtype), rounds)
            low, middle, high = statistics.quantiles(ratios, n=4)
            lines.append(f"{dtype} {shape[0]:5} rows  {middle:.2f} ({low:.2f} to {high:.2f})")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Read the command line, measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m harness.cell.speed")
    parser.add_argument("--rounds", type=int, default=41)
    sys.stdout.write(table(parser.parse_args().rounds))


if __name__ == "__main__":
    main()
