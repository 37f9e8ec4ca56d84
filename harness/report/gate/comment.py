"""The comment of a gate on a pull request: what to do in its first line, details folded."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.forge.comment import LIMIT, marker
from harness.report.escape import code_span, disarm_commands, escape_prose, without_texts
from harness.report.gate.acceptance import (
    HOW,
    MOST_LINES,
    list_accepted,
    list_ineffective,
    suggest_lines,
)
from harness.report.gate.headline import AnswerRow, Step, find_headline, show_verdict, view_questions
from harness.report.gate.markdown import (
    Room,
    Section,
    culprit_section,
    draw_table,
    fresh_sections,
    quote_command,
    slower_section,
    span,
    speed_section,
    unclear_section,
)
from harness.report.gate.view import (
    count_changes,
    describe_culprits,
    describe_further_changes,
    describe_judged,
    describe_origin,
    describe_search,
    describe_unchanged,
    group_findings,
    list_repeats,
    name_candidate,
    name_note,
)
from harness.report.questions import describe_service, list_limits

if TYPE_CHECKING:
    from harness.records import Culprit, Finding, Gate
    from harness.report.view import SignKind


# Folded sections: lock diff, known divergences, earlier findings, excluded packages


def further_changes_section(gate: Gate, room: Room) -> Iterator[Section]:
    """Further upgrades that give the candidate a solution."""
    way = gate.question.further
    if way is None:
        return
    rows = [
        [code_span(each.held), code_span(f"{each.name}>={each.lowest}"), code_span(each.newest)]
        for each in way.changes
    ]
    table = draw_table(("held", "needed", "newest that works"), rows, room.fresh)
    yield Section(
        "Upgrades that make it possible",
        (*table, *([""] if table else []), describe_further_changes(way)),
    )


def notes_section(gate: Gate, room: Room) -> Iterator[Section]:
    """Limits of the candidate, and recorded behaviour that differs between both environments, folded."""
    notes, limits = gate.decision.notes, list_limits(gate.decision.limits)
    if limits:
        rows = [
            [code_span(each.margin), " ".join(code_span(check, 120) for check in each.checks)]
            for each in limits
        ]
        yield Section(
            f"Limits, only for inputs far from the embeddings: {len(limits)}",
            draw_table(("limit", "checks"), rows, room.rest),
            folded=True,
        )
    if notes:
        rows = [
            [code_span(name_note(each), 120), code_span(each.baseline, 200), code_span(each.candidate, 200)]
            for each in notes
        ]
        title = f"Notes, which decide nothing: {len(notes)}"
        yield Section(title, draw_table(("check", "baseline", "candidate"), rows, room.rest), folded=True)


def acceptance_sections(gate: Gate, room: Room) -> Iterator[Section]:
    """What people accepted, and lines without effect."""
    accepted, lines = list_accepted(gate), list_ineffective(gate)
    rows = [
        [code_span(each.author), code_span(each.named), code_span(name, 120), code_span(message, 200)]
        for each in accepted
        for name, message in each.findings
    ]
    if rows:
        table = draw_table(("by", "accepted", "finding", "why"), rows, room.fresh)
        yield Section(f"Accepted: {len(rows)}", table)
    if lines:
        rows = [[code_span(each.line, 200), code_span(each.why, 200)] for each in lines]
        table = draw_table(("line", "why it accepts nothing"), rows, min(room.fresh, MOST_LINES))
        yield Section(f"Lines that accept nothing: {len(lines)}", table)


def how_to_accept_section(gate: Gate) -> Iterator[Section]:
    """The lines by which people accept what is red."""
    suggested = suggest_lines(gate)
    if suggested:
        more = len(suggested) - MOST_LINES
        left = ("", f"And {more} more.") if more > 0 else ()
        shown = (text for line in suggested[:MOST_LINES] for text in ("", quote_command(line)))
        yield Section("How to accept this", (escape_prose(HOW), *shown, *left))


def rest_sections(gate: Gate, room: Room) -> Iterator[Section]:
    """Sections that do not affect the verdict, folded."""
    decision = gate.decision
    yield from _lock_diff(gate, room)
    known = decision.known if gate.decision.accepted else ()
    yield from _findings("Accepted known divergences", known, room)
    yield from _findings("No longer checked", decision.unchecked, room)
    yield from _findings("Red before", decision.before, room)
    yield from _findings("No longer red", decision.gone, room)
    if gate.culprit is not None:
        yield from _trials(gate.culprit, room)
    yield from _left_out(gate, room)


def _lock_diff(gate: Gate, room: Room) -> Iterator[Section]:
    rows = [
        [
            code_span(each.name, 100),
            code_span(each.before, 100) or "-",
            code_span(each.after, 100) or "-",
            describe_origin(each),
        ]
        for each in gate.question.diff.changes
    ]
    if rows:
        body = (*draw_table(("package", "from", "to", ""), rows, 4 * room.rest), "", describe_unchanged(gate))
        yield Section(f"Changes of the upgrade: {count_changes(gate)}", body, folded=True)


def _findings(title: str, findings: Sequence[Finding], room: Room) -> Iterator[Section]:
    if not findings:
        return
    rows = [
        [
            code_span(each.check, 120),
            str(len(each.cases)),
            each.outcome,
            " ".join(filter(None, [escape_prose(each.expectation, 300), code_span(each.message, 200)])),
        ]
        for each in group_findings(findings)
    ]
    table = draw_table(("check", "cases", "outcome", "why"), rows, room.rest)
    yield Section(f"{title}: {len(findings)}", table, folded=True)


def _trials(culprit: Culprit, room: Room) -> Iterator[Section]:
    """Every part of the upgrade and every release that the search tried."""
    rows = [
        [code_span(", ".join(each.applied), 200), each.outcome, code_span(each.because, 200)]
        for each in culprit.trials
    ]
    rows += [
        [code_span(f"{search.name}=={each.version}", 200), each.outcome, code_span(each.because, 200)]
        for search in culprit.releases
        for each in search.tried
    ]
    if rows:
        search_lines = tuple(line for each in describe_search(culprit, span) for line in (each, ""))
        table = draw_table(("tried", "outcome", "because"), rows, room.rest)
        title = f"Trials of the search for the cause: {len(rows)}"
        yield Section(title, (*search_lines, *table), folded=True)


def _left_out(gate: Gate, room: Room) -> Iterator[Section]:
    question = gate.question
    rows = [
        [code_span(each.name, 100), code_span(each.file), escape_prose(each.reason)]
        for each in question.left_out
    ]
    if rows:
        table = draw_table(("package", "file", "because"), rows, room.rest)
        yield Section(f"Excluded packages: {len(rows)}", table, folded=True)
    if question.notes:
        notes = tuple(f"- {span(note)}" for note in question.notes[: room.rest])
        more = len(question.notes) - len(notes)
        left = (f"- {more} more, in `gate.json`.",) if more else ()
        yield Section(f"Notes: {len(question.notes)}", (*notes, *left), folded=True)


ROOMS = tuple(Room(*rows) for rows in ((25, 25), (25, 10), (25, 3), (25, 0), (10, 0), (3, 0), (0, 0)))
"""Numbers of table rows to try, in order: for new findings, and for the rest, which is cut first."""


def render_gate_markdown(gate: Gate, limit: int = LIMIT) -> str:
    """Render a gate as GitHub-flavoured Markdown of at most ``limit`` bytes, with a note where it was cut.

    Text of packages and files stands in code spans, where links, mentions and commands have no effect.
    """
    text = ""
    for room in ROOMS:
        cut = "" if room == ROOMS[0] else "Shortened to the limit of comments; `gate.json` has all."
        text = disarm_commands("\n".join(_lines(gate, room, cut)) + "\n")
        if len(text.encode()) <= limit:
            break
    return text


EMOJI: dict[SignKind, str] = {
    "pass": "\N{WHITE HEAVY CHECK MARK}",
    "note": "\N{WHITE HEAVY CHECK MARK}",
    "red": "\N{CROSS MARK}",
    "xfail": "\N{WARNING SIGN}\N{VARIATION SELECTOR-16}",
    "missing": "\N{WARNING SIGN}\N{VARIATION SELECTOR-16}",
    "none": "\N{HEAVY MINUS SIGN}",
    "skip": "\N{HEAVY MINUS SIGN}",
}
"""Kind of an answer -> an emoji, which forges show in colour."""


def _lines(gate: Gate, room: Room, cut: str) -> Iterator[str]:
    yield from _head(gate)
    for section in _sections(gate, room):
        yield from replace(section, folded=True).lines()
    yield from _again(gate)
    if cut:
        yield from ("", cut)
    matrix = _asked(gate, "--matrix") or gate.matrix
    yield from ("", marker(matrix, _asked(gate, "--to"), _list_choice(gate)))


def _head(gate: Gate) -> Iterator[str]:
    """What decides, in at most twelve lines: action, what is under test, answers, cause, what to do."""
    found, decision = find_headline(gate), gate.decision
    yield f"### {EMOJI[found.kind]} {found.action}: {span(found.upgrade)}{_name_new(found.faults)}"
    accepted, what_now = _describe_accepted(gate), _describe_what_now(gate, found.steps)
    if accepted:  # one paragraph with what is to do, for the sake of the twelve lines
        yield from ("", " ".join(filter(None, (accepted, what_now))))
    yield from ("", f"Under test: {span(describe_service(gate.question.service))}.")
    if rows := view_questions(gate):
        shown = [[each.title, _show_answer(each), code_span(each.because, 160)] for each in rows]
        yield from ("", *draw_table(("question", "answer", "because"), shown, len(shown)))
    if what_now and not accepted:
        yield from ("", what_now)
    because = f": {code_span(without_texts(decision.because), 200, table=False)}" if decision.because else ""
    sentence = escape_prose(decision.sentence).removesuffix(".")
    yield from ("", f"{show_verdict(gate)}: {sentence}{because}. {_origin(gate)}")


def _name_new(faults: Sequence[str]) -> str:
    """The first of what is new, for the title; the table below has the others."""
    if not faults:
        return ""
    more = "; and more" if len(faults) > MOST_NEW else ""
    return f": {escape_prose('; '.join(faults[:MOST_NEW]), 200)}{more}"


MOST_NEW = 2
"""Largest number of faults in the title of a comment."""


def _describe_accepted(gate: Gate) -> str:
    """Who accepted what, and why; empty if nobody accepted anything."""
    found = list_accepted(gate)
    parts = [
        f"**Accepted by {span(each.author)}:** {span(each.reason)} ({span(each.what)}{_link(each.link)})."
        for each in found[:MOST_ACCEPTED]
    ]
    more = len(found) - MOST_ACCEPTED
    return " ".join((*parts, *([f"And {more} more."] if more > 0 else [])))


MOST_ACCEPTED = 3
"""Largest number of acknowledgements in the head of a comment."""

_LINK = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]+)?/[A-Za-z0-9_.~/-]*(?:#[a-z_]+-?[0-9]+)?")


def _link(address: str) -> str:
    return f", [comment]({address})" if _LINK.fullmatch(address) else ""


def _describe_what_now(gate: Gate, steps: Sequence[Step]) -> str:
    """The cause and what to do, in one line; empty without either."""
    cause = describe_culprits(gate, span, "→")
    todo = ", or ".join(_show_step(each) for each in steps)
    parts = (f"**Cause:** {cause}." if cause else "", f"**To do:** {todo}." if todo else "")
    return " ".join(filter(None, parts))


def _show_answer(row: AnswerRow) -> str:
    """The answer of the candidate, with that of the baseline where it differs."""
    before = f" (before: {row.before})" if row.before not in {"", row.answer} else ""
    return f"{EMOJI[row.kind]} {row.answer}{before}"


def _show_step(step: Step) -> str:
    return escape_prose(step.text, 200) + (f": {quote_command(step.command)}" if step.command else "")


def _asked(gate: Gate, option: str) -> str:
    """The value of an option in the command of the gate; empty without it."""
    arguments = gate.question.arguments
    return next((given for name, given in itertools.pairwise(arguments) if name == option), "")


def _list_choice(gate: Gate) -> list[str]:
    """The options in the command of the gate that choose from a lock."""
    pairs = itertools.pairwise(gate.question.arguments)
    return [f"{name} {given}" for name, given in pairs if name in {"--extra", "--group"}]


def _origin(gate: Gate) -> str:
    question = gate.question
    parts = [f"From {span(question.baseline)} to {span(name_candidate(gate))}"]
    if question.diff.changes:
        parts.append(f" ({count_changes(gate)})")
    return f"{''.join(parts)}. {describe_judged(gate)}"


def _sections(gate: Gate, room: Room) -> Iterator[Section]:
    """The sections that decide, then the folded ones."""
    yield from further_changes_section(gate, room)
    yield from acceptance_sections(gate, room)
    yield from fresh_sections(gate, room)
    yield from slower_section(gate, room)
    yield from culprit_section(gate)
    yield from how_to_accept_section(gate)
    yield from unclear_section(gate, room)
    yield from speed_section(gate, room)
    yield from notes_section(gate, room)
    yield from rest_sections(gate, room)


def _again(gate: Gate) -> Iterator[str]:
    """Commands that repeat the whole gate or a part of it."""
    yield from ("", "<details><summary>Reproduce</summary>", "")
    for title, command in list_repeats(gate):
        yield from (f"{title}: {quote_command(command)}", "")
    commit = f", commit {span(gate.commit)}" if gate.commit else ""
    yield from (f"Matrix {span(gate.matrix)}, run {span(gate.run)}, {span(gate.created)}{commit}.", "")
    yield "</details>"
