"""Judge whether newly red cases are red again in fresh processes, and the baseline is not."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from harness.cell.interface import check_of
from harness.judge.answers import answer_questions
from harness.judge.gate_cases import FAILED, CaseLists, was_red
from harness.judge.outcomes import WHOLE_CELL, Results, is_red, judge_findings
from harness.judge.red_cases import sort_by_layer
from harness.records import BASELINE, CANDIDATE, Answer, Confirmation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.cell.interface import Check
    from harness.records import CellResult, CellVerdict, ConfirmationOutcome, Decision, Finding, Plan

REPEATS = 2
"""Number of times that a newly red case is run again in each environment."""

DIED = frozenset({"import-error", "crashed", "timed-out"})
"""Statuses of a process that ended early for a reason of its own."""

_RAN = frozenset({"ok", "failed"})


def list_repeatable(decision: Decision, plan: Plan) -> tuple[str, ...]:
    """The ids of the newly red cases that can be run again; ``WHOLE_CELL`` for a candidate that died.

    Known divergences that fail the gate count. A case outside of the plan cannot be run again.
    """
    candidate = next((cell for cell in decision.cells if cell.cell == CANDIDATE), None)
    if decision.verdict != "regressed" or candidate is None:
        return ()
    if candidate.status in DIED:
        return (WHOLE_CELL,)
    planned = {case for each in plan.cells if each.cell.id == CANDIDATE for case in each.cases}
    found = (*decision.new, *(() if decision.accepted else decision.known))
    return tuple(each.check for each in sort_by_layer(found) if each.check in planned)


def confirm(  # noqa: PLR0913, PLR0917 - one parameter an ingredient
    plan: Plan,
    results: Sequence[CellResult],
    decision: Decision,
    repeats: Sequence[Sequence[CellResult]],
    checks: Sequence[Check],
    wanted: int = REPEATS,
) -> tuple[Confirmation, ...]:
    """Count how often each newly red case of a decision was red.

    Args:
        plan: of the gate.
        results: of its first runs, by which severities are judged in the repeats too.
        decision: on these results.
        repeats: the results of each repeat, of both environments; one that is missing does not count.
        checks: the catalogue.
        wanted: number of planned repeats.
    """
    cases = list_repeatable(decision, plan)
    first = {each.check: each for each in (*decision.new, *decision.known)}
    counts = {case: _Counts() for case in cases}
    for repeated in repeats:
        judged = _judge_repeat(plan, results, repeated, cases, checks)
        for case, count in counts.items():
            for result in repeated:
                count.add(result, case, first.get(case), judged.get((result.cell, case)))
    return tuple(count.conclude(case, wanted) for case, count in counts.items())


def _judge_repeat(
    plan: Plan,
    results: Sequence[CellResult],
    repeated: Sequence[CellResult],
    cases: Sequence[str],
    checks: Sequence[Check],
) -> dict[tuple[str, str], Finding]:
    """Judge the first runs with the results of a repeat in place of their own: (cell, case) -> finding.

    The margins of a repeat replace those of the first run too: what is a limit may be flaky as well.
    """
    again = {each.cell: each for each in repeated}
    joined = [_join(each, again[each.cell], cases) for each in results if each.cell in again]
    found: dict[tuple[str, str], Finding] = {}
    for each in judge_findings(_plan_for_both(plan, cases), Results.of(joined), checks):
        key = (each.cell, each.check)
        if key not in found or is_red(each.outcome):
            found[key] = each
    return found


def _join(first: CellResult, again: CellResult, cases: Sequence[str]) -> CellResult:
    """The first result of a cell with the cases that ran again; of these, one without a result is missing."""
    replaced = {*cases, *(case.id for case in again.cases)}
    kept = [case for case in first.cases if case.id not in replaced]
    return msgspec.structs.replace(first, cases=(*kept, *again.cases))


def _plan_for_both(plan: Plan, cases: Sequence[str]) -> Plan:
    """The plan with these cases in every cell: the baseline repeats comparisons with itself as well."""
    cells = tuple(
        msgspec.structs.replace(each, cases=tuple(dict.fromkeys([*each.cases, *cases])))
        for each in plan.cells
    )
    return msgspec.structs.replace(plan, cells=cells)


class _Counts:
    """The runs of one case by environment, and how many of them were red; the first runs are included."""

    def __init__(self) -> None:
        self.runs = {CANDIDATE: 1, BASELINE: 1}
        self.red = {CANDIDATE: 1, BASELINE: 0}
        self.because = ""

    def add(self, result: CellResult, case: str, first: Finding | None, now: Finding | None) -> None:
        """Count one repeat of one environment."""
        if not _has_run(result, case):
            reason = f": {result.reason}" if result.reason else ""
            lacking = f"a repeat of the {result.cell} has no result ({result.status}){reason}"
            self.because = self.because or lacking
            return
        self.runs[result.cell] += 1
        if case == WHOLE_CELL:
            self.red[result.cell] += result.status in DIED
        elif first is not None and now is not None:
            self.red[result.cell] += _is_red_again(first, now)

    def conclude(self, case: str, wanted: int) -> Confirmation:
        """Conclude from all runs: flaky if any contradicts the first ones, confirmed if none is missing."""
        flaky = self.red[CANDIDATE] < self.runs[CANDIDATE] or self.red[BASELINE] > 0
        complete = min(self.runs.values()) > wanted
        outcome: ConfirmationOutcome = "flaky" if flaky else "confirmed" if complete else "unconfirmed"
        because = self.because
        if outcome == "unconfirmed" and not because:
            because = f"it was run again {min(self.runs.values()) - 1} of {wanted} times"
        return Confirmation(
            case=case,
            outcome=outcome,
            candidate=self.red[CANDIDATE],
            runs=self.runs[CANDIDATE],
            baseline=self.red[BASELINE],
            baseline_runs=self.runs[BASELINE],
            because=because,
        )


def _has_run(result: CellResult, case: str) -> bool:
    """Whether a repeat says something about a case, even if its process ended early."""
    if result.edited or result.status == "install-error":
        return False
    if case == WHOLE_CELL:
        return result.status in _RAN | DIED
    return result.status in _RAN or any(each.id == case for each in result.cases)


def _is_red_again(first: Finding, now: Finding) -> bool:
    """Whether a repeat shows the failure of the first run; in the baseline, whether it makes that not new."""
    if now.cell == BASELINE:
        expected = first.outcome == "xfail"
        return now.outcome in FAILED if expected else was_red({first.check: now}, first)
    if first.outcome == "xpass":
        return now.outcome == "xpass"
    return now.outcome in {"fail", "error", "xfail", "missing"}


# The consequences for a decision


def split_unconfirmed(
    lists: CaseLists, confirmations: Iterable[Confirmation]
) -> tuple[CaseLists, tuple[Finding, ...]]:
    """Take the findings that are not confirmed out of the lists; all new ones if the candidate died once."""
    doubtful = _list_doubtful(confirmations)

    def keep(findings: Iterable[Finding]) -> tuple[Finding, ...]:
        return tuple(each for each in findings if not doubtful & {each.check, WHOLE_CELL})

    kept = CaseLists(keep(lists.new), lists.was_red, keep(lists.known), lists.unchecked)
    taken = {each.check for each in (*lists.new, *lists.known)} - {
        each.check for each in (*kept.new, *kept.known)
    }
    return kept, tuple(each for each in (*lists.new, *lists.known) if each.check in taken)


def _list_doubtful(confirmations: Iterable[Confirmation]) -> set[str]:
    return {each.case for each in confirmations if each.outcome != "confirmed"}


def show_runs(each: Confirmation) -> str:
    """How often a case was red: ``3 of 3 runs``, or ``1 of 3 runs, flaky``."""
    shown = f"{each.candidate} of {each.runs} runs"
    if each.baseline:
        shown += f", and in {each.baseline} of {each.baseline_runs} of the baseline"
    return shown if each.outcome == "confirmed" else f"{shown}, {each.outcome}"


def describe_confirmed(confirmations: Iterable[Confirmation]) -> str:
    """How often the confirmed cases were red, the same number for all: `` in 3 of 3 runs``."""
    shown = {f" in {show_runs(each)}" for each in confirmations if each.outcome == "confirmed"}
    return shown.pop() if len(shown) == 1 else ""


def describe_unconfirmed(confirmations: Sequence[Confirmation]) -> str:
    """Why a gate with these newly red cases is inconclusive: one sentence; empty if all are confirmed."""
    for outcome, noun in (("flaky", "flaky"), ("unconfirmed", "not confirmed")):
        found = [each for each in confirmations if each.outcome == outcome]
        if not found:
            continue
        first = found[0]
        often, why = (
            show_runs(first).removesuffix(f", {outcome}"),
            f"; {first.because}" if first.because else "",
        )
        if first.case == WHOLE_CELL:
            return f"The candidate died in {often}: {noun}{why}"
        if len(found) == 1:
            return f"1 newly red case is {noun}: red in {often}{why}"
        return f"{len(found)} newly red cases are {noun}: {first.case} is red in {often}{why}"
    return ""


def soften_answers(
    cell: CellVerdict,
    findings: Mapping[str, Finding],
    confirmations: Sequence[Confirmation],
    checks: Sequence[Check],
) -> CellVerdict:
    """The candidate with ``not measured`` for each ``no`` that rests on unconfirmed cases alone."""
    doubtful = {each.case: each for each in confirmations if each.outcome != "confirmed"}
    if not doubtful or not cell.answers:
        return cell
    catalogue = {check.id: check for check in checks}
    rest = [each for each in findings.values() if each.check not in doubtful]
    without = {each.question: each.answer for each in answer_questions(rest, catalogue)}
    by_question: dict[str, list[Confirmation]] = defaultdict(list)
    for case, confirmation in doubtful.items():
        if check_of(case) in catalogue:
            by_question[catalogue[check_of(case)].question].append(confirmation)
    answers = tuple(
        _doubt(each, by_question[each.question])
        if each.answer == "no" and without.get(each.question) != "no" and by_question[each.question]
        else each
        for each in cell.answers
    )
    return msgspec.structs.replace(cell, answers=answers)


def _doubt(answer: Answer, doubtful: Sequence[Confirmation]) -> Answer:
    because = f"{doubtful[0].case}: red in {show_runs(doubtful[0])}"
    return msgspec.structs.replace(answer, answer="not measured", because=because, lacking=len(doubtful))
