"""Turn a plan and its results into findings: one per planned case, with expectations applied."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from harness.cell.interface import LAYERS, check_of
from harness.judge.expectations import filter_for_cell, find_expectation, select_expectations
from harness.judge.severity import Weights, find_served, find_usual_margins
from harness.records import OLDER_TOLERANCES, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.cell.interface import Check, Limit
    from harness.records import (
        CaseResult,
        CellResult,
        Expectation,
        Observation,
        Outcome,
        Plan,
        PlannedCell,
        Severity,
    )


MEASURED: frozenset[Outcome] = frozenset({"pass", "fail", "xfail", "xpass", "limit", "note"})
"""Outcomes of a case that has a measurement."""

RED: frozenset[Outcome] = frozenset({"fail", "error", "xpass", "missing"})
"""Unexpected outcomes."""

WHOLE_CELL = "cell"
"""Used as the id of a case in findings on a whole result."""


def is_red(outcome: Outcome) -> bool:
    """Tell whether an outcome is unexpected."""
    return outcome in RED


def recorded_words(seen: Observation) -> tuple[str, ...]:
    """The texts of an observation: the recorded sample, and facts such as types and messages.

    Empty for an observation of a number: the last digits of its samples differ between machines.
    """
    if seen.bound in {"max", "min"} or seen.unit in {"ulp", "abs", "eps"}:
        return ()
    facts = (f"{name}: {value}" for name, value in seen.facts.items() if isinstance(value, str))
    recorded = seen.sample if seen.bound == "none" else ""
    return (recorded, *facts) if recorded else tuple(facts)


@dataclass(frozen=True)
class Results:
    """The results of a run by cell, independent of the order of arrival."""

    by_cell: Mapping[str, Sequence[CellResult]] = field(default_factory=dict)

    @classmethod
    def of(cls, results: Sequence[CellResult]) -> Results:
        """Group results by cell."""
        grouped: dict[str, list[CellResult]] = defaultdict(list)
        for result in results:
            grouped[result.cell].append(result)
        order = {
            cell: several if len(several) == 1 else sorted(several, key=repr)
            for cell, several in grouped.items()
        }
        return cls(dict(sorted(order.items())))

    def all_for(self, planned: PlannedCell) -> Sequence[CellResult]:
        """All results of a cell: its own, or those of the cell whose run it shares."""
        own = self.by_cell.get(planned.cell.id, ())
        return own if own or planned.same_as is None else self.by_cell.get(planned.same_as, ())

    def one_for(self, planned: PlannedCell) -> CellResult | None:
        """The result of a cell; None without one."""
        found = self.all_for(planned)
        return found[0] if found else None


@dataclass(frozen=True)
class Rules:
    """The rules for every case: the catalogue of checks, and the tolerances of the plan."""

    checks: Mapping[str, Check] = field(default_factory=dict)
    tolerances: Mapping[str, float] = field(default_factory=lambda: OLDER_TOLERANCES)

    @classmethod
    def of(cls, plan: Plan, checks: Sequence[Check]) -> Rules:
        """Make the rules of a run; plans of earlier versions have no tolerances."""
        return cls({check.id: check for check in checks}, plan.tolerances or OLDER_TOLERANCES)

    def find_contradiction(self, case: CaseResult) -> str:
        """Describe why the outcome of a case is invalid; empty if it is valid."""
        if case.outcome == "skip":
            return self._find_undeclared_skip(case)
        if case.outcome not in {"pass", "fail"}:
            return ""
        observation = case.observation
        if observation is None:
            return "reported as pass, but nothing was measured" if case.outcome == "pass" else ""
        return self._find_invalid_limit(case, observation) or _find_mismatch(case, observation)

    def _find_undeclared_skip(self, case: CaseResult) -> str:
        if not case.message:
            return "reported as skip, but without a reason"
        check = self.checks.get(check_of(case.id))
        if check is None or check.declares_skip(case.message):
            return ""
        return f"skipped for a reason that {check.id} does not declare: {case.message}"

    def _find_invalid_limit(self, case: CaseResult, seen: Observation) -> str:
        """Describe why the bound or limit of a case is invalid; empty if it is valid."""
        check = self.checks.get(check_of(case.id))
        try:
            limit = None if check is None else check.limit_of(case.id, self.tolerances)
        except LookupError as error:
            return f"invalid limit: the plan has no tolerance {error}"
        if limit is None:
            return ""
        if seen.bound != limit.bound:
            return f"invalid limit: bound {seen.bound}, but the check requires {limit.bound}"
        valid = _describe_valid(seen, limit, held=case.outcome == "pass")
        return f"invalid limit: {seen.allowed} is allowed, but {valid} is valid" if valid else ""


def _describe_valid(seen: Observation, limit: Limit, *, held: bool) -> str:
    """Describe the valid limits; empty if the recorded one is valid.

    A failed case (not ``held``) may have a weaker limit: it violates the weakest valid limit too.
    """
    allowed, weakest = seen.allowed, limit.value
    if weakest is None:
        return "" if allowed is None else "only no limit"
    number = math.nan if allowed is None else allowed  # nan and inf are not limits
    within = math.isfinite(number) and number >= 0
    if limit.bound == "equal":
        return "" if number == weakest else f"only {weakest:g}"
    if limit.bound == "max":
        holds = number <= weakest * _ROUNDING
        return "" if within and (holds or not held) else f"only 0 to {weakest:g}"
    holds = number * _ROUNDING >= weakest
    return "" if within and (holds or not held) else f"only {weakest:g} and more"


def _find_mismatch(case: CaseResult, seen: Observation) -> str:
    """Describe the numbers that contradict the outcome; empty if there is no contradiction."""
    fault = _find_violation(seen)
    if case.outcome == "pass":
        return f"reported as pass, but {fault}" if fault else ""
    return "" if fault else f"reported as fail, but {_describe_held(seen)}"


_ROUNDING = 1 + 1e-9
"""A derived limit can differ in its last digits between machines."""

_BOUNDS = {"max": "at most", "min": "at least", "equal": "exactly"}


def _describe_held(seen: Observation) -> str:
    if seen.bound == "none":
        return "there is no bound"
    return f"{seen.value:g} {seen.unit} is {_BOUNDS[seen.bound]} {seen.allowed:g}"


def _find_violation(seen: Observation) -> str:
    if seen.bound == "none":
        return ""
    if seen.value is None or not math.isfinite(seen.value):
        return "the value is not finite"
    if seen.allowed is None or not math.isfinite(seen.allowed):
        return f"no allowed value is recorded (bound {seen.bound})"
    holds = {
        "max": seen.value <= seen.allowed,
        "min": seen.value >= seen.allowed,
        "equal": seen.value == seen.allowed,
    }[seen.bound]
    return "" if holds else f"{seen.value:g} {seen.unit} should be {_BOUNDS[seen.bound]} {seen.allowed:g}"


def judge_findings(plan: Plan, results: Results, checks: Sequence[Check]) -> tuple[Finding, ...]:
    """Judge each case of each planned cell, in that order, then the unplanned ones.

    Args:
        plan: the planned cells and cases.
        results: the results of the cells.
        checks: the catalogue, for layer, advice and limits.
    """
    rules = Rules.of(plan, checks)
    expectations = select_expectations(plan)
    everything = [each for several in results.by_cell.values() for each in several]
    served, margins = find_served(plan, everything), find_usual_margins(plan, everything)
    usual = Weights(served, margins, broken=plan.service is None)
    findings = [
        finding
        for planned in plan.cells
        for finding in _explain_sizes(tuple(_judge_cell(planned, results, expectations, rules, usual)))
    ]
    planned_ids = {planned.cell.id for planned in plan.cells}
    findings += [
        Finding(
            cell=cell,
            check=WHOLE_CELL,
            layer="ENV",
            outcome="error",
            message="a result of a cell that is not in the plan",
        )
        for cell in results.by_cell
        if cell not in planned_ids
    ]
    return tuple(findings)


def _judge_cell(
    planned: PlannedCell,
    results: Results,
    expectations: Sequence[Expectation],
    rules: Rules,
    usual: Weights,
) -> Iterator[Finding]:
    mine = filter_for_cell(expectations, planned)
    found = results.all_for(planned)
    if len(found) > 1:
        message = f"{len(found)} results for one cell, expected 1"
        yield Finding(cell=planned.cell.id, check=WHOLE_CELL, layer="ENV", outcome="error", message=message)
    if found and found[0].edited:
        yield Finding(
            cell=planned.cell.id, check=WHOLE_CELL, layer="ENV", outcome="error", message=found[0].reason
        )
    reported: dict[str, list[CaseResult]] = defaultdict(list)
    for case in found[0].cases if found else ():
        reported[case.id].append(case)
    status = found[0].status if found else ("unsatisfiable" if planned.lock.reason else "missing")
    weights = usual.of(found[0] if found else None)
    for case_id in (*planned.cases, *sorted(set(reported) - set(planned.cases))):
        check = rules.checks.get(check_of(case_id))
        several = reported.get(case_id, [])
        expected = find_expectation(mine, case_id, several[0].outcome if several else None)
        fault = _find_fault(several, rules, owed=case_id in planned.cases) if several else ""
        outcome, message, expectation = _judge_case(several, expected, fault, status)
        seen = several[0].observation if several else None
        severity = "breaks" if fault else weights.weigh(check, case_id, seen)
        outcome = _lower(outcome, severity)
        yield Finding(
            cell=planned.cell.id,
            check=case_id,
            layer=check.layer if check else layer_of(case_id),
            outcome=outcome,
            message=message,
            advice=check.advice if check and outcome in {"fail", "xpass", "limit"} else "",
            expectation=expectation,
            severity=severity,
            margin=weights.describe_margin(check, case_id) if outcome in {"fail", "xfail", "limit"} else "",
            observation=seen,
        )


def _lower(outcome: Outcome, severity: Severity) -> Outcome:
    """The outcome of a failure by its severity; expectations are about failures that break the service."""
    if severity == "breaks" or outcome not in {"fail", "error", "xfail"}:
        return outcome
    return "limit" if severity == "limits" else "note"


def layer_of(case: str) -> str:
    """The layer in the prefix of an id, for a check that is not in the catalogue."""
    prefix = case.split(".", 1)[0].upper()
    return prefix if prefix in LAYERS else "ENV"


def _judge_case(
    reported: Sequence[CaseResult], expected: Expectation | None, fault: str, status: str
) -> tuple[Outcome, str, str]:
    """Judge a case: its outcome, its message, and the reason of the expectation that applied."""
    if not reported:
        return "missing", f"no result: the cell is {status}", ""
    case = reported[0]
    # An expectation excuses a known divergence, never a contradiction within the suite or to the plan.
    if fault:
        return "error", fault, ""
    if expected is None or case.outcome == "skip":
        return case.outcome, case.message, ""
    if case.outcome == "pass":
        return (
            "xpass",
            "passes, but is expected to fail; remove the expectation or narrow it",
            expected.reason,
        )
    return "xfail", case.message, expected.reason


def _find_fault(reported: Sequence[CaseResult], rules: Rules, *, owed: bool) -> str:
    if not owed:
        return "unplanned: the case is not in the plan"
    if len(reported) > 1:
        return f"reported {len(reported)} times, expected once"
    return rules.find_contradiction(reported[0])


# The likely cause of wrong vectors: the control of the same cell whose error is as large.

_PARITY, _CONTROL = "l2.parity", "l2.control"

ALIKE = 3.0
"""Largest ratio of an error to that of a control of the same kind: other texts, other instructions."""

CAUSES = {
    "bfloat16-weights": "bfloat16 execution makes it: set INFERENCE_PRECISION_HINT to f32",
    "float16-weights": "weights stored in float16 make it: save the model with compress_to_fp16=False",
    "unmasked-pooling": "pooling without the attention mask makes it: leave padding out of the mean",
    "no-attention-mask": "a model without the attention mask makes it: pass the mask, and trace with it",
}
"""Fault of a control -> what makes an error of its size, and the remedy."""


def _explain_sizes(findings: Sequence[Finding]) -> Iterator[Finding]:
    """The findings of a cell; wrong vectors as far off as those of a control have its remedy as advice."""
    controls = {
        (output, fault): each.observation.value
        for each in findings
        if each.check.startswith(f"{_CONTROL}/") and each.observation is not None
        for _, output, fault in [each.check.split("/")]
        if each.observation.facts.get("control", fault) == fault  # else another one stands in for it
    }
    for each in findings:
        likely = _find_likely(each, controls)
        yield msgspec.structs.replace(each, advice=f"As large as {CAUSES[likely]}.") if likely else each


def _find_likely(finding: Finding, controls: dict[tuple[str, str], float | None]) -> str:
    """The fault of the nearest control; empty if none is alike, or the vectors are right."""
    check, *values = finding.check.split("/")
    seen = finding.observation
    if check != _PARITY or finding.outcome != "fail" or seen is None or not seen.value or not values:
        return ""
    ratios = {
        fault: abs(math.log(seen.value / value))
        for (output, fault), value in controls.items()
        if output == values[-1] and value and fault in CAUSES
    }
    nearest = min(ratios, key=lambda fault: ratios[fault], default="")
    return nearest if nearest and ratios[nearest] <= math.log(ALIKE) else ""
