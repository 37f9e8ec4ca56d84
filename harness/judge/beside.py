"""The cases of a candidate beside those of the baseline: what is new, and what was so before. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.judge.outcomes import is_red

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.records import Finding, Judgement

    Findings = Mapping[str, Finding]

MEASURED = {"pass", "fail", "xfail", "xpass"}
"""Outcomes that tell of a package; an error tells that a check could not be made."""

RUN = MEASURED | {"error"}

_FAILED = {"fail", "error", "xfail"}


@dataclass(frozen=True)
class Lists:
    """Cases of the candidate that a person has to look at: what each is beside the baseline."""

    new: tuple[Finding, ...]
    was_red: tuple[Finding, ...]
    known: tuple[Finding, ...]
    unchecked: tuple[Finding, ...]


def sort_out(before: Findings, after: Findings, *, died: bool) -> Lists:
    """Into lists; of a candidate that died, that is the news, not what it never came to."""
    red = [e for e in after.values() if is_red(e.outcome) and not (died and e.outcome == "missing")]
    expected = [each for each in after.values() if each.outcome == "xfail"]
    return Lists(
        new=tuple(each for each in red if not _was_red(before, each)),
        was_red=tuple(each for each in (*red, *expected) if _was_red(before, each)),
        known=tuple(each for each in expected if outcome_of(before, each) not in _FAILED),
        unchecked=tuple(e for e in after.values() if e.outcome == "skip" and outcome_of(before, e) in RUN),
    )


def findings_of(judgement: Judgement, cell: str) -> dict[str, Finding]:
    """The findings of a cell by case; of several of one case a red one."""
    found: dict[str, Finding] = {}
    for finding in judgement.findings:
        if finding.cell == cell and (finding.check not in found or is_red(finding.outcome)):
            found[finding.check] = finding
    return found


def outcome_of(findings: Findings, of: Finding) -> str:
    """What the same case came to in the other cell; empty where it is not there."""
    return findings[of.check].outcome if of.check in findings else ""


def is_gone(finding: Finding, after: Findings) -> bool:
    """Whether what was red is not any more; a failure that is expected from this release on is still one."""
    now = outcome_of(after, finding)
    return now == "pass" or (now == "xfail" and finding.outcome not in _FAILED)


_EXCUSED: Mapping[str, frozenset[str]] = {
    "fail": frozenset({"fail", "error", "missing", "xpass", "xfail"}),
    "error": frozenset({"fail", "error", "missing", "xpass", "xfail"}),
    "xpass": frozenset({"xpass"}),
    "missing": frozenset({"missing"}),
}
"""Outcome of the baseline -> those of the candidate that are not new; nobody has to expect them there too.

A case that holds although it was expected to diverge (xpass), and one that was never come to, excuse nothing
but the same. An error excuses for the time being: see ``judge.gate``.
"""


def _was_red(before: Findings, finding: Finding) -> bool:
    return finding.outcome in _EXCUSED.get(outcome_of(before, finding), ())
