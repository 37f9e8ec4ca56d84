"""The symptoms of a failed gate, and which of them a trial shows. Pure."""

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
    """Failures that only the candidate has.

    Attributes:
        status: of the cell of a candidate that died; then there are no other symptoms.
        end: the normalized reason of its death; see ``normalize_end``.
        cases: case id -> outcomes that count as the same failure.
        quantities: that regressed.
    """

    status: str = ""
    end: str = ""
    cases: Mapping[str, frozenset[str]] = field(default_factory=dict)
    quantities: tuple[Quantity, ...] = ()

    @property
    def of_suite(self) -> tuple[str, ...]:
        """Ids of the symptoms that a run of the suite can show."""
        return (f"status {self.status}",) if self.status else tuple(self.cases)

    @property
    def of_speed(self) -> tuple[str, ...]:
        """Ids of the symptoms that only a measurement can show."""
        return tuple(quantity.id for quantity in self.quantities)


@dataclass(frozen=True)
class Observation:
    """The symptoms that occurred in a trial, those that did not, and why the rest is unknown."""

    red: frozenset[str] = frozenset()
    green: frozenset[str] = frozenset()
    because: str = ""

    def judge(self, ids: Collection[str]) -> tuple[TrialOutcome, str]:
        """The outcome for these symptoms: red if any occurred, green only if all are known not to."""
        if self.red & set(ids):
            return "red", ""
        unknown = [each for each in ids if each not in self.green]
        if not unknown:
            return "green", ""
        return "unresolved", self.because or f"no result for {unknown[0]}"


def find_symptoms(decision: Decision, speed: Speed | None, findings: Collection[Finding]) -> Symptoms:
    """Find what failed the gate; ``findings`` are those of both cells.

    Known divergences count unless accepted. A case with an expected divergence in the baseline that fails in
    the candidate counts as an unexpected failure.
    """
    candidate = next((cell for cell in decision.cells if cell.cell == CANDIDATE), None)
    quantities = tuple(e.quantity for e in speed.quantities if e.outcome == "regressed") if speed else ()
    if candidate is None:
        return Symptoms(status="missing")
    if candidate.status not in _RAN:
        return Symptoms(status=candidate.status, end=normalize_end(candidate.reason))
    before = {each.check: each.outcome for each in findings if each.cell == BASELINE}
    new = (*decision.new, *(() if decision.accepted else decision.known))
    cases = {
        each.check: _same_failure_outcomes(each, before.get(each.check, ""))
        for each in new
        if each.check != WHOLE_CELL and before.get(each.check) not in {"fail", "error"}
    }
    return Symptoms(cases=cases, quantities=quantities)


def are_confirmed(symptoms: Symptoms, decision: Decision) -> bool:
    """Whether fresh processes of both environments have confirmed all symptoms of the suite."""
    confirmed = {each.case for each in decision.confirmations if each.outcome == "confirmed"}
    return {WHOLE_CELL} <= confirmed if symptoms.status else set(symptoms.cases) <= confirmed


def _same_failure_outcomes(finding: Finding, before: str) -> frozenset[str]:
    """Outcomes that count as the same failure; an error and a wrong value are different failures."""
    if finding.outcome == "xfail":
        return _FAILS | {"xfail"}  # the record does not tell a failure from an error
    if finding.outcome not in _FAILS or before == "xfail":
        return frozenset({finding.outcome})
    return frozenset({finding.outcome, "xfail"})


def normalize_end(reason: str) -> str:
    """Reduce the reason of a death to the failed import and its kind of error, or to how the process ended.

    Messages and numbers are removed, because they differ between versions that die of the same fault.
    """
    found = _END.search(reason)
    return _NUMBER.sub("#", found[0] if found else reason)


def keep_cause(culprit: Culprit | None, decision: Decision, symptoms: Symptoms) -> Culprit | None:
    """Keep the cause of a gate that is decided again if all symptoms that it explains are still present.

    Its sentence covers all symptoms, so the cause is kept or removed as a whole.
    """
    if culprit is None or decision.verdict != "regressed":
        return None
    looked_for = {each for one in (culprit, *culprit.further) for each in one.looked_for}
    return culprit if looked_for <= {*symptoms.of_suite, *symptoms.of_speed} else None


def observe_cell(symptoms: Symptoms, cell: CellVerdict, findings: Collection[Finding]) -> Observation:
    """Observe the symptoms in a run of the suite; ``findings`` are those of its cell."""
    ran = cell.status in _RAN
    ended = "" if ran else f"the cell is {cell.status}: {cell.reason}"
    if symptoms.status:
        ids = frozenset(symptoms.of_suite)
        if cell.status == symptoms.status and normalize_end(cell.reason) == symptoms.end:
            return Observation(red=ids)
        return Observation(green=ids) if ran else Observation(because=ended)
    if not ran:
        return Observation(because=ended)
    mine = [each for each in findings if each.check in symptoms.cases]
    red = frozenset(each.check for each in mine if each.outcome in symptoms.cases[each.check])
    green = frozenset(each.check for each in mine if _is_green(each, symptoms.cases[each.check]))
    unclear = next((f"{e.check}: {e.message}" for e in mine if e.check not in red | green), "")
    return Observation(red=red, green=green, because=unclear)


def _is_green(finding: Finding, looked_for: frozenset[str]) -> bool:
    """Whether a case has run without this failure; another failure may hide it."""
    if finding.outcome not in _MEASURED or finding.outcome in looked_for:
        return False
    return finding.outcome not in _FAILS or not looked_for & _FAILS


def observe_speed(quantities: Collection[QuantityDecision]) -> Observation:
    """Observe the symptoms in a measurement; only decided quantities count."""
    red = frozenset(each.quantity.id for each in quantities if each.outcome == "regressed")
    green = frozenset(each.quantity.id for each in quantities if each.outcome == "passed")
    rest = [each for each in quantities if each.quantity.id not in red | green]
    because = f"{rest[0].quantity.id} is {rest[0].outcome} {rest[0].because}".rstrip() if rest else ""
    return Observation(red=red, green=green, because=because)
