"""Files that Hypothesis draws: matrices of real keys with wrong values, and valid files that are damaged."""

from __future__ import annotations

import datetime
import json
import math
import re
import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from hypothesis import strategies as st

from harness.matrix.schema import MatrixFile

# Matrices by their grammar: the valid one, some of whose keys have another value.

_NAMES = ("numpy", "torch", "python", "openvino", "onnx", "Scikit_Learn", "reason", "source", "-r x", "", "é")
_MIDNIGHT = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)
_PLAUSIBLE = st.sampled_from(
    [
        *("1.26.2", "2.4.6", "2.4.7", "3.11", "3.12", ">=2,<3", "==2.*", "2.4.6+cpu", "1!2.0rc1", "v2.4.6"),
        *("m.toml", "requirements.txt", ".", "..", "/", "src", "shipped", "model.safetensors"),
        *("app:embed", "app.core:Embedder.embed", "some-model==0.1.0", "numpy>=2; python_version > '3'"),
        *("minors", "7 days", "6GiB", "64TiB", "cpu", "explore", "float32", "cos_sim", "TOKEN", "a" * 64),
        *(1, 2, 3, 15, 600, 1.05, 1.1, 0.005, True, False, datetime.date(2026, 11, 1)),
    ]
)
_LETTERS = (
    """Letters of texts; all of Unicode takes Hypothesis seconds to list."""
    "aZ09 .-_:=,#'\"\\[]{}/\n\t\0\x1b\x7f\x85é漢\u2028\U0001f600"  # all of Unicode takes seconds to list
)
_WRONG = st.one_of(
    st.sampled_from([0, -1, 2**31, 2**63, 10**30, math.inf, -math.inf, math.nan, 1e308, 5e-324]),
    st.sampled_from(
        ["", " ", "\0", "\x1b[31m", "\ud800", "\u202e", "a\nb", "9" * 5000, "x" * 100_000, "'", "%s{}"]
    ),
    st.sampled_from([datetime.date.max, _MIDNIGHT, datetime.time(1), [], {}, [[]], [{}], {"": {}}]),
    st.text(_LETTERS, max_size=20),
    st.floats(),
    st.integers(),
)
_LEAVES = st.one_of(_PLAUSIBLE, _PLAUSIBLE, _WRONG)
_VALUES = st.one_of(
    _LEAVES,
    _LEAVES,
    st.lists(_LEAVES, max_size=4),
    st.dictionaries(st.sampled_from(_NAMES), _LEAVES, max_size=3),
    st.lists(st.dictionaries(st.sampled_from(_NAMES), _LEAVES, max_size=3), max_size=3),
)

Path = tuple[str, ...]


def _list_paths(kind: type, above: Path = ()) -> Iterator[Path]:
    """Every key of a matrix file; ``*`` stands for the free keys of a table, and for an index."""
    for field in msgspec.structs.fields(kind):
        path = (*above, field.encode_name)
        yield path
        yield from _list_inner(field.type, path)


def _list_inner(kind: Any, path: Path) -> Iterator[Path]:
    origin, inner = get_origin(kind), get_args(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield from _list_paths(kind, path)
    elif origin in {dict, tuple}:
        yield (*path, "*")
        yield from _list_inner(inner[-1] if origin is dict else inner[0], (*path, "*"))
    elif origin is Annotated:
        yield from _list_inner(inner[0], path)
    elif origin in {Union, types.UnionType}:
        for each in inner:
            yield from _list_inner(each, path)


PATHS = tuple(dict.fromkeys(_list_paths(MatrixFile)))


@st.composite
def draw_matrix(draw: st.DrawFn, valid: dict[str, Any]) -> bytes:
    """A valid matrix of which one to five keys are missing, unknown, or have another value."""
    document: dict[str, Any] = json.loads(json.dumps(valid))
    for _ in range(draw(st.integers(1, 5))):
        names = [
            draw(st.sampled_from(_NAMES)) if name == "*" else name for name in draw(st.sampled_from(PATHS))
        ]
        if draw(st.integers(0, 9)) == 0:
            names[-1] += draw(st.sampled_from(["s", "_", ".x", "\n"]))
        _put(document, names, draw(_VALUES), remove=draw(st.integers(0, 7)) == 0)
    lines = [f"{_write_text(key)} = {write_toml(value)}" for key, value in document.items()]
    return "\n".join([*lines, ""]).encode("utf-8", "surrogatepass")


def _put(document: dict[str, Any], names: list[str], value: Any, *, remove: bool) -> None:
    holder = document
    for name in names[:-1]:
        inner = holder.get(name)
        if isinstance(inner, list) and inner and isinstance(inner[0], dict):
            inner = inner[0]
        if not isinstance(inner, dict):
            inner = holder[name] = {}
        holder = inner
    if remove:
        holder.pop(names[-1], None)
    else:
        holder[names[-1]] = value


def write_toml(value: Any) -> str:
    """A value as TOML, in one line; texts that TOML does not have are written all the same."""
    if isinstance(value, dict):
        entries = [f"{_write_text(key)} = {write_toml(each)}" for key, each in value.items()]
        return "{" + ", ".join(entries) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(write_toml, value)) + "]"
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return _write_text(value) if isinstance(value, str) else str(value).lower()


def _write_text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


# Damage: lines, values and bytes of a valid file.

_BYTES = (
    b"\0",
    b"\x1b[2J",
    b"\x7f",
    b"\x85",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\r",
    b"\n\n",
)
_ODD = (*_BYTES, b'"', b"'", b"[[", b"]", b"{", b"}", b"#", b"=", b"\\", b"..", b"../../x", "\u2028".encode())
_OTHER = (
    *(b"null", b"true", b"[]", b"{}", b"0", b"-1", b"1e400", b"9223372036854775808", b"NaN", b"inf", b'""'),
    *(b'"x"', b'"../../victim"', b'"\\ud800"', b"'", b"2026-11-01", b"[1]", b'{"a": 1}', b"9" * 5000),
)
_VALUE = re.compile(rb'"[^"\n]*"|(?<=[=:,\[ ])-?[0-9][0-9.e+-]*|true|false|null')


@st.composite
def draw_damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """A file of which up to four lines, values or bytes are changed, and that may be cut off."""
    for _ in range(draw(st.integers(1, 4))):
        data = _damage(draw, data, draw(st.sampled_from(["line", "value", "value", "byte", "insert", "cut"])))
    return data


def _damage(draw: st.DrawFn, data: bytes, kind: str) -> bytes:
    at = draw(st.integers(0, max(0, len(data) - 1)))
    if kind == "line":
        lines = data.split(b"\n")
        one, other = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
        how = draw(st.sampled_from(["drop", "twice", "swap"]))
        if how == "swap":
            lines[one], lines[other] = lines[other], lines[one]
        else:
            lines[one : one + 1] = [lines[one]] * (2 if how == "twice" else 0)
        return b"\n".join(lines)
    if kind == "value":
        found = _VALUE.search(data, at) or _VALUE.search(data)
        value = draw(st.sampled_from(_OTHER))
        return data if found is None else data[: found.start()] + value + data[found.end() :]
    if kind == "byte":
        return data[:at] + bytes([draw(st.integers(0, 255))]) + data[at + 1 :]
    if kind == "insert":
        return data[:at] + draw(st.sampled_from(_ODD)) * draw(st.sampled_from([1, 1, 40])) + data[at:]
    return data[:at]
