"""A comment as GitHub shows it: rendered by GitHub's own Markdown library, and read back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser

from cmarkgfm import Options, github_flavored_markdown_to_html

TAGS = {
    *("h3", "p", "strong", "em", "code", "ul", "li", "br"),
    *("details", "summary", "table", "thead", "tbody", "tr", "th", "td"),
}
"""The tags of a comment; no link and no picture among them, which others could have written."""

_MARKER = re.compile(r" harness-gate:[a-z0-9_.-]+ ")
_ASKED = re.compile(r"(?i)[@#!~%$&]\w|://|www\.|\bGH-\d|\[[a-z_]+:|\b[0-9a-f]{7,}\b")
"""What GitHub and GitLab make a link or a mention of in text."""

_DISGUISE = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass
class _Row:
    """A row of a table: whether it is a heading, and its cells."""

    heading: bool
    cells: int = 0


class Comment(HTMLParser):
    """The tags, the folds, the text outside of code, and what should not be there."""

    def __init__(self) -> None:
        super().__init__()
        self.order: list[str] = []
        self.summaries: list[str] = []
        self.above = 0  # lines before the first fold
        self.prose = ""  # the text outside of code
        self.faults: list[str] = []
        self._open: list[str] = []
        self._columns = 0
        self._row = _Row(heading=False)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        parent = self._open[-1] if self._open else ""
        if tag not in TAGS or attrs or (tag == "summary" and parent != "details"):
            self.faults.append(f"tag: {tag} {attrs} in {parent}")
        self.above += "details" not in self.order and tag in {"h3", "p", "tr", "li"}
        self.order.append(tag)
        if tag == "tr":
            self._row = _Row(heading=parent == "thead")
        self._row.cells += tag in {"td", "th"}
        self.summaries += [""] if tag == "summary" else []
        self._open += [tag] if tag != "br" else []

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"end: {tag}")
        if tag == "tr":
            self._columns = self._row.cells if self._row.heading else self._columns
            if self._row.cells != self._columns:
                self.faults.append(f"row: {self._row.cells} cells of {self._columns}")

    def handle_comment(self, data: str) -> None:
        if not _MARKER.fullmatch(data):
            self.faults.append(f"comment: {data}")

    def handle_data(self, data: str) -> None:
        if self._open[-1:] == ["summary"]:
            self.summaries[-1] += data
        if _DISGUISE.search(data):
            self.faults.append(f"direction: {data!r}")
        if "code" in self._open:
            return
        self.prose += data
        if _ASKED.search(data):
            self.faults.append(f"text: {data}")


def read_comment(text: str) -> Comment:
    """Render a comment as GitHub does, and read it."""
    comment = Comment()
    comment.feed(github_flavored_markdown_to_html(text, Options.CMARK_OPT_UNSAFE))
    comment.close()
    # GitLab runs such lines, before it reads any Markdown.
    comment.faults += [line for line in text.splitlines() if line.startswith("/")]
    comment.faults += [f"not closed: {tag}" for tag in comment._open]
    return comment
