"""Asks the statistics process how series changed; the controller itself never imports NumPy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from harness.gate_records import Interval
from harness.run.estimates import ask_statistics


class Changed(msgspec.Struct, frozen=True):
    """``changes``: places at which a new level begins; ``slope``: the ratio that one place adds, if known."""

    changes: tuple[int, ...]
    slope: Interval | None


class _Answer(msgspec.Struct, frozen=True):
    series: dict[str, Changed]


async def find_changes(
    series: Mapping[str, Sequence[float]], since: Mapping[str, int], *, confidence: float
) -> dict[str, Changed]:
    """What became of each series.

    Args:
        series: name -> logs, the oldest first.
        since: name -> place from which on the slope of a series is wanted; the others get none.
        confidence: of the interval of each slope by itself.

    Raises:
        MachineError: the statistics could not be had.
    """
    request = msgspec.json.encode({"series": dict(series), "since": dict(since), "confidence": confidence})
    return (await ask_statistics(request, _Answer)).series
