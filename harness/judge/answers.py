"""The answers of a cell to the questions that a run asks, from its findings; ``yes`` is good."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from harness.cell.interface import QUESTIONS, check_of
from harness.judge.red_cases import find_exception
from harness.records import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.cell.interface import Check
    from harness.records import Finding

INDEX_CHECK = "gold.ranking"
"""The check that compares searches in an index of the baseline."""

_MEASURED = {"pass", "fail", "xfail", "xpass"}
_WRONG = {"fail", "xfail"}


def answer_questions(findings: Sequence[Finding], checks: Mapping[str, Check]) -> tuple[Answer, ...]:
    """The answers of one cell, in the order of the questions; latency and memory are not asked here.

    Only findings of what is served count: those that break the service if they fail, controls excluded. A
    note on the process, such as the dtype of the reference, is the remark of its question.
    """
    asked: dict[str, list[Finding]] = {question: [] for question in QUESTIONS if question != "cost"}
    remarks = dict.fromkeys(asked, "")
    for each in findings:
        check = checks.get(check_of(each.check))
        if check is None or not check.question or check.is_control:
            continue
        if each.severity == "breaks":
            asked[check.question].append(each)
        elif each.outcome == "note" and check.layer == "ENV" and each.observation is not None:
            remarks[check.question] = each.observation.sample
    return tuple(
        msgspec.structs.replace(_answer(question, found, checks), remark=remarks[question])
        for question, found in asked.items()
    )


def _answer(question: str, findings: Sequence[Finding], checks: Mapping[str, Check]) -> Answer:
    measured = [each for each in findings if each.outcome in _MEASURED]
    cases = len(measured)
    if wrong := [each for each in measured if each.outcome in _WRONG]:
        # what an index needs to know before the rest, then end to end before parts
        wrong.sort(key=lambda each: (each.check != INDEX_CHECK, not checks[check_of(each.check)].covers))
        return Answer(question=question, answer="no", because=_describe(wrong), cases=cases)
    covering = [each for each in findings if checks[check_of(each.check)].covers]
    if not covering and all(each.outcome == "skip" for each in findings):
        return Answer(question=question, answer="not asked")  # such as without golden embeddings
    needed = covering or findings
    lacking = [each for each in needed if each.outcome not in _MEASURED]
    if lacking:
        because = describe_causes(lacking)
        return Answer(
            question=question, answer="not measured", because=because, cases=cases, lacking=len(lacking)
        )
    if errors := [each for each in findings if each.outcome in {"error", "missing"}]:
        return Answer(question=question, answer="no", because=describe_causes(errors), cases=cases)
    return Answer(question=question, answer="yes", because=_show_worst(needed, cases), cases=cases)


def _describe(wrong: Sequence[Finding]) -> str:
    """The first failed case, and the number of others."""
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return f"{wrong[0].check}: {wrong[0].message}{more}"


def describe_causes(findings: Sequence[Finding]) -> str:
    """The first message among findings, with the number of cases, and of those with another kind of cause."""
    message, kind = findings[0].message, _kind_of(findings[0])
    alike = sum(_kind_of(each) == kind for each in findings)
    others = len(findings) - alike
    more = f"; {others} more for other reasons" if others else ""
    return f"{message} ({alike} case{'' if alike == 1 else 's'}{more})"


def _kind_of(finding: Finding) -> str:
    return find_exception(finding) or finding.message.partition(":")[0]


def _show_worst(needed: Sequence[Finding], cases: int) -> str:
    """The measurement nearest to its bound, and the number of cases."""
    bounded = [
        (seen.value / seen.allowed, _show_bounded(seen.value, seen.allowed, seen.unit))
        for each in needed
        if (seen := each.observation) is not None
        and seen.bound == "max"
        and seen.value is not None
        and seen.allowed
    ]
    counted = f"{cases} case{'' if cases == 1 else 's'}"
    shown = [_describe_index(needed), max(bounded)[1] if bounded else "", counted]
    return ", ".join(filter(None, shown))


def _show_bounded(value: float, allowed: float, unit: str) -> str:
    """A measurement beside its bound: ``distance 1.9e-06 (allowed: 1e-05)``, ``9 ULP (allowed: 14)``."""
    measured = f"{unit} {value:.2g}" if unit == "distance" else f"{value:.2g} {unit}"
    return f"{measured} (allowed: {allowed:.2g})"


def _describe_index(needed: Sequence[Finding]) -> str:
    """One sentence for the owner of an index, if its vectors were compared with new ones."""
    seen = next((each.observation for each in needed if each.check == INDEX_CHECK), None)
    if seen is None:
        return ""
    queries = seen.facts.get("queries")
    return f"stored vectors stay valid: {queries} of {queries} queries find the same"
