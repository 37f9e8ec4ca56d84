"""The rules of an audit, as the files beside this module have them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from harness.records.audit import Level, Rule

RULES = Path(__file__).with_name("rules")
"""The folder that the engine reads; ``semgrep --config`` takes it as well."""

LEVELS: dict[str, Level] = {"ERROR": "error", "WARNING": "warning"}


class _About(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is said about a rule; the engine takes any metadata."""

    why: str
    fix: str
    bites: str
    fails: str
    passes: str


class _Entry(msgspec.Struct, frozen=True):
    """The keys of a rule that are read here; its patterns are the engine's."""

    id: str
    severity: Literal["ERROR", "WARNING"]
    message: str
    metadata: _About


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rules: tuple[_Entry, ...]


def read_rules() -> tuple[Rule, ...]:
    """All rules, by file and in the order of each."""
    files = (msgspec.yaml.decode(path.read_bytes(), type=_File) for path in sorted(RULES.glob("*.yml")))
    return tuple(
        Rule(
            id=entry.id,
            level=LEVELS[entry.severity],
            message=entry.message,
            why=entry.metadata.why,
            fix=entry.metadata.fix,
            bites=entry.metadata.bites,
            fails=entry.metadata.fails,
            passes=entry.metadata.passes,
        )
        for file in files
        for entry in file.rules
    )
