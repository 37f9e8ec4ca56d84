"""Judge a run: the verdict, its reason, and its exit code."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from harness.errors import ExitCode
from harness.judge.cell_verdicts import judge_cells
from harness.judge.claims import judge_claims
from harness.judge.latency_ratios import judge_latency
from harness.judge.outcomes import Results, Rules, find_stale, is_red, judge_findings
from harness.records import Judgement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.cell.interface import Check
    from harness.records import CellResult, CellStatus, CellVerdict, Finding, Plan, Verdict


EXIT_CODES: dict[Verdict, ExitCode] = {
    "pass": ExitCode.PASS,
    "regressed": ExitCode.REGRESSED,
    "unsatisfiable": ExitCode.UNSATISFIABLE,
    "inconclusive": ExitCode.INCONCLUSIVE,
    "error": ExitCode.ERROR,
}
"""Exit code of each verdict; usage errors (2) have no verdict."""

_STATUS_WORDS: dict[CellStatus, tuple[str, str]] = {
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

_MEASURED = {"pass", "fail", "error", "xfail", "xpass"}
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
    regressed. A cell could not be installed: error. Unexpectedly no solution: unsatisfiable. Nothing was
    measured: error. Results or the baseline are missing: inconclusive. Otherwise: pass. The sentence names a
    baseline that the selection excludes.
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
    measured = [each for each in findings if each.cell in planned and each.outcome in _MEASURED]
    ran = bool(measured) or any(cell.status in _DIED for cell in cells)
    red = [cell for cell in cells if cell.red]
    broken = [cell for cell in red if _is_regression(cell)]
    baseline = next((cell for cell in cells if cell.cell == plan.baseline), None)
    regressed = _list_red(len(plan.cells), broken, stale, _explain(baseline, broken, findings))
    if ran and not any(each.outcome == "pass" for each in measured):
        return "error", f"No case passes: {regressed or _describe_expected(cells, measured)}"
    if ran and regressed:
        return "regressed", regressed
    uninstalled = [cell.cell for cell in red if cell.status == "install-error"]
    if uninstalled:
        return "error", f"{_list_cells(uninstalled)}: could not be installed."
    unsolved = [cell.cell for cell in red if cell.status == "unsatisfiable"]
    if unsolved:
        return "unsatisfiable", f"{_list_cells(unsolved)}: no solution, and no expectation covers that."
    if not ran:
        return "error", "Nothing was measured."
    return _judge_rest(plan, cells, red)


def _judge_rest(plan: Plan, cells: Sequence[CellVerdict], red: Sequence[CellVerdict]) -> tuple[Verdict, str]:
    if red:
        return (
            "inconclusive",
            f"{_list_cells([cell.cell for cell in red])}: results are missing; run again to continue.",
        )
    baseline = [cell for cell in cells if cell.cell == plan.baseline]
    if any(cell.status != "ok" for cell in baseline):
        return (
            "inconclusive",
            f"The baseline {plan.baseline} is {baseline[0].status}, so there is nothing to compare with.",
        )
    if plan.baseline is not None and not baseline and not plan.subset:
        return "inconclusive", f"The baseline {plan.baseline} is not in the plan."
    others = [cell for cell in cells if cell.status != "ok" or cell.divergent]
    expected = f"; {_count_others(others)}, as expected" if others else ""
    return "pass", f"{len(cells) - len(others)} of {len(cells)} cells hold{expected}."


def _count_others(cells: Sequence[CellVerdict]) -> str:
    """Count cells by status, in words."""
    counts = Counter(cell.status for cell in cells)
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


def _explain(baseline: CellVerdict | None, broken: Sequence[CellVerdict], findings: Sequence[Finding]) -> str:
    """Compare the red cells with the baseline: no version explains what is red there too."""
    if baseline is None or (baseline.status == "ok" and not baseline.red):
        return ""
    others = [cell for cell in broken if cell.cell != baseline.cell]
    if not others:
        return "it is the baseline"
    known = _find_red(baseline, findings)
    more = [cell.cell for cell in others if not _find_red(cell, findings) <= known]
    if baseline.red and not more:
        return f"all of this is red in the baseline {baseline.cell} too"
    if baseline.status not in _RAN:
        return f"the baseline {baseline.cell} is {baseline.status}, so new failures are unknown"
    verb = "is" if len(more) == 1 else "are"
    return f"the baseline {baseline.cell} is red too, but {_list_cells(more)} {verb} red where it is not"


def _find_red(cell: CellVerdict, findings: Sequence[Finding]) -> set[str]:
    """Find the red cases of a cell; if it did not run or has none, its status and reason."""
    cases = {each.check for each in findings if each.cell == cell.cell and is_red(each.outcome)}
    return cases if cases and cell.status in _RAN else {f"{cell.status}: {cell.reason}"}


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
