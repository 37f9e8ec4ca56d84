"""Classify the cases of a candidate by their relation to the baseline: new, known, red before, unchecked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.judge.outcomes import MEASURED, is_red

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from harness.records import Finding, Judgement

    Findings = Mapping[str, Finding]


RUN = MEASURED | {"error"}
"""Outcomes of a case that ran."""

FAILED = {"fail", "error", "xfail", "limit", "note"}
"""Outcomes of a failure, of whatever severity."""


@dataclass(frozen=True)
class CaseLists:
    """Cases of the candidate that need attention, by their relation to the baseline."""

    new: tuple[Finding, ...]
    was_red: tuple[Finding, ...]
    known: tuple[Finding, ...]
    unchecked: tuple[Finding, ...]

    def without(self, accepted: Collection[str]) -> CaseLists:
        """The lists without new and known cases that were accepted."""
        new = tuple(each for each in self.new if each.check not in accepted)
        known = tuple(each for each in self.known if each.check not in accepted)
        return CaseLists(new, self.was_red, known, self.unchecked)


def classify_cases(before: Findings, after: Findings, *, died: bool) -> CaseLists:
    """Classify the cases of the candidate; missing cases of a dead candidate do not count."""
    red = [e for e in after.values() if is_red(e.outcome) and not (died and e.outcome == "missing")]
    expected = [each for each in after.values() if each.outcome == "xfail"]
    return CaseLists(
        new=tuple(each for each in red if not (was_red(before, each) or _is_uncompared(before, each))),
        was_red=tuple(each for each in (*red, *expected) if was_red(before, each)),
        known=tuple(each for each in expected if find_outcome(before, each) not in FAILED),
        unchecked=tuple(
            each
            for each in after.values()
            if each.outcome == "skip" and each.severity == "breaks" and find_outcome(before, each) in RUN
        ),
    )


def collect_findings(judgement: Judgement, cell: str) -> dict[str, Finding]:
    """Collect the findings of a cell by case; a red one takes precedence."""
    found: dict[str, Finding] = {}
    for finding in judgement.findings:
        if finding.cell == cell and (finding.check not in found or is_red(finding.outcome)):
            found[finding.check] = finding
    return found


def find_outcome(findings: Findings, of: Finding) -> str:
    """Find the outcome of the same case in the other cell; empty if it is not there."""
    return findings[of.check].outcome if of.check in findings else ""


def is_gone(finding: Finding, after: Findings) -> bool:
    """Whether a red case is no longer red; a failure that became expected still is a failure."""
    now = find_outcome(after, finding)
    return now == "pass" or (now == "xfail" and finding.outcome not in FAILED)


_EXCUSED: Mapping[str, frozenset[str]] = {
    "fail": frozenset({"fail", "error", "missing", "xpass", "xfail"}),
    "error": frozenset({"fail", "error", "missing", "xpass", "xfail"}),
    "xpass": frozenset({"xpass"}),
    "missing": frozenset({"missing"}),
}
"""Outcome of the baseline -> outcomes of the candidate that are not new.

An unexpected pass (xpass) and a missing case excuse only themselves. An error excuses provisionally: see
``gate_verdict``.
"""


def was_red(before: Findings, finding: Finding) -> bool:
    """Whether the same case failed in the baseline, so that its failure is not new."""
    return finding.outcome in _EXCUSED.get(find_outcome(before, finding), ())


def _is_uncompared(before: Findings, finding: Finding) -> bool:
    """Whether a comparison with the baseline was not possible: its question stays open instead."""
    return finding.outcome == "error" and finding.check not in before
