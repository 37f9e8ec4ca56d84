"""Decide whether an upgrade may be merged: only new failures of the candidate count against it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from harness.judge.cell_verdicts import advise_source
from harness.judge.confirmation import (
    describe_confirmed,
    describe_unconfirmed,
    soften_answers,
    split_unconfirmed,
)
from harness.judge.cost_verdict import Conclusion, add_speed
from harness.judge.gate_cases import (
    RUN,
    CaseLists,
    classify_cases,
    collect_findings,
    find_outcome,
    is_gone,
)
from harness.judge.outcomes import MEASURED, is_red
from harness.judge.red_cases import describe_first, describe_red, generalize, sort_by_layer
from harness.records import (
    BASELINE,
    CANDIDATE,
    Decision,
    NoteChange,
    Speed,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.cell.interface import Check
    from harness.records import CellVerdict, Confirmation, Finding, Judgement

    Findings = Mapping[str, Finding]


_RAN = {"ok", "failed"}


def decide(  # noqa: PLR0913 - one parameter an ingredient
    judgement: Judgement,
    speed: Speed | None = None,
    *,
    accept_known: bool = False,
    confirmations: tuple[Confirmation, ...] = (),
    checks: Sequence[Check] = (),
    accepted_cases: frozenset[str] = frozenset(),
) -> Decision:
    """Decide a gate from its judged cells ``baseline`` and ``candidate``; an absent cell is missing.

    Args:
        judgement: correctness of both cells.
        speed: latency and memory; None if they were not judged.
        accept_known: known divergences, and skipped checks, of the candidate alone do not fail the gate.
        confirmations: of the newly red cases; cases without one count as they are.
        checks: the catalogue, for the answers that rest on cases that are not confirmed.
        accepted_cases: newly red cases that people accepted; the decision is on all others.
    """
    before, after = collect_findings(judgement, BASELINE), collect_findings(judgement, CANDIDATE)
    cells = {cell.cell: cell for cell in judgement.cells}
    old, candidate = cells.get(BASELINE), cells.get(CANDIDATE)
    if candidate is not None:
        candidate = soften_answers(candidate, after, confirmations, checks)
    every = classify_cases(before, after, died=candidate is None or candidate.status not in _RAN)
    lists, unconfirmed = split_unconfirmed(every, confirmations)
    lists = lists.without(accepted_cases)
    if _is_complete(old, before) and old is not None:
        conclusion = _compare_cells(candidate, old, after, lists.new, confirmations)
        if accepted_cases and candidate is not None:
            conclusion = _reject_red_cell(conclusion, candidate, after)
    else:
        conclusion = _decide_without_baseline(old, before, after)
    conclusion = _reject_without_pass(conclusion, before, after)
    if conclusion[0] == "pass":
        objection = _find_objection(lists, unconfirmed, confirmations, before, accept_known=accept_known)
        conclusion = objection or _reject_unanswered(old, candidate) or conclusion
    others = {case: each for case, each in after.items() if case not in accepted_cases}
    verdict, sentence, because = _name_pass(add_speed(conclusion, speed), lists, before, others)
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
        notes=_list_changed_notes(before, after),
        limits=tuple(each for each in after.values() if each.outcome == "limit"),
        confirmations=confirmations,
        unconfirmed=unconfirmed,
    )


def _name_pass(conclusion: Conclusion, lists: CaseLists, before: Findings, after: Findings) -> Conclusion:
    """Say of a pass what it rests on, and whether both environments have faults."""
    verdict, sentence, because = conclusion
    if verdict != "pass":
        return conclusion
    parts = (_describe_pass(after, lists), _describe_uncompared(before.values()), sentence)
    failing = any(is_red(each.outcome) for each in lists.was_red)
    return "failing, nothing new" if failing else verdict, "; ".join(filter(None, parts)), because


def _reject_red_cell(conclusion: Conclusion, candidate: CellVerdict, after: Findings) -> Conclusion:
    """Reject a candidate that is red for another reason than its cases, which alone can be accepted."""
    by_cases = describe_red([each for each in after.values() if is_red(each.outcome)])
    if conclusion[0] != "pass" or not candidate.red or candidate.reason == by_cases:
        return conclusion
    return "regressed", "The candidate is red for more than its cases", candidate.reason


def _reject_without_pass(conclusion: Conclusion, before: Findings, after: Findings) -> Conclusion:
    """Reject a comparison of two environments in which no case passes."""
    if conclusion[0] not in {"pass", "regressed"} or any(_has_pass(each) for each in (before, after)):
        return conclusion
    return "error", "No case passes, neither in the baseline nor in the candidate", conclusion[2]


def _list_changed_notes(before: Findings, after: Findings) -> tuple[NoteChange, ...]:
    """The recorded behaviour that is another one in the candidate; one exception is one change."""
    changed: dict[tuple[str, str], NoteChange] = {}
    for now in after.values():
        was = before.get(now.check)
        outcomes = {now.outcome, was.outcome} if was else set()
        if not was or not outcomes & {"limit", "note"} or (len(outcomes) == 1 and was.message == now.message):
            continue
        texts = (was.message or was.outcome, now.message or now.outcome)
        raised = now.observation is None and was.observation is not None
        key = (generalize(now.message), was.outcome) if raised else (now.check, "")
        cases = changed[key].cases + 1 if key in changed else 1
        first = changed.get(key) or NoteChange(check=now.check, baseline=texts[0], candidate=texts[1])
        changed[key] = msgspec.structs.replace(first, cases=cases)
    return tuple(changed.values())


def _reject_unanswered(old: CellVerdict | None, candidate: CellVerdict | None) -> Conclusion | None:
    """Reject a gate in which a question has no answer; the cause is told once."""
    unanswered = [
        (name, each)
        for name, cell in ((BASELINE, old), (CANDIDATE, candidate))
        for each in (cell.answers if cell else ())
        if each.answer == "not measured"
    ]
    if not unanswered:
        return None
    name, first = max(unanswered, key=lambda each: each[1].lacking)
    arms = {name for name, each in unanswered if each.question == first.question}
    where = "both environments" if len(arms) > 1 else f"the {name}"
    return "inconclusive", f"Not measured: {first.because} in {where}", ""


def _find_objection(
    lists: CaseLists,
    unconfirmed: Sequence[Finding],
    confirmations: Sequence[Confirmation],
    before: Findings,
    *,
    accept_known: bool,
) -> Conclusion | None:
    """Find an objection to a candidate without confirmed new red cases."""
    if lists.known and not accept_known:
        return _reject_divergences(lists.known)
    if doubt := describe_unconfirmed(confirmations):
        return "inconclusive", doubt, describe_first(unconfirmed)
    if lists.unchecked and not accept_known:
        return _reject_skips(lists.unchecked)
    fails = {"fail"} if accept_known else {"fail", "xfail"}
    incomparable = [e for e in lists.was_red if e.outcome in fails and find_outcome(before, e) == "error"]
    return _reject_incomparable(incomparable) if incomparable else None


def refuse(reason: str) -> Decision:
    """Make the decision on a candidate without a solution of the resolver."""
    because = " ".join(filter(None, (reason, advise_source(reason))))
    return Decision(verdict="unsatisfiable", sentence="The candidate has no solution", because=because)


def _is_complete(cell: CellVerdict | None, findings: Findings) -> bool:
    """Whether a cell ran to its end and has measurements."""
    return cell is not None and cell.status in _RAN and _has_measurement(findings)


def _has_measurement(findings: Findings) -> bool:
    """Whether any case measured a package; cases of the layer ENV alone do not count."""
    of_packages = [each for each in findings.values() if each.layer != "ENV"] or findings.values()
    return any(each.outcome in MEASURED for each in of_packages)


def _has_pass(findings: Findings) -> bool:
    return any(each.outcome == "pass" for each in findings.values())


def _decide_without_baseline(old: CellVerdict | None, before: Findings, after: Findings) -> Conclusion:
    status, because = ("missing", "") if old is None else (str(old.status), old.reason)
    if status in _RAN:
        status, because = "without any measurement", ""
        if any(each.outcome == "error" for each in before.values()):
            status += "; its checks end in errors"
    if not any(each.outcome in RUN for each in after.values()):
        return "error", f"Nothing was measured in the candidate, and the baseline is {status}", because
    return "inconclusive", f"The candidate cannot be compared: the baseline is {status}", because


def _compare_cells(
    candidate: CellVerdict | None,
    old: CellVerdict,
    after: Findings,
    new: Sequence[Finding],
    confirmations: Sequence[Confirmation],
) -> Conclusion:
    """Compare a candidate with a baseline that ran to its end."""
    if candidate is None or candidate.status not in _RAN:
        return _decide_dead_candidate(candidate, confirmations)
    if new:
        layers = dict.fromkeys(each.layer for each in sort_by_layer(new))
        count = "1 case is" if len(new) == 1 else f"{len(new)} cases are"
        often = describe_confirmed(confirmations)
        sentence = f"{count} newly red in the candidate{often}, in {', '.join(layers)}"
        doubt = describe_unconfirmed(confirmations)
        return "regressed", f"{sentence}; {doubt}" if doubt else sentence, describe_first(new)
    if not _has_measurement(after):
        return "error", "Nothing was measured in the candidate", ""
    alone = candidate.red and not any(is_red(each.outcome) for each in after.values())
    if alone and not (old.red and old.reason == candidate.reason):
        return "regressed", "The candidate is red, but none of its cases is", candidate.reason
    return "pass", "", ""


def _reject_divergences(known: Sequence[Finding]) -> Conclusion:
    first = sort_by_layer(known)[0]
    count = "1 known divergence is" if len(known) == 1 else f"{len(known)} known divergences are"
    message = f"{first.check}: {first.expectation or first.message}"
    return "regressed", f"{count} not in the baseline and not accepted", message


def _reject_skips(unchecked: Sequence[Finding]) -> Conclusion:
    """A skipped check does not show that the candidate is correct."""
    first = sort_by_layer(unchecked)[0]
    one = len(unchecked) == 1
    count = "1 case of the baseline is" if one else f"{len(unchecked)} cases of the baseline are"
    check = f"only --accept-known accepts that: {first.check}"
    return "inconclusive", f"{count} no longer checked in the candidate; {check}", first.message


def _reject_incomparable(found: Sequence[Finding]) -> Conclusion:
    """Reject failures of the candidate whose check has an error in the baseline."""
    first = sort_by_layer(found)[0]
    count = "1 failure" if len(found) == 1 else f"{len(found)} failures"
    sentence = f"{count} of the candidate cannot be compared: the check has an error in the baseline"
    return "inconclusive", sentence, f"{first.check}: {first.message}"


def _describe_uncompared(before: Iterable[Finding]) -> str:
    """Describe the layers in which the baseline has only errors: no failure there could be new."""
    outcomes: dict[str, set[str]] = {}
    for each in before:
        outcomes.setdefault(each.layer, set()).add(each.outcome)
    broken = [layer for layer, found in sorted(outcomes.items()) if "error" in found and not found & MEASURED]
    return f"not compared: {', '.join(broken)}, where the baseline has only errors" if broken else ""


def _decide_dead_candidate(
    candidate: CellVerdict | None, confirmations: Sequence[Confirmation]
) -> Conclusion:
    """Decide on a candidate that did not run to its end; no expectation excuses that."""
    if candidate is None or candidate.status == "missing":
        return "regressed", "The candidate has no result, but the baseline ran to its end", ""
    if candidate.status == "unsatisfiable":
        return "unsatisfiable", "The candidate has no solution", candidate.reason
    if candidate.status == "install-error":
        return "error", "The candidate could not be installed", candidate.reason
    if doubt := describe_unconfirmed(confirmations):
        return "inconclusive", doubt, candidate.reason
    often = describe_confirmed(confirmations)
    return "regressed", f"The candidate is {candidate.status}{often}", candidate.reason


def _describe_pass(after: Findings, lists: CaseLists) -> str:
    """Describe why the gate passed, and what still needs attention."""
    was_red, known, unchecked = lists.was_red, len(lists.known), len(lists.unchecked)
    parts = [f"No case is newly red in the candidate ({len(after)} cases)"]
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
