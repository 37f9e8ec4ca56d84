"""The combinations of versions in a covering array: a sentence, grids with the cell of each, and reasons."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.judge.array_cause import find_deciding_rows, find_explanations

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from harness.records import Combination, Coverage, Plan
    from harness.report.view import SignKind

COVERAGE_LEGEND = (
    "a number: the cell that has these versions; x: ruled out, by the reason of that number; "
    "!: the cell has no solution here"
)

_REASONS = 2
"""Reasons that an entry names at most."""


@dataclass(frozen=True)
class Entry:
    """One combination: the number of its cell or of its reasons; ``text`` is the cell, or the reasons."""

    kind: SignKind
    word: str
    cell: str
    text: str


@dataclass(frozen=True)
class CoverageGrid:
    """The combinations of some axes: the last one across, the others down."""

    axes: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], tuple[Entry, ...]], ...]


@dataclass(frozen=True)
class RuledOutRow:
    """Versions without a common solution, with the number that grids name."""

    number: int
    versions: str
    by: str
    reason: str


def describe_coverage(plan: Plan) -> str:
    """What the cells of a covering array stand for, in one sentence; empty without one."""
    coverage = plan.coverage
    if coverage is None:
        return ""
    noun = "pairs" if coverage.strength == 2 else "triples"
    covered = [each for each in coverage.combinations if each.cell and not each.unresolved]
    cells = len({each.cell for each in covered})
    ruled_out = sum(bool(each.ruled_out) for each in coverage.combinations)
    possible = len(coverage.combinations) - ruled_out
    share = f"all {possible:,}" if len(covered) == possible else f"{len(covered):,} of {possible:,}"
    text = f"{cells} cells in place of {coverage.product:,} have {share} possible {noun} of versions"
    text += f" (ruled out: {ruled_out:,})" if ruled_out else ""
    return text if len(covered) == possible else f"{text}; the cells of the others have no solution here"


def list_grids(plan: Plan) -> list[CoverageGrid]:
    """The combinations of a covering array as grids, in the order of the axes."""
    coverage = plan.coverage
    if coverage is None:
        return []
    numbers = {planned.cell.id: place for place, planned in enumerate(plan.cells, 1)}
    grids = []
    for axes, found in itertools.groupby(coverage.combinations, lambda each: tuple(each.versions)):
        rows: dict[tuple[str, ...], list[Entry]] = {}
        columns: dict[str, None] = {}
        for each in found:
            *down, across = each.versions.values()
            columns[across] = None
            rows.setdefault(tuple(down), []).append(_view(each, coverage, numbers))
        grids.append(
            CoverageGrid(axes, tuple(columns), tuple((down, tuple(row)) for down, row in rows.items()))
        )
    return grids


def _view(combination: Combination, coverage: Coverage, numbers: Mapping[str, int]) -> Entry:
    if places := combination.ruled_out:
        reasons = "; ".join(_describe(coverage.ruled_out[place].versions) for place in places)
        word = "x" + "+".join(str(place + 1) for place in places[:_REASONS])
        more = "..." if len(places) > _REASONS else ""
        return Entry("skip", word + more, "", f"ruled out: {reasons}")
    number = numbers.get(combination.cell)
    word = "-" if number is None else str(number)  # not in this run, which has a part of the cells
    if combination.unresolved:
        return Entry("missing", f"!{word}", combination.cell, combination.cell)
    return Entry("none" if number is None else "pass", word, combination.cell, combination.cell)


def list_ruled_out(plan: Plan) -> list[RuledOutRow]:
    """What is ruled out by the matrix or the resolver, with the reason."""
    found = () if plan.coverage is None else plan.coverage.ruled_out
    return [
        RuledOutRow(number, _describe(each.versions), each.by, each.reason)
        for number, each in enumerate(found, 1)
    ]


def _describe(versions: Mapping[str, Sequence[str]]) -> str:
    """Versions in words: ``numpy 2.3.5 or 2.4.6 with openvino 2024.6.0``."""
    return " with ".join(f"{axis} {' or '.join(texts)}" for axis, texts in versions.items())


_EXPLANATIONS = 3
"""Explanations that a sentence names at most."""


def describe_cause(plan: Plan, wrong: Collection[str], right: Collection[str]) -> str:
    """Which versions explain wrong cells of a covering array, and which further cells decide what is left.

    Empty for cells that are no covering array, and where nothing is right.
    """
    coverage = plan.coverage
    if coverage is None or not right:
        return ""
    cells = {planned.cell.id: planned.cell.axes for planned in plan.cells}
    found = find_explanations(cells, wrong, right, coverage.strength)
    if not found:
        return f"No versions of {coverage.strength} axes explain all {len(wrong)}"
    names = [_describe(each) for each in found]
    shown = "; or ".join(names[:_EXPLANATIONS])
    more = f"; or {len(names) - _EXPLANATIONS} more" if len(names) > _EXPLANATIONS else ""
    count = "the only wrong cell" if len(wrong) == 1 else f"all {len(wrong)}"
    text = f"In {count} and in no right one: {shown}{more}"
    rows = find_deciding_rows(found, [cells[cell] for cell in cells if cell in right], coverage.ruled_out)
    if not rows:
        return text
    shown_rows = "; ".join(
        ", ".join(f'{axis} = "{version}"' for axis, version in row.items()) for row in rows[:_EXPLANATIONS]
    )
    return f"{text}. To decide, add as [[include]], lock, and run `{plan.command}`: {shown_rows}"
