"""May the upgrade be merged? Only what is new in the candidate counts against it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.judge.cell_verdicts import sort_by_layer
from harness.judge.outcomes import is_red
from harness.records import (
    BASELINE,
    CANDIDATE,
    Decision,
    Interval,
    QuantityDecision,
    QuantityOutcome,
    Speed,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.records import Finding, Judgement

    Findings = Mapping[str, Finding]
    from collections.abc import Iterable, Mapping, Sequence

    from harness.records import CellVerdict, Finding, Speed


# The cases of a candidate beside those of the baseline: what is new, and what was so before. Pure.

MEASURED = {"pass", "fail", "xfail", "xpass"}
"""Outcomes that tell of a package; an error tells that a check could not be made."""

RUN = MEASURED | {"error"}

_FAILED = {"fail", "error", "xfail"}


@dataclass(frozen=True)
class CaseLists:
    """Cases of the candidate that a person has to look at: what each is beside the baseline."""

    new: tuple[Finding, ...]
    was_red: tuple[Finding, ...]
    known: tuple[Finding, ...]
    unchecked: tuple[Finding, ...]


def classify_cases(before: Findings, after: Findings, *, died: bool) -> CaseLists:
    """Into lists; of a candidate that died, that is the news, not what it never came to."""
    red = [e for e in after.values() if is_red(e.outcome) and not (died and e.outcome == "missing")]
    expected = [each for each in after.values() if each.outcome == "xfail"]
    return CaseLists(
        new=tuple(each for each in red if not _was_red(before, each)),
        was_red=tuple(each for each in (*red, *expected) if _was_red(before, each)),
        known=tuple(each for each in expected if find_outcome(before, each) not in _FAILED),
        unchecked=tuple(e for e in after.values() if e.outcome == "skip" and find_outcome(before, e) in RUN),
    )


def collect_findings(judgement: Judgement, cell: str) -> dict[str, Finding]:
    """The findings of a cell by case; of several of one case a red one."""
    found: dict[str, Finding] = {}
    for finding in judgement.findings:
        if finding.cell == cell and (finding.check not in found or is_red(finding.outcome)):
            found[finding.check] = finding
    return found


def find_outcome(findings: Findings, of: Finding) -> str:
    """What the same case came to in the other cell; empty where it is not there."""
    return findings[of.check].outcome if of.check in findings else ""


def is_gone(finding: Finding, after: Findings) -> bool:
    """Whether what was red is not any more; a failure that is expected from this release on is still one."""
    now = find_outcome(after, finding)
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
    return finding.outcome in _EXCUSED.get(find_outcome(before, finding), ())


# What latency and memory add to the verdict of a gate, and how that is said.

Conclusion = tuple[Verdict, str, str]
"""The verdict, the gate's own sentence, and the words of others that it rests on."""

_INCONCLUSIVE: dict[QuantityOutcome, str] = {
    "unmeasured": "could not be measured",
    "control-failed": "differ between processes of the baseline itself",
    "undecided": "are undecided",
}
"""Outcomes that leave the gate inconclusive, worst first."""


MAX_NAMES = 3
"""So many quantities are named in a sentence."""


def add_speed(correctness: Conclusion, speed: Speed | None) -> Conclusion:
    """What is said of correctness, worsened by what latency and memory say; they never better it."""
    if speed is None or correctness[0] in {"error", "unsatisfiable", "regressed"}:
        return correctness
    slower = [each for each in speed.quantities if each.outcome == "regressed"]
    if slower:
        failed = [each for each in speed.quantities if each.outcome == "control-failed"]
        return "regressed", _describe_regressed(slower) + _describe_failed_controls(failed), ""
    if correctness[0] != "pass":
        return correctness
    return _decide_without_regression(speed.quantities)


def _decide_without_regression(quantities: Sequence[QuantityDecision]) -> Conclusion:
    if not quantities:
        return "inconclusive", "No quantity of latency or memory was measured", ""
    for outcome in _INCONCLUSIVE:
        unclear = [each for each in quantities if each.outcome == outcome]
        if outcome == "control-failed":  # those that failed by themselves before those that failed with them
            unclear.sort(key=lambda each: bool(each.because))
        if unclear:
            return "inconclusive", _describe_unclear(outcome, unclear, len(quantities)), unclear[0].because
    count = (
        "1 quantity of latency and memory is"
        if len(quantities) == 1
        else f"{len(quantities)} quantities of latency and memory are"
    )
    return "pass", f"{count} within the threshold", ""


def describe_interval(change: Interval | None) -> str:
    """A ratio with its interval: ``1.203 (1.170 to 1.241)``."""
    return "" if change is None else f"{change.ratio:.3f} ({change.low:.3f} to {change.high:.3f})"


