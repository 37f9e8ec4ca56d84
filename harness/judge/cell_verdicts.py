"""Turn findings into one verdict per cell: its status, whether it is red, and the reason."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from harness.cell.interface import LAYERS, list_measured_by
from harness.judge.answers import answer_questions
from harness.judge.expectations import filter_for_cell, find_expectation, select_expectations
from harness.judge.outcomes import Results, is_red, judge_findings
from harness.judge.red_cases import describe_red, sort_by_layer
from harness.records import CellVerdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.cell.interface import Check
    from harness.records import CellResult, CellStatus, Expectation, Finding, Plan, PlannedCell


# Installer errors: one sentence that names the distribution, and advice.
#
# The full message stays in the result of the cell; paths and addresses of the machine never get into the
# sentence.

FULL_MESSAGE = "The full message of the installer is in the result.json of the cell."
"""Last sentence of every advice on a shortened message."""


@dataclass(frozen=True)
class InstallDiagnosis:
    """One sentence on a failed installation, and the advice for it."""

    sentence: str
    advice: str


@dataclass(frozen=True)
class _Rule:
    """The sentence for messages that match ``pattern``; ``{it}`` is the distribution, ``{1}`` a group."""

    pattern: str
    sentence: str
    advice: str


_LOCK_AGAIN = "If the file was replaced on purpose, lock again; otherwise do not trust the index."
_INDEXES = "Add it to pip's indexes or find-links, or lock again, or remove it from the matrix."
_NETWORK = "Check the network and pip's index settings, then run the same command again."
_DISK_FULL = "no space left on device"
"""Prefix of the sentences of ``harness.files.find_no_space``."""
_FREE_SPACE = "Free disk space (`harness clean --max-size 20GiB` removes old environments) and run it again."
_OUT_OF_MEMORY = "out of memory"
"""Prefix of the sentences of ``harness.sweep.machine``."""
_MORE_MEMORY = "Give the container more memory, or run fewer cells at once (--jobs), then run it again."
_RULES = (
    _Rule(r"No space left on device|Disk quota exceeded", "{it}: the disk is full", _FREE_SPACE),
    _Rule(
        r"Python (\S+) is not on this machine",
        "Python {1} is not on this machine",
        "Install it, let uv download it (--python-downloads), or remove it from the matrix.",
    ),
    _Rule(
        r"Failed to inspect Python interpreter[^`]*`[^`]*?([^/`]+)`",
        "{1}: the first one on the PATH does not start",
        "Put a working one on the PATH; a pyenv shim starts only the versions of `pyenv global`.",
    ),
    _Rule(r"Hash mismatch", "{it}: the hash of the file is not the locked one", _LOCK_AGAIN),
    _Rule(r"was not found in the", "{it}: not found in any configured index", _INDEXES),
    _Rule(r"there (?:is|are) no versions? of", "{it}: this release is in no configured index", _INDEXES),
    _Rule(
        r"has no (?:usable )?wheels|no wheels? with a matching",
        "{it}: no wheel for this Python and platform",
        "Use a release that has one, or allow building it with the key `source` of an [[include]] row.",
    ),
    _Rule(
        r"Failed to build",
        "{it}: building it from source failed",
        "Install its build dependencies, or use a release that has a wheel.",
    ),
    _Rule(
        r"HTTP status [a-z ]*\((\d+[^)]*)\)",
        "{it}: the package index answered {1}",
        _NETWORK,
    ),
    _Rule(
        r"error sending request|Failed to fetch|dns error|tcp connect error|timed out",
        "{it}: the package index could not be reached",
        _NETWORK,
    ),
    _Rule(
        r"Failed to extract|Invalid zip|truncated",
        "{it}: the file is damaged",
        "Delete it from the find-links or run `uv cache clean`, then run the same command again.",
    ),
)

_INSTALLER_MESSAGE = re.compile(r"error:|\N{MULTIPLICATION SIGN}|Python \S+ is not on this machine")
"""Start of a message that contains output of uv."""

_PINNED = re.compile(r"`?([A-Za-z0-9][\w.-]*)==([\w.+!-]*\w)`?")
_UNPINNED = (
    re.compile(r"Because ([A-Za-z0-9][\w.-]*) was not found"),
    re.compile(r"Failed to fetch: `?[a-z]+://\S*?/([A-Za-z0-9][\w.-]*?)(?:-\d[^/`\s]*)?/?`?(?:\s|$)"),
)
_PATH_OR_URL = re.compile(r"[a-z]+://\S+|(?<![\w.])/(?:[\w.+@-]+/)+[\w.+@-]*")


def describe_install_error(reason: str) -> InstallDiagnosis | None:
    """Describe an installer message in one sentence; None if the harness wrote the message itself."""
    if reason.startswith(_DISK_FULL):
        return InstallDiagnosis(reason, _FREE_SPACE)
    if reason.startswith(_OUT_OF_MEMORY):
        return InstallDiagnosis(reason, _MORE_MEMORY)
    if not _INSTALLER_MESSAGE.match(reason):
        return None
    for rule in _RULES:
        if found := re.search(rule.pattern, reason):
            sentence = rule.sentence.format("", *found.groups(), it=_find_distribution(reason))
            return InstallDiagnosis(sentence, f"{rule.advice} {FULL_MESSAGE}")
    last = re.split(r"\s(?:cause|Caused by):\s", _INSTALLER_MESSAGE.sub("", reason))[-1].strip()
    sentence = f"{_find_distribution(reason)}: the installer failed: {_PATH_OR_URL.sub('<path>', last)}"
    return InstallDiagnosis(sentence, FULL_MESSAGE)


def _find_distribution(reason: str) -> str:
    """Find the first distribution in the message, with its version if given."""
    if found := _PINNED.search(reason):
        return f"{found[1]} {found[2]}"
    for pattern in _UNPINNED:
        if found := pattern.search(reason):
            return found[1]
    return "A distribution"


STATUS_ADVICE: dict[CellStatus, str] = {
    "unsatisfiable": "Choose versions with compatible requirements, or exclude this combination.",
    "install-error": (
        "Check the installer's message, the disk and the package index (--python-downloads fetches a "
        "missing Python), then run it again."
    ),
    "import-error": "Pin the package to a release that still has the missing name, or exclude this release.",
    "crashed": "Run only this cell and read its log; the cases after the last recorded one have no result.",
    "timed-out": "Run only this cell with more time; if it hangs again, do not upgrade to it.",
    "missing": "Run the same command again: it continues with the missing cells.",
}
"""Advice for each red status."""

_WITHOUT_WHEEL = re.compile(r"([A-Za-z0-9][\w.-]*?)(?:==\S+)? ha(?:s|ve) no usable wheels")


def advise_source(reason: str) -> str:
    """Advice on a package that has no wheel: the key that allows its source distribution; else empty."""
    found = _WITHOUT_WHEEL.search(reason)
    if found is None:
        return ""
    return (
        f"Choose a release of {found[1]} that has a wheel, or allow its source distribution with "
        f'source = ["{found[1]}"] in the [[include]] row of the cell, which has to name {found[1]}.'
    )


def judge_cells(
    plan: Plan, results: Results, findings: Sequence[Finding], checks: Mapping[str, Check]
) -> tuple[CellVerdict, ...]:
    """Judge every planned cell in the order of the plan, then the cells that are not in the plan."""
    grouped: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        grouped[finding.cell].append(finding)
    expectations = select_expectations(plan)
    verdicts = []
    for planned in plan.cells:
        mine = grouped.pop(planned.cell.id, [])
        verdict = _judge(plan, planned, results.one_for(planned), mine, expectations)
        answers = answer_questions(mine, checks) if verdict.status in {"ok", "failed"} else ()
        verdicts.append(msgspec.structs.replace(verdict, answers=answers))
    verdicts = count_divergent(verdicts, findings, plan)
    verdicts += [
        CellVerdict(cell=cell, status="failed", red=True, reason=extra[0].message, layers=count_layers(extra))
        for cell, extra in grouped.items()
    ]
    return tuple(verdicts)


def count_divergent(
    verdicts: Sequence[CellVerdict], findings: Sequence[Finding], plan: Plan
) -> list[CellVerdict]:
    """Count in each cell the expected divergences that are not in the baseline; see ``CellVerdict``."""
    known: dict[str, set[str]] = {each.cell: set() for each in verdicts if each.status in {"ok", "failed"}}
    for finding in findings:
        if finding.outcome == "xfail" and finding.cell in known:
            known[finding.cell].add(finding.check)
    base = _find_baseline_divergences(plan, known)
    return [
        msgspec.structs.replace(each, divergent=len(known.get(each.cell, set()) - base)) for each in verdicts
    ]


def _find_baseline_divergences(plan: Plan, known: Mapping[str, set[str]]) -> set[str]:
    """Find the divergences of the baseline; if the selection excludes it, those expected of it.

    Without a baseline: those common to all cells.
    """
    if plan.baseline is not None and plan.baseline in known:
        return known[plan.baseline]
    if plan.baseline_cell is not None:
        mine = filter_for_cell(select_expectations(plan), plan.baseline_cell)
        return {case for cases in known.values() for case in cases if find_expectation(mine, case)}
    return set.intersection(*known.values()) if known else set()


def count_layers(findings: Sequence[Finding]) -> dict[str, dict[str, int]]:
    """Count findings: layer -> outcome -> count, layers in the order of the report."""
    counts: dict[str, dict[str, int]] = {}
    for layer in LAYERS:
        for finding in findings:
            if finding.layer == layer:
                row = counts.setdefault(layer, {})
                row[finding.outcome] = row.get(finding.outcome, 0) + 1
    return counts


def _judge(
    plan: Plan,
    planned: PlannedCell,
    result: CellResult | None,
    findings: Sequence[Finding],
    expectations: Sequence[Expectation],
) -> CellVerdict:
    status, reason = _determine_status(planned, result, findings)
    wanted = [each for each in filter_for_cell(expectations, planned) if each.status is not None]
    if result is not None and result.edited:  # no expectation excuses edited files
        wanted = []
    covering = [each.reason for each in wanted if each.status == status]
    red, expected = status != "ok" and not covering, covering[0] if covering else ""
    usual = advise_source(reason) if status == "unsatisfiable" else ""
    advice = "" if not red else usual or STATUS_ADVICE.get(status) or _find_first_advice(findings)
    if status == "install-error" and (diagnosis := describe_install_error(reason)):
        reason, advice = diagnosis.sentence, advice and diagnosis.advice
    if status == "missing" and (shard := plan.name_shard(planned.cell.id)):
        reason = f"shard {shard} has no result of this cell, or was not merged"
        advice = f"Run `{plan.command} --shard {shard}`, then merge all shards."
    if wanted and not covering and status != "missing":
        red = True
        reason = f"expected {wanted[0].status}, but the cell is {status}" + (f": {reason}" if reason else "")
        advice = advice or "Remove the expectation, or narrow it to the versions where it still holds."
    return CellVerdict(
        cell=planned.cell.id,
        status=status,
        red=red,
        expected=expected,
        reason=reason,
        advice=advice,
        reused=result is not None and result.run != plan.run,
        layers=count_layers(findings),
    )


def _determine_status(
    planned: PlannedCell, result: CellResult | None, findings: Sequence[Finding]
) -> tuple[CellStatus, str]:
    """Determine the status after expectations are applied, and its reason."""
    if result is None:
        if planned.lock.reason:
            return "unsatisfiable", planned.lock.reason
        return "missing", "the run ended before this cell had a result"
    if result.edited or result.status not in {"ok", "failed"}:
        return result.status, result.reason or f"the cell is {result.status}"
    red = [finding for finding in findings if is_red(finding.outcome)]
    if red:
        return "failed", describe_red(red)
    raw_red = any(case.outcome in {"fail", "error"} for case in result.cases)
    if result.status == "failed" and not raw_red:
        return "failed", result.reason or "the cell is reported as failed, but none of its cases failed"
    return "ok", ""


def judge_checked(plan: Plan, result: CellResult, checks: Sequence[Check]) -> tuple[CellStatus, str]:
    """Judge one cell before it is compared with others: ``ok`` or ``failed`` by its red cases.

    The text counts them; it is empty if every case passed. A cell that died keeps its status and reason.
    """
    known = (*plan.cells, *([plan.baseline_cell] if plan.baseline_cell else ()))
    mine = tuple(_narrow_to_measured(each, result) for each in known if each.cell.id == result.cell)
    if result.status not in {"ok", "failed"} or result.edited or not mine:
        return result.status, result.reason
    found = judge_findings(msgspec.structs.replace(plan, cells=mine), Results.of([result]), checks)
    red = sort_by_layer([each for each in found if is_red(each.outcome)])
    counts = Counter(each.outcome for each in found)
    noted, expected = counts["limit"] + counts["note"], counts["xfail"]
    parts = [f"{len(red)} of {len(found)} cases red, the first is {red[0].check}"] if red else []
    parts += [f"none of {len(found)} cases is red"] if not red and (noted or expected) else []
    parts += [f"{expected} as expected"] if expected else []
    parts += [f"{noted} limits or notes"] if noted else []
    return ("failed" if red else "ok"), "; ".join(parts)


def _narrow_to_measured(planned: PlannedCell, result: CellResult) -> PlannedCell:
    """The planned cell without the cases that the controller has not measured yet."""
    due = {*list_measured_by("cell", planned.cases), *(case.id for case in result.cases)}
    return msgspec.structs.replace(planned, cases=tuple(case for case in planned.cases if case in due))


def _find_first_advice(findings: Sequence[Finding]) -> str:
    red = sort_by_layer([each for each in findings if is_red(each.outcome) and each.advice])
    return red[0].advice if red else ""
