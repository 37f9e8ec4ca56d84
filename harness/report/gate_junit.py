"""The gate as JUnit XML: a case for the verdict and one for each check of the candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from harness.gate_records import CANDIDATE
from harness.report.escape import scrub, shorten
from harness.report.gate_view import NOT_JUDGED, gate_commands, say_way_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.gate_records import Gate
    from harness.records import Finding


def render_gate_junit(gate: Gate, findings: Sequence[Finding] = ()) -> str:
    """Render a gate as JUnit XML; ``findings`` are those of the candidate, passed ones too.

    Only what is new is a failure or an error; what was red before is skipped, with its message.
    """
    suite = TestSuite("gate")
    suite.add_testcase(_verdict(gate))
    new = {each.check for each in gate.decision.new}
    before = {each.check for each in gate.decision.before}
    for finding in findings:
        case = TestCase(shorten(finding.check), classname=f"{CANDIDATE}.{finding.layer}")
        if finding.check in new:
            case.result = [_red(gate, finding)]
        elif finding.check in before:
            case.result = [Skipped(shorten(f"red before: {finding.message}", 600))]
        elif finding.outcome == "xfail":
            case.result = [Skipped(shorten(f"expected: {finding.expectation} ({finding.message})", 600))]
        elif finding.outcome == "skip":
            case.result = [Skipped(shorten(finding.message, 600))]
        suite.add_testcase(case)
    document = JUnitXml("harness")
    document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call]  # junitparser has few annotations
    text = str(document.tostring(), "utf-8")  # type: ignore[no-untyped-call]  # likewise: it returns bytes
    return f"<?xml version='1.0' encoding='utf-8'?>\n{text}\n"


def _verdict(gate: Gate) -> TestCase:
    decision, way = gate.decision, gate.question.way_out
    case = TestCase("verdict", classname="gate")
    said = ": ".join(filter(None, [decision.verdict, decision.sentence, decision.because]))
    lines = [said, NOT_JUDGED, gate_commands(gate)[1]]
    if way is not None:
        lines += [f"{each.name}>={each.lowest} instead of {each.held}" for each in way.changes]
        lines.append(say_way_out(way))
    if decision.verdict != "pass":
        kind = Failure if decision.verdict == "regressed" else Error
        entry = kind(shorten(said, 600), decision.verdict)
        entry.text = scrub("\n".join(lines))
        case.result = [entry]
    return case


def _red(gate: Gate, finding: Finding) -> Failure | Error:
    kind = Failure if finding.outcome in {"fail", "xpass"} else Error
    entry = kind(shorten(finding.message, 600), finding.outcome)
    again = gate_commands(gate, "--checks", finding.check)[1]
    entry.text = scrub("\n".join(filter(None, [finding.message, finding.advice, again])))
    return entry