def _describe_regressed(slower: Sequence[QuantityDecision]) -> str:
    first = slower[0]
    verb = "takes" if first.quantity.unit == "s" else "needs"
    what = "as long" if first.quantity.unit == "s" else "as much memory"
    told = (
        f"{first.quantity.id} {verb} {describe_interval(first.change)} times {what}, "
        f"where {first.quantity.threshold:g} is allowed"
    )
    more = len(slower) - 1
    return told + (
        f"; {more} more {'quantity has' if more == 1 else 'quantities have'} regressed" if more else ""
    )


def _describe_failed_controls(failed: Sequence[QuantityDecision]) -> str:
    """Controls that failed beside a regression: a person should know that the machine was not quiet."""
    if not failed:
        return ""
    verb = "differs" if len(failed) == 1 else "differ"
    names = ", ".join(each.quantity.id for each in failed[:MAX_NAMES])
    if len(failed) > MAX_NAMES:
        names += f" and {len(failed) - MAX_NAMES} more"
    return f"; but {names} {verb} between processes of the baseline itself"


def _describe_unclear(outcome: QuantityOutcome, unclear: Sequence[QuantityDecision], planned: int) -> str:
    first = unclear[0]
    told = f"{len(unclear)} of {planned} quantities {_INCONCLUSIVE[outcome]}: {first.quantity.id}"
    interval = first.control if outcome == "control-failed" else first.change
    return f"{told}, {describe_interval(interval)}" if interval is not None else told


_RAN = {"ok", "failed"}


def decide(judgement: Judgement, speed: Speed | None = None, *, accept_known: bool = False) -> Decision:
    """Decide from the judged cells ``baseline`` and ``candidate``; a cell that is not there is missing.

    Args:
        judgement: correctness, of both cells.
        speed: latency and memory; None where they were not judged.
        accept_known: a known divergence that only the candidate has does not fail the gate, nor does a check
            that the candidate skips and the baseline does not.
    """
    before, after = collect_findings(judgement, BASELINE), collect_findings(judgement, CANDIDATE)
    cells = {cell.cell: cell for cell in judgement.cells}
    old, candidate = cells.get(BASELINE), cells.get(CANDIDATE)
    lists = classify_cases(before, after, died=candidate is None or candidate.status not in _RAN)
    said = (
        _compare_cells(candidate, old, after, lists.new)
        if _is_complete(old, before) and old is not None
        else _decide_without_baseline(old, before, after)
    )
    if said[0] in {"pass", "regressed"} and not any(_has_pass(each) for each in (before, after)):
        said = "error", "No case passes, neither in the baseline nor in the candidate", said[2]
    if said[0] == "pass":
        said = _find_objection(lists, before, accept_known=accept_known) or said
    verdict, sentence, because = add_speed(said, speed)
    if verdict == "pass":
        passed = _describe_pass(after, lists)
        sentence = "; ".join(filter(None, (passed, _describe_uncompared(before.values()), sentence)))
    return Decision(
        verdict=verdict,
        sentence=sentence,
        because=because,
        cells=tuple(cell for cell in (old, candidate) if cell is not None),
        new=lists.new,
        before=lists.was_red,
        gone=tuple(e for e in before.values() if is_red(e.outcome) and is_gone(e, after)),
        known=lists.known,
        accepted=accept_known,
        unchecked=lists.unchecked,
    )


def _find_objection(lists: CaseLists, before: Findings, *, accept_known: bool) -> Conclusion | None:
    """What speaks against a candidate in which nothing is red that the baseline holds."""
    if lists.known and not accept_known:
        return _reject_divergences(lists.known)
    if lists.unchecked and not accept_known:
        return _reject_skips(lists.unchecked)
    fails = {"fail"} if accept_known else {"fail", "xfail"}
    blind = [e for e in lists.was_red if e.outcome in fails and find_outcome(before, e) == "error"]
    return _reject_incomparable(blind) if blind else None


def refuse(reason: str) -> Decision:
    """The decision on a candidate for which the resolver finds no solution."""
    return Decision(verdict="unsatisfiable", sentence="The candidate has no solution", because=reason)


def _is_complete(cell: CellVerdict | None, findings: Findings) -> bool:
    """Whether a cell ran to its end and measured something."""
    return cell is not None and cell.status in _RAN and _has_measurement(findings)


def _has_measurement(findings: Findings) -> bool:
    """Whether anything tells of a package; that the environment is what was locked does not, by itself."""
    of_packages = [each for each in findings.values() if each.layer != "ENV"] or findings.values()
    return any(each.outcome in MEASURED for each in of_packages)


def _has_pass(findings: Findings) -> bool:
    return any(each.outcome == "pass" for each in findings.values())


