"""The faults of a document are found by the schema of the records that it is converted into."""

from __future__ import annotations

import copy
import datetime
import functools
import tomllib
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.matrix.expected import ExpectedFile, TolerancesFile
from harness.matrix.read import shipped_matrices
from harness.matrix.schema import MatrixFile
from harness.matrix.toml_file import find_faults

FILES = {"openvino.toml": MatrixFile, "expected.toml": ExpectedFile, "tolerances.toml": TolerancesFile}
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**40), 2**40),
    st.floats(),
    st.text(max_size=5),
    st.dates(),
    st.datetimes(),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
)


@functools.cache
def read(name: str) -> dict[str, Any]:
    """A shipped file, which no test may change."""
    return tomllib.loads((shipped_matrices() / name).read_text(encoding="utf-8"))


@functools.cache
def list_places(name: str) -> list[tuple[str | int, ...]]:
    """Every place of a shipped file, in a fixed order."""
    return sorted(places(read(name)), key=str)


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place of a document below its top."""
    if path:
        yield path
    for key, inner in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from places(inner, (*path, key))


@pytest.mark.parametrize("name", FILES)
def test_a_shipped_file_has_no_fault(name: str) -> None:
    assert list(find_faults(read(name), FILES[name])) == []


@pytest.mark.parametrize("name", FILES)
@settings(deadline=None)  # the first example imports the library
@given(data=st.data())
def test_a_file_that_cannot_be_converted_has_a_fault_with_its_key(name: str, data: st.DataObject) -> None:
    document = copy.deepcopy(read(name))
    *outer, last = data.draw(st.sampled_from(list_places(name)))
    inner: Any = document
    for key in outer:
        inner = inner[key]
    inner[last] = data.draw(VALUES)
    try:
        msgspec.convert(document, FILES[name])
    except msgspec.ValidationError:
        faults = list(find_faults(document, FILES[name]))
        assert faults
        assert all(fault.startswith(str([*outer, last][0])) for fault in faults)
    else:
        assert list(find_faults(document, FILES[name])) == []


def test_a_date_is_a_date_where_one_is_expected_only() -> None:
    document = read("openvino.toml") | {"title": datetime.date(2026, 11, 1)}
    assert list(find_faults(document, MatrixFile)) == [
        "title: expected a text, found 2026-11-01; write it in quotes"
    ]
