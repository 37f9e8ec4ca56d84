"""Apply the acknowledgements of a pull request to a gate: what people accepted does not fail it any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
from packaging.utils import canonicalize_name

from harness.cell.interface import check_of
from harness.judge.gate_verdict import decide
from harness.records import Acknowledged

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.cell.interface import Check
    from harness.records import (
        Acknowledgement,
        Confirmation,
        Culprit,
        Decision,
        Finding,
        Judgement,
        Question,
        Speed,
    )

WORDS: Mapping[str, tuple[str, ...]] = {
    "vectors": ("before", "reference"),
    "ranking": ("ranking",),
    "dtype": ("dtype",),
    "stability": ("stability",),
    "cost": ("cost",),
}
"""Word of an acknowledgement -> the questions that it stands for."""

MOST_NAMED = 4
"""Largest number of subjects that a message names."""


def find_packages(finding: str, question: Question, culprit: Culprit | None) -> frozenset[str]:
    """The packages of a red case or quantity: the only direct change of the upgrade, and the cause of it."""
    direct = [each for each in question.diff.changes if each.asked]
    direct = [each for each in direct if not each.pinned] or direct
    causes = () if culprit is None else (culprit, *culprit.further)
    found = [each for one in causes if finding in one.looked_for for each in one.changes]
    alone = direct if len(direct) == 1 else []
    return frozenset(canonicalize_name(each.name) for each in (*alone, *found))


@dataclass(frozen=True)
class Acceptable:
    """A red finding that can be accepted: its word, and the subjects by which a line may name it."""

    word: str
    subjects: tuple[str, ...]
    packages: frozenset[str]
    finding: Finding | None = None
    quantity: str = ""

    def is_meant_by(self, line: Acknowledgement) -> bool:
        """Whether a line names this finding."""
        return line.question == self.word and (
            line.subject in self.subjects or canonicalize_name(line.subject) in self.packages
        )


def list_acceptable(
    decision: Decision,
    speed: Speed | None,
    question: Question,
    culprit: Culprit | None,
    checks: Sequence[Check],
) -> Iterator[Acceptable]:
    """What makes a gate red and has a question: confirmed new cases, known divergences, slower quantities.

    A case without a result cannot be accepted: nobody knows what it would be.
    """
    if decision.verdict != "regressed":
        return
    words = {named: word for word, names in WORDS.items() for named in names}
    asked = {check.id: check.question for check in checks}
    for each in (*decision.new, *(() if decision.accepted else decision.known)):
        check = check_of(each.check)
        if (named := asked.get(check)) and each.outcome != "missing":
            packages = find_packages(each.check, question, culprit)
            yield Acceptable(words[named], (each.check, check), packages, finding=each)
    accepted = {name for each in decision.acknowledged for name in each.quantities}
    for decided in speed.quantities if speed is not None else ():
        name = decided.quantity.id
        if decided.outcome == "regressed" and name not in accepted:
            yield Acceptable("cost", (name,), find_packages(name, question, culprit), quantity=name)


def decide_acknowledged(  # noqa: PLR0913 - one parameter an ingredient
    judgement: Judgement,
    speed: Speed | None,
    question: Question,
    culprit: Culprit | None,
    *,
    accept_known: bool,
    confirmations: tuple[Confirmation, ...],
    checks: Sequence[Check],
) -> Decision:
    """Decide a gate, and again without what people accepted; see ``decide``.

    All else decides as before: what remains red fails the gate, and what remains open leaves it inconclusive.
    """
    first = decide(judgement, speed, accept_known=accept_known, confirmations=confirmations, checks=checks)
    found = list(list_acceptable(first, speed, question, culprit, checks))
    matched = tuple(_match(line, found, first) for line in question.acknowledgements.counted)
    cases = frozenset(finding.check for each in matched for finding in each.findings)
    quantities = frozenset(name for each in matched for name in each.quantities)
    decision = first
    if cases or quantities:
        decision = decide(
            judgement,
            without_quantities(speed, quantities),
            accept_known=accept_known,
            confirmations=confirmations,
            checks=checks,
            accepted_cases=cases,
        )
        sentence = f"{_count(cases, quantities)}, {_lower(decision.sentence)}"
        decision = msgspec.structs.replace(decision, sentence=sentence)
    return msgspec.structs.replace(decision, acknowledged=matched)


def accept_nothing(decision: Decision, question: Question) -> Decision:
    """A decision without a comparison of two cells; it says so of each acknowledgement."""
    matched = tuple(_match(line, (), decision) for line in question.acknowledgements.counted)
    return msgspec.structs.replace(decision, acknowledged=matched)


def _match(line: Acknowledgement, found: Sequence[Acceptable], decision: Decision) -> Acknowledged:
    meant = [each for each in found if each.is_meant_by(line)]
    return Acknowledged(
        acknowledgement=line,
        findings=tuple(each.finding for each in meant if each.finding is not None),
        quantities=tuple(each.quantity for each in meant if each.quantity),
        unmatched="" if meant else _describe_unmatched(line, found, decision),
    )


def _describe_unmatched(line: Acknowledgement, found: Sequence[Acceptable], decision: Decision) -> str:
    if line.question not in WORDS:
        return f"{line.question} is none of the questions {', '.join(WORDS)}"
    if decision.verdict != "regressed":
        return f"the verdict is {decision.verdict}, and only what is red can be accepted"
    same = [each for each in found if each.word == line.question]
    if not same:
        return f"nothing of {line.question} is red"
    names = list(dict.fromkeys(name for each in same for name in (*sorted(each.packages), each.subjects[-1])))
    return f"what is red of {line.question} is not of {line.subject}, but of {', '.join(names[:MOST_NAMED])}"


def without_quantities(speed: Speed | None, accepted: frozenset[str]) -> Speed | None:
    """Latency and memory without accepted quantities; None if nothing else was measured."""
    if speed is None or not accepted:
        return speed
    rest = tuple(each for each in speed.quantities if each.quantity.id not in accepted)
    return msgspec.structs.replace(speed, quantities=rest) if rest else None


def _count(cases: frozenset[str], quantities: frozenset[str]) -> str:
    counted = [
        f"{len(names)} {noun if len(names) == 1 else plural}"
        for names, noun, plural in (
            (cases, "newly red case", "newly red cases"),
            (quantities, "quantity above its limit", "quantities above their limits"),
        )
        if names
    ]
    one = len(cases) + len(quantities) == 1
    return f"{' and '.join(counted)} {'is' if one else 'are'} accepted; apart from {'it' if one else 'them'}"


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
