"""The records of an audit: rules, findings, and files that were not read."""

from __future__ import annotations

from typing import Literal

from harness.records.plan import SCHEMA, Record

Level = Literal["error", "warning"]
"""Whether code is wrong in every use, or for some inputs, machines or releases."""

State = Literal["new", "baseline", "ignored"]
"""Whether a finding decides the exit code; those of the baseline and those with a reason do not."""


class Rule(Record, frozen=True, kw_only=True):
    """One mistake: what it is, why it is one, what to do, and the releases in which it bites.

    ``fails`` and ``passes`` are small modules with and without it.
    """

    id: str
    level: Level
    message: str
    why: str
    fix: str
    bites: str
    fails: str
    passes: str


class AuditFinding(Record, frozen=True, kw_only=True):
    """A mistake in a file; lines and columns start at 1, ``code`` is the first line of it.

    ``note`` is the reason of an ignored finding, or why a comment does not ignore a new one.
    """

    rule: str
    path: str
    line: int
    end_line: int
    column: int
    end_column: int
    code: str
    state: State = "new"
    note: str = ""


class Unread(Record, frozen=True, kw_only=True):
    """A file that the engine could not read, wholly or in part."""

    path: str
    line: int
    reason: str


class Audit(Record, frozen=True, kw_only=True):
    """What an audit found in how many files; ``rules`` are all that were applied."""

    rules: tuple[Rule, ...]
    findings: tuple[AuditFinding, ...]
    unread: tuple[Unread, ...]
    files: int
    schema: int = SCHEMA

    @property
    def new(self) -> tuple[AuditFinding, ...]:
        """The findings that decide the exit code."""
        return tuple(each for each in self.findings if each.state == "new")
