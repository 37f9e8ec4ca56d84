"""Snapshots to compare: three cells with a case and six timed scenarios each, and what is altered in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from support.pasts import case, cell, latency, past

from harness.records import Comparison, Interval, Quantity, QuantityDecision, QuantityOutcome, Snapshot

Change = Callable[[Snapshot], Snapshot]
NAMES = ("a", "b", "base")


def make(run: str = "run-1", *, session: str = "s1", **changes: Any) -> Snapshot:
    """Three cells, ``base`` the baseline, each with a case and six timed scenarios."""
    cells = tuple(cell(name, key=f"key of {name}", baseline=name == "base") for name in NAMES)
    timed = tuple(
        latency(name, f"embed.{size}", session=session, p50=size * 1e-3)
        for name in NAMES
        for size in range(1, 7)
    )
    return past(run, *cells, **{"latency": timed, **changes})


def later(**changes: Any) -> Snapshot:
    """The same, measured again."""
    return make("run-2", session="s2", **changes)


def alter(snapshot: Snapshot, name: str, **changes: Any) -> Snapshot:
    """With other things in one cell."""
    cells = tuple(
        msgspec.structs.replace(each, **{"key": "another", **changes}) if each.id == name else each
        for each in snapshot.cells
    )
    return msgspec.structs.replace(snapshot, cells=cells)


def slow(snapshot: Snapshot, name: str, scenario: str, factor: float) -> Snapshot:
    """With another time in one scenario of one cell."""
    return msgspec.structs.replace(
        snapshot,
        latency=tuple(
            latency(
                name,
                scenario,
                session=each.session,
                p50=each.p50 * factor,
                ratio=factor if name != "base" else 1.0,
                low=factor * 0.99,
                high=factor * 1.01,
            )
            if (each.cell, each.scenario) == (name, scenario)
            else each
            for each in snapshot.latency
        ),
    )


def told(comparison: Comparison) -> list[tuple[str, str, str, str, str, bool]]:
    return [(e.kind, e.cell, e.what, e.before, e.after, e.worse) for e in comparison.differences]


CHECK = "l0.parity/manual/float32"
RED = case(outcome="fail", value=3.0)


def locked(**versions: str) -> dict[str, str]:
    return {"numpy": "2.4.6", "torch": "2.13.0", **versions}


def changed_key(snapshot: Snapshot) -> Snapshot:
    return alter(snapshot, "a", versions=locked(openvino="2027.0"))


def replaced(snapshot: Snapshot, **changes: Any) -> Snapshot:
    timed = tuple(msgspec.structs.replace(each, **changes) for each in snapshot.latency)
    return msgspec.structs.replace(snapshot, latency=timed)


def decided(outcome: QuantityOutcome, ratio: float) -> QuantityDecision:
    return QuantityDecision(
        quantity=Quantity(id="memory.embedding", group="embedding", unit="B", threshold=1.1),
        outcome=outcome,
        change=Interval(low=ratio * 0.98, ratio=ratio, high=ratio * 1.02),
        blocks=12,
    )
