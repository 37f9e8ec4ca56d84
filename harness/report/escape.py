"""Text that packages, tests and tools wrote, made harmless for where it is going to stand.

Versions, messages, samples and logs come from the packages under test: they must not be able to inject
terminal control, Markdown, HTML, XML or the commands that CI systems read from a log.
"""

from __future__ import annotations

import re

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
