"""Escaping of text from packages, tests and tools for each output format.

Versions, messages, samples and logs come from the packages under test: they must not inject terminal
control, Markdown, HTML, XML or workflow commands of CI systems.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


# Escape sequences of terminals: CSI, OSC and similar ones with their end, and short ones.
_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)|\x1b[ -/]*[0-~]|\x9b[0-?]*[ -/]*[@-~]",
    re.DOTALL,
)
# Control characters except tab and newline, surrogates, non-characters (all forbidden in XML 1.0), and
# marks that change the direction of writing, which can disguise text.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_MARKDOWN = re.compile(r"([\\`*_\[\]#|~$@]|:(?=//))")
# GitHub and Azure run '::command' at the start of a line, and '##[command]' anywhere in a line.
_COMMAND = re.compile(r"(?m)^((?:\x1b\[[0-9;]*m|\s)*)::")


_NOT_FINITE = re.compile(r"worst error not finite(?: at \([^)]*\))?(?:, but should be at most [^;]*)?")


def scrub(text: str) -> str:
    """Remove terminal sequences; other unprintable characters except tab and newline become U+FFFD."""
    if text.isascii() and text.isprintable():
        return text  # the common case: a large page has some 100,000 strings
    plain = _SEQUENCE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _CONTROL.sub("\ufffd", plain)


def shorten(text: str, limit: int = 300) -> str:
    """Scrub text and shorten it to one line of at most ``limit`` characters."""
    line = " ".join(scrub(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def without_texts(message: str) -> str:
    """The message of a failed check without the texts in which it failed.

    NaN and infinity have no place and no tolerance that would tell more.
    """
    return _NOT_FINITE.sub("not finite", message.partition("; sample: ")[0])


def escape_markdown(text: str, limit: int = 300) -> str:
    """Escape one line of prose for Markdown, tables included.

    Mentions and bare links still work in GitHub; text of packages goes through ``code_span``.
    """
    line = shorten(text, limit).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN.sub(r"\\\1", line)


def code_span(text: str, limit: int = 300, *, table: bool = True) -> str:
    """One line as a code span, without links, mentions, HTML or Markdown; empty stays empty.

    Inside a ``table`` a pipe needs a backslash, which would be visible elsewhere.
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
    """Disable the workflow commands of CI systems in output for a terminal or log."""
    return _COMMAND.sub(r"\1: :", text).replace("##[", "## [").replace("##vso[", "## vso[")


def to_ascii(text: str) -> str:
    """Text in ASCII; other characters become escapes."""
    return text.replace("…", "...").encode("ascii", "backslashreplace").decode("ascii")


# Prose of comments, without mentions, links and references

_INVISIBLE = "\u200b"
# Forges link these in the rendered text, where a backslash has no effect: mentions, issues, merge requests,
# labels, milestones, snippets, epics, and addresses.
_REFERENCE = re.compile(r"(?i)[@#!~%$&^](?=[\w\"'])|:(?=//)|www(?=\.)|\bGH(?=-\d)|\[(?=[a-z_]+:)")
# GitHub links hexadecimal words of seven digits and more if they are hashes of commits.
_HASH = re.compile(r"(?i)(?<![0-9a-f])[0-9a-f]{7,}(?![0-9a-f])")
_WHOLE = 6
"""Digits of a hash that are too few for a link."""


def escape_prose(text: str, limit: int = 600) -> str:
    """One line of prose that may quote names, escaped and without links.

    Text written entirely by a package belongs in a code span instead.
    """
    unlinked = _REFERENCE.sub(lambda found: found[0] + _INVISIBLE, text)
    return escape_markdown(_HASH.sub(_break, unlinked), limit)


def _break(found: re.Match[str]) -> str:
    digits = found[0]
    return _INVISIBLE.join(digits[at : at + _WHOLE] for at in range(0, len(digits), _WHOLE))


# Size of a summary: GitHub rejects step summaries above 1 MiB

SUMMARY_BYTES = 1024 * 1024
"""https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands (seen 2026-11)."""

TABLE_BYTES = 90_000
"""Bytes of one table: eight of them fit with all else, even if ``disarm_commands`` adds a third."""


def fit_rows(rows: Sequence[str], limit: int = TABLE_BYTES) -> tuple[Sequence[str], int]:
    """The first rows within ``limit`` bytes of UTF-8, and the number of omitted rows."""
    size = 0
    for count, row in enumerate(rows):
        size += len(row.encode("utf-8", "replace")) + 1
        if size > limit:
            return rows[:count], len(rows) - count
    return rows, 0
