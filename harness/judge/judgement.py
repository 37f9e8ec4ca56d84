"""A run's plan and results in, its judgement out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.judge.cells import judge_cells
from harness.judge.claims import judge_claims
from harness.judge.expectations import find_stale
from harness.judge.latency import judge_latency
from harness.judge.outcomes import Results, Rules, judge_findings
from harness.judge.verdict import judge_verdict
from harness.records import Judgement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.cell.catalogue import Check
    from harness.records import CellResult, Plan


def judge(plan: Plan, results: Sequence[CellResult], checks: Sequence[Check]) -> Judgement:
    """Judge a run; the same whatever the order of the results.

    Args:
        plan: what the run promised; only it says what is owed.
        results: what the cells left behind.
        checks: the catalogue (``harness.cell.catalogue.load_checks()``), for layer and advice.

    Raises:
        UsageError: an expectation's ``where`` is no version specifier.
    """
    found = Results.of(results)
    findings = judge_findings(plan, found, checks)
    cells = judge_cells(plan, found, findings)
    stale = find_stale(plan)
    verdict, sentence = judge_verdict(plan, cells, findings, stale)
    return Judgement(
        verdict=verdict,
        sentence=sentence,
        cells=cells,
        findings=findings,
        stale_expectations=stale,
        claims=judge_claims(plan, found, Rules.of(plan, checks)),
        latency=judge_latency(plan, found, findings),
    )
