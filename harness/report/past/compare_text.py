"""A comparison for a terminal."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from harness.report.escape import shorten
from harness.report.past.compare_view import (
    TITLES,
    group_differences,
    say_cells,
    say_compared,
    say_comparison,
    say_run,
)
from harness.report.terminal import Alphabet, print_to_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from harness.history_records import Comparison
    from harness.report.past.compare_view import DifferenceGroup

_NAMED_BY_CHANGE = {
    "lock-changed",
    "surroundings-changed",
    "cell-appeared",
    "cell-vanished",
    "status-changed",
    "verdict-changed",
}


def render_comparison_text(
    comparison: Comparison, *, width: int = 80, color: bool = False, unicode: bool = True
) -> str:
    """Render a comparison; the sentence stands first and last, and every check that changed between.

    Args:
        comparison: what two runs differ in.
        width: columns of the terminal.
        color: whether escape sequences for colours may be used.
        unicode: whether the encoding knows more than ASCII.
    """
    lines = Group(*_draw(comparison, Alphabet(unicode)))
    return print_to_text(lines, width=width, color=color, unicode=unicode)


def _draw(comparison: Comparison, alphabet: Alphabet) -> Iterator[RenderableType]:
    sentence = alphabet.say(
        f"{'WORSE: ' if comparison.worse else ''}{say_comparison(comparison)}",
        "bold red" if comparison.worse else "bold green",
    )
    yield sentence
    yield alphabet.say(f"before: {say_run(comparison.before)}", "dim")
    yield alphabet.say(f"after:  {say_run(comparison.after)}", "dim")
    yield alphabet.say(say_compared(comparison), "dim")
    yield from (alphabet.say(f"note: {shorten(note, 600)}", "yellow") for note in comparison.notes)
    grouped = group_differences(comparison)
    for kind, groups in grouped.items():
        yield Text()
        yield alphabet.say(TITLES[kind], "bold")
        for causes, several in itertools.groupby(groups, key=lambda group: group.example.causes):
            for group in several:
                yield from draw_group(group, comparison.cells, alphabet)
            if causes:
                yield alphabet.indent(f"likely cause: {shorten('; '.join(causes), 600)}", 4, "italic")
    if grouped:
        yield Text()
        yield sentence


def draw_group(group: DifferenceGroup, total: int, alphabet: Alphabet) -> Iterator[RenderableType]:
    """A group of differences in one or two lines; ``total`` is how many cells were compared."""
    sign = alphabet.sign("red") if group.worse else "-"
    where = say_cells(group, total)
    if group.kind in _NAMED_BY_CHANGE:
        yield alphabet.indent(f"{sign} {shorten(group.name)}: {shorten(where)}")
    else:
        each = group.example
        count = f"{group.cases} in " if group.cases > 1 else ""
        factor = f" ({each.ratio:.2f}x" if each.ratio is not None else ""
        noise = f", noise {each.beyond:.2f}x" if each.beyond is not None else ""
        tail = f"{factor}{noise})" if factor else ""
        name = shorten(each.what)
        yield alphabet.indent(f"{sign} {shorten(group.name)}: {count}{shorten(where)}")
        yield alphabet.indent(f"{name}: {shorten(each.before)} -> {shorten(each.after)}{tail}", 4)
