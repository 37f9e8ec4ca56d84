"""View models of a judged run that all renderings share."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.cell.interface import LAYERS, check_of
from harness.judge.outcomes import is_red
from harness.judge.red_cases import find_exception, sort_by_layer
from harness.records import Finding, Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records import CellResult, CellVerdict, Claim, ClaimRow, Finding, PlannedCell, Run


SignKind = Literal["pass", "note", "xfail", "red", "missing", "skip", "none"]

SIGNS: dict[SignKind, tuple[str, str]] = {
    "pass": ("✓", "+"),
    "note": ("•", "*"),
    "xfail": ("≈", "~"),
    "red": ("✗", "x"),
    "missing": ("?", "?"),
    "skip": ("–", "-"),  # noqa: RUF001 - the en dash is intended
    "none": ("·", "."),
}
"""A sign for each kind, in Unicode and in ASCII; colour alone is not accessible."""

LEGEND: dict[SignKind, str] = {
    "pass": "all pass",
    "note": "pass, with limits or notes",
    "xfail": "diverges as expected",
    "red": "red",
    "missing": "missing",
    "skip": "skipped",
    "none": "not asked or not run",
}

MAP_LEGEND: dict[SignKind, str] = {
    "pass": "right, with the change of latency to the baseline",
    "note": "right, and a layer has a note that the baseline has not",
    "red": "wrong vectors, ranking or dtype, unstable, or an unexpected fault",
    "missing": "not measured",
    "none": "cannot be installed or imported, or did not run",
}
"""What the colours and signs of the map mean."""

_BREAKS = ("fail", "error", "xpass")


@dataclass(frozen=True)
class LayerSign:
    """The summary of a layer of a cell; ``count`` is the number of cases of that kind."""

    kind: SignKind
    count: int

    def show(self, *, unicode: bool = True) -> str:
        """The sign, with the count unless the sign is good news."""
        sign = SIGNS[self.kind][0 if unicode else 1]
        return sign if self.kind in {"pass", "none", "skip"} else f"{sign}{self.count}"


def sign_layer(cell: CellVerdict, layer: str) -> LayerSign:
    """Summarize a layer of a cell: its worst kind, and the number of such cases."""
    counts = cell.layers.get(layer, {})
    noted = counts.get("limit", 0) + counts.get("note", 0)
    broken = sum(counts.get(outcome, 0) for outcome in _BREAKS)
    missing, expected = counts.get("missing", 0), counts.get("xfail", 0)
    passed, skipped = counts.get("pass", 0), counts.get("skip", 0)
    if broken:
        return LayerSign("red", broken)
    if missing and (cell.status in {"ok", "failed"} or passed or expected):
        return LayerSign("missing", missing)
    if expected:
        return LayerSign("xfail", expected)
    if passed:
        return LayerSign("note", noted) if noted else LayerSign("pass", passed)
    if noted:
        return LayerSign("note", noted)
    return LayerSign("skip", skipped) if skipped else LayerSign("none", missing)


def sign_cell(cell: CellVerdict) -> SignKind:
    """The sign of a cell as a whole; wrong vectors are red whether or not they are known."""
    if cell.status == "missing" or (cell.status in {"ok", "failed"} and _is_unmeasured(cell)):
        return "missing"
    if cell.red or cell.usable is False:
        return "red"
    return "xfail" if cell.expected or cell.divergent else "pass"


def _is_unmeasured(cell: CellVerdict) -> bool:
    answers = {each.answer for each in cell.answers}
    return "not measured" in answers and "no" not in answers


def status_word(cell: CellVerdict) -> str:
    """The displayed status: ``wrong`` and ``diverges`` are ok cells with known faults."""
    if cell.status == "ok" and (cell.usable is False or cell.divergent):
        return "wrong" if cell.usable is False else "diverges"
    return "not measured" if cell.status == "failed" and _is_unmeasured(cell) else cell.status


def results_by_cell(run: Run) -> dict[str, CellResult]:
    """Planned cell -> result, shared results included; cells without a result are omitted."""
    own = {result.cell: result for result in run.results}
    shared = {
        planned.cell.id: own[planned.same_as]
        for planned in run.plan.cells
        if planned.same_as in own and planned.cell.id not in own
    }
    return {**own, **shared}


def planned_by_cell(run: Run) -> dict[str, PlannedCell]:
    """The planned cells by id."""
    return {planned.cell.id: planned for planned in run.plan.cells}


def axis_names(run: Run) -> list[str]:
    """The axes of all planned cells, in the order of the matrix."""
    return list(dict.fromkeys(axis for planned in run.plan.cells for axis in planned.cell.axes))


def findings_by_cell(run: Run) -> dict[str, list[Finding]]:
    """The findings of each cell, in the order of the plan."""
    grouped: dict[str, list[Finding]] = defaultdict(list)
    for finding in run.judgement.findings:
        grouped[finding.cell].append(finding)
    return grouped


def broken_findings(findings: Sequence[Finding]) -> list[Finding]:
    """Findings that are red because of an observation."""
    return [finding for finding in findings if finding.outcome in _BREAKS]


def group_red(run: Run) -> list[list[CellVerdict]]:
    """Group the red cells by reason; cells with the same exceptions in as many cases have one."""
    groups: dict[tuple[object, ...], list[CellVerdict]] = defaultdict(list)
    findings = findings_by_cell(run)
    for cell in run.judgement.cells:
        if cell.red:
            red = [each for each in findings.get(cell.cell, []) if is_red(each.outcome)]
            raised = Counter(find_exception(each) for each in red)
            reason = cell.reason if "" in raised or not raised else tuple(raised.items())
            groups[cell.status, reason].append(cell)
    return list(groups.values())


def only_command(run: Run, cell: str) -> str:
    """The command that runs this cell only."""
    return f"{run.plan.command} --only {cell}"


@dataclass(frozen=True)
class Divergence:
    """A known divergence: its reason, its checks and cells, and the number of cases."""

    reason: str
    checks: tuple[str, ...]
    cells: tuple[str, ...]
    cases: int


def known_divergences(run: Run) -> list[Divergence]:
    """Group expected failures and cells with an expected status by reason."""
    seen: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for finding in run.judgement.findings:
        if finding.outcome == "xfail":
            seen[finding.expectation].append((finding.cell, check_of(finding.check)))
    for cell in run.judgement.cells:
        if cell.expected and not cell.red:
            seen[cell.expected].append((cell.cell, f"status {cell.status}"))
    return [
        Divergence(
            reason,
            tuple(dict.fromkeys(check for _, check in pairs)),
            tuple(dict.fromkeys(cell for cell, _ in pairs)),
            len(pairs),
        )
        for reason, pairs in seen.items()
    ]


def count_verdicts(run: Run) -> Counter[str]:
    """Count the cells that are ok, expected to diverge, red, and reused."""
    counts: Counter[str] = Counter()
    for cell in run.judgement.cells:
        known = cell.expected or cell.divergent or cell.usable is False
        counts["red" if cell.red else "expected" if known else "ok"] += 1
        counts["reused"] += cell.reused
    return counts


def describe_skipped(run: Run) -> str:
    """Describe the number of skipped cases; empty for none."""
    skipped = sum(finding.outcome == "skip" for finding in run.judgement.findings)
    return f"{skipped} case{'' if skipped == 1 else 's'} skipped" if skipped else ""


def describe_locks(run: Run) -> str:
    """Describe the cells without a committed lock, which may resolve differently later; empty for none."""
    resolved = [each.lock for each in run.plan.cells if each.lock.origin == "resolved"]
    if not resolved:
        return ""
    noun = "1 cell was" if len(resolved) == 1 else f"{len(resolved)} cells were"
    return f"{noun} resolved on the fly: no lock is committed for {resolved[0].platform}"


def claim_kind(claim: Claim) -> SignKind:
    """The sign of a claim: true in every cell, in some, in none, or not measured."""
    held = {row.holds for row in claim.rows} - {None}
    if not held:
        return "none"
    if held == {True}:
        return "pass"
    return "red" if held == {False} else "xfail"


def claim_example(run: Run, claim: Claim) -> ClaimRow | None:
    """The measurement of the baseline, or of the first cell with one."""
    rows = [row for row in claim.rows if row.holds is not None]
    return min(rows, key=lambda row: row.cell != run.plan.baseline, default=None)


# Red checks of a cell


@dataclass(frozen=True)
class RedCheck:
    """One red check of a cell: number of cases, message of the first, and advice."""

    check: str
    layer: str
    cases: int
    message: str
    advice: str


def list_red_checks(findings: Sequence[Finding]) -> list[RedCheck]:
    """List the red checks among the findings of a cell, the lowest layer first; none if it is red as a whole.

    Checks that end in the same exception are one entry: there is one cause behind them.
    """
    grouped: dict[str, list[Finding]] = defaultdict(list)
    for finding in sort_by_layer(broken_findings(findings)):
        grouped[find_exception(finding) or check_of(finding.check)].append(finding)
    return [
        RedCheck(
            check=name_checks(list(dict.fromkeys(check_of(each.check) for each in found))),
            layer=found[0].layer,
            cases=len(found),
            message=f"{found[0].check}: {found[0].message}",
            advice=found[0].advice,
        )
        for found in grouped.values()
    ]


def name_checks(checks: Sequence[str]) -> str:
    """Name one or two checks, or the first of several and their number."""
    return ", ".join(checks) if len(checks) < 3 else f"{checks[0]} and {len(checks) - 1} more checks"


def count_kinds(run: Run) -> list[str]:
    """Count red cells by status, layers with red checks by cell, and stale expectations."""
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


# Titles of layers

LAYER_TITLES = {
    "ENV": "process environment",
    "API": "names and their behaviour",
    "L0": "normalization",
    "L1": "hidden states",
    "L2": "end to end",
    "L3": "top-10 retrieval",
    "RT": "batching, aliasing, threads, texts",
    "GOLD": "drift since the golden embeddings",
}
"""Layer -> title, in the order of the report."""
