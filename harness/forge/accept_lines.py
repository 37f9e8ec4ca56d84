"""Find the lines ``harness: accept QUESTION SUBJECT because REASON`` in the text of a comment.

A line counts where a forge shows it as plain text of its own: in a paragraph that is neither quoted, nor in a
list, a table, code, a comment of HTML, or behind HTML. Markdown is read by a parser, as the forges do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from markdown_it import MarkdownIt
from markdown_it.token import Token

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
