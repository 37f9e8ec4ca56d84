"""Which versions explain the wrong cells of a covering array, and which further cells decide between them."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from harness.records import RuledOut

Versions = dict[str, str]
"""Axis -> version of a cell."""

Explanation = dict[str, tuple[str, ...]]
"""Axis -> versions: the cells with one of these versions on each of these axes."""


def find_explanations(
    cells: Mapping[str, Versions], wrong: Collection[str], right: Collection[str], most: int
) -> tuple[Explanation, ...]:
    """The smallest sets of at most ``most`` axes whose versions tell all wrong cells from every right one.

    Args:
        cells: id -> versions of the cells.
        wrong: the cells with one fault; cells that are in neither group tell nothing.
        right: the cells without any.
        most: the strength of the array, which has no evidence on more axes.
    """
    if not wrong or not right:
        return ()
    rows = [cells[cell] for cell in cells if cell in wrong]
    found: list[Explanation] = []
    for size in range(1, most + 1):
        for axes in itertools.combinations(rows[0], size):
            versions = {axis: tuple(dict.fromkeys(row.get(axis, "") for row in rows)) for axis in axes}
            larger = any(each.keys() <= versions.keys() for each in found)
            if not larger and not any(_contains(versions, cells[cell]) for cell in right):
                found.append(versions)
    return tuple(found)


def find_deciding_rows(
    explanations: Sequence[Explanation], right: Iterable[Versions], ruled_out: Sequence[RuledOut]
) -> tuple[Versions, ...]:
    """Rows that decide between explanations: each is a right row with the versions of only one of them.

    The last explanation needs none, because it is what remains; one without such a row is left out.
    """
    known = list(right)
    excluded = [each.versions for each in ruled_out]
    rows = []
    for explanation in explanations[:-1]:
        others = [each for each in explanations if each is not explanation]
        possible = (
            row
            for row in _change(known, explanation)
            if not any(_contains(versions, row) for versions in (*others, *excluded))
        )
        if (row := next(possible, None)) is not None:
            rows.append(row)
    return tuple(rows)


def _change(rows: Iterable[Versions], explanation: Explanation) -> Iterator[Versions]:
    for row in rows:
        for texts in itertools.product(*explanation.values()):
            yield {**row, **dict(zip(explanation, texts, strict=True))}


def _contains(versions: Explanation, row: Mapping[str, str]) -> bool:
    return all(row.get(axis) in texts for axis, texts in versions.items())
