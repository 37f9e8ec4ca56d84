"""A comparison of two runs as Markdown and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from harness.report.escape import code_span, disarm_commands, escape_markdown, fit_rows
from harness.report.history.view import (
    TITLES,
    describe_cells,
    describe_compared,
    describe_comparison,
    describe_run,
    group_differences,
    list_worse,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.records import Comparison
    from harness.report.history.view import DifferenceGroup


def render_comparison_json(comparison: Comparison) -> str:
    """Render every difference; the schema is ``harness.records.Comparison``."""
    return msgspec.json.format(msgspec.json.encode(comparison), indent=1).decode() + "\n"


_TABLE_BYTES = 45_000
"""Bytes of one table: the tables of all sixteen kinds stay below the limit of GitHub."""


def render_comparison_markdown(comparison: Comparison) -> str:
    """Render a comparison as GitHub-flavoured Markdown; text of packages stands in code spans."""
    word = "WORSE" if comparison.worse else "NOT WORSE"
    lines = [
        f"**{word}**: {escape_markdown(describe_comparison(comparison), 600)}",
        "",
        f"- before: {code_span(describe_run(comparison.before), table=False)}",
        f"- after: {code_span(describe_run(comparison.after), table=False)}",
        f"- {escape_markdown(describe_compared(comparison))}",
        *(f"- {code_span(note, 600, table=False)}" for note in comparison.notes),
        *_tables(comparison),
    ]
    return disarm_commands("\n".join(lines) + "\n")


def render_since(since: Comparison) -> Iterator[str]:
    """Render the section of a summary on changes since the last run."""
    before = code_span(describe_run(since.before), table=False)
    yield from ("", "### Since the last run", "")
    yield f"{escape_markdown(describe_comparison(since), 600)} Against {before}; {describe_compared(since)}."
    rows = [
        f"| {TITLES[group.kind]} | {code_span(group.name)} | {code_span(describe_cells(group, since.cells))} "
        f"| {code_span('; '.join(group.example.causes), 400)} |"
        for group in list_worse(since)
    ]
    if rows:
        shown, left = fit_rows(rows, _TABLE_BYTES)
        yield from ("", "| what | which | in | likely cause |", "| --- | --- | --- | --- |", *shown)
        if left:
            yield from ("", f"**{left} of {len(rows)} rows are cut off here; `harness compare` has all.**")


def _tables(comparison: Comparison) -> Iterator[str]:
    for kind, groups in group_differences(comparison).items():
        rows = [_row(group, comparison.cells) for group in groups]
        shown, left = fit_rows(rows, _TABLE_BYTES)
        yield from ("", f"### {TITLES[kind]}", "")
        yield "| | what | cells | cases | for example | likely cause |"
        yield "| --- | --- | --- | --- | --- | --- |"
        yield from shown
        if left:
            yield from (
                "",
                f"**{left} of {len(rows)} rows are cut off here; `harness compare --json` has all.**",
            )


def _row(group: DifferenceGroup, total: int) -> str:
    each = group.example
    seen = f"{each.what}: {each.before} -> {each.after}" if each.what else ""
    factor = f" {each.ratio:.2f}x" if each.ratio is not None else ""
    fields = (
        "✗" if group.worse else "",
        code_span(group.name),
        code_span(describe_cells(group, total), 600),
        str(group.cases),
        f"{code_span(seen, 400)}{factor}",
        code_span("; ".join(each.causes), 600),
    )
    return f"| {' | '.join(fields)} |"
