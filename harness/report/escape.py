"""Text from packages, tests and tools, made harmless for where it is shown.

Versions, messages, samples and logs come from the packages under test: they must not be able to inject
terminal control, Markdown, HTML, XML or the commands that CI systems read from a log.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


# Escape sequences of terminals: CSI, OSC and its kin up to their end, and the short ones.
_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)|\x1b[ -/]*[0-~]|\x9b[0-?]*[ -/]*[@-~]",
    re.DOTALL,
)
# Control characters but tab and newline, surrogates, non-characters (all forbidden in XML 1.0), and the
# marks that turn the direction of writing round, so that text reads as something that it is not.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_MARKDOWN = re.compile(r"([\\`*_\[\]#|~$@]|:(?=//))")
# GitHub and Azure read '::command' where a line starts with it, and '##[command]' anywhere in a line.
_COMMAND = re.compile(r"(?m)^((?:\x1b\[[0-9;]*m|\s)*)::")


def scrub(text: str) -> str:
    """Text without terminal sequences; what else does not print, but tab and newline, becomes U+FFFD."""
    if text.isascii() and text.isprintable():
        return text  # most text by far: a large page scrubs some 100,000 strings
    plain = _SEQUENCE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _CONTROL.sub("\ufffd", plain)


def shorten(text: str, limit: int = 300) -> str:
    """Scrubbed text in one line of at most ``limit`` characters."""
    line = " ".join(scrub(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def escape_markdown(text: str, limit: int = 300) -> str:
    """One line of prose that Markdown, tables included, shows as it is.

    Mentions and bare links of GitHub still work in it: what a package wrote goes through ``code_span``.
    """
    line = shorten(text, limit).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN.sub(r"\\\1", line)


def code_span(text: str, limit: int = 300, *, table: bool = True) -> str:
    """One line as a code span, in which GitHub knows no links, mentions, HTML or Markdown; empty stays empty.

    Inside a ``table`` a pipe needs a backslash, which would be seen anywhere else.
    """
    line = shorten(text, limit)
    if not line:
        return ""
    longest = max((len(run) for run in re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    span = f"{fence}{pad}{line}{pad}{fence}"
    return span.replace("|", "\\|") if table else span


def disarm_commands(text: str) -> str:
    """Output for a terminal or log in which no line is a workflow command of a CI system."""
    return _COMMAND.sub(r"\1: :", text).replace("##[", "## [").replace("##vso[", "## vso[")


def to_ascii(text: str) -> str:
    """Text for an encoding without Unicode: what has no ASCII is written as an escape."""
    return text.replace("…", "...").encode("ascii", "backslashreplace").decode("ascii")


# Prose for a comment in which nothing that forges would obey is left: no mention, no link, no reference.

_INVISIBLE = "\u200b"
# Forges look for these in the text that Markdown has become, so a backslash does not stop them: mentions,
# issues, merge requests, labels, milestones, snippets, epics, and what looks like an address.
_REFERENCE = re.compile(r"(?i)[@#!~%$&^](?=[\w\"'])|:(?=//)|www(?=\.)|\bGH(?=-\d)|\[(?=[a-z_]+:)")
# What may be the hash of a commit: GitHub links all of it, and from seven digits on what is one.
_HASH = re.compile(r"(?i)(?<![0-9a-f])[0-9a-f]{7,}(?![0-9a-f])")
_WHOLE = 6
"""Digits of a hash that no forge takes for one."""


def escape_prose(text: str, limit: int = 600) -> str:
    """One line of words in which names or labels of others may stand, shown as it is and linked to nothing.

    What a package wrote as a whole belongs into a code span instead.
    """
    unlinked = _REFERENCE.sub(lambda found: found[0] + _INVISIBLE, text)
    return escape_markdown(_HASH.sub(_break, unlinked), limit)


def _break(found: re.Match[str]) -> str:
    digits = found[0]
    return _INVISIBLE.join(digits[at : at + _WHOLE] for at in range(0, len(digits), _WHOLE))


# How long a summary may be: GitHub shows none of a step summary that is larger than 1 MiB.

SUMMARY_BYTES = 1024 * 1024
"""https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands (seen 2026-11)."""

TABLE_BYTES = 90_000
"""Eight tables fit, what surrounds them too, and what ``disarm_commands`` may add (a third at the worst)."""


def fit_rows(rows: Sequence[str], limit: int = TABLE_BYTES) -> tuple[Sequence[str], int]:
    """The first rows that take no more than ``limit`` bytes of UTF-8, and how many are left out."""
    size = 0
    for count, row in enumerate(rows):
        size += len(row.encode("utf-8", "replace")) + 1
        if size > limit:
            return rows[:count], len(rows) - count
    return rows, 0
