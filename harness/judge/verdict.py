"""Judge a run: the verdict, its reason, and its exit code."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

from harness.errors import ExitCode
from harness.judge.cell_verdicts import judge_cells
from harness.judge.claims import judge_claims
from harness.judge.expectations import find_stale
from harness.judge.latency_ratios import judge_latency
from harness.judge.outcomes import MEASURED, Results, Rules, is_red, judge_findings
from harness.records import Judgement

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from harness.cell.interface import Check
    from harness.records import Answered, CellResult, CellStatus, CellVerdict, Finding, Plan, Verdict


EXIT_CODES: dict[Verdict, ExitCode] = {
    "pass": ExitCode.PASS,
    "failing, nothing new": ExitCode.PASS,
    "regressed": ExitCode.REGRESSED,
    "failing": ExitCode.REGRESSED,
    "unsatisfiable": ExitCode.UNSATISFIABLE,
    "inconclusive": ExitCode.INCONCLUSIVE,
    "error": ExitCode.ERROR,
}
"""Exit code of each verdict; usage errors (2) have no verdict."""

_STATUS_WORDS: dict[CellStatus | Literal["wrong"], tuple[str, str]] = {
    "wrong": ("returns wrong vectors", "return wrong vectors"),
    "ok": ("diverges", "diverge"),
    "failed": ("fails", "fail"),
    "unsatisfiable": ("has no solution", "have no solution"),
    "install-error": ("cannot be installed", "cannot be installed"),
    "import-error": ("cannot be imported", "cannot be imported"),
    "crashed": ("crashes", "crash"),
    "timed-out": ("takes too long", "take too long"),
    "missing": ("is missing", "are missing"),
}
"""Words for one cell and for several cells of each status; ``ok`` is a cell with expected divergences."""

_TRIED = MEASURED | {"error"}
_DIED = {"import-error", "crashed", "timed-out"}
_RAN = {"ok", "failed"}


def exit_code(verdict: Verdict) -> ExitCode:
    """Exit code of a run with this verdict."""
    return EXIT_CODES[verdict]


def judge_verdict(
    plan: Plan, cells: Sequence[CellVerdict], findings: Sequence[Finding], stale: Sequence[str]
) -> tuple[Verdict, str]:
    """Judge a run: the verdict, and one sentence with the reason; the first matching rule applies.

    Cells ran and no case passes: error, even if expected. A red cell that ran, or a stale expectation:
    regressed, or failing if the baseline has the same faults. A question without an answer: inconclusive. A
    cell could not be installed: error. Unexpectedly no solution: unsatisfiable. Nothing was measured: error.
    Results or the baseline are missing: inconclusive. Otherwise: pass. The sentence names a baseline that
    the selection excludes.
    """
    verdict, sentence = _judge(plan, cells, findings, stale)
    planned = {each.cell.id for each in plan.cells}
    if plan.subset and plan.baseline is not None and plan.baseline not in planned:
        sentence = f"{sentence.removesuffix('.')}; without the baseline."
    return verdict, sentence


def _judge(
    plan: Plan, cells: Sequence[CellVerdict], findings: Sequence[Finding], stale: Sequence[str]
) -> tuple[Verdict, str]:
    planned = {each.cell.id for each in plan.cells}
    measured = [each for each in findings if each.cell in planned and each.outcome in _TRIED]
    ran = bool(measured) or any(cell.status in _DIED for cell in cells)
    red = [cell for cell in cells if cell.red]
    baseline = next((cell for cell in cells if cell.cell == plan.baseline), None)
    wrong = {each.cell for each in findings if each.outcome in {"fail", "xpass"}}
    broken = [
        cell
        for cell in red
        if _is_regression(cell) and (cell.cell in wrong or not _is_unmeasured(cell, baseline))
    ]
    comparison, failing = _explain(baseline, broken, findings)
    regressed = _list_red(len(plan.cells), broken, stale, comparison)
    if ran and not any(each.outcome == "pass" for each in measured):
        return "error", f"No case passes: {regressed or _describe_expected(cells, measured)}"
    if ran and regressed:
        return "failing" if failing and not stale else "regressed", regressed
    if unmeasured := _describe_unmeasured(cells):
        return "inconclusive", unmeasured
    if ended := _judge_environments(red):
        return ended
    return _judge_rest(plan, cells, red) if ran else ("error", "Nothing was measured.")


def _judge_environments(red: Sequence[CellVerdict]) -> tuple[Verdict, str] | None:
    """Judge cells without an environment; None if there are none."""
    uninstalled = [cell.cell for cell in red if cell.status == "install-error"]
    if uninstalled:
        return "error", f"{_list_cells(uninstalled)}: could not be installed."
    unsolved = [cell.cell for cell in red if cell.status == "unsatisfiable"]
    if unsolved:
        return "unsatisfiable", f"{_list_cells(unsolved)}: no solution, and no expectation covers that."
    return None


def _is_unmeasured(cell: CellVerdict, baseline: CellVerdict | None) -> bool:
    """Whether a cell without a wrong value is red for open questions, which are open in the baseline too."""
    open_questions = _list_unanswered(cell)
    if not open_questions:
        return False
    open_there = _list_unanswered(baseline, "not measured", "not asked") if baseline else set()
    return baseline is None or not baseline.answers or open_questions <= open_there


def _list_unanswered(cell: CellVerdict, *answers: Answered) -> set[str]:
    """The questions of a cell with one of these answers; by default those that were not measured."""
    return {each.question for each in cell.answers if each.answer in (answers or ("not measured",))}


def _describe_unmeasured(cells: Sequence[CellVerdict]) -> str:
    """The cause of the first question without an answer, and the number of cells; empty if all have one."""
    open_cells = [cell for cell in cells if _list_unanswered(cell)]
    if not open_cells:
        return ""
    unmeasured = [each for each in open_cells[0].answers if each.answer == "not measured"]
    first = max(unmeasured, key=lambda each: each.lacking)
    ran = sum(cell.status in _RAN for cell in cells)
    return f"Not measured: {first.because}, in {len(open_cells)} of {ran} cells."


def _judge_rest(plan: Plan, cells: Sequence[CellVerdict], red: Sequence[CellVerdict]) -> tuple[Verdict, str]:
    if red:
        return "inconclusive", _describe_missing(plan, [cell.cell for cell in red])
    baseline = [cell for cell in cells if cell.cell == plan.baseline]
    if any(cell.status != "ok" for cell in baseline):
        return (
            "inconclusive",
            f"The baseline {plan.baseline} is {baseline[0].status}, so there is nothing to compare with.",
        )
    if plan.baseline is not None and not baseline and not plan.subset:
        return "inconclusive", f"The baseline {plan.baseline} is not in the plan."
    others = [cell for cell in cells if cell.status != "ok" or cell.usable is False or cell.divergent]
    expected = f"; {_count_others(others)}, as expected" if others else ""
    asked = any(cell.usable is not None for cell in cells)
    hold = "combinations are usable" if asked else "cells hold"
    return "pass", f"{len(cells) - len(others)} of {len(cells)} {hold}{expected}."


def _describe_missing(plan: Plan, cells: Sequence[str]) -> str:
    """Name the cells without a result and, in a merged run, their shards."""
    shards = list(dict.fromkeys(filter(None, map(plan.name_shard, cells))))
    if not shards:
        return f"{_list_cells(cells)}: results are missing; run again to continue."
    noun, them = ("shard", "it") if len(shards) == 1 else ("shards", "them")
    return (
        f"Results of {noun} {_list_cells(shards)} are missing, of {_list_cells(cells)}; "
        f"sweep {them} and merge again."
    )


def _count_others(cells: Sequence[CellVerdict]) -> str:
    """Count cells by status, in words."""
    counts = Counter(
        "wrong" if cell.status == "ok" and cell.usable is False else cell.status for cell in cells
    )
    return ", ".join(
        f"{counts[each]} {_STATUS_WORDS[each][counts[each] > 1]}" for each in _STATUS_WORDS if counts[each]
    )


def _describe_expected(cells: Sequence[CellVerdict], measured: Sequence[Finding]) -> str:
    """Describe a run in which no case passes and no measured case is red."""
    diverge = sum(each.outcome == "xfail" for each in measured)
    expected = [f"{diverge} case{'s diverge' if diverge > 1 else ' diverges'}"] if diverge else []
    expected += filter(
        None, [_count_others([each for each in cells if each.status != "ok" and not each.red])]
    )
    parts = [f"{', '.join(expected)}, as expected"] if expected else []
    parts += filter(None, [_count_others([cell for cell in cells if cell.red])])
    return f"{'; '.join(parts)}."


def _is_regression(cell: CellVerdict) -> bool:
    """Whether a red cell is red by a measurement, not by a missing one."""
    if cell.status in {"install-error", "unsatisfiable", "missing"}:
        return False
    if cell.status == "failed":
        outcomes = {outcome for counts in cell.layers.values() for outcome in counts}
        red = outcomes & {"fail", "error", "xpass", "missing"}
        return red != {"missing"}
    return True


def _list_red(total: int, broken: Sequence[CellVerdict], stale: Sequence[str], comparison: str) -> str:
    """Describe the red cells and the stale expectations; empty if there are none."""
    parts = []
    if broken:
        names = _list_cells([cell.cell for cell in broken])
        parts.append(f"{len(broken)} of {total} cells {'is' if len(broken) == 1 else 'are'} red: {names}")
    if broken and comparison:
        parts.append(comparison)
    if stale:
        noun = "1 expectation matches" if len(stale) == 1 else f"{len(stale)} expectations match"
        parts.append(f"{noun} nothing: {_list_cells(stale)}")
    return "; ".join(parts) + "." if parts else ""


def _explain(
    baseline: CellVerdict | None, broken: Sequence[CellVerdict], findings: Sequence[Finding]
) -> tuple[str, bool]:
    """Compare the red cells with the baseline, and whether all that is red is red there too."""
    if baseline is None or (baseline.status == "ok" and not baseline.red):
        return "", False
    others = [cell for cell in broken if cell.cell != baseline.cell]
    if not others:
        return "it is the baseline", True
    known = _find_red(baseline, findings)
    asked = {each.check for each in findings if each.cell == baseline.cell}
    more = [cell.cell for cell in others if not _find_red(cell, findings, asked) <= known]
    if baseline.red and not more:
        return f"all of this is red in the baseline {baseline.cell} too", True
    if baseline.status not in _RAN:
        return f"the baseline {baseline.cell} is {baseline.status}, so new failures are unknown", False
    verb = "is" if len(more) == 1 else "are"
    return (
        f"the baseline {baseline.cell} is red too, but {_list_cells(more)} {verb} red where it is not",
        False,
    )


def _find_red(
    cell: CellVerdict, findings: Sequence[Finding], asked: Container[str] | None = None
) -> set[str]:
    """Find the red cases of a cell; if it did not run or has none, its status and reason.

    Errors of cases that are not in ``asked`` do not count: comparisons with a baseline without vectors.
    """
    red = [each for each in findings if each.cell == cell.cell and is_red(each.outcome)]
    if not red or cell.status not in _RAN:
        return {f"{cell.status}: {cell.reason}"}
    return {each.check for each in red if asked is None or each.check in asked or each.outcome != "error"}


def _list_cells(ids: Sequence[str], limit: int = 3) -> str:
    shown = ", ".join(ids[:limit])
    return f"{shown} and {len(ids) - limit} more" if len(ids) > limit else shown


# The judgement of a run.


def judge(plan: Plan, results: Sequence[CellResult], checks: Sequence[Check]) -> Judgement:
    """Judge a run, independent of the order of the results.

    Args:
        plan: the planned cells and cases; anything missing from the results is a finding.
        results: the results of the cells.
        checks: the catalogue (``harness.cell.interface.load_checks()``), for layer and advice.

    Raises:
        UsageError: ``where`` of an expectation is not a version specifier.
    """
    found = Results.of(results)
    findings = judge_findings(plan, found, checks)
    cells = judge_cells(plan, found, findings, {check.id: check for check in checks})
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
