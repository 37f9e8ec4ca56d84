"""What a comment is made of: sections, folded or not, and tables that say what they leave out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.report.escape import code_span
from harness.report.gate.view import LONGEST_COMMAND


@dataclass(frozen=True)
class Room:
    """How many rows a table may have: of what is new, and of anything else."""

    fresh: int
    rest: int


@dataclass(frozen=True)
class Section:
    """A title and what stands under it; a folded one shows its title only, which is plain text then."""

    title: str
    body: tuple[str, ...]
    folded: bool = False

    def lines(self) -> Iterator[str]:
        """The lines of the section, an empty one first."""
        if self.folded:
            yield from ("", f"<details><summary>{self.title}</summary>", "")
            yield from (*self.body, "", "</details>")
        else:
            yield from ("", f"### {self.title}", "", *self.body)


def draw_table(header: Sequence[str], rows: Sequence[Sequence[str]], most: int) -> tuple[str, ...]:
    """The lines of a table of at most ``most`` rows, and how many more there are."""
    shown = rows[:most]
    lines = [_row(header), _row(["---"] * len(header)), *map(_row, shown)] if shown else []
    if len(rows) > len(shown):
        left = f"{len(rows) - len(shown)} more"
        lines += [
            *([""] if shown else []),
            f"And {left}, in `gate.json`." if shown else f"{left}, in `gate.json`.",
        ]
    return tuple(lines)


def _row(fields: Sequence[str]) -> str:
    return f"| {' | '.join(fields)} |"


def quote_command(command: str) -> str:
    """A command as a code span, whole: half of one would do something else."""
    return code_span(command, LONGEST_COMMAND, table=False)


def span(text: str, limit: int = 300) -> str:
    """A code span outside a table."""
    return code_span(text, limit, table=False)
