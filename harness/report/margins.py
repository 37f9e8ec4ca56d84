"""How much room each tolerance leaves: the worst that held, what is allowed, what a different model does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.records import Finding, Observation, Run

TOLERATED_LAYERS = frozenset({"L1", "L2", "L3", "RT", "GOLD"})
"""Where tolerances are measured; those of L0 are derived, in ULP."""


@dataclass(frozen=True)
class Margin:
    """One check over all cells in which it held.

    ``worst`` and ``allowed`` are in ``unit``; ``control`` is the least that a different model showed, None
    where the check has none; ``cell`` is where the worst was seen.
    """

    check: str
    unit: str
    worst: float
    cell: str
    allowed: float
    control: float | None
    cells: int

    @property
    def used(self) -> float:
        """Share of what is allowed that the worst took."""
        return self.worst / self.allowed

    @property
    def distance(self) -> float | None:
        """How many times what is allowed the control is away."""
        return None if self.control is None else self.control / self.allowed


def find_margins(run: Run) -> list[Margin]:
    """The margins of every check that holds what it measured to a tolerance, in the order of the suite."""
    held: dict[str, list[tuple[Finding, Observation]]] = defaultdict(list)
    for finding, seen in _measured(run.judgement.findings):
        held[finding.check].append((finding, seen))
    return [_margin(check, pairs) for check, pairs in held.items()]


def _measured(findings: Sequence[Finding]) -> Iterator[tuple[Finding, Observation]]:
    for finding in findings:
        seen = finding.observation
        if seen is None or finding.outcome != "pass" or finding.layer not in TOLERATED_LAYERS:
            continue
        if seen.bound == "max" and seen.value is not None and seen.allowed:
            yield finding, seen


def _margin(check: str, pairs: Sequence[tuple[Finding, Observation]]) -> Margin:
    finding, worst = max(pairs, key=lambda pair: pair[1].value or 0.0)
    controls = [seen.control for _, seen in pairs if seen.control is not None]
    return Margin(
        check=check,
        unit=worst.unit,
        worst=worst.value or 0.0,
        cell=finding.cell,
        allowed=worst.allowed or 0.0,
        control=min(controls) if controls else None,
        cells=len(pairs),
    )
