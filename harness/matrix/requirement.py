"""Versions, specifiers and requirements as people write them: what is valid, and what a slip means.

``packaging`` accepts ``v2.4.6`` and ``"2.4.6 "`` as versions, and numbers of any length, which later raise
ValueError in ``int``. These functions check more strictly.
"""

from __future__ import annotations

import contextlib
import re

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from harness.redaction import redact

MAX_VERSION = 100
"""Characters of a version; the longest on PyPI have about 60."""

MAX_REQUIREMENT = 4000
"""Characters of a requirement or a set of specifiers, without hashes."""

_LONG_NUMBER = re.compile(rf"[0-9]{{{MAX_VERSION + 1}}}")


def is_exact(text: str) -> bool:
    """Whether a text is one version (``1.26.2``) rather than a specifier (``>=1.26``)."""
    try:
        return len(text) <= MAX_VERSION and bool(Version(text))
    except InvalidVersion:
        return False


def version_fault(text: str) -> str:
    """Why a text is not one exact version in canonical form; empty if it is."""
    if not is_exact(text):
        return f'expected one exact version such as "1.26.2", found {_shown(text)}'
    proper = str(Version(text))
    return (
        "" if text == proper else f"expected a version in its canonical form: write {proper!r}, not {text!r}"
    )


def specifier_fault(text: str) -> str:
    """Why a text is not a version specifier such as ``>=2,<3``; empty if it is."""
    fault = _length_fault(text)
    if not fault:
        try:
            SpecifierSet(text)
        except InvalidSpecifier:
            fault = f'expected a version specifier such as ">=2.3" or "==3.3.1", found {_shown(text)}'
    return fault


def parse_requirement(text: str) -> Requirement:
    """Parse a requirement (PEP 508).

    Raises:
        ValueError: the text is no requirement, or exceeds the limits; the message is one line.
    """
    if fault := _length_fault(text):
        raise ValueError(fault)
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        meant = suggest_requirement(text)
        reason = f"did you mean {meant}?" if meant else str(error).splitlines()[0]
        raise ValueError(f"{_shown(text)} is not a requirement: {reason}") from None


_NAME = r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?(?:\[[\w., -]*\])?"
_RELEASE = r"[0-9][\w.+!*-]*"
_SLIPS = (
    (rf"(?P<name>{_NAME})\s*=\s*(?P<version>{_RELEASE})(?:=\S*)?", "=="),  # conda: name=version=build
    (rf"(?P<name>{_NAME})\s+(?P<version>{_RELEASE})", "=="),  # the table of `pip list`
    (rf"(?P<name>{_NAME})\s*=\s*[\"'](?P<version>{_RELEASE})[\"'],?", "=="),  # pyproject.toml, Pipfile
    (rf"(?P<name>{_NAME})\s*=\s*[\"'](?P<version>[<>=!~]{{1,3}}\s*{_RELEASE})[\"'],?", ""),
    (rf"(?P<name>{_NAME})\s*=>\s*(?P<version>{_RELEASE})", ">="),
    (rf"(?P<name>{_NAME})\s*=<\s*(?P<version>{_RELEASE})", "<="),
)
"""Common slips in a requirement, each with the operator that was meant."""


def suggest_requirement(text: str) -> str:
    """The requirement that a text with a common slip means, such as ``numpy=2.4.6``; empty without one."""
    slipped, semicolon, marker = text.strip().partition(";")
    for pattern, operator in _SLIPS:
        if found := re.fullmatch(pattern, slipped.strip()):
            meant = f"{found['name']}{operator}{found['version']}"
            meant += f"{semicolon}{marker}"
            with contextlib.suppress(InvalidRequirement):
                return str(Requirement(meant))
    return ""


def number_fault(text: str) -> str:
    """The fault of a text with a number too long for a version; empty without one."""
    if _LONG_NUMBER.search(text):
        return f"a number of more than {MAX_VERSION} digits"
    return ""


def _length_fault(text: str) -> str:
    if len(text) > MAX_REQUIREMENT:
        return f"{_shown(text)} has {len(text)} characters; at most {MAX_REQUIREMENT} are read"
    fault = number_fault(text)
    return f"{_shown(text)} holds {fault}" if fault else ""


def _shown(text: str) -> str:
    """A text as shown in a message: redacted, and shortened if long."""
    redacted = redact(text)  # before shortening, which could remove the host of an address
    return (
        repr(redacted) if len(redacted) <= MAX_VERSION else f"{redacted[:40]!r}... ({len(text)} characters)"
    )
