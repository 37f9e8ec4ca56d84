"""From a matrix document to rows: the one implementation of expansion, standard library only.

``noxfile.py`` uses it in nox's own Python, where none of the harness's dependencies is installed; so it
works on the document as ``tomllib`` reads it, and ``packaging`` (which nox depends on) is imported only where
an exclude row holds a version specifier.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import UsageError

Row = dict[str, str]
"""Axis -> exact version, in the order of the axes; then the pins that the row overrides."""

ROW_NOTES = ("reason", "source")
"""Keys of an include or exclude row that name no package."""


def expand(document: Mapping[str, Any], *, file: str = "the matrix") -> list[Row]:
    """The rows of a matrix: the product of its axes, minus the excluded, plus the included.

    Args:
        document: a matrix as ``tomllib`` reads it.
        file: how messages call it.

    Raises:
        UsageError: an axis without versions, an exclude row that takes nothing away, an include row that
            names the wrong axes or exists already, no row at all.
    """
    rows = _without_excluded(_product(document, file), document.get("exclude", ()), file)
    for number, entry in enumerate(document.get("include", ())):
        row = _included(document, entry, f"{file}: include[{number}]")
        if cell_id(row) in {cell_id(other) for other in rows}:
            raise UsageError(
                f"{file}: include[{number}]: there is a cell {cell_id(row)} already; delete this row"
            )
        rows.append(row)
    if not rows:
        raise UsageError(f"{file}: no cells: give [axes] versions, or add an [[include]] row")
    return rows


def axis_names(document: Mapping[str, Any]) -> tuple[str, ...]:
    """The axes in the order of the file; without any, what the include rows name and the pins do not."""
    if document.get("axes"):
        return tuple(document["axes"])
    pins = document.get("pins", {})
    named = (key for entry in document.get("include", ()) for key in entry)
    return tuple(dict.fromkeys(key for key in named if key not in ROW_NOTES and key not in pins))


def cell_id(row: Mapping[str, str]) -> str:
    """The id of a row's cell: ``numpy-1.26.2_sentence-transformers-3.3.1``, of ``[a-z0-9_.-]`` only."""
    text = "_".join(f"{name}-{version}" for name, version in row.items())
    return re.sub(r"[^a-z0-9_.-]", "-", text.lower())


def _product(document: Mapping[str, Any], file: str) -> list[Row]:
    axes: Mapping[str, Sequence[str]] = document.get("axes", {})
    for name, versions in axes.items():
        if not versions:
            raise UsageError(f"{file}: axes.{name} has no versions; list at least one, or delete the axis")
    if not axes:
        return []
    return [dict(zip(axes, versions, strict=True)) for versions in itertools.product(*axes.values())]


def _without_excluded(rows: list[Row], excluded: Sequence[Mapping[str, str]], file: str) -> list[Row]:
    left = rows
    for number, entry in enumerate(excluded):
        wanted = {axis: version for axis, version in entry.items() if axis not in ROW_NOTES}
        hit = [row for row in rows if all(_matches(row.get(axis), text) for axis, text in wanted.items())]
        if not hit or not wanted:
            terms = ", ".join(f"{axis} = {text!r}" for axis, text in wanted.items()) or "nothing"
            raise UsageError(f"{file}: exclude[{number}] ({terms}) matches no cell; correct or delete it")
        left = [row for row in left if row not in hit]
    return left


def _included(document: Mapping[str, Any], entry: Mapping[str, str], where: str) -> Row:
    axes, pins = axis_names(document), tuple(document.get("pins", {}))
    named = [key for key in entry if key not in ROW_NOTES]
    for key in named:
        if key not in axes and key not in pins:
            known = ", ".join((*axes, *pins))
            raise UsageError(
                f"{where}: {key} is neither an axis nor a pin ({known}); give it a pin or correct it"
            )
    for axis in axes:
        if axis not in named:
            raise UsageError(f"{where}: says no version for axis {axis}; a row names every axis")
    return {key: entry[key] for key in (*axes, *pins) if key in named}


def _matches(version: str | None, wanted: str) -> bool:
    if version is None or version == wanted:
        return version is not None
    if wanted[:1].isdigit():
        return False
    from packaging.specifiers import SpecifierSet  # noqa: PLC0415 - see the module's docstring

    return SpecifierSet(wanted).contains(version, prereleases=True)