def _decide_without_baseline(old: CellVerdict | None, before: Findings, after: Findings) -> Conclusion:
    status, because = ("missing", "") if old is None else (str(old.status), old.reason)
    if status in _RAN:
        status, because = "without any measurement", ""
        if any(each.outcome == "error" for each in before.values()):
            status += ", its checks end in errors"
    if not any(each.outcome in RUN for each in after.values()):
        return "error", f"Nothing was measured in the candidate, and the baseline is {status}", because
    return "inconclusive", f"Nothing says what is new in the candidate: the baseline is {status}", because


def _compare_cells(
    candidate: CellVerdict | None, old: CellVerdict, after: Findings, new: Sequence[Finding]
) -> Conclusion:
    """What a candidate is beside a baseline that ran to its end."""
    if candidate is None or candidate.status not in _RAN:
        return _decide_dead_candidate(candidate)
    if new:
        first, layers = sort_by_layer(new)[0], dict.fromkeys(each.layer for each in sort_by_layer(new))
        count = "1 case is" if len(new) == 1 else f"{len(new)} cases are"
        told = f"{first.check}: {first.message}"
        return "regressed", f"{count} red that the baseline holds, in {', '.join(layers)}", told
    if not _has_measurement(after):
        return "error", "Nothing was measured in the candidate, so nothing can be said", ""
    alone = candidate.red and not any(is_red(each.outcome) for each in after.values())
    if alone and not (old.red and old.reason == candidate.reason):
        return "regressed", "The candidate is red as a whole", candidate.reason
    return "pass", "", ""


def _reject_divergences(known: Sequence[Finding]) -> Conclusion:
    first = sort_by_layer(known)[0]
    count = "1 known divergence" if len(known) == 1 else f"{len(known)} known divergences"
    told = f"{first.check}: {first.expectation or first.message}"
    return "regressed", f"{count} that the baseline does not have, not accepted", told


def _reject_skips(unchecked: Sequence[Finding]) -> Conclusion:
    """A check that skips itself has not found that nothing is wrong."""
    first = sort_by_layer(unchecked)[0]
    one = len(unchecked) == 1
    count = "1 case of the baseline is" if one else f"{len(unchecked)} cases of the baseline are"
    why = f"which only --accept-known lets pass: {first.check}"
    return "inconclusive", f"{count} no longer checked in the candidate, {why}", first.message


def _reject_incomparable(found: Sequence[Finding]) -> Conclusion:
    """What fails in the candidate where the check could not be made in the baseline."""
    first = sort_by_layer(found)[0]
    count = "1 case" if len(found) == 1 else f"{len(found)} cases"
    said = f"Nothing says whether {count} that the candidate fails held before: there the check has an error"
    return "inconclusive", said, f"{first.check}: {first.message}"


def _describe_uncompared(before: Iterable[Finding]) -> str:
    """Layers of which the baseline has errors only: there nothing could be new."""
    outcomes: dict[str, set[str]] = {}
    for each in before:
        outcomes.setdefault(each.layer, set()).add(each.outcome)
    broken = [layer for layer, found in sorted(outcomes.items()) if "error" in found and not found & MEASURED]
    return f"nothing is compared in {', '.join(broken)}, where the baseline has only errors" if broken else ""


def _decide_dead_candidate(candidate: CellVerdict | None) -> Conclusion:
    """Expected or not: nobody merges an upgrade that cannot be imported."""
    if candidate is None or candidate.status == "missing":
        return "regressed", "The candidate left no result, where the baseline ran to its end", ""
    if candidate.status == "unsatisfiable":
        return "unsatisfiable", "The candidate has no solution", candidate.reason
    if candidate.status == "install-error":
        return "error", "The candidate could not be installed", candidate.reason
    return "regressed", f"The candidate is {candidate.status}", candidate.reason


def _describe_pass(after: Findings, lists: CaseLists) -> str:
    """Why it passed, and what a person should look at all the same."""
    was_red, known, unchecked = lists.was_red, len(lists.known), len(lists.unchecked)
    parts = [f"Nothing is red in the candidate that the baseline holds ({len(after)} cases)"]
    both = sum(each.outcome == "xfail" for each in after.values()) - known
    both -= sum(each.outcome == "xfail" for each in was_red)
    if both:
        parts.append(f"{both} diverge{'s' if both == 1 else ''} as expected in both")
    if was_red:
        parts.append(f"{len(was_red)} {'was' if len(was_red) == 1 else 'were'} red before")
    if known:
        parts.append(f"{known} known divergence{'' if known == 1 else 's'} that the baseline does not have")
    if unchecked:
        parts.append(f"{unchecked} no longer checked")
    return "; ".join(parts)
