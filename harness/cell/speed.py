"""Time of the normalizers relative to torch: ``python -m harness.cell.speed`` in an environment with NumPy.

All run in every round, one after the other, so disturbances of the machine affect all. The output is the
median of the ratios of the rounds with its quartiles. Time is CPU time of the thread, so the measurement
works on a busy machine. It needs no model, and without torch it compares ``stable`` with ``manual`` alone.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from typing import Callable, Dict, List, Tuple

import numpy as np

from harness.cell.normalizers import manual, stable

Normalizer = Callable[[np.ndarray], object]

SHAPES = ((1, 384), (32, 384), (256, 384), (4096, 384), (4096, 1024))
PAIRS = (("manual", "torch"), ("stable", "torch"), ("stable", "manual"))
ROUND_SECONDS = 2e-3
"""Duration of a timed round of a normalizer (or one call), far above the resolution of the clock."""


def load_normalizers() -> Dict[str, Normalizer]:
    """The normalizers by name; that of torch, on one thread, where torch is installed."""
    found: Dict[str, Normalizer] = {"manual": manual, "stable": stable}
    try:
        import torch  # noqa: PLC0415 - see above
    except ImportError:
        return found
    torch.set_num_threads(1)
    found["torch"] = lambda rows: torch.nn.functional.normalize(torch.from_numpy(rows), dim=1).numpy()
    return found


def _seconds(function: Normalizer, rows: np.ndarray) -> float:
    calls, start = 0, time.thread_time()
    while True:
        function(rows)
        calls += 1
        spent = time.thread_time() - start
        if spent >= ROUND_SECONDS:
            return spent / calls


def measure_ratios(
    normalizers: Dict[str, Normalizer], rows: np.ndarray, rounds: int
) -> Dict[Tuple[str, str], List[float]]:
    """Ratios of times on the same rows by pair, round by round; the order alternates."""
    pairs = [pair for pair in PAIRS if set(pair) <= set(normalizers)]
    ratios: Dict[Tuple[str, str], List[float]] = {pair: [] for pair in pairs}
    for function in normalizers.values():
        function(rows)
    for number in range(rounds):
        order = sorted(normalizers, reverse=bool(number % 2))
        taken = {name: _seconds(normalizers[name], rows) for name in order}
        for above, below in pairs:
            ratios[above, below].append(taken[above] / taken[below])
    return ratios


def measure_all(rounds: int) -> Dict[str, List[float]]:
    """Ratios of every dtype, shape and pair; the name of a ratio says which."""
    source, normalizers = np.random.RandomState(1), load_normalizers()
    found = {}
    for dtype in ("float32", "float16"):
        for rows, width in SHAPES:
            given = source.standard_normal((rows, width)).astype(dtype)
            for pair, ratios in measure_ratios(normalizers, given, rounds).items():
                found[f"{dtype} {rows} x {width}: {pair[0]} / {pair[1]}"] = ratios
    return found


def table(found: Dict[str, List[float]]) -> str:
    """Format one line for each ratio."""
    lines = [f"numpy {np.__version__}: median (quartiles)"]
    for name, ratios in found.items():
        low, middle, high = statistics.quantiles(ratios, n=4)
        lines.append(f"{name:<36} {middle:.2f} ({low:.2f} to {high:.2f})")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Read the command line, measure, and print the ratios."""
    parser = argparse.ArgumentParser(prog="python -m harness.cell.speed")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = measure_all(asked.rounds)
    sys.stdout.write(json.dumps(found) if asked.json else table(found))


if __name__ == "__main__":
    main()
