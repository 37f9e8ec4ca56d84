"""Find the acknowledgements of a pull request: lines by which people accept a red finding of a gate.

A line ``harness: accept QUESTION SUBJECT because REASON`` counts if its author has write access, and if a
forge shows it as plain text of its own: in a paragraph that is neither quoted, nor in a list, a table, code,
a comment of HTML, or behind HTML. Markdown is read by a parser, as the forges do.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from markdown_it import MarkdownIt
from markdown_it.token import Token

from harness.forge.comment import MARKER, CommentError, attempt
from harness.forge.pull_request import PullRequest

MOST_DISREGARDED = 20
"""Largest number of lines without effect that are kept, the newest; anybody may write some."""

MAX_SHOWN = 300
"""Largest length of a line without effect that is kept, in characters."""

Lines = dict[str, list[dict[str, str]]]
"""Lists of lines as JSON data: those that count, and those that do not with the reason."""


def read_acknowledgements(change: PullRequest, wait: Callable[[float], None] = time.sleep) -> Lines:
    """The acknowledgements in a pull request, and the lines that look like one and do not count.

    Raises:
        CommentError: the forge refuses, does not answer, or answers with something else.
    """
    try:
        return attempt(lambda: _sort_lines(change), wait)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise CommentError("GET returned something else than comments") from None


def _sort_lines(change: PullRequest) -> Lines:
    counted: list[dict[str, str]] = []
    disregarded: list[dict[str, str]] = []
    objections: dict[str, str] = {}
    for comment in change.read_comments():
        similar = find_similar_lines(comment.body)
        if not similar or _is_of_a_gate(comment.body):
            continue
        where = {"author": comment.author, "link": comment.link}
        if not comment.bot and comment.account not in objections:
            objections[comment.account] = change.find_objection(comment)
        if why := comment.bot or objections[comment.account]:
            disregarded += [{"line": row[:MAX_SHOWN], "why": why, **where} for row in similar]
            continue
        for line in find_accept_lines(comment.body):  # a parser is slow on some texts, so not for anybody's
            if line.why:
                disregarded.append({"line": line.text[:MAX_SHOWN], "why": line.why, **where})
            else:
                found = {"question": line.question, "subject": line.subject, "reason": line.reason}
                counted.append(found | where)
    return {"counted": counted, "disregarded": disregarded[-MOST_DISREGARDED:]}


def _is_of_a_gate(body: str) -> bool:
    """Whether a text is the comment of a gate, which says how a line has to be."""
    return bool(MARKER.fullmatch(["", *body.strip().splitlines()][-1].strip()))


def describe_unread(error: CommentError) -> Lines:
    """The data of a pull request that could not be read: nothing counts, with the reason."""
    return {"counted": [], "disregarded": [{"line": "", "why": error.why}]}


# The lines of a text.

FORM = "harness: accept QUESTION PACKAGE because REASON"
"""What a line has to be; PACKAGE may be a scenario or a check instead."""

_LINE = re.compile(
    r"harness:\s*accept\s+(?P<question>[a-z]{1,40})\s+(?P<subject>[A-Za-z0-9][A-Za-z0-9_./+-]{0,199})"
    r"\s+because\s+(?P<reason>\S.*)",
    re.IGNORECASE,
)
_LOOKS_LIKE_ONE = re.compile(
    r"[\s>*+~_`|#-]{0,40}(?:\d{1,9}[.)]\s{0,4})?[*_~`]{0,4}harness\s{0,4}:\s{0,4}accept\b", re.IGNORECASE
)
_PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
_PLACES = {
    "fence": "it stands in code",
    "code_block": "it stands in code",
    "blockquote_open": "it is quoted",
    "html_block": "it stands in HTML",
    "table_open": "it stands in a table",
    "bullet_list_open": "it stands in a list",
    "ordered_list_open": "it stands in a list",
    "heading_open": "it stands in a heading",
}
"""Block of Markdown -> why a line in it does not count."""
_NOWHERE = "it is no text of its own"
_HIDDEN = "it is hidden"
"""The place of a row in a comment of HTML, such as one of a template, which nobody sees."""
MAX_TEXT = 65_536
"""Characters of the largest comment on GitHub."""
MAX_LINE = 600


@dataclass(frozen=True)
class AcceptLine:
    """A line that accepts something, or that looks as if it did, and ``why`` it does not."""

    text: str
    question: str = ""
    subject: str = ""
    reason: str = ""
    why: str = ""


def find_similar_lines(text: str) -> list[str]:
    """The lines that look like an acknowledgement, wherever they stand; quick for any text."""
    return [row.strip() for row in _split(text) if _LOOKS_LIKE_ONE.match(row)]


def find_accept_lines(text: str) -> Iterator[AcceptLine]:
    """Find the lines that are acknowledgements, and those that look like one; in their order."""
    similar = find_similar_lines(text)
    if not similar or len(text) > MAX_TEXT:
        yield from (AcceptLine(row, why="the comment is too long") for row in similar)
        return
    rows = _split(text)
    places = _find_places(_PARSER.parse("\n".join(rows)), len(rows))
    for row, why in zip(rows, places, strict=True):
        if _LOOKS_LIKE_ONE.match(row) and why != _HIDDEN:
            yield _read_line(row.strip(), why)


def _split(text: str) -> list[str]:
    """The rows of a text as Markdown counts them."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd").split("\n")


def _read_line(row: str, why: str) -> AcceptLine:
    if len(row) > MAX_LINE:
        return AcceptLine(row, why=why or f"it has more than {MAX_LINE} characters")
    found = _LINE.fullmatch(row)
    if why or found is None:
        return AcceptLine(row, why=why or f"it is not of the form {FORM}")
    return AcceptLine(row, found["question"].lower(), found["subject"], found["reason"])


def _find_places(tokens: Sequence[Token], rows: int) -> list[str]:
    """Why each row of a text does not count; empty for a row of a paragraph at the top."""
    places = [_NOWHERE] * rows
    behind_html = False
    for token, level in zip(tokens, accumulate(each.nesting for each in tokens), strict=True):
        if token.map is None:
            continue
        start, end = token.map[0], min(token.map[1], rows)
        if token.type in _PLACES and level == max(token.nesting, 0):
            hidden = token.type == "html_block" and token.content.lstrip().startswith("<!--")
            places[start:end] = [_HIDDEN if hidden else _PLACES[token.type]] * (end - start)
            behind_html |= token.type == "html_block" and not hidden
        elif token.type == "inline" and level == 1 and places[start] == _NOWHERE:
            why = "it stands behind HTML" if behind_html else _find_fault(token.children or [], end - start)
            places[start:end] = [why] * (end - start)
    return places


def _find_fault(children: Sequence[Token], rows: int) -> str:
    """Why the rows of a paragraph are not plain text each; HTML and code may go over several of them."""
    if any(each.type == "html_inline" for each in children):
        return "it stands beside HTML"
    level = list(accumulate(each.nesting for each in children))
    breaks = [at for at, each in enumerate(children) if each.type in {"softbreak", "hardbreak"}]
    if any(level[at] for at in breaks):
        return "it is formatted"
    return "" if len(breaks) + 1 == rows else "it stands in code"
