"""What a trial looks for, and what it has seen of that. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from harness.judge.outcomes import WHOLE_CELL
from harness.records import (
    BASELINE,
    CANDIDATE,
    CellVerdict,
    Culprit,
    Decision,
    Finding,
    Quantity,
    QuantityDecision,
    Speed,
    TrialOutcome,
)

_RAN = {"ok", "failed"}
_MEASURED = {"pass", "fail", "error", "xfail", "xpass"}
_FAILS = frozenset({"fail", "error"})
_END = re.compile(r"importing .+? failed: \w+|.*?(?= before it was finished)")
_NUMBER = re.compile(r"\d+(\.\d+)?")


@dataclass(frozen=True)
class Symptoms:
    """What the candidate does and the baseline does not.

    Attributes:
        status: how the candidate died; then nothing else is looked for.
        end: what it died of, without what differs from process to process; see ``name_end``.
        cases: case id -> outcomes that are this failure again.
        quantities: what got slower or larger.
    """

    status: str = ""
    end: str = ""
    cases: Mapping[str, frozenset[str]] = field(default_factory=dict)
    quantities: tuple[Quantity, ...] = ()

    @property
    def of_suite(self) -> tuple[str, ...]:
        """What a run of the suite can show."""
        return (f"status {self.status}",) if self.status else tuple(self.cases)

    @property
    def of_speed(self) -> tuple[str, ...]:
        """What only measuring can show."""
        return tuple(quantity.id for quantity in self.quantities)


@dataclass(frozen=True)
class Seen:
    """What one trial showed: which symptoms came up, which did not, and why nothing is known of the rest."""

    red: frozenset[str] = frozenset()
    green: frozenset[str] = frozenset()
    because: str = ""

    def judge(self, wanted: Collection[str]) -> tuple[TrialOutcome, str]:
        """Outcome as to these symptoms: red if any comes up, green only if none does for certain."""
        if self.red & set(wanted):
            return "red", ""
        unknown = [each for each in wanted if each not in self.green]
        if not unknown:
            return "green", ""
        return "unresolved", self.because or f"nothing is known of {unknown[0]}"


def find_symptoms(decision: Decision, speed: Speed | None, findings: Collection[Finding]) -> Symptoms:
    """What failed the gate; ``findings`` are those of both cells.

    Known divergences count as long as they were not accepted. A case that diverged as expected in the
    baseline, and fails in the candidate, is looked for as a failure that nobody expects.
    """
    candidate = next((cell for cell in decision.cells if cell.cell == CANDIDATE), None)
    quantities = tuple(e.quantity for e in speed.quantities if e.outcome == "regressed") if speed else ()
    if candidate is None:
        return Symptoms(status="missing")
    if candidate.status not in _RAN:
        return Symptoms(status=candidate.status, end=name_end(candidate.reason))
    before = {each.check: each.outcome for each in findings if each.cell == BASELINE}
    new = (*decision.new, *(() if decision.accepted else decision.known))
    cases = {
        each.check: _this_failure(each, before.get(each.check, ""))
        for each in new
        if each.check != WHOLE_CELL and before.get(each.check) not in {"fail", "error"}
    }
    return Symptoms(cases=cases, quantities=quantities)


def _this_failure(finding: Finding, before: str) -> frozenset[str]:
    """A wrong value is not an exception: with half of an upgrade something else may break."""
    if finding.outcome == "xfail":
        return _FAILS | {"xfail"}  # nothing says which of the two was expected
    if finding.outcome not in _FAILS or before == "xfail":
        return frozenset({finding.outcome})
    return frozenset({finding.outcome, "xfail"})


def name_end(reason: str) -> str:
    """What a process died of: what could not be imported and the kind of error, or how it ended.

    Messages name what is missing and numbers differ, where a trial of other versions dies of the same.
    """
    found = _END.search(reason)
    return _NUMBER.sub("#", found[0] if found else reason)


def keep_culprit(culprit: Culprit | None, decision: Decision, symptoms: Symptoms) -> Culprit | None:
    """The culprit of a gate that was decided once more: it stays where all that it explains is still so.

    Its sentence speaks of all that was looked for at once, so it stays as a whole, or not.
    """
    if culprit is None or decision.verdict != "regressed":
        return None
    looked_for = {each for one in (culprit, *culprit.further) for each in one.looked_for}
    return culprit if looked_for <= {*symptoms.of_suite, *symptoms.of_speed} else None


def see_cell(symptoms: Symptoms, cell: CellVerdict, findings: Collection[Finding]) -> Seen:
    """What a run of the suite showed; ``findings`` are those of its cell."""
    ran = cell.status in _RAN
    ended = "" if ran else f"it is {cell.status}: {cell.reason}"
    if symptoms.status:
        wanted = frozenset(symptoms.of_suite)
        if cell.status == symptoms.status and name_end(cell.reason) == symptoms.end:
            return Seen(red=wanted)
        return Seen(green=wanted) if ran else Seen(because=ended)
    if not ran:
        return Seen(because=ended)
    mine = [each for each in findings if each.check in symptoms.cases]
    red = frozenset(each.check for each in mine if each.outcome in symptoms.cases[each.check])
    green = frozenset(each.check for each in mine if _is_green(each, symptoms.cases[each.check]))
    unclear = next((f"{e.check}: {e.message}" for e in mine if e.check not in red | green), "")
    return Seen(red=red, green=green, because=unclear)


def _is_green(finding: Finding, looked_for: frozenset[str]) -> bool:
    """Measured, and not this failure; of one that fails otherwise nobody knows whether this one is there."""
    if finding.outcome not in _MEASURED or finding.outcome in looked_for:
        return False
    return finding.outcome not in _FAILS or not looked_for & _FAILS


def see_speed(quantities: Collection[QuantityDecision]) -> Seen:
    """What measuring showed; only what is decided counts."""
    red = frozenset(each.quantity.id for each in quantities if each.outcome == "regressed")
    green = frozenset(each.quantity.id for each in quantities if each.outcome == "passed")
    rest = [each for each in quantities if each.quantity.id not in red | green]
    because = f"{rest[0].quantity.id} is {rest[0].outcome} {rest[0].because}".rstrip() if rest else ""
    return Seen(red=red, green=green, because=because)
