"""From findings to one verdict for each cell: its status, whether it is red, and why."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from harness.cell.catalogue import LAYERS
from harness.judge.expectations import for_case, of_cell, of_matrix
from harness.judge.install_words import tell_install_error
from harness.judge.outcomes import is_red
from harness.records import CellVerdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.judge.outcomes import Results
    from harness.records import CellResult, CellStatus, Expectation, Finding, Plan, PlannedCell

STATUS_ADVICE: dict[CellStatus, str] = {
    "unsatisfiable": "Choose versions whose requirements meet, or exclude this combination.",
    "install-error": (
        "Look at what the installer said, the disk and the package index (--python-downloads fetches a "
        "Python that is not here), then run it again."
    ),
    "import-error": "Pin what the import misses to a release that still has it, or leave this release out.",
    "crashed": "Run just this cell and read its log; nothing after its last case is known.",
    "timed-out": "Run just this cell with more time; if it hangs again, do not upgrade to it.",
    "missing": "Run the same command again: it carries on with what is left.",
}
"""What to do when a cell has this status."""


def judge_cells(plan: Plan, results: Results, findings: Sequence[Finding]) -> tuple[CellVerdict, ...]:
    """One verdict for each planned cell in the order of the plan, then for cells that no plan asked for."""
    grouped: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        grouped[finding.cell].append(finding)
    expectations = of_matrix(plan)
    verdicts = [
        _judge(plan, planned, results.one_for(planned), grouped.pop(planned.cell.id, []), expectations)
        for planned in plan.cells
    ]
    verdicts = tell_from_baseline(verdicts, findings, plan)
    verdicts += [
        CellVerdict(cell=cell, status="failed", red=True, reason=extra[0].message, layers=count_layers(extra))
        for cell, extra in grouped.items()
    ]
    return tuple(verdicts)


def tell_from_baseline(
    verdicts: Sequence[CellVerdict], findings: Sequence[Finding], plan: Plan
) -> list[CellVerdict]:
    """Count in each cell the expected divergences that the baseline lacks; without one, that not all have."""
    known: dict[str, set[str]] = {each.cell: set() for each in verdicts if each.status in {"ok", "failed"}}
    for finding in findings:
        if finding.outcome == "xfail" and finding.cell in known:
            known[finding.cell].add(finding.check)
    usual = _find_usual(plan, known)
    return [
        msgspec.structs.replace(each, divergent=len(known.get(each.cell, set()) - usual)) for each in verdicts
    ]


def _find_usual(plan: Plan, known: Mapping[str, set[str]]) -> set[str]:
    """The divergences of the baseline; of one that the selection leaves out, those that are expected of it.

    Without either, what all cells have: one cell alone would have nothing but the usual then.
    """
    if plan.baseline is not None and plan.baseline in known:
        return known[plan.baseline]
    if plan.baseline_cell is not None:
        mine = of_cell(of_matrix(plan), plan.baseline_cell)
        return {case for cases in known.values() for case in cases if for_case(mine, case)}
    return set.intersection(*known.values()) if known else set()


def count_layers(findings: Sequence[Finding]) -> dict[str, dict[str, int]]:
    """Layer -> outcome -> how many, layers in the order of the report."""
    counts: dict[str, dict[str, int]] = {}
    for layer in LAYERS:
        for finding in findings:
            if finding.layer == layer:
                row = counts.setdefault(layer, {})
                row[finding.outcome] = row.get(finding.outcome, 0) + 1
    return counts


def _judge(
    plan: Plan,
    planned: PlannedCell,
    result: CellResult | None,
    findings: Sequence[Finding],
    expectations: Sequence[Expectation],
) -> CellVerdict:
    status, reason = _status(planned, result, findings)
    wanted = [each for each in of_cell(expectations, planned) if each.status is not None]
    if result is not None and result.edited:  # no expectation excuses that
        wanted = []
    covering = [each.reason for each in wanted if each.status == status]
    red, expected = status != "ok" and not covering, covering[0] if covering else ""
    advice = "" if not red else STATUS_ADVICE.get(status) or _first_advice(findings)
    if status == "install-error" and (told := tell_install_error(reason)):
        reason, advice = told.sentence, advice and told.advice
    if wanted and not covering and status != "missing":
        red = True
        reason = f"expected {wanted[0].status}, but the cell is {status}" + (f": {reason}" if reason else "")
        advice = advice or "Take the expectation out, or narrow it to the versions where it still holds."
    return CellVerdict(
        cell=planned.cell.id,
        status=status,
        red=red,
        expected=expected,
        reason=reason,
        advice=advice,
        reused=result is not None and result.run != plan.run,
        layers=count_layers(findings),
    )


def _status(
    planned: PlannedCell, result: CellResult | None, findings: Sequence[Finding]
) -> tuple[CellStatus, str]:
    """The status after expectations have been applied, and why it is that."""
    if result is None:
        if planned.lock.reason:
            return "unsatisfiable", planned.lock.reason
        return "missing", "the run ended before this cell had a result"
    if result.edited or result.status not in {"ok", "failed"}:
        return result.status, result.reason or f"the cell is {result.status}"
    red = [finding for finding in findings if is_red(finding.outcome)]
    if red:
        return "failed", _why(red)
    raw_red = any(case.outcome in {"fail", "error"} for case in result.cases)
    if result.status == "failed" and not raw_red:
        return "failed", result.reason or "the cell says failed, though each of its cases is fine"
    return "ok", ""


def _why(red: Sequence[Finding]) -> str:
    """One sentence: the first red case of the lowest layer, how many more there are and in which layers."""
    told = in_layer_order([finding for finding in red if finding.outcome != "missing"])
    if not told:
        return f"{len(red)} cases of this cell have no result"
    layers = ", ".join(dict.fromkeys(finding.layer for finding in in_layer_order(red)))
    others = f" (and {len(red) - 1} more, in {layers})" if len(red) > 1 else ""
    return f"{told[0].check}: {told[0].message}{others}"


def in_layer_order(findings: Sequence[Finding]) -> list[Finding]:
    """What is wrong lower down is told first: it may be why the layers above are red."""
    return sorted(findings, key=lambda finding: LAYERS.index(finding.layer) if finding.layer in LAYERS else 0)


def _first_advice(findings: Sequence[Finding]) -> str:
    red = in_layer_order([each for each in findings if is_red(each.outcome) and each.advice])
    return red[0].advice if red else ""
