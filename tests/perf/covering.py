"""What many axes cost: the covering array of 9,000 rows, and the locks of 45 cells without a cache.

Run as ``python -m perf.covering``, it makes the array once and prints its seconds and rows as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time

from harness.matrix.covering import make_rows, prove_coverage
from harness.records import RuledOut
from perf.bench import Bench
from perf.figures import Figure

SIZES = (6, 5, 5, 5, 4, 3)
"""Versions of each axis: 9,000 rows."""

MATRIX = """\
schema = 1
title = "45 cells"

[axes]
openvino = ["2025.2.0", "2026.1.0", "2026.4.1"]
numpy = ["1.26.2", "2.0.2", "2.2.6"]
sentence-transformers = ["2.7.0", "3.3.1", "4.1.0", "5.1.2", "6.2.0"]

[pins]
python = { version = "3.11", reason = "that of the default matrix" }
torch = { version = "2.13.0", reason = "that of the default matrix" }

[resolve]
exclude-newer = "2026-11-01"

[model]
path = "model"
"""


async def measure_covering(bench: Bench, rounds: int) -> list[Figure]:
    """Seconds and cells of an array in a fresh process; seconds of ``harness lock`` with an empty cache."""
    told = []
    for number in range(rounds):
        bench.say(f"the covering array of 9,000 rows, {number + 1} of {rounds}")
        told.append(await bench.tell((sys.executable, "-m", "perf.covering"), dict[str, float]))
    folder = bench.make_folder("covering")
    (folder / "model").mkdir()
    matrix = folder / "wide.toml"
    matrix.write_text(MATRIX, encoding="utf-8")
    bench.say("the locks of 45 cells, with an empty cache (a minute)")
    argv = (sys.executable, "-m", "harness", "lock", "--matrix", str(matrix))
    cold = await bench.seconds(argv, env={**os.environ, "UV_CACHE_DIR": str(folder / "cache")})
    return [
        Figure(
            "cells of a covering array of 9,000 rows", "", tuple(each["rows"] for each in told), "at most 45"
        ),
        Figure("making it", "s", tuple(each["seconds"] for each in told), "at most 5"),
        Figure("the locks of 45 cells, cold", "s", (cold,), "at most 60"),
    ]


def make_array() -> dict[str, float]:
    """Make the array with versions ruled out as releases rule each other out, and prove it."""
    axes = {f"axis{place}": tuple(map(str, range(size))) for place, size in enumerate(SIZES)}
    pairs = (("axis0", "axis1"), ("axis1", "axis3"), ("axis2", "axis4"), ("axis4", "axis5"))
    ruled_out = [
        RuledOut(versions={one: (text,), other: (axes[other][-1],)}, reason="too old", by="resolver")
        for one, other in pairs
        for text in axes[one][:2]
    ]
    begun = time.perf_counter()
    rows = make_rows(axes, 2, ruled_out, [])
    prove_coverage(axes, 2, ruled_out, {str(place): row for place, row in enumerate(rows)})
    return {"seconds": time.perf_counter() - begun, "rows": len(rows)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(make_array()))
