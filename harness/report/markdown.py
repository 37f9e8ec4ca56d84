"""The Markdown summary of a sweep: the verdict in its first line, then tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.cell.interface import LAYERS
from harness.judge.claims import summarize_claim
from harness.records import Earlier, describe_isolation
from harness.report.coverage import describe_coverage
from harness.report.escape import code_span, disarm_commands, escape_markdown, fit_rows
from harness.report.grid import lay_out
from harness.report.headline import Headline, Slot, find_headline, view_slots
from harness.report.history.markdown import render_since
from harness.report.latency_view import (
    describe_wrong,
    noise_floor,
    show_ratio,
    show_seconds,
    summarize_latency,
)
from harness.report.notes import list_notes
from harness.report.parity import find_margins
from harness.report.precision import recommend
from harness.report.questions import describe_service, list_limits, list_questions
from harness.report.view import (
    LEGEND,
    SIGNS,
    claim_example,
    claim_kind,
    count_verdicts,
    describe_locks,
    describe_skipped,
    findings_by_cell,
    group_red,
    known_divergences,
    list_red_checks,
    only_command,
    sign_cell,
    sign_layer,
    status_word,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.records import Run


_FIRST = Earlier()


def render_markdown(run: Run, earlier: Earlier = _FIRST) -> str:
    """Render a judged run as GitHub-flavoured Markdown; text of packages stands in code spans.

    It includes the changes since the last of the ``earlier`` runs.
    """
    judgement, counts = run.judgement, count_verdicts(run)
    total, known = len(judgement.cells), counts["expected"]
    skipped = describe_skipped(run)
    commit = f", commit {code_span(run.plan.commit, table=False)}" if run.plan.commit else ""
    summary = (
        f"{escape_markdown(run.plan.title)}. Matrix {code_span(run.plan.matrix, table=False)}, run "
        f"{code_span(run.plan.run, table=False)}{commit}: {total} cells, {counts['ok']} ok, {known} "
        f"otherwise as expected, {counts['red']} red, {counts['reused']} reused"
        f"{', ' if skipped else ''}{skipped}."
    )
    found = find_headline(run)
    lines = [
        f"**{SIGNS[found.kind][0]} {found.statement}**",
        "",
        *_wrong(found),
        f"{escape_markdown(found.news, 640)}",
        "",
        f"Under test: {code_span(describe_service(run.plan.service), table=False)}.",
        *_questions(run),
        "",
        summary,
        *(f"{facts}." for facts in filter(None, _facts(run))),
        *(render_since(earlier.since) if earlier.since is not None else ()),
        *_compatible(run),
        *_map(run),
        *_red(run),
        *_expectations(run),
        *_limits(run),
        *_notes(run),
        *_latency(run),
        *_claims(run),
        *_margins(run),
        *_recommended(run),
    ]
    return disarm_commands("\n".join(lines) + "\n")


def _wrong(found: Headline) -> Iterator[str]:
    """The groups of cells with wrong vectors, with what to do."""
    for group in found.groups:
        remedy = escape_markdown(f"To do: {group.remedy}.") if group.remedy else ""
        yield f"- {code_span(group.where, 300)}: {group.symptom}. {remedy}".rstrip()
        if group.cause:
            yield f"  {escape_markdown(f'{group.cause}.', 600)}"
    if found.groups:
        yield ""


def _compatible(run: Run) -> Iterator[str]:
    """The map of versions, a table for each facet, with what the page shows in each cell."""
    slots, found = view_slots(run), lay_out(run)
    for facet in found.facets:
        columns = map(code_span, facet.columns) if found.column_axis else ("result",)
        header = [f"{found.row_axis} \\ {found.column_axis}".rstrip(" \\"), *columns]
        rows = [
            [code_span(row.value), *(_show_slot(slot, slots) for slot in row.slots)] for row in facet.rows
        ]
        title = f"Compatible versions, {facet.title}" if facet.title else "Compatible versions"
        yield from _table(escape_markdown(title), header, rows)


def _show_slot(cells: Sequence[str], slots: Mapping[str, Slot]) -> str:
    return ", ".join(f"{SIGNS[slots[cell].kind][0]} {slots[cell].text}" for cell in cells if cell in slots)


def _facts(run: Run) -> tuple[str, ...]:
    isolation = describe_isolation(run.plan.isolation)
    return (describe_locks(run), describe_coverage(run.plan), isolation[:1].upper() + isolation[1:])


def _questions(run: Run) -> Iterator[str]:
    rows = [[row.title, row.show(), code_span(row.because, 200)] for row in list_questions(run)]
    yield from _table("Questions", ["question", "answer", "because"], rows)


def _margins(run: Run) -> Iterator[str]:
    rows = [
        [
            code_span(each.check),
            f"{each.worst:.2g} {escape_markdown(each.unit)}",
            f"{each.allowed:.2g}",
            f"{each.used:.0%}",
            "" if each.control is None else f"{each.control:.2g}",
            "" if each.distance is None else f"{each.distance:.3g}x",
            str(each.cells),
        ]
        for each in find_margins(run)
    ]
    header = ["check", "worst", "allowed", "used", "control", "control / allowed", "cells"]
    yield from _table("Margins of the tolerances", header, rows)


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if rows:
        shown, left = fit_rows([_row(row) for row in rows])
        yield from ("", f"### {title}", "")
        yield from (_row(header), _row(["---"] * len(header)), *shown)
        if left:
            yield from (
                "",
                f"**{left} of {len(rows)} rows are cut off here; the page and results.json have all.**",
            )


def _row(fields: Sequence[str]) -> str:
    return f"| {' | '.join(fields)} |"


def _map(run: Run) -> Iterator[str]:
    rows = [
        [
            code_span(cell.cell),
            f"{SIGNS[sign_cell(cell)][0]} {status_word(cell)}",
            *(sign_layer(cell, layer).show() for layer in LAYERS),
        ]
        for cell in run.judgement.cells
    ]
    yield from _table("Cells", ["cell", "status", *LAYERS], rows)
    if rows:
        yield ""
        yield ", ".join(f"{SIGNS[kind][0]} {word}" for kind, word in LEGEND.items())


def _red(run: Run) -> Iterator[str]:
    findings = findings_by_cell(run)
    rows = [
        [
            " ".join(code_span(cell.cell) for cell in group),
            f"{group[0].status}: {code_span(group[0].reason, 400)}",
            escape_markdown(group[0].advice),
            code_span(only_command(run, group[0].cell)),
        ]
        for group in group_red(run)
    ]
    yield from _table("Red", ["cells", "why", "advice", "run this only"], rows)
    checks = [
        [
            code_span(group[0].cell),
            each.layer,
            code_span(each.check),
            str(each.cases),
            code_span(each.message, 200),
            escape_markdown(each.advice),
        ]
        for group in group_red(run)
        for each in list_red_checks(findings.get(group[0].cell, []))
    ]
    header = ["cell", "layer", "check", "cases", "first case", "advice"]
    yield from _table("Every red check", header, checks if len(checks) > len(rows) else [])


def _expectations(run: Run) -> Iterator[str]:
    stale = [[code_span(each)] for each in run.judgement.stale_expectations]
    yield from _table("Expectations that match nothing", ["expectation"], stale)
    known = [
        [
            escape_markdown(each.reason),
            " ".join(code_span(check) for check in each.checks),
            str(each.cases),
            str(len(each.cells)),
        ]
        for each in known_divergences(run)
    ]
    yield from _table("Diverges as expected", ["reason", "checks", "cases", "cells"], known)


def _limits(run: Run) -> Iterator[str]:
    rows = [
        [code_span(each.margin), " ".join(code_span(check) for check in each.checks), str(each.cells)]
        for each in list_limits(run.judgement.findings)
    ]
    yield from _table("Limits, only for inputs far from the embeddings", ["limit", "checks", "cells"], rows)


def _notes(run: Run) -> Iterator[str]:
    rows = [
        [
            " ".join(code_span(case) for case in each.cases),
            code_span(each.message),
            f"{each.cells} of {each.measured}",
            escape_markdown(each.where),
        ]
        for each in list_notes(run)
    ]
    yield from _table("Notes: recorded behaviour", ["cases", "what", "cells", "only with"], rows)


def _latency(run: Run) -> Iterator[str]:
    rows = [
        [
            code_span(each.scenario),
            "-" if each.baseline_p50 is None else show_seconds(each.baseline_p50),
            show_ratio(each.lowest.ratio if each.lowest else None),
            show_ratio(each.median),
            show_ratio(each.highest.ratio if each.highest else None),
            show_ratio(each.floor),
        ]
        for each in summarize_latency(run)
    ]
    header = ["scenario", "baseline p50", "lowest", "median", "highest", "noise"]
    yield from _table("Latency, as ratio to the baseline", header, rows)
    if rows:
        floor = noise_floor(run)
        yield ""
        yield (
            f"Latency does not affect the verdict. Noise floor of the session: {show_ratio(floor)}."
            if floor is not None
            else "Latency does not affect the verdict. Without an A/A arm the noise is unknown."
        )
        if wrong := describe_wrong(run):
            yield ""
            yield escape_markdown(wrong, 600)


def _claims(run: Run) -> Iterator[str]:
    rows = []
    for claim in run.judgement.claims:
        summary = f"{SIGNS[claim_kind(claim)][0]} {summarize_claim(claim.rows)}"
        example = claim_example(run, claim)
        measured = f"{code_span(example.cell)}: {code_span(example.measured, 400)}" if example else ""
        rows.append([escape_markdown(claim.text), summary, measured])
    yield from _table("Documented claims", ["claim", "verdict", "measured, for example"], rows)


def _recommended(run: Run) -> Iterator[str]:
    found = recommend(run)
    if not found.advice:
        return
    yield from ("", "### Recommended normalizer", "", found.advice)
    if found.measured:
        yield from ("", " ".join(found.measured))
