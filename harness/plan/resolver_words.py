"""What uv said when it gave no lock: whose fault it is, and the reason in words for a person."""

from __future__ import annotations

import re

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
_NO_VERSION = re.compile(r"there (?:is no version|are no versions) of ([A-Za-z0-9._-]+?)(?=[=<>!~ ,\[]|$)")


class NoSolution(msgspec.Struct, frozen=True):
    """The resolver has looked and found none.

    ``unknown`` names packages that no index has; ``undated`` those that seem to have no version only
    because their index gives no upload times. ``unasked`` says why an index could not be asked at all, so
    that nothing is known of a solution.
    """

    reason: str
    unknown: tuple[str, ...] = ()
    undated: tuple[str, ...] = ()
    unasked: str = ""


def read_no_solution(stderr: str) -> NoSolution | None:
    """The resolver's reason in what uv printed; None where it failed for another cause (network, usage)."""
    text = _ANSI.sub("", stderr)
    if "No solution found" not in text:
        return None
    told, _, rest = text.partition("No solution found")
    because = rest[rest.find("Because") :] if "Because" in rest else rest
    reason = tidy(re.split(r"\n\s*\n|\n\s*hint:", because)[0])
    undated_names = {_project(name) for name in _UNDATED.findall(told)}
    undated = tuple(sorted({name for name in _NO_VERSION.findall(reason) if name in undated_names}))
    hints = re.split(r"\n\s*hint:", rest)[1:]
    unasked = next((hint for hint in hints if any(words in tidy(hint) for words in _UNASKED)), "")
    return NoSolution(
        reason,
        tuple(dict.fromkeys(_UNKNOWN.findall(reason))),
        undated,
        tidy(unasked),
    )


def tidy(text: str) -> str:
    """One line without colours, drawing characters, addresses and paths of this machine."""
    plain = _ANSI.sub("", text)
    plain = re.sub(r"[│╰├─▶]", " ", plain)
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
