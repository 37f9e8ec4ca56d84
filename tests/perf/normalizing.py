"""What normalizing costs: the normalizers of the harness against torch, on two releases of NumPy.

The ratios are those of CPU time with one thread each; the second thread of torch is not in them. Neither is
the allocator: up to 32 MiB no way of the two has page faults once its memory was used before. What float32
leaves to gain is the iterator of NumPy, which takes about 40 ns a row more than the division of contiguous
arrays; at 4096 x 384 the ratio differs between processes by more than that.
"""

from __future__ import annotations

from dataclasses import replace

from perf.bench import Bench
from perf.figures import Figure

MATRIX = "smoke"
"""The matrix whose environments are used: the oldest and the newest NumPy of the default one."""

ROUNDS = 21
"""Rounds in a process of one environment, for each round that is asked for."""

LARGE = ("256 x 384", "4096 x 384", "4096 x 1024")
GOALS = {
    **{f"float16 {shape}: stable / torch": "at most 1.5" for shape in ("32 x 384", *LARGE)},
    **{f"float32 {shape}: stable / torch": "at most 1" for shape in LARGE},
}


async def measure_normalizers(bench: Bench, rounds: int) -> list[Figure]:
    """Ratios of times, of normalizers that take turns in one process; an environment after the other."""
    smoke = replace(bench, matrix=MATRIX)
    smoke.say("making two environments")
    await smoke.seconds(smoke.harness("sweep", "--no-latency", "--checks", "env.versions"))
    found = []
    for cell, environment in smoke.find_environments():
        smoke.say(f"timing the normalizers in {cell.id} (a minute)")
        python = str(environment / "bin" / "python")
        argv = (python, "-m", "harness.cell.speed", "--json", "--rounds", str(ROUNDS * rounds))
        ratios = await smoke.tell(argv, dict[str, list[float]])
        found += [
            Figure(f"numpy {cell.axes['numpy']} {name}", "x", tuple(values), _choose_goal(name))
            for name, values in ratios.items()
        ]
    return found


def _choose_goal(name: str) -> str:
    above_manual = name.startswith("float32") and name.endswith("stable / manual")
    return "at most 1" if above_manual else GOALS.get(name, "")
