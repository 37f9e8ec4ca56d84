"""Describe red cases in the order of their layers, one exception behind many of them once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness.cell.interface import LAYERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records import Finding


def sort_by_layer(findings: Sequence[Finding]) -> list[Finding]:
    """Sort findings, lower layers first: they may be the cause of failures in the layers above."""
    return sorted(findings, key=lambda finding: LAYERS.index(finding.layer) if finding.layer in LAYERS else 0)


_QUOTED = re.compile(r"""(?<!\w)(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`[^`]*`)(?!\w)""")
_NUMBER = re.compile(r"0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_PLACE = re.compile(r" in [^ ]+, line \d+$")
"""The place in the code of the service: see ``harness.cell.plugin.find_place``."""


def find_exception(finding: Finding) -> str:
    """What identifies the exception that ended a case; empty for a case with a measurement.

    It is the type, the message without numbers and quoted values, and the place in the code of the service.
    """
    return generalize(finding.message) if finding.outcome == "error" else ""


def generalize(message: str) -> str:
    """A message without its numbers and quoted values, but with the place in the code of the service."""
    found = _PLACE.search(message)
    place = found[0] if found else ""
    return _NUMBER.sub("#", _QUOTED.sub("'…'", message.removesuffix(place))) + place


def describe_red(red: Sequence[Finding]) -> str:
    """Describe the first case of the lowest layer; count those with the same exception, and the others."""
    ordered = sort_by_layer([finding for finding in red if finding.outcome != "missing"])
    if not ordered:
        return f"{len(red)} cases of this cell have no result"
    first, exception = ordered[0], find_exception(ordered[0])
    alike = [each for each in ordered if exception and find_exception(each) == exception]
    rest = [each for each in red if not exception or find_exception(each) != exception]
    text = f"{first.check}: {first.message}"
    if len(alike) < 2:
        return text + (f" (and {len(red) - 1} more, in {_list_layers(red)})" if len(red) > 1 else "")
    others = f"; {len(rest)} more, in {_list_layers(rest)}" if rest else ""
    return f"{text} (this exception in {len(alike)} cases, in {_list_layers(alike)}{others})"


def describe_first(findings: Sequence[Finding]) -> str:
    """The first case of the lowest layer with its message, and how many have its exception."""
    if not findings:
        return ""
    first = sort_by_layer(findings)[0]
    exception = find_exception(first)
    alike = sum(find_exception(each) == exception for each in findings) if exception else 1
    return f"{first.check}: {first.message}" + (f" (this exception in {alike} cases)" if alike > 1 else "")


def _list_layers(findings: Sequence[Finding]) -> str:
    return ", ".join(dict.fromkeys(each.layer for each in sort_by_layer(findings)))
