"""The tables of the report for a terminal: cells x layers, and latency."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from harness.cell.catalogue import LAYERS
from harness.report.escape import shorten
from harness.report.latency_view import show_ratio, summarize_families
from harness.report.terminal import STYLES
from harness.report.view import axis_names, planned_by_cell, sign_cell, sign_layer, status_word

if TYPE_CHECKING:
    from rich.text import Text

    from harness.records import CellVerdict, Run
    from harness.report.terminal import Alphabet

_BESIDE_IDS = 47
"""Columns that status and layers take beside the ids."""

_LONG = 12


def draw_map(run: Run, alphabet: Alphabet, width: int) -> Table:
    """Cells x layers; where ids are too long for ``width`` columns, axes stand in columns of their own."""
    longest = max((len(cell.cell) for cell in run.judgement.cells), default=0)
    axes = axis_names(run) if longest > width - _BESIDE_IDS else []
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for name in (*(axes or ["cell"]), "status"):
        table.add_column(_break(name), overflow="fold")
    for layer in LAYERS:
        table.add_column(layer, no_wrap=True, min_width=len(layer))
    planned = planned_by_cell(run)
    for cell in run.judgement.cells:
        versions = planned[cell.cell].cell.axes if axes and cell.cell in planned else {}
        names = [versions.get(axis, "") for axis in axes] if versions else [cell.cell]
        padded = [*names, *[""] * (len(axes) - len(names))]
        table.add_row(*(alphabet.say(shorten(name)) for name in padded), *_signs(cell, alphabet))
    return table


def _break(name: str) -> str:
    """A heading in lines that end with its hyphens, where it is longer than a version."""
    return name.replace("-", "-\n") if len(name) > _LONG else name


def _signs(cell: CellVerdict, alphabet: Alphabet) -> list[Text]:
    kind = sign_cell(cell)
    layers = [sign_layer(cell, layer) for layer in LAYERS]
    return [
        alphabet.say(f"{alphabet.sign(kind)} {status_word(cell)}", STYLES[kind]),
        *(alphabet.say(sign.show(unicode=alphabet.unicode), STYLES[sign.kind]) for sign in layers),
    ]


def draw_latency(run: Run, alphabet: Alphabet) -> Table:
    """Families of scenarios x extremes of their ratios; without a row where nothing was timed."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("scenarios", overflow="fold")
    table.add_column("batches", overflow="fold")
    for name in ("lowest", "highest", "noise"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in summarize_families(run):
        numbers = (show_ratio(ratio) for ratio in (each.lowest, each.highest, each.floor))
        table.add_row(alphabet.say(shorten(each.name)), alphabet.say(", ".join(each.batches)), *numbers)
    return table
