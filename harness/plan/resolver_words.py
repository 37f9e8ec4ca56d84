"""What uv wrote when it gave no lock: what it lacked, and the reason in words for a person."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import msgspec
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_UNDATED = re.compile(r"`([^`]+)` is missing an upload date")
_UNKNOWN = re.compile(r"(\S+) was not found in the (?:package registry|provided package locations)")
_UNASKED = ("could not be queried", "Forbidden", "the network was disabled")
_FAILED = ("Unsupported `Content-Type`", "Failed to build")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s`'\"<>)]+")
_NO_VERSION = re.compile(r"there (?:is no version|are no versions) of ([A-Za-z0-9._-]+?)(?=[=<>!~ ,\[]|$)")


class NoSolution(msgspec.Struct, frozen=True):
    """The resolver ended with exit code 1: it found no solution, or was kept from looking.

    ``unknown`` names packages that no index has; ``undated`` those that seem to have no version only
    because their index gives no upload times. ``unasked`` says why an index was not asked, or a package not
    built, so that nothing is known of a solution.
    """

    reason: str
    unknown: tuple[str, ...] = ()
    undated: tuple[str, ...] = ()
    unasked: str = ""


def read_no_solution(stderr: str) -> NoSolution:
    """What uv printed when it ended with exit code 1; its words may change, its code decides."""
    text = _ANSI.sub("", stderr)
    told, found, rest = text.partition("No solution found")
    if not found:
        told, rest = "", text
    because = rest[rest.find("Because") :] if "Because" in rest else rest
    reason = tidy(re.split(r"\n\s*\n|\n\s*hint:", because)[0])
    undated_names = {_project(name) for name in _UNDATED.findall(told)}
    undated = tuple(sorted({name for name in _NO_VERSION.findall(reason) if name in undated_names}))
    hints = re.split(r"\n\s*hint:", rest)[1:]
    unasked = next((hint for hint in hints if any(words in tidy(hint) for words in _UNASKED)), "")
    if not found and any(words in text for words in _FAILED):
        unasked = text
    return NoSolution(
        reason,
        tuple(dict.fromkeys(_UNKNOWN.findall(reason))),
        undated,
        explain(unasked)[:600],
    )


def explain(text: str) -> str:
    """One line for a message: of an address its host, for the rest may hold credentials."""
    return _flatten(_URL.sub(lambda found: _host(found[0]), text))


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        return parts.path if parts.scheme == "file" else parts.netloc.rpartition("@")[2] or "<address>"
    except ValueError:
        return "<address>"


def _flatten(text: str) -> str:
    return " ".join(re.sub(r"[│╰├─▶]", " ", _ANSI.sub("", text)).split())


def tidy(text: str) -> str:
    """One line for a lock: without colours, drawing characters, addresses and paths of this machine."""
    plain = _flatten(text)
    plain = re.sub(r"[a-z]+://\S+|(?<![\w.])/(?:[\w.+@-]+/)+[\w.+@-]*", "<path>", plain)
    return " ".join(plain.split())


def _project(filename: str) -> str:
    try:
        return parse_wheel_filename(filename)[0]
    except InvalidWheelFilename:
        pass
    try:
        return parse_sdist_filename(filename)[0]
    except InvalidSdistFilename:
        return ""
