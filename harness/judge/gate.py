"""May the upgrade be merged? Only what is new in the candidate speaks against it. Pure, and pessimistic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.gate_records import BASELINE, CANDIDATE, Decision
from harness.judge.beside import MEASURED, RUN, Lists, findings_of, is_gone, outcome_of, sort_out
from harness.judge.cells import in_layer_order
from harness.judge.outcomes import is_red
from harness.judge.slower import with_speed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.gate_records import Speed
    from harness.judge.slower import Said
    from harness.records import CellVerdict, Finding, Judgement

    Findings = Mapping[str, Finding]

_RAN = {"ok", "failed"}


def decide(judgement: Judgement, speed: Speed | None = None, *, accept_known: bool = False) -> Decision:
    """Decide from the judged cells ``baseline`` and ``candidate``; a cell that is not there is missing.

    Args:
        judgement: correctness, of both cells.
        speed: latency and memory; None where they were not judged.
        accept_known: a known divergence that only the candidate has does not fail the gate, nor does a check
            that the candidate skips and the baseline does not.
    """
    before, after = findings_of(judgement, BASELINE), findings_of(judgement, CANDIDATE)
    cells = {cell.cell: cell for cell in judgement.cells}
    old, candidate = cells.get(BASELINE), cells.get(CANDIDATE)
    lists = sort_out(before, after, died=candidate is None or candidate.status not in _RAN)
    said = (
        _compare(candidate, old, after, lists.new)
        if _is_whole(old, before) and old is not None
        else _without_baseline(old, before, after)
    )
    if said[0] in {"pass", "regressed"} and not any(_passes(each) for each in (before, after)):
        said = "error", "No case passes, neither in the baseline nor in the candidate", said[2]
    if said[0] == "pass":
        said = _object(lists, before, accept_known=accept_known) or said
    verdict, sentence, because = with_speed(said, speed)
    if verdict == "pass":
        passed = _passed(after, lists)
        sentence = "; ".join(filter(None, (passed, _uncompared(before.values()), sentence)))
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


def _object(lists: Lists, before: Findings, *, accept_known: bool) -> Said | None:
    """What speaks against a candidate in which nothing is red that the baseline holds."""
    if lists.known and not accept_known:
        return _diverges(lists.known)
    if lists.unchecked and not accept_known:
        return _skips(lists.unchecked)
    fails = {"fail"} if accept_known else {"fail", "xfail"}
    blind = [e for e in lists.was_red if e.outcome in fails and outcome_of(before, e) == "error"]
    return _blind(blind) if blind else None


def refuse(reason: str) -> Decision:
    """The decision on a candidate for which the resolver finds no solution."""
    return Decision(verdict="unsatisfiable", sentence="The candidate has no solution", because=reason)


def _is_whole(cell: CellVerdict | None, findings: Findings) -> bool:
    """Whether a cell ran to its end and measured something."""
    return cell is not None and cell.status in _RAN and _measured(findings)


def _measured(findings: Findings) -> bool:
    """Whether anything tells of a package; that the environment is what was locked does not, by itself."""
    of_packages = [each for each in findings.values() if each.layer != "ENV"] or findings.values()
    return any(each.outcome in MEASURED for each in of_packages)


def _passes(findings: Findings) -> bool:
    return any(each.outcome == "pass" for each in findings.values())


def _without_baseline(old: CellVerdict | None, before: Findings, after: Findings) -> Said:
    status, because = ("missing", "") if old is None else (str(old.status), old.reason)
    if status in _RAN:
        status, because = "without any measurement", ""
        if any(each.outcome == "error" for each in before.values()):
            status += ", its checks end in errors"
    if not any(each.outcome in RUN for each in after.values()):
        return "error", f"Nothing was measured in the candidate, and the baseline is {status}", because
    return "inconclusive", f"Nothing says what is new in the candidate: the baseline is {status}", because


def _compare(
    candidate: CellVerdict | None, old: CellVerdict, after: Findings, new: Sequence[Finding]
) -> Said:
    """What a candidate is beside a baseline that ran to its end."""
    if candidate is None or candidate.status not in _RAN:
        return _died(candidate)
    if new:
        first, layers = in_layer_order(new)[0], dict.fromkeys(each.layer for each in in_layer_order(new))
        count = "1 case is" if len(new) == 1 else f"{len(new)} cases are"
        told = f"{first.check}: {first.message}"
        return "regressed", f"{count} red that the baseline holds, in {', '.join(layers)}", told
    if not _measured(after):
        return "error", "Nothing was measured in the candidate, so nothing can be said", ""
    alone = candidate.red and not any(is_red(each.outcome) for each in after.values())
    if alone and not (old.red and old.reason == candidate.reason):
        return "regressed", "The candidate is red as a whole", candidate.reason
    return "pass", "", ""


def _diverges(known: Sequence[Finding]) -> Said:
    first = in_layer_order(known)[0]
    count = "1 known divergence" if len(known) == 1 else f"{len(known)} known divergences"
    told = f"{first.check}: {first.expectation or first.message}"
    return "regressed", f"{count} that the baseline does not have, not accepted", told


def _skips(unchecked: Sequence[Finding]) -> Said:
    """A check that skips itself has not found that nothing is wrong."""
    first = in_layer_order(unchecked)[0]
    one = len(unchecked) == 1
    count = "1 case of the baseline is" if one else f"{len(unchecked)} cases of the baseline are"
    why = f"which only --accept-known lets pass: {first.check}"
    return "inconclusive", f"{count} no longer checked in the candidate, {why}", first.message


def _blind(found: Sequence[Finding]) -> Said:
    """What fails in the candidate where the check could not be made in the baseline."""
    first = in_layer_order(found)[0]
    count = "1 case" if len(found) == 1 else f"{len(found)} cases"
    said = f"Nothing says whether {count} that the candidate fails held before: there the check has an error"
    return "inconclusive", said, f"{first.check}: {first.message}"


def _uncompared(before: Iterable[Finding]) -> str:
    """Layers of which the baseline has errors only: there nothing could be new."""
    outcomes: dict[str, set[str]] = {}
    for each in before:
        outcomes.setdefault(each.layer, set()).add(each.outcome)
    broken = [layer for layer, found in sorted(outcomes.items()) if "error" in found and not found & MEASURED]
    return f"nothing is compared in {', '.join(broken)}, where the baseline has only errors" if broken else ""


def _died(candidate: CellVerdict | None) -> Said:
    """Expected or not: nobody merges an upgrade that cannot be imported."""
    if candidate is None or candidate.status == "missing":
        return "regressed", "The candidate left no result, where the baseline ran to its end", ""
    if candidate.status == "unsatisfiable":
        return "unsatisfiable", "The candidate has no solution", candidate.reason
    if candidate.status == "install-error":
        return "error", "The candidate could not be installed", candidate.reason
    return "regressed", f"The candidate is {candidate.status}", candidate.reason


def _passed(after: Findings, lists: Lists) -> str:
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
