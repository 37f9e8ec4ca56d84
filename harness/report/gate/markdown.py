"""Sections of the comment on a pull request: new findings, slower and undecided quantities, the cause."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report.escape import code_span, escape_prose
from harness.report.gate.speed_view import (
    count_outcomes,
    describe_effort,
    find_remedies,
    group_why,
    regressed,
    show_change,
    show_floor,
    show_threshold,
    show_value,
    unclear,
    worst_first,
)
from harness.report.gate.view import (
    ACCEPT_KNOWN,
    LONGEST_COMMAND,
    UNCONFIRMED,
    Group,
    count_cases,
    culprit_command,
    culprits_of,
    describe_culprits,
    fresh_findings,
    fresh_known,
    group_findings,
    group_known,
    rerun_command,
)

if TYPE_CHECKING:
    from harness.records import Finding, Gate, QuantityDecision


# Sections and tables


@dataclass(frozen=True)
class Room:
    """Largest number of table rows: for new findings, and for everything else."""

    fresh: int
    rest: int


@dataclass(frozen=True)
class Section:
    """A title and its body; a folded section shows its title, which is plain text."""

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
    """The lines of a table of at most ``most`` rows, with the number of omitted rows."""
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
    """A whole command as a code span; a shortened one would do something else."""
    return code_span(command, LONGEST_COMMAND, table=False)


def span(text: str, limit: int = 300) -> str:
    """A code span outside of a table."""
    return code_span(text, limit, table=False)


LONGEST = 1200
"""Largest length of a sentence on the cause, in characters."""

HEADER = ("quantity", "baseline", "candidate", "ratio", "may be", "noise", "processes", "outcome")


def fresh_sections(gate: Gate, room: Room) -> Iterator[Section]:
    """Findings that only the candidate has, one row per check or known reason; the cases are folded."""
    decision = gate.decision
    groups, known, findings = _group(gate, decision.new), fresh_known(gate), fresh_findings(gate)
    if groups:
        body = _draw_groups(groups, room)
        yield Section(f"New in the candidate: {count_cases(len(decision.new))}", body)
    if decision.unconfirmed:
        body = _draw_groups(_group(gate, decision.unconfirmed), room)
        body += ("", f"Without stored results: {quote_command(rerun_command(gate))}")
        yield Section(f"{UNCONFIRMED}: {count_cases(len(decision.unconfirmed))}", body)
    if known:
        yield _known(known, room)
    if len(findings) > len(groups):
        cases = [[code_span(each.check, 120), code_span(each.message, 200)] for each in findings]
        title = f"Every new case: {len(findings)}"
        yield Section(title, draw_table(("case", "why"), cases, room.rest), folded=True)


def _group(gate: Gate, findings: Sequence[Finding]) -> list[Group]:
    return group_findings(findings, gate.decision.confirmations)


def _draw_groups(groups: Sequence[Group], room: Room) -> tuple[str, ...]:
    """Draw new findings, with how often they were red if they were run again."""
    rows = [
        [
            code_span(each.check, 120),
            str(len(each.cases)),
            each.runs,
            code_span(each.message, 200) or each.outcome,
            escape_prose(each.advice),
        ]
        for each in groups
    ]
    header = ["check", "cases", "red in", "why", "advice"]
    if not any(each.runs for each in groups):
        header, rows = header[:2] + header[3:], [row[:2] + row[3:] for row in rows]
    return draw_table(header, rows, room.fresh)


def _known(findings: Sequence[Finding], room: Room) -> Section:
    rows = [
        [
            escape_prose(each.reason),
            code_span(", ".join(each.checks), 200),
            str(each.cases),
        ]
        for each in group_known(findings)
    ]
    table = draw_table(("known divergence", "checks", "cases"), rows, room.fresh)
    title = f"Known divergences new in the candidate: {count_cases(len(findings))}"
    return Section(title, (*table, "", f"`{ACCEPT_KNOWN}` accepts these."))


def slower_section(gate: Gate, room: Room) -> Iterator[Section]:
    """Quantities that are certainly slower or larger."""
    risen = regressed(gate.speed)
    if risen:
        rows = [row[:6] for row in _quantity_rows(risen)]
        yield Section(f"Slower, or larger: {len(risen)}", draw_table(HEADER[:6], rows, room.fresh))


def speed_section(gate: Gate, room: Room) -> Iterator[Section]:
    """Every quantity with the basis of its decision, folded."""
    if gate.speed is None:
        return
    every = worst_first(gate.speed)
    body = (
        *draw_table(HEADER, _quantity_rows(every), room.rest),
        "",
        escape_prose(describe_effort(gate.speed)),
    )
    yield Section(f"Latency and memory: {count_outcomes(every)}", body, folded=True)


def _quantity_rows(decisions: Sequence[QuantityDecision]) -> list[list[str]]:
    return [
        [
            code_span(each.quantity.id, 120),
            show_value(each.baseline, each.quantity.unit),
            show_value(each.candidate, each.quantity.unit),
            show_change(each.change),
            show_threshold(each),
            show_floor(each.control),
            str(each.blocks),
            each.outcome,
        ]
        for each in decisions
    ]


def unclear_section(gate: Gate, room: Room) -> Iterator[Section]:
    """Undecided quantities with reasons and remedies."""
    undecided = unclear(gate.speed)
    if gate.speed is None or not undecided:
        return
    rows = [
        [
            " ".join(code_span(each, 120) for each in quantities),
            ": ".join(filter(None, [escape_prose(why), code_span(because, 200)])),
        ]
        for (why, because), quantities in group_why(undecided, gate.speed).items()
    ]
    body = draw_table(("quantity", "why"), rows, room.fresh)
    for remedy in find_remedies(gate, undecided):
        body += ("", f"{escape_prose(remedy.advice)}: {quote_command(remedy.command)}")
    yield Section(f"Undecided: {len(undecided)}", body)


def culprit_section(gate: Gate) -> Iterator[Section]:
    """The parts of the upgrade that are the cause, the evidence, and the commands that show each alone."""
    culprit = gate.culprit
    if culprit is None:
        return
    if not culprit.changes:
        yield Section("Cause", (escape_prose(culprit.sentence, LONGEST),))
        return
    lines = [f"**{describe_culprits(gate, span, '→')}**: {escape_prose(culprit.sentence, LONGEST)}"]
    commands = [command for each in culprits_of(gate) if (command := culprit_command(gate, each))]
    for command in commands:
        lines += ["", f"This change only: {quote_command(command)}"]
    yield Section("Cause", tuple(lines))
