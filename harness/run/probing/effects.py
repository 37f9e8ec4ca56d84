"""What one number a process comes of the rounds that the processes of a block took in turns. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

BESIDE = 1
"""A round is compared with those of the same number and of up to so many before and after."""


def compare_rounds(rounds: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """How much longer than the others each process takes, as the log of a ratio; all of them add up to 0.

    Any two processes are compared by the median of the logs of the ratios of rounds that ran beside each
    other; of that the effects of all are taken by least squares, which for a comparison of each with each is
    the mean. A stranger who slows the machine down for a moment falls into rounds that are beside each other
    alike, or into few of their ratios.

    Whoever is called what, the numbers stay with the processes. So where two are alike the difference of
    their effects is symmetric about 0, which is what the intervals rest on.

    Root mean square of the difference of two effects of identical processes against that of the median ratio
    of rounds with the same number, on a machine whose cores had a busy stranger on their other hyperthread
    (15 and 52 blocks, 2026-11): one text 0.020 against 0.023, 8 texts 0.030 and 0.042, 32 texts 0.030 and
    0.035, 256 float16 rows 0.016 and 0.021, 4096 of them 0.054 and 0.061; one float32 row 0.029 and 0.032.

    Args:
        rounds: of each process, seconds per call, in the order in which they were taken; as many of each.
    """
    logs = {name: [math.log(seconds) for seconds in each] for name, each in rounds.items()}
    return {
        name: sum(_differ(mine, theirs) for other, theirs in logs.items() if other != name) / len(logs)
        for name, mine in logs.items()
    }


def _differ(mine: Sequence[float], theirs: Sequence[float]) -> float:
    return statistics.median(
        each - other
        for number, each in enumerate(mine)
        for other in theirs[max(0, number - BESIDE) : number + BESIDE + 1]
    )
