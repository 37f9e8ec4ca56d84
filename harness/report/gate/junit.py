"""JUnit XML of a gate: a case for the verdict, and one for each check and quantity of the candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from harness.judge.confirmation import show_runs
from harness.records import CANDIDATE
from harness.report.escape import disarm_commands, scrub, shorten
from harness.report.gate.speed_view import (
    describe_why,
    find_remedies,
    show_change,
    show_floor,
    show_threshold,
    show_value,
)
from harness.report.gate.view import (
    ACCEPT_KNOWN,
    checks_command,
    describe_culprits,
    describe_further_changes,
    describe_judged,
    fresh_findings,
    gate_command,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from harness.records import Culprit, Finding, Gate, QuantityDecision


def render_gate_junit(gate: Gate, findings: Sequence[Finding] = ()) -> str:
    """Render a gate as JUnit XML; ``findings`` are all of the candidate, passed ones included.

    Only new findings are failures or errors; findings that were red before are skipped with their message.
    """
    suite = TestSuite("gate")
    suite.add_testcase(_verdict(gate))
    new = {each.check for each in fresh_findings(gate)}
    before = {each.check for each in gate.decision.before}
    doubtful = {each.check for each in gate.decision.unconfirmed}
    accepted = _list_accepted(gate)
    runs = {each.case: show_runs(each) for each in gate.decision.confirmations}
    for finding in findings:
        case = TestCase(_line(finding.check), classname=_line(f"{CANDIDATE}.{finding.layer}"))
        if finding.check in new | doubtful:
            case.result = [_red(gate, finding, runs.get(finding.check, ""), doubtful)]
        elif finding.check in accepted:
            case.result = [Skipped(_line(f"{accepted[finding.check]} ({finding.message})", 600))]
        elif finding.check in before:
            case.result = [Skipped(_line(f"red before: {finding.message}", 600))]
        elif finding.outcome == "xfail":
            case.result = [Skipped(_line(f"expected: {finding.expectation} ({finding.message})", 600))]
        elif finding.outcome in {"limit", "note"}:
            about = filter(None, [finding.outcome, finding.margin, finding.message])
            case.result = [Skipped(_line(": ".join(about), 600))]
        elif finding.outcome == "skip":
            case.result = [Skipped(_line(finding.message, 600))]
        suite.add_testcase(case)
    for decision in gate.speed.quantities if gate.speed is not None else ():
        suite.add_testcase(_quantity(gate, decision, accepted.get(decision.quantity.id, "")))
    document = JUnitXml("harness")
    document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call]  # junitparser has few annotations
    text = str(document.tostring(), "utf-8")  # type: ignore[no-untyped-call]  # likewise: it returns bytes
    return f"<?xml version='1.0' encoding='utf-8'?>\n{text}\n"


def _list_accepted(gate: Gate) -> dict[str, str]:
    """Case or quantity -> who accepted it, and why."""
    return {
        name: f"accepted by {line.author}: {line.reason}"
        for each in gate.decision.acknowledged
        for line in (each.acknowledgement,)
        for name in (*(finding.check for finding in each.findings), *each.quantities)
    }


def _verdict(gate: Gate) -> TestCase:
    decision, way = gate.decision, gate.question.further
    case = TestCase("verdict", classname="gate")
    summary = ": ".join(filter(None, [decision.verdict, decision.sentence, decision.because]))
    lines = [summary, describe_judged(gate), gate_command(gate)]
    if way is not None:
        lines += [f"{each.name}>={each.lowest} instead of {each.held}" for each in way.changes]
        lines.append(describe_further_changes(way))
    if gate.culprit is not None:
        lines += _describe_cause(gate, gate.culprit)
    if decision.verdict not in {"pass", "failing, nothing new"}:
        kind = Failure if decision.verdict == "regressed" else Error
        entry = kind(_line(summary, 600), decision.verdict)
        entry.text = _plain(lines)
        case.result = [entry]
    return case


def _describe_cause(gate: Gate, culprit: Culprit) -> list[str]:
    cause = describe_culprits(gate, shorten)
    return [f"cause: {cause}: {culprit.sentence}" if cause else culprit.sentence]


def _red(gate: Gate, finding: Finding, runs: str, doubtful: Collection[str]) -> Failure | Error:
    """A new finding; one that is not confirmed is an error, not a failure."""
    kind = Error if finding.outcome in {"error", "missing"} or finding.check in doubtful else Failure
    known = f"known, but new here: {finding.expectation} ({ACCEPT_KNOWN} accepts it)"
    message = f"{known}: {finding.message}" if finding.outcome == "xfail" else finding.message
    message = f"red in {runs}: {message}" if runs else message
    entry = kind(_line(message, 600), finding.outcome)
    entry.text = _plain([message, finding.advice, checks_command(gate, [finding.check])])
    return entry


def _quantity(gate: Gate, decision: QuantityDecision, accepted: str) -> TestCase:
    """A quantity above its threshold is a failure unless accepted, an undecided one an error."""
    quantity = decision.quantity
    kind = "latency" if quantity.unit == "s" else "memory"
    case = TestCase(_line(quantity.id), classname=f"{CANDIDATE}.{kind}")
    before, after = (show_value(each, quantity.unit) for each in (decision.baseline, decision.candidate))
    message = (
        f"{show_change(decision.change)} of the baseline, where {show_threshold(decision)} is allowed; "
        f"{before} -> {after}, noise {show_floor(decision.control)}, {decision.blocks} processes per arm"
    )
    if accepted:
        case.result = [Skipped(_line(f"{accepted} ({message})", 600))]
    elif decision.outcome == "regressed":
        entry: Failure | Error = Failure(_line(message, 600), decision.outcome)
        entry.text = _plain([message, gate_command(gate, "--quantities", quantity.id)])
        case.result = [entry]
    elif decision.outcome != "passed" and gate.speed is not None:
        why = ": ".join(filter(None, [describe_why(decision, gate.speed), decision.because]))
        entry = Error(_line(why, 600), decision.outcome)
        entry.text = _plain(
            [why, message, *(f"{e.advice}: {e.command}" for e in find_remedies(gate, [decision]))]
        )
        case.result = [entry]
    else:
        case.system_out = message
    return case


def _line(text: str, limit: int = 300) -> str:
    return disarm_commands(shorten(text, limit))


def _plain(lines: Sequence[str]) -> str:
    """Join lines without CI commands; some CI systems print them in a log."""
    return disarm_commands(scrub("\n".join(filter(None, lines))))
