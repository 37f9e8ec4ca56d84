"""Findings of an audit for a terminal, as JSON, as SARIF for code scanning, and as Code Quality of GitLab."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from harness.records import digest_value
from harness.records.audit import Audit, AuditFinding, Rule

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render_audit_text(audit: Audit, *, width: int) -> str:
    """The new findings with line, why and fix, the files that were not read, and a summary."""
    rules = {rule.id: rule for rule in audit.rules}
    parts = [_render_finding(each, rules[each.rule], width) for each in audit.new]
    parts += [f"{each.path}:{each.line}: not read: {each.reason}" for each in audit.unread]
    return "\n\n".join((*parts, "\n".join(_summarize(audit)))) + "\n"


def _render_finding(finding: AuditFinding, rule: Rule, width: int) -> str:
    first = f"{finding.path}:{finding.line}:{finding.column}: {rule.level}: {rule.message} [{rule.id}]"
    texts = [f"Fix: {rule.fix}", f"Bites: {rule.bites}", *([f"Note: {finding.note}"] if finding.note else [])]
    indented = [
        textwrap.fill(text, width, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
        for text in texts
    ]
    return "\n".join((first, f"    {finding.code}", *indented))


def _summarize(audit: Audit) -> list[str]:
    count = len(audit.new)
    others = Counter(each.state for each in audit.findings)
    also = [
        f"{others['baseline']} of the baseline" if others["baseline"] else "",
        f"{others['ignored']} ignored for a reason" if others["ignored"] else "",
    ]
    words = f"{count or 'no'} new finding{'' if count == 1 else 's'}"
    files = f"{audit.files} file{'' if audit.files == 1 else 's'}"
    lines = [", ".join(filter(None, (f"{words} in {files}", *also)))]
    if audit.unread:
        number = len({each.path for each in audit.unread})
        lines.append(f"{number} file{'' if number == 1 else 's'} could not be read completely")
    if audit.new:
        lines.append(f"`harness explain {audit.new[0].rule}` says why, with an example.")
    return lines


def render_audit_json(audit: Audit) -> str:
    """Every finding with its state, and every rule."""
    return msgspec.json.format(msgspec.json.encode(audit), indent=1).decode() + "\n"


def render_audit_sarif(audit: Audit) -> str:
    """SARIF 2.1.0 (OASIS, 2020): ignored findings are suppressed, those of a baseline are unchanged."""
    places = {rule.id: place for place, rule in enumerate(audit.rules)}
    run = {
        "tool": {
            "driver": {
                "name": "harness audit",
                "rules": [_describe_rule(rule) for rule in audit.rules],
            }
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": not audit.unread,
                "toolExecutionNotifications": [
                    {
                        "level": "warning",
                        "message": {"text": f"not read: {each.reason}"},
                        "locations": [_locate(each.path, {"startLine": each.line})],
                    }
                    for each in audit.unread
                ],
            }
        ],
        "results": [
            _describe_finding(each, audit.rules[places[each.rule]], places) for each in audit.findings
        ],
    }
    document = {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}
    return msgspec.json.format(msgspec.json.encode(document), indent=1).decode() + "\n"


def render_audit_code_quality(audit: Audit) -> str:
    """The report of GitLab (docs.gitlab.com/ci/testing/code_quality, 2026-11): findings that none ignores.

    A fingerprint tells whether a finding is that of another commit, so it has no line number.
    """
    rules = {rule.id: rule for rule in audit.rules}
    found: Counter[tuple[str, str, str]] = Counter()
    issues = []
    for each in audit.findings:
        if each.state == "ignored":
            continue
        place, rule = _normalize(each.path), rules[each.rule]
        found[place, each.rule, each.code] += 1
        number = found[place, each.rule, each.code]
        issues.append(
            {
                "description": f"{rule.message} {rule.fix}",
                "check_name": rule.id,
                "fingerprint": digest_value([place, each.rule, each.code, number]),
                "severity": {"error": "major", "warning": "minor"}[rule.level],
                "location": {"path": place, "lines": {"begin": each.line, "end": each.end_line}},
            }
        )
    return msgspec.json.format(msgspec.json.encode(issues), indent=1).decode() + "\n"


def _describe_rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.message},
        "fullDescription": {"text": rule.why},
        "help": {
            "text": f"Fix: {rule.fix}\n\nBites: {rule.bites}\n\n{rule.fails}\ninstead:\n\n{rule.passes}"
        },
        "defaultConfiguration": {"level": rule.level},
    }


def _describe_finding(finding: AuditFinding, rule: Rule, places: Mapping[str, int]) -> dict[str, Any]:
    region = {
        "startLine": finding.line,
        "startColumn": finding.column,
        "endLine": finding.end_line,
        "endColumn": finding.end_column,
    }
    result: dict[str, Any] = {
        "ruleId": rule.id,
        "ruleIndex": places[rule.id],
        "level": rule.level,
        "message": {"text": f"{rule.message} {rule.fix}"},
        "locations": [_locate(finding.path, region)],
        "baselineState": "unchanged" if finding.state == "baseline" else "new",
    }
    if finding.state == "ignored":
        result["suppressions"] = [{"kind": "inSource", "justification": finding.note}]
    return result


def _locate(path: str, region: Mapping[str, int]) -> dict[str, Any]:
    uri = quote(_normalize(path))
    return {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}


def _normalize(path: str) -> str:
    """A path as both forges have it."""
    return path.replace("\\", "/").removeprefix("./")
