"""What people accepted in the pull request of a gate, what has no effect, and how to accept the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.cell.interface import load_checks
from harness.judge.acknowledgement import WORDS, list_acceptable
from harness.report.escape import shorten
from harness.report.gate.speed_view import regressed, show_limit, show_percents
from harness.report.gate.view import count_cases, group_findings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.judge.acknowledgement import Acceptable
    from harness.records import Acknowledged, Gate, QuantityDecision

HOW = (
    "Somebody with write access can accept what is red, by a line in the description or in a comment. "
    "A comment starts no pipeline: run the job of the gate again afterwards."
)
"""How an acknowledgement is written, and when it has an effect."""

MOST_LINES = 6
"""Largest number of lines shown of those without effect, and of those to write."""


@dataclass(frozen=True)
class Accepted:
    """An acknowledgement with effect; ``what`` counts the findings, which have names and messages."""

    author: str
    reason: str
    named: str
    what: str
    link: str
    findings: tuple[tuple[str, str], ...]


def list_accepted(gate: Gate) -> list[Accepted]:
    """What people accepted, in the order of their lines."""
    return [_view(gate, each) for each in gate.decision.acknowledged if each.findings or each.quantities]


def describe_accepted(gate: Gate) -> list[str]:
    """A line for each acknowledgement: who accepted what, and why."""
    return [f"Accepted by {each.author}: {each.reason} ({each.what})" for each in list_accepted(gate)]


def _view(gate: Gate, each: Acknowledged) -> Accepted:
    line, slower = each.acknowledgement, _list_quantities(gate, each)
    named = f"{line.question} of {shorten(line.subject, 80)}"
    counted = [count_cases(len(each.findings))] if each.findings else []
    what = f"{named}: {', '.join((*counted, *slower[:2]))}" + (" and more" if len(slower) > 2 else "")
    if (line.subject,) == each.quantities:
        what = f"{line.question} of {slower[0]}"
    return Accepted(
        author=shorten(line.author, 60),
        reason=shorten(line.reason),
        named=named,
        what=what,
        link=line.link,
        findings=(
            *((group.check, group.message) for group in group_findings(each.findings)),
            *((text.partition(" ")[0], text.partition(" ")[2]) for text in slower),
        ),
    )


def _list_quantities(gate: Gate, each: Acknowledged) -> list[str]:
    """The accepted quantities with their change: ``embed.openvino.float32.1 +6.0 % (limit +5 %)``."""
    return [
        f"{shorten(found.quantity.id, 80)} {show_percents(found.change.ratio) if found.change else ''} "
        f"(limit {show_limit(found)})"
        for found in regressed(gate.speed)
        if found.quantity.id in each.quantities
    ]


def list_remaining(gate: Gate) -> list[QuantityDecision]:
    """Quantities above their limits that nobody accepted."""
    accepted = {name for each in gate.decision.acknowledged for name in each.quantities}
    return [each for each in regressed(gate.speed) if each.quantity.id not in accepted]


def accepted_questions(gate: Gate) -> set[str]:
    """The questions of which everything that is red was accepted."""
    words = {each.acknowledgement.question for each in gate.decision.acknowledged if not each.unmatched}
    words -= {each.word for each in _list_open(gate)}
    return {question for word in words for question in WORDS.get(word, ())}


def _list_open(gate: Gate) -> Iterator[Acceptable]:
    return list_acceptable(gate.decision, gate.speed, gate.question, gate.culprit, load_checks())


def suggest_lines(gate: Gate) -> list[str]:
    """The lines by which everything that is red could be accepted: by package where that is known."""
    named = ((each.word, min(each.packages, default=each.subjects[-1])) for each in _list_open(gate))
    lines = dict.fromkeys(f"harness: accept {word} {subject} because REASON" for word, subject in named)
    return [shorten(line) for line in lines]


@dataclass(frozen=True)
class Ineffective:
    """A line that accepts nothing, the reason, and where it is."""

    line: str
    why: str
    link: str


def list_ineffective(gate: Gate) -> list[Ineffective]:
    """The lines that accept nothing; of a pull request that was not read, the reason, if that matters."""
    unmatched = [
        Ineffective(
            f"harness: accept {line.question} {line.subject} because {line.reason}", each.unmatched, line.link
        )
        for each in gate.decision.acknowledged
        if each.unmatched and (line := each.acknowledgement)
    ]
    others = [
        Ineffective(each.line or "none was read", each.why, each.link)
        for each in gate.question.acknowledgements.disregarded
        if each.line or gate.decision.verdict == "regressed"
    ]
    return [Ineffective(shorten(each.line), shorten(each.why), each.link) for each in (*unmatched, *others)]
