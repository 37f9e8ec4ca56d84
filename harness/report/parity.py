"""Differences as a share of their tolerances, and the margin of each tolerance."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.cell.interface import LAYERS, check_of
from harness.records import Finding, Observation, Run

# Margins: the worst passed value, the tolerance, and the control

TOLERATED_LAYERS = frozenset({"L1", "L2", "L3", "RT", "GOLD"})
"""Layers with measured tolerances; those of L0 are derived, in ULP."""


@dataclass(frozen=True)
class Margin:
    """One check over all cells in which it passed.

    ``worst`` and ``allowed`` are in ``unit``; ``control`` is the smallest difference of a different model,
    None without a control; ``cell`` has the worst value.
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
        """The worst value as a share of the tolerance."""
        return self.worst / self.allowed

    @property
    def distance(self) -> float | None:
        """The control as a multiple of the tolerance."""
        return None if self.control is None else self.control / self.allowed


def find_margins(run: Run) -> list[Margin]:
    """Find the margin of every check with a measured tolerance, in the order of the suite."""
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


Kind = Literal["within", "expected", "red"]
"""Within the tolerance; beyond it, but known, a limit or a note; beyond it and red."""

_UNITS = {"abs", "distance", "ulp", "eps"}
"""Units of differences; counts and yes-or-no answers have no distribution."""

_STEPS = 10
"""Marks per power of ten; nearer values share a mark."""


@dataclass(frozen=True)
class Mark:
    """Differences of about the same size: ``share`` of the tolerance (None: not finite), and their number."""

    share: float | None
    kind: Kind
    count: int


@dataclass(frozen=True)
class LayerSpread:
    """The differences of a layer in a group of cells.

    ``cases`` and ``infinite`` (values that are not finite) are counts per cell. ``median`` and ``worst`` (the
    largest finite share) cover all cells, and so does ``control``, the smallest difference of a different
    model as a share of the tolerance; None for derived tolerances.
    """

    layer: str
    marks: tuple[Mark, ...]
    cases: int
    median: float | None
    worst: float | None
    infinite: int
    control: float | None

    def count(self, kind: Kind) -> int:
        """Number of cases of a kind per cell."""
        return sum(mark.count for mark in self.marks if mark.kind == kind)


@dataclass(frozen=True)
class CellGroup:
    """Cells with the same marks in every layer, named by a letter."""

    name: str
    cells: tuple[str, ...]
    layers: tuple[LayerSpread, ...]


def find_parity(run: Run) -> list[CellGroup]:
    """Group the cells with measured differences, in the order of the plan."""
    found: dict[str, dict[str, list[tuple[Finding, Observation]]]] = defaultdict(lambda: defaultdict(list))
    for finding in run.judgement.findings:
        seen = finding.observation
        if seen is not None and seen.bound == "max" and seen.unit in _UNITS and seen.allowed:
            found[finding.cell][finding.layer].append((finding, seen))
    groups: dict[tuple[tuple[str, tuple[Mark, ...]], ...], list[str]] = defaultdict(list)
    for cell, layers in found.items():
        groups[tuple((layer, _marks(layers[layer])) for layer in LAYERS if layer in layers)].append(cell)
    return [
        CellGroup(
            name_group(place),
            tuple(cells),
            tuple(_spread(layer, marks, [found[cell][layer] for cell in cells]) for layer, marks in key),
        )
        for place, (key, cells) in enumerate(groups.items())
    ]


def name_group(place: int) -> str:
    """Name a group by its place: A, B, ... Z, AA, AB, ..."""
    before, letter = divmod(place, 26)
    return (name_group(before - 1) if before else "") + chr(ord("A") + letter)


def _spread(
    layer: str, marks: tuple[Mark, ...], cells: Sequence[Sequence[tuple[Finding, Observation]]]
) -> LayerSpread:
    """Summarize the differences of a layer in cells with the same marks."""
    pairs = [pair for cell in cells for pair in cell]
    shares = sorted(_share(seen) for _, seen in pairs)
    finite = [share for share in shares if math.isfinite(share)]
    measured = layer != "L0"  # its tolerances are derived, and zeros look the same in every model
    controls = [
        seen.control / seen.allowed
        for _, seen in pairs
        if seen.control is not None and seen.allowed and measured
    ]
    return LayerSpread(
        layer=layer,
        marks=marks,
        cases=len(cells[0]),
        median=shares[(len(shares) - 1) // 2] if finite else None,
        worst=max(finite, default=None),
        infinite=(len(shares) - len(finite)) // len(cells),
        control=min(controls, default=None),
    )


def _share(seen: Observation) -> float:
    return math.inf if seen.value is None else seen.value / (seen.allowed or 1.0)


def _marks(pairs: Sequence[tuple[Finding, Observation]]) -> tuple[Mark, ...]:
    counts: dict[tuple[float, Kind], int] = defaultdict(int)
    for finding, seen in pairs:
        counts[_round(_share(seen)), _kind(finding)] += 1
    return tuple(
        Mark(share if math.isfinite(share) else None, kind, count)
        for (share, kind), count in sorted(counts.items())
    )


def _round(share: float) -> float:
    """Round to one of ``_STEPS`` marks per power of ten, without crossing 1."""
    if not math.isfinite(share) or share <= 0:
        return share
    near = 10 ** (round(math.log10(share) * _STEPS) / _STEPS)
    return near if (near <= 1) == (share <= 1) else share


def _kind(finding: Finding) -> Kind:
    if finding.outcome in {"pass", "xpass"}:  # an xpass is red because it is within
        return "within"
    return "expected" if finding.outcome in {"xfail", "limit", "note"} else "red"


@dataclass(frozen=True)
class WorstText:
    """The texts with the worst difference of a case, as ``share`` of the tolerance, in ``cells`` cells."""

    case: str
    kind: Kind
    value: float | None
    unit: str
    share: float
    sample: str
    cells: int


def find_worst_texts(run: Run, limit: int = 24) -> list[WorstText]:
    """Find the texts whose embeddings differ most: the worst of each check, the largest share first."""
    grouped: dict[tuple[str, str], list[tuple[Finding, Observation]]] = defaultdict(list)
    for finding in run.judgement.findings:
        seen = finding.observation
        if seen is None or finding.layer not in {"L1", "L2", "RT", "GOLD"} or not seen.sample:
            continue
        if seen.bound == "max" and seen.unit in _UNITS and seen.allowed and seen.worst:
            grouped[check_of(finding.check), seen.sample].append((finding, seen))
    found = []
    for (_, sample), pairs in grouped.items():
        finding, worst = max(pairs, key=lambda pair: _share(pair[1]))
        found.append(
            WorstText(
                finding.check,
                _kind(finding),
                worst.value,
                worst.unit,
                _share(worst),
                sample,
                len({each.cell for each, _ in pairs}),
            )
        )
    return sorted(found, key=lambda each: -each.share)[:limit]
