"""Covering arrays: rows in which every feasible combination of a few axes occurs, and the proof of it.

A combination is one version on each of ``strength`` axes. It is feasible if some row of all axes has it and
contains nothing that is ruled out. covertable proposes the rows; the proof does not rely on it.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from harness.errors import UsageError
from harness.matrix.expand import Row
from harness.records import Combination, Coverage, RuledOut

Axes = Mapping[str, Sequence[str]]
"""Axis -> its versions, in the order of the matrix."""

_NAMED = 3
"""Combinations that a message names at most."""


def make_rows(axes: Axes, strength: int, ruled_out: Sequence[RuledOut], first: Iterable[Row]) -> list[Row]:
    """Rows that have every feasible combination; rows of ``first`` that add one are kept, in this order."""
    from covertable import make  # noqa: PLC0415 - needed where a matrix is locked, and nowhere else

    kept: list[Row] = []
    known: set[frozenset[tuple[str, str]]] = set()
    for row in first:
        added = set(_combinations_in(row, axes, strength)) - known
        if added and not is_ruled_out(row, ruled_out):
            kept.append(row)
            known |= added
    factors = {axis: list(versions) for axis, versions in axes.items()}
    constraints = [_to_condition(each) for each in ruled_out]
    proposed = make(factors, strength=strength, presets=kept, constraints=constraints)
    ordered = [{axis: row[axis] for axis in axes} for row in proposed]
    rows = [*kept, *(row for row in ordered if row not in kept and not is_ruled_out(row, ruled_out))]
    left = (complete(axes, each, ruled_out) for each in _find_uncovered(axes, strength, rows))
    return [*rows, *(row for row in left if row is not None)]


def _to_condition(ruled_out: RuledOut) -> dict[str, object]:
    """A set of versions that is ruled out, as a condition of covertable."""
    others: list[dict[str, object]] = [
        {"operator": "not", "condition": {"operator": "in", "left": axis, "values": list(versions)}}
        for axis, versions in ruled_out.versions.items()
    ]
    return {"operator": "or", "conditions": others}


def drop_redundant(axes: Axes, strength: int, rows: Sequence[Row], always: Collection[Row] = ()) -> list[Row]:
    """The rows without those whose combinations all occur in others; the last ones go first."""
    counts = Counter(each for row in rows for each in _combinations_in(row, axes, strength))
    left: list[Row] = []
    for row in reversed(rows):
        own = list(_combinations_in(row, axes, strength))
        if row in always or any(counts[each] == 1 for each in own):
            left.append(row)
        else:
            counts.subtract(own)
    return left[::-1]


def is_ruled_out(row: Mapping[str, str], ruled_out: Iterable[RuledOut]) -> bool:
    """Whether a row, or a part of one, contains versions that are ruled out."""
    return any(_contains(row, each) for each in ruled_out)


def _contains(row: Mapping[str, str], ruled_out: RuledOut) -> bool:
    return all(row.get(axis) in versions for axis, versions in ruled_out.versions.items())


def complete(axes: Axes, part: Mapping[str, str], ruled_out: Sequence[RuledOut]) -> Row | None:
    """A row of all axes with the versions of ``part`` that contains nothing ruled out; None without any.

    The axis with the fewest possible versions comes first, so that dead ends are found early.
    """
    if is_ruled_out(part, ruled_out):
        return None
    possible = {
        axis: [text for text in versions if not is_ruled_out({**part, axis: text}, ruled_out)]
        for axis, versions in axes.items()
        if axis not in part
    }
    if not possible:
        return {axis: part[axis] for axis in axes}
    axis = min(possible, key=lambda name: len(possible[name]))
    found = (complete(axes, {**part, axis: text}, ruled_out) for text in possible[axis])
    return next((row for row in found if row is not None), None)


def find_obstacles(
    axes: Axes, part: Mapping[str, str], ruled_out: Sequence[RuledOut]
) -> tuple[int, ...] | None:
    """Places in ``ruled_out`` that together leave no row with the versions of ``part``; None if there is one.

    None of the places can be left out.
    """
    for place, each in enumerate(ruled_out):
        if _contains(part, each):
            return (place,)
    if complete(axes, part, ruled_out) is not None:
        return None
    places = list(range(len(ruled_out)))
    for place in range(len(ruled_out)):
        fewer = [each for each in places if each != place]
        if complete(axes, part, [ruled_out[each] for each in fewer]) is None:
            places = fewer
    return tuple(places)


def prove_coverage(
    axes: Axes,
    strength: int,
    ruled_out: Sequence[RuledOut],
    cells: Mapping[str, Row],
    unresolved: Collection[str] = (),
) -> Coverage:
    """The cell that has each combination, or what rules the combination out.

    Args:
        axes: the axes of the matrix.
        strength: the number of axes of a combination.
        ruled_out: the exclude rows of the matrix, and the sets of versions without a solution.
        cells: id -> versions of the cells that name the axes alone.
        unresolved: ids of the cells that have no solution.

    Raises:
        UsageError: a feasible combination is in no cell.
    """
    where: dict[frozenset[tuple[str, str]], str] = {}
    for cell in sorted(cells, key=lambda cell: cell in unresolved):  # stable: a cell with a solution wins
        for each in _combinations_in(cells[cell], axes, strength):
            where.setdefault(each, cell)
    found, lacking = [], []
    for versions in list_combinations(axes, strength):
        cell = where.get(frozenset(versions.items()), "")
        obstacles = find_obstacles(axes, versions, ruled_out) if not cell or cell in unresolved else ()
        if obstacles:
            found.append(Combination(versions=versions, ruled_out=obstacles))
        elif cell:
            found.append(Combination(versions=versions, cell=cell, unresolved=cell in unresolved))
        else:
            lacking.append(versions)
    _refuse_lacking(lacking)
    return Coverage(
        strength=strength,
        product=math.prod(map(len, axes.values())),
        combinations=tuple(found),
        ruled_out=tuple(ruled_out),
    )


def _refuse_lacking(combinations: Sequence[Row]) -> None:
    if combinations:
        shown = "; ".join(map(describe_versions, combinations[:_NAMED]))
        more = f" and {len(combinations) - _NAMED} more" if len(combinations) > _NAMED else ""
        raise UsageError(
            f"the covering array lacks {shown}{more}: no cell has these versions, and nothing rules them out"
        )


def describe_versions(versions: Mapping[str, str]) -> str:
    """Versions in words: ``numpy 2.4.6, openvino 2024.6.0``."""
    return ", ".join(f"{axis} {text}" for axis, text in versions.items())


def list_combinations(axes: Axes, strength: int) -> Iterator[Row]:
    """Every combination of the axes, in their order."""
    for names in itertools.combinations(axes, strength):
        for texts in itertools.product(*(axes[name] for name in names)):
            yield dict(zip(names, texts, strict=True))


def _combinations_in(row: Row, axes: Axes, strength: int) -> Iterator[frozenset[tuple[str, str]]]:
    """The combinations that a row has."""
    return (
        frozenset((name, row[name]) for name in names) for names in itertools.combinations(axes, strength)
    )


def _find_uncovered(axes: Axes, strength: int, rows: Iterable[Row]) -> Iterator[Row]:
    known = {each for row in rows for each in _combinations_in(row, axes, strength)}
    return (each for each in list_combinations(axes, strength) if frozenset(each.items()) not in known)
