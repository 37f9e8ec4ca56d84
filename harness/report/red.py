"""What is red in a cell, check by check: the first failure is seldom the one that matters most."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from harness.cell.catalogue import LAYERS
from harness.judge.cells import in_layer_order
from harness.judge.outcomes import check_of
from harness.records import Finding, Run
from harness.report.view import broken_findings, findings_by_cell


@dataclass(frozen=True)
class RedCheck:
    """One check that is red in a cell: in how many cases, what the first of them said, what to do."""

    check: str
    layer: str
    cases: int
    message: str
    advice: str


def list_red_checks(run: Run, cell: str) -> list[RedCheck]:
    """The red checks of a cell, the lowest layer first; none where the cell is red as a whole."""
    grouped: dict[str, list[Finding]] = defaultdict(list)
    for finding in in_layer_order(broken_findings(findings_by_cell(run).get(cell, []))):
        grouped[check_of(finding.check)].append(finding)
    return [
        RedCheck(
            check=check,
            layer=found[0].layer,
            cases=len(found),
            message=f"{found[0].check}: {found[0].message}",
            advice=found[0].advice,
        )
        for check, found in grouped.items()
    ]


def count_kinds(run: Run) -> list[str]:
    """What is red, by kind: cells by status, layers with red checks and in how many cells, expectations."""
    statuses = Counter(cell.status for cell in run.judgement.cells if cell.red)
    layers: dict[str, set[str]] = defaultdict(set)
    for finding in broken_findings(run.judgement.findings):
        layers[finding.layer].add(finding.cell)
    stale = len(run.judgement.stale_expectations)
    return [
        *(f"{_count(number, 'cell')} {status}" for status, number in statuses.most_common()),
        *(f"{layer} red in {_count(len(layers[layer]), 'cell')}" for layer in LAYERS if layer in layers),
        *(
            [f"{_count(stale, 'expectation')} that {'match' if stale > 1 else 'matches'} nothing"]
            if stale
            else []
        ),
    ]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
