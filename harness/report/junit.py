"""JUnit XML of a sweep: a suite for each cell, a case for each check with its parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from harness.judge.outcomes import WHOLE_CELL
from harness.report.escape import scrub, shorten
from harness.report.view import broken_findings, findings_by_cell, only_command, results_by_cell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records import CellResult, CellVerdict, Finding, Run


def render_junit(run: Run) -> str:
    """Render a judged run as JUnit XML.

    Red cases are failures or errors; expected divergences are skipped with their reason. Each cell also has
    a case ``cell``, which is red if the cause is its status or an unmet expectation.
    """
    findings, results = findings_by_cell(run), results_by_cell(run)
    document = JUnitXml("harness")
    for cell in run.judgement.cells:
        suite = _suite(run, cell, findings.get(cell.cell, []), results.get(cell.cell))
        document.add_testsuite(suite)
    if run.judgement.stale_expectations:
        document.add_testsuite(_stale(run))
    document.update_statistics()  # type: ignore[no-untyped-call]  # junitparser has few annotations
    text = str(document.tostring(), "utf-8")  # type: ignore[no-untyped-call]  # likewise: it returns bytes
    return f"<?xml version='1.0' encoding='utf-8'?>\n{text}\n"


def _suite(run: Run, cell: CellVerdict, findings: Sequence[Finding], result: CellResult | None) -> TestSuite:
    suite = TestSuite(shorten(cell.cell))
    for name, value in sorted(result.facts.items()) if result else ():
        suite.add_property(shorten(name), shorten(value))
    cases = [_whole(run, cell, findings, result)]
    seconds = {case.id: case.seconds for case in result.cases} if result else {}
    died = cell.status not in {"ok", "failed"}
    for finding in findings:
        if finding.check == WHOLE_CELL:
            continue  # the case of the whole cell covers it
        case = TestCase(shorten(finding.check), classname=f"{shorten(cell.cell)}.{finding.layer}")
        case.time = seconds.get(finding.check, 0.0)
        entry = _entry(finding, died=died)
        if entry is not None:
            case.result = [entry]
        cases.append(case)
    suite.add_testcases(cases)  # adding them singly recounts all each time
    return suite


def _whole(run: Run, cell: CellVerdict, findings: Sequence[Finding], result: CellResult | None) -> TestCase:
    case = TestCase(WHOLE_CELL, classname=f"{shorten(cell.cell)}.status")
    if result is not None:
        case.time = sum(result.seconds.values())
    covered = any(cell.reason.startswith(f"{finding.check}: ") for finding in broken_findings(findings))
    if cell.red and not covered:
        error = Error(shorten(f"{cell.status}: {cell.reason}", 600), cell.status)
        tail = "\n".join(result.log_tail) if result else ""
        error.text = scrub("\n".join(filter(None, [cell.advice, only_command(run, cell.cell), tail])))
        case.result = [error]
    elif cell.expected and not cell.red:
        case.result = [Skipped(shorten(f"{cell.status}, as expected: {cell.expected}", 600))]
    return case


def _entry(finding: Finding, *, died: bool) -> Error | Failure | Skipped | None:
    """The JUnit result of a case that did not pass; cases not reached in a dead cell have none."""
    message = shorten(finding.message, 600)
    if finding.outcome == "pass":
        return None
    if finding.outcome == "skip" or (finding.outcome == "missing" and died):
        return Skipped(message)
    if finding.outcome == "xfail":
        return Skipped(shorten(f"expected: {finding.expectation} ({finding.message})", 600), "xfail")
    if finding.outcome in {"limit", "note"}:
        return Skipped(shorten(": ".join(filter(None, [finding.outcome, finding.margin, message])), 600))
    kind = Failure if finding.outcome in {"fail", "xpass"} else Error
    entry = kind(message, finding.outcome)
    entry.text = scrub("\n".join(filter(None, [finding.message, finding.advice])))
    return entry


def _stale(run: Run) -> TestSuite:
    suite = TestSuite("expectations")
    for stale in run.judgement.stale_expectations:
        case = TestCase(shorten(stale), classname="expectations")
        case.result = [Failure("matches no cell and no case: remove it", "stale")]
        suite.add_testcase(case)
    return suite
