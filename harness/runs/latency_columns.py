"""The latency of a run in the history: stored as columns, because a history has half a million timings."""

from __future__ import annotations

import math
import sqlite3
import struct
from collections.abc import Sequence

import msgspec

from harness.records import LatencyColumns, LatencyMeasure, LatencyNames

_NAMES = LatencyNames.__struct_fields__
_TIMES = ("p50", "ratio", "noise")
_BOUNDS = ("low", "high", "floor")
_COUNTS = ("rounds", "iterations")
_ALL = (*_NAMES, *_TIMES, *_BOUNDS, *_COUNTS)


# Rows as columns, and back


def pack_latency(rows: Sequence[LatencyMeasure]) -> LatencyColumns:
    """Turn rows into columns; a value that is None or NaN becomes NaN."""
    fields: dict[str, bytes] = {}
    names: dict[str, tuple[str, ...]] = {}
    for name in _NAMES:
        values = [getattr(row, name) for row in rows]
        places = {text: place for place, text in enumerate(dict.fromkeys(values))}
        names[name] = tuple(places)
        fields[name] = struct.pack(f"<{len(rows)}I", *map(places.__getitem__, values))
    for name in (*_TIMES, *_BOUNDS):
        numbers = (getattr(row, name) for row in rows)
        fields[name] = struct.pack(
            f"<{len(rows)}d", *(math.nan if each is None else each for each in numbers)
        )
    for name in _COUNTS:
        fields[name] = struct.pack(f"<{len(rows)}q", *(getattr(row, name) for row in rows))
    return LatencyColumns(names=LatencyNames(**names), **fields)


def unpack_latency(columns: LatencyColumns) -> list[LatencyMeasure]:
    """Turn columns into rows again.

    Raises:
        ValueError: the columns have different lengths, or one refers to a name that is not there.
    """
    count = _count_rows(columns, _ALL)
    values: dict[str, Sequence[object]] = {}
    for name in _NAMES:
        known, places = getattr(columns.names, name), struct.unpack(f"<{count}I", getattr(columns, name))
        if max(places, default=-1) >= len(known):
            raise ValueError(f"a {name} without a name")
        values[name] = [known[place] for place in places]
    for name in (*_TIMES, *_BOUNDS):
        numbers = struct.unpack(f"<{count}d", getattr(columns, name))
        values[name] = [None if math.isnan(each) else each for each in numbers]
    for name in _COUNTS:
        values[name] = struct.unpack(f"<{count}q", getattr(columns, name))
    rows = zip(*values.values(), strict=True)
    return [msgspec.convert(dict(zip(values, row, strict=True)), LatencyMeasure) for row in rows]


def _count_rows(columns: LatencyColumns, names: Sequence[str]) -> int:
    counts = {len(getattr(columns, name)) / (4 if name in _NAMES else 8) for name in names}
    if len(counts) != 1 or not (count := counts.pop()).is_integer():
        raise ValueError("its columns of latency have different lengths")
    return int(count)


# The table


def insert_latency(connection: sqlite3.Connection, run: int, rows: Sequence[LatencyMeasure]) -> None:
    """Store the latency of a run; a run without latency has no row."""
    if rows:
        columns = msgspec.structs.asdict(pack_latency(rows))
        values = (run, msgspec.json.encode(columns.pop("names")).decode(), *columns.values())
        marks = ", ".join("?" * len(values))
        connection.execute(f"INSERT INTO latency_columns VALUES ({marks})", values)  # noqa: S608 - marks


def read_latency(connection: sqlite3.Connection, run: int) -> list[LatencyMeasure]:
    """The latency of a run, in its order.

    Raises:
        ValueError: the columns of the run are invalid.
    """
    columns = _read_columns(connection, run, _ALL)
    return unpack_latency(columns) if columns else []


def read_times(connection: sqlite3.Connection, run: int) -> LatencyColumns | None:
    """The columns of a run that trends need; None for a run without latency.

    Raises:
        ValueError: the columns of the run are invalid.
    """
    columns = _read_columns(connection, run, (*_NAMES, *_TIMES))
    if columns is not None:
        _count_rows(columns, (*_NAMES, *_TIMES))
    return columns


def _read_columns(connection: sqlite3.Connection, run: int, columns: Sequence[str]) -> LatencyColumns | None:
    row = connection.execute(
        f"SELECT names, {', '.join(columns)} FROM latency_columns WHERE run = ?",  # noqa: S608 - from above
        (run,),
    ).fetchone()
    if row is None:
        return None
    names, *stored = row
    found = {"names": msgspec.json.decode(names), **dict(zip(columns, stored, strict=True))}
    return msgspec.convert(found, LatencyColumns)
