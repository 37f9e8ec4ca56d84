"""Expand a matrix document into rows, with the standard library alone.

``noxfile.py`` loads this module in nox's own Python, without the dependencies of the harness. Therefore it
works on the document as ``tomllib`` reads it, and imports ``packaging``, a dependency of nox, only for an
exclude row with a version specifier.
"""

from __future__ import annotations

import functools
import itertools
import json
import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.input_files import decode_text, exists, read_input

Row = dict[str, str]
"""Axis -> exact version, in the order of the axes, followed by the pins that the row overrides."""

ROW_NOTES = ("reason", "source")
"""Keys of an include or exclude row that are not packages."""

MAX_CELLS = 10_000
"""Cells of a matrix, after exclude and include, unless ``--max-cells`` allows more."""

MAX_EXPANDED = 100
"""Largest number of combinations before exclude, per allowed cell."""


class ArrayError(UsageError):
    """The covering array of a matrix is missing, or of another matrix; locking the matrix makes it."""


def expand(
    document: Mapping[str, Any],
    *,
    file: str = "the matrix",
    max_cells: int = MAX_CELLS,
    array: Sequence[Row] = (),
) -> list[Row]:
    """The rows of a matrix: the product of its axes, minus excluded rows, plus included rows.

    With ``cover`` the rows of its covering array and the baseline are in place of the product.

    Args:
        document: a matrix as ``tomllib`` reads it.
        file: its name in messages.
        max_cells: the maximum number of rows; a larger product is refused before it takes memory.
        array: the rows of its covering array, from ``read_array``.

    Raises:
        UsageError: an axis has no versions, an exclude row matches nothing, an include row names other axes
            or a duplicate cell, or the matrix has no rows or too many.
    """
    rows = (
        _covering(document, file, array) if document.get("cover") else _remaining(document, file, max_cells)
    )
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


def array_path(matrix: Path) -> Path:
    """The file of the covering array of the matrix in this file."""
    return matrix.parent / "locks" / matrix.stem / "cover.json"


def array_inputs(document: Mapping[str, Any]) -> dict[str, Any]:
    """What a covering array is made for, as its file has it; another matrix needs another array."""
    excluded = [
        {key: text for key, text in entry.items() if key not in ROW_NOTES}
        for entry in document.get("exclude", ())
    ]
    axes = {name: list(versions) for name, versions in document.get("axes", {}).items()}
    return {"cover": document["cover"], "axes": axes, "exclude": excluded}


def read_array(path: Path, document: Mapping[str, Any]) -> list[Row]:
    """The rows of the covering array in a file.

    Raises:
        ArrayError: the file is missing, damaged, or was made for other axes, exclude rows or strength.
    """
    if not exists(path):
        raise ArrayError(f"{path}: the matrix has cover = {document['cover']}, but no array yet")
    try:
        found = json.loads(decode_text(read_input(path), path))
        made_for, rows = {key: found[key] for key in ("cover", "axes", "exclude")}, found["rows"]
        order = list(made_for["axes"])
    except UsageError as error:
        raise ArrayError(str(error)) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ArrayError(f"{path}: damaged, or no covering array") from None
    wanted = array_inputs(document)
    for key, value in wanted.items():
        if made_for[key] != value or (key == "axes" and order != list(value)):
            raise ArrayError(f"{path}: the matrix has other {_NOUNS[key]} than its covering array")
    axes: dict[str, list[str]] = wanted["axes"]
    if not isinstance(rows, list) or not all(_fits(row, axes) for row in rows):
        raise ArrayError(f"{path}: damaged: a row names no version of each axis")
    found_rows = [dict(zip(axes, row, strict=True)) for row in rows]
    if any(_is_excluded(row, excluded_versions(document)) for row in found_rows):
        raise ArrayError(f"{path}: damaged: the matrix excludes one of its rows")
    return found_rows


_NOUNS = {"cover": "values of cover", "axes": "axes", "exclude": "exclude rows"}


def _fits(row: object, axes: Mapping[str, Sequence[str]]) -> bool:
    if not isinstance(row, list) or len(row) != len(axes):
        return False
    return all(text in versions for text, versions in zip(row, axes.values(), strict=True))


def sort_rows(rows: Iterable[Row], axes: Mapping[str, Sequence[str]]) -> list[Row]:
    """Rows of the axes alone in the order of the product, each once."""
    places = {tuple(axes[axis].index(row[axis]) for axis in axes): row for row in rows}
    return [places[place] for place in sorted(places)]


def excluded_versions(document: Mapping[str, Any]) -> list[dict[str, tuple[str, ...]]]:
    """Per exclude row, the versions of each axis that it names."""
    axes: Mapping[str, Sequence[str]] = document.get("axes", {})
    return [
        {
            axis: tuple(text for text in axes.get(axis, ()) if _matches(text, wanted))
            for axis, wanted in entry.items()
            if axis not in ROW_NOTES
        }
        for entry in document.get("exclude", ())
    ]


def _is_excluded(row: Row, excluded: Iterable[Mapping[str, Sequence[str]]]) -> bool:
    return any(all(row[axis] in texts for axis, texts in each.items()) for each in excluded)


def _covering(document: Mapping[str, Any], file: str, array: Sequence[Row]) -> list[Row]:
    """The rows of the array and the baseline; an include row replaces the same row of the array."""
    axes: Mapping[str, Sequence[str]] = document.get("axes", {})
    _refuse_empty(document, file)
    excluded = excluded_versions(document)
    for number, versions in enumerate(excluded):
        if not versions or not all(versions.values()):
            _refuse_unmatched(document, file, number)
    baseline: Row = document.get("baseline", {})
    known = baseline.keys() == axes.keys() and all(text in axes[axis] for axis, text in baseline.items())
    if known and not _is_excluded(baseline, excluded):
        array = [*array, {axis: baseline[axis] for axis in axes}]
    included = [
        {key: text for key, text in entry.items() if key not in ROW_NOTES}
        for entry in document.get("include", ())
    ]
    return [row for row in sort_rows(array, axes) if row not in included]


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
        wanted = entry.keys() - set(ROW_NOTES)
        if not used >> number & 1 or not wanted or wanted - axes.keys():
            _refuse_unmatched(document, file, number)
    return rows


def _refuse_unmatched(document: Mapping[str, Any], file: str, number: int) -> None:
    wanted = {axis: text for axis, text in document["exclude"][number].items() if axis not in ROW_NOTES}
    terms = ", ".join(f"{axis} = {text!r}" for axis, text in wanted.items()) or "nothing"
    raise UsageError(f"{file}: exclude[{number}] ({terms}) matches no cell; correct or delete it")


def _refuse_empty(document: Mapping[str, Any], file: str) -> None:
    for name, versions in document.get("axes", {}).items():
        if not versions:
            ruled = name in document.get("select", {})
            remedy = "run `harness matrix update`" if ruled else "list at least one, or delete the axis"
            raise UsageError(f"{file}: axes.{name} has no versions; {remedy}")


def _axes(document: Mapping[str, Any], file: str, max_cells: int) -> Mapping[str, Sequence[str]]:
    """The axes, after checking that each has versions and that their product is within the limits."""
    axes: Mapping[str, Sequence[str]] = document.get("axes", {})
    _refuse_empty(document, file)
    combinations = 1
    for versions in axes.values():
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
