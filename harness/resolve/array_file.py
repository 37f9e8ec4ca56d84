"""The file of a covering array, ``locks/<matrix>/cover.json``: its rows, and what has no solution.

``harness.matrix.expand`` reads the rows alone, without dependencies. The array of a matrix is the same on
every platform; the one on which it was made decided which versions have a solution.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from harness.errors import UsageError
from harness.input_files import read_input
from harness.matrix.cells import cells_of
from harness.matrix.covering import prove_coverage
from harness.matrix.expand import Row, array_inputs, array_path, excluded_versions
from harness.matrix.read import describe_lock
from harness.matrix.schema import Matrix, MatrixRow
from harness.records import UNREADABLE, Coverage, Lock, RuledOut
from harness.resolve.lockfile import inputs_digest

_MADE_BY = "Made by `harness lock`; don't edit: change the matrix and lock it again."


class NoSolutionFor(msgspec.Struct, frozen=True):
    """A smallest set of versions without a solution, whatever the versions of other axes, and the reason."""

    versions: dict[str, str]
    reason: str


class ArrayFile(msgspec.Struct, frozen=True, kw_only=True):
    """The content of the file; ``inputs`` detects other pins or settings than those it was made with."""

    schema: Literal[1] = 1
    note: str = _MADE_BY
    platform: str
    inputs: str
    cover: int
    axes: dict[str, tuple[str, ...]]
    exclude: tuple[dict[str, str], ...]
    rows: tuple[tuple[str, ...], ...]
    no_solution: tuple[NoSolutionFor, ...] = ()


def make_array_file(
    matrix: Matrix, platform: str, rows: Sequence[Row], no_solution: Sequence[NoSolutionFor]
) -> ArrayFile:
    """The file of a covering array, in an order that depends on its content alone."""

    def place_of(found: NoSolutionFor) -> list[tuple[int, int]]:
        axes = list(matrix.axes)
        return [(axes.index(axis), matrix.axes[axis].index(text)) for axis, text in found.versions.items()]

    return ArrayFile(
        platform=platform,
        inputs=array_digest(matrix, platform),
        rows=tuple(tuple(row[axis] for axis in matrix.axes) for row in rows),
        no_solution=tuple(sorted(no_solution, key=place_of)),
        **array_inputs(_to_document(matrix)),
    )


def _to_document(matrix: Matrix) -> dict[str, object]:
    return {"cover": matrix.cover, "axes": matrix.axes, "exclude": matrix.exclude}


def array_digest(matrix: Matrix, platform: str) -> str:
    """The sha256 of what a resolution of these axes depends on besides their versions."""
    row = MatrixRow(versions=dict.fromkeys(matrix.axes, ""))
    (cell,) = cells_of(msgspec.structs.replace(matrix, rows=(row,)))
    return inputs_digest(cell, matrix.resolve, platform)


def render_array_file(file: ArrayFile) -> str:
    """The text of the file, with a line per row and per set of versions without a solution."""
    entries = []
    for key, value in msgspec.to_builtins(file).items():
        if key in {"axes", "exclude", "rows", "no_solution"} and value:
            named = isinstance(value, dict)
            items = [f"{json.dumps(k)}: {json.dumps(value[k])}" if named else json.dumps(k) for k in value]
            opened, closed = "{}" if named else "[]"
            text = f"{opened}\n  " + ",\n  ".join(items) + f"\n {closed}"
        else:
            text = json.dumps(value)
        entries.append(f" {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(entries) + "\n}\n"


def read_array_file(matrix: Matrix) -> ArrayFile:
    """The covering array of a matrix, whose rows are those of the matrix already.

    Raises:
        UsageError: the file is missing or damaged.
    """
    path = array_path(matrix.path)
    try:
        return msgspec.json.decode(read_input(path), type=ArrayFile)
    except UNREADABLE as error:
        raise UsageError(f"{path}: damaged: {error}; run `{describe_lock(matrix.path)}`") from None


def refuse_stale_array(matrix: Matrix) -> None:
    """Refuse a covering array that was made with other pins, requirements or settings.

    Raises:
        UsageError: the array of a matrix with ``cover`` is damaged or stale; the message names the command.
    """
    if matrix.cover is not None and is_stale(read_array_file(matrix), matrix):
        raise UsageError(
            f"{array_path(matrix.path)}: {matrix.name} has changed since its covering array was made; "
            f"run `{describe_lock(matrix.path)}`"
        )


def is_stale(file: ArrayFile, matrix: Matrix) -> bool:
    """Whether an array was made with other pins, requirements or settings than those of the matrix."""
    return file.inputs != array_digest(matrix, file.platform)


def find_coverage(matrix: Matrix, locks: Mapping[str, Lock]) -> Coverage | None:
    """The proof of a covering array, with the locks of cells by id; None for a matrix without ``cover``.

    A cell without a lock, which the selection of a run leaves out, counts as resolved.

    Raises:
        UsageError: the array is missing, damaged or stale, or a feasible combination is in no cell.
    """
    if matrix.cover is None:
        return None
    refuse_stale_array(matrix)
    file = read_array_file(matrix)
    cells = {cell.id: cell.axes for cell in cells_of(matrix) if cell.axes.keys() == matrix.axes.keys()}
    unresolved = [name for name, lock in locks.items() if lock.reason]
    try:
        return prove_coverage(
            matrix.axes, matrix.cover, list_ruled_out(matrix, file.no_solution), cells, unresolved
        )
    except UsageError as error:
        advice = f"run `{describe_lock(matrix.path)}`"
        raise UsageError(f"{array_path(matrix.path)}: {error}; {advice}") from None


def list_ruled_out(matrix: Matrix, no_solution: Sequence[NoSolutionFor]) -> list[RuledOut]:
    """What no row of the array may contain: the exclude rows, and versions without a solution."""
    excluded = zip(matrix.exclude, excluded_versions(_to_document(matrix)), strict=True)
    return [
        *(RuledOut(versions=versions, reason=row["reason"], by="exclude") for row, versions in excluded),
        *(
            RuledOut(
                versions={axis: (text,) for axis, text in each.versions.items()},
                reason=each.reason,
                by="resolver",
            )
            for each in no_solution
        ),
    ]
