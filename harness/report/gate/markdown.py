"""The gate's comment for a pull request: the verdict in its first line, a hidden marker in its last."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.report.escape import code_span, disarm_commands
from harness.report.gate.culprit_view import say_culprits
from harness.report.gate.escape import escape_prose
from harness.report.gate.markdown_new import (
    culprit_section,
    fresh_sections,
    slower_section,
    speed_section,
    unclear_section,
)
from harness.report.gate.markdown_parts import Room, Section, quote_command, span
from harness.report.gate.markdown_rest import rest_sections, way_out_section
from harness.report.gate.view import (
    MOST_CHECKS,
    checks_command,
    count_changes,
    fresh_findings,
    gate_command,
    group_findings,
    name_red,
    say_judged,
)

if TYPE_CHECKING:
    from harness.gate_records import Gate

LIMIT = 65_536
"""GitHub takes no comment of more characters. Bytes are counted, of which there are never fewer."""

ROOMS = tuple(Room(*rows) for rows in ((25, 25), (25, 10), (25, 3), (25, 0), (10, 0), (3, 0), (0, 0)))
"""Rows of a table: of what is new, and of the rest, which has to give way first."""


def render_gate_markdown(gate: Gate, limit: int = LIMIT) -> str:
    """Render a gate as GitHub-flavoured Markdown of at most ``limit`` bytes; what was cut is said.

    What packages and files wrote stands in code spans, where no forge knows links, mentions or commands.
    """
    text = ""
    for room in ROOMS:
        cut = "" if room == ROOMS[0] else "Shortened to what a comment may hold; the whole is in `gate.json`."
        text = disarm_commands("\n".join(_lines(gate, room, cut)) + "\n")
        if len(text.encode()) <= limit:
            break
    return text


def marker(matrix: str, file: str = "") -> str:
    """What tells a bot which comment to update: one for each matrix and dependency file.

    Both as they are asked for; of what can be read of them several may be alike, so a digest follows.
    """
    asked = re.sub(r"[^a-z0-9_.]+", "-", " ".join(filter(None, (matrix, file))).lower())
    digest = hashlib.sha256(f"{matrix}\0{file}".encode()).hexdigest()[:8]
    return f"<!-- harness-gate:{asked}-{digest} -->"


def _lines(gate: Gate, room: Room, cut: str) -> Iterator[str]:
    decision = gate.decision
    because = f": {code_span(decision.because, 400, table=False)}" if decision.because else ""
    yield f"**{decision.verdict.upper()}**: {escape_prose(decision.sentence)}{because}"
    yield from ("", _origin(gate))
    for section in _sections(gate, room):
        yield from section.lines()
    yield from _again(gate)
    if cut:
        yield from ("", cut)
    yield from ("", marker(_asked(gate, "--matrix") or gate.matrix, _asked(gate, "--to")))


def _asked(gate: Gate, option: str) -> str:
    """What a person gave an option; empty where it was left out."""
    arguments = gate.question.arguments
    return next((given for name, given in itertools.pairwise(arguments) if name == option), "")


def _origin(gate: Gate) -> str:
    question = gate.question
    parts = [f"From {span(question.baseline)} to {span(question.candidate)}"]
    if question.diff.changes:
        parts.append(f" ({count_changes(gate)})")
    if to_blame := say_culprits(gate, span, "→"):
        parts.append(f"; to blame: **{to_blame}**")
    return f"{''.join(parts)}. {say_judged(gate)}"


def _sections(gate: Gate, room: Room) -> Iterator[Section]:
    """What a person has to see first, then what can be unfolded."""
    yield from way_out_section(gate, room)
    yield from fresh_sections(gate, room)
    yield from slower_section(gate, room)
    yield from culprit_section(gate)
    yield from unclear_section(gate, room)
    yield from speed_section(gate, room)
    yield from rest_sections(gate, room)


def _again(gate: Gate) -> Iterator[str]:
    """How to see it on one's own machine: all of it, and what is new alone."""
    yield from ("", "### Run it yourself", "", f"All of it: {quote_command(gate_command(gate))}")
    groups = group_findings(fresh_findings(gate))
    if groups:
        command = checks_command(gate, [each.glob for each in groups[:MOST_CHECKS]])
        yield from ("", f"{name_red(groups)}: {quote_command(command)}")
    commit = f", commit {span(gate.commit)}" if gate.commit else ""
    yield from ("", f"Matrix {span(gate.matrix)}, run {span(gate.run)}, {span(gate.created)}{commit}.")
