"""Expand a matrix document into rows, with the standard library alone.

``noxfile.py`` loads this module in nox's own Python, without the dependencies of the harness. Therefore it
works on the document as ``tomllib`` reads it, and imports ``packaging``, a dependency of nox, only for an
exclude row with a version specifier.
"""

from __future__ import annotations

import functools
import itertools
import operator
import re
from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import UsageError

Row = dict[str, str]
"""Axis -> exact version, in the order of the axes, followed by the pins that the row overrides."""

ROW_NOTES = ("reason", "source")
"""Keys of an include or exclude row that are not packages."""

MAX_CELLS = 10_000
"""Cells of a matrix, after exclude and include, unless ``--max-cells`` allows more."""

MAX_EXPANDED = 100
"""Largest number of combinations before exclude, per allowed cell."""


def expand(document: Mapping[str, Any], *, file: str = "the matrix", max_cells: int = MAX_CELLS) -> list[Row]:
    """The rows of a matrix: the product of its axes, minus excluded rows, plus included rows.

    Args:
        document: a matrix as ``tomllib`` reads it.
        file: its name in messages.
        max_cells: the maximum number of rows; a larger product is refused before it takes memory.

    Raises:
        UsageError: an axis has no versions, an exclude row matches nothing, an include row names other axes
            or a duplicate cell, or the matrix has no rows or too many.
    """
    rows = _remaining(document, file, max_cells)
    included: Sequence[Mapping[str, str]] = document.get("include", ())
    if len(rows) + len(included) > max_cells:
        raise UsageError(_too_many(file, max_cells))
    ids = {cell_id(row) for row in rows}
    axes, pins = axis_names(document), tuple(document.get("pins", {}))
    for number, entry in enumerate(included):
        row = _included(axes, pins, entry, f"{file}: include[{number}]")
        if cell_id(row) in ids:
            raise UsageError(
                f"{file}: include[{number}]: the cell {cell_id(row)} exists already; delete this row"
            )
        ids.add(cell_id(row))
        rows.append(row)
    if not rows:
        raise UsageError(f"{file}: no cells: give [axes] versions, or add an [[include]] row")
    return rows


def axis_names(document: Mapping[str, Any]) -> tuple[str, ...]:
    """The axes in the order of the file; without axes, the keys of the include rows that are not pins."""
    if document.get("axes"):
        return tuple(document["axes"])
    pins = document.get("pins", {})
    named = (key for entry in document.get("include", ()) for key in entry)
    return tuple(dict.fromkeys(key for key in named if key not in ROW_NOTES and key not in pins))


def cell_id(row: Mapping[str, str]) -> str:
    """The cell id of a row, such as ``numpy-1.26.2_sentence-transformers-3.3.1``, of ``[a-z0-9_.-]`` only."""
    text = "_".join(f"{name}-{version}" for name, version in row.items())
    return re.sub(r"[^a-z0-9_.-]", "-", text.lower())


def _remaining(document: Mapping[str, Any], file: str, max_cells: int) -> list[Row]:
    """The product of the axes without the excluded combinations.

    Each version has a bit mask of the exclude rows that it matches; a combination is excluded if the masks of
    all its versions share a bit. The cost of a combination is independent of the number of exclude rows.
    """
    axes = _axes(document, file, max_cells)
    excluded: Sequence[Mapping[str, str]] = document.get("exclude", ())
    masks = {axis: {text: _mask(axis, text, excluded) for text in axes[axis]} for axis in axes}
    rows, used = [], 0
    for versions in itertools.product(*axes.values()) if axes else ():
        row = dict(zip(axes, versions, strict=True))
        hit = functools.reduce(operator.and_, (masks[axis][text] for axis, text in row.items()))
        used |= hit
        if not hit:
            rows.append(row)
            if len(rows) > max_cells:
                raise UsageError(_too_many(file, max_cells))
    for number, entry in enumerate(excluded):
        wanted = {axis: text for axis, text in entry.items() if axis not in ROW_NOTES}
        if not used >> number & 1 or not wanted or wanted.keys() - axes.keys():
            terms = ", ".join(f"{axis} = {text!r}" for axis, text in wanted.items()) or "nothing"
            raise UsageError(f"{file}: exclude[{number}] ({terms}) matches no cell; correct or delete it")
    return rows


def _axes(document: Mapping[str, Any], file: str, max_cells: int) -> Mapping[str, Sequence[str]]:
    """The axes, after checking that each has versions and that their product is within the limits."""
    axes: Mapping[str, Sequence[str]] = document.get("axes", {})
    combinations = 1
    for name, versions in axes.items():
        if not versions:
            ruled = name in document.get("select", {})
            remedy = "run `harness matrix update`" if ruled else "list at least one, or delete the axis"
            raise UsageError(f"{file}: axes.{name} has no versions; {remedy}")
        combinations = min(combinations * len(versions), max_cells * MAX_EXPANDED + 1)
    if combinations > max_cells and not document.get("exclude"):
        raise UsageError(_too_many(file, max_cells))
    if combinations > max_cells * MAX_EXPANDED:
        raise UsageError(
            f"{file}: axes: more than {max_cells * MAX_EXPANDED:,} combinations before exclude, which is "
            f"{MAX_EXPANDED} times --max-cells; list fewer versions"
        )
    return axes


def _too_many(file: str, max_cells: int) -> str:
    return (
        f"{file}: axes: more than {max_cells:,} cells; list fewer versions, exclude some, "
        "or allow more with --max-cells"
    )


def _mask(axis: str, version: str, excluded: Sequence[Mapping[str, str]]) -> int:
    """The exclude rows that a version of an axis matches, as bits."""
    matching = (
        1 << number
        for number, entry in enumerate(excluded)
        if axis not in entry or _matches(version, entry[axis])
    )
    return sum(matching)


def _included(axes: Sequence[str], pins: Sequence[str], entry: Mapping[str, str], where: str) -> Row:
    named = [key for key in entry if key not in ROW_NOTES]
    for key in named:
        if key not in axes and key not in pins:
            known = ", ".join((*axes, *pins))
            raise UsageError(
                f"{where}: {key} is neither an axis nor a pin ({known}); give it a pin or correct it"
            )
    for axis in axes:
        if axis not in named:
            raise UsageError(f"{where}: axis {axis} has no version; a row names every axis")
    return {key: entry[key] for key in (*axes, *pins) if key in named}


def _matches(version: str, wanted: str) -> bool:
    if version == wanted:
        return True
    if wanted[:1].isdigit():
        return False
    from packaging.specifiers import SpecifierSet  # noqa: PLC0415 - see the docstring of the module

    return SpecifierSet(wanted).contains(version, prereleases=True)
