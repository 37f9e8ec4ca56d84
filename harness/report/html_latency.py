"""What the page shows of latency: a table and a small drawing for each scenario."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from harness.report.latency_view import show_ratio, show_seconds, summarize_latency

if TYPE_CHECKING:
    from harness.records import LatencyRow, Run

_WIDTH = 200
_REACH = math.log(4)
"""The drawing reaches from a quarter of the baseline to four times it."""


def view_scenarios(run: Run) -> list[dict[str, Any]]:
    """Each scenario with its summary and one row a cell."""
    rows: dict[str, list[LatencyRow]] = defaultdict(list)
    for row in run.judgement.latency:
        rows[row.scenario].append(row)
    return [
        {
            "scenario": each.scenario,
            "baseline": "-" if each.baseline_p50 is None else show_seconds(each.baseline_p50),
            "lowest": show_ratio(each.lowest.ratio if each.lowest else None),
            "highest": show_ratio(each.highest.ratio if each.highest else None),
            "median": show_ratio(each.median),
            "floor": show_ratio(each.floor),
            "rows": [_row(row) for row in rows[each.scenario]],
        }
        for each in summarize_latency(run)
    ]


def _row(row: LatencyRow) -> dict[str, Any]:
    return {
        "cell": row.cell,
        "p50": show_seconds(row.p50),
        "ratio": show_ratio(row.ratio),
        "beyond": beyond_noise(row),
        "spread": f"{show_ratio(row.low)} - {show_ratio(row.high)}" if row.low is not None else "-",
        "floor": show_ratio(row.floor),
        "rounds": f"{row.rounds} x {row.iterations}",
        "bar": _bar(row),
    }


def beyond_noise(row: LatencyRow) -> str:
    """An arrow where all of the middle half of the rounds lies beyond the noise floor."""
    if row.low is None or row.high is None or row.floor is None:
        return ""
    if row.low > row.floor:
        return " ▲"
    return " ▼" if row.high < 1 / row.floor else ""


def _bar(row: LatencyRow) -> dict[str, Any] | None:
    if row.ratio is None or row.low is None or row.high is None:
        return None
    band = None
    if row.floor is not None:
        left, right = _place(1 / row.floor), _place(row.floor)
        band = (left, round(right - left, 1))
    return {"low": _place(row.low), "middle": _place(row.ratio), "high": _place(row.high), "band": band}


def _place(ratio: float) -> float:
    """Where a ratio stands in the drawing, 1 in the middle."""
    share = min(1.0, max(-1.0, math.log(ratio) / _REACH))
    return round(_WIDTH / 2 * (1 + share), 1)
