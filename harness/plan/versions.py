"""Versions, specifiers and requirements as people write them, read within limits.

``packaging`` reads leniently (``v2.4.6`` and ``"2.4.6 "`` are versions to it) and without limits: a number of
5,000 digits becomes a ValueError of ``int`` in whichever call compares it first. What passes here is safe.
"""

from __future__ import annotations

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
    """Whether a text names one version (``1.26.2``) rather than a range of them (``>=1.26``)."""
    try:
        return len(text) <= MAX_VERSION and bool(Version(text))
    except InvalidVersion:
        return False


def version_fault(text: str) -> str:
    """Why a text is not one exact version in its canonical form; empty where it is."""
    if not is_exact(text):
        return f'expected one exact version such as "1.26.2", found {_shown(text)}'
    proper = str(Version(text))
    return (
        "" if text == proper else f"expected a version in its canonical form: write {proper!r}, not {text!r}"
    )


def specifier_fault(text: str) -> str:
    """Why a text is not a set of version specifiers such as ``>=2,<3``; empty where it is."""
    fault = _length_fault(text)
    if not fault:
        try:
            SpecifierSet(text)
        except InvalidSpecifier:
            fault = f'expected a version specifier such as ">=2.3" or "==3.3.1", found {_shown(text)}'
    return fault


def parse_requirement(text: str) -> Requirement:
    """A requirement (PEP 508).

    Raises:
        ValueError: it is none, or beyond the limits; the message is one line for people.
    """
    if fault := _length_fault(text):
        raise ValueError(fault)
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        raise ValueError(f"{_shown(text)} is not a requirement: {str(error).splitlines()[0]}") from None


def number_fault(text: str) -> str:
    """Whether a text holds a number that no version can have; empty where it does not."""
    if _LONG_NUMBER.search(text):
        return f"a number of more than {MAX_VERSION} digits"
    return ""


def _length_fault(text: str) -> str:
    if len(text) > MAX_REQUIREMENT:
        return f"{_shown(text)} has {len(text)} characters; at most {MAX_REQUIREMENT} are read"
    fault = number_fault(text)
    return f"{_shown(text)} holds {fault}" if fault else ""


def _shown(text: str) -> str:
    """A text as a message shows it: cut where it is long."""
    plain = redact(text)  # before it is cut, which could take the host away
    return repr(plain) if len(plain) <= MAX_VERSION else f"{plain[:40]!r}... ({len(text)} characters)"
