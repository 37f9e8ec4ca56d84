"""From findings to one verdict for each cell: its status, whether it is red, and why."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from harness.cell.interface import LAYERS
from harness.judge.outcomes import filter_for_cell, find_expectation, is_red, select_expectations
from harness.records import CellVerdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.judge.outcomes import Results
    from harness.records import CellResult, CellStatus, Expectation, Finding, Plan, PlannedCell


# What an installer said, as one sentence that names the distribution, and what to do about it.
#
# The installer's own words stay in the result of the cell; nothing of them that is a path or an address of
# the machine comes into the sentence.

FULL_MESSAGE = "The installer's own words are in the result.json of the cell."
"""Said wherever its words are not told whole."""


@dataclass(frozen=True)
class InstallError:
    """A sentence, and the advice that goes with it."""

    sentence: str
    advice: str


@dataclass(frozen=True)
class _Rule:
    """What to say where ``sign`` is in the words; ``{it}`` is the distribution, ``{1}`` a group of it."""

    sign: str
    sentence: str
    advice: str


_LOCK_AGAIN = "If that release was replaced on purpose, lock again; otherwise do not trust the index."
_CHECK_INDEXES = "See that pip's indexes and find-links have it, or lock again, or take it out of the matrix."
_CHECK_NETWORK = "Look at the network and at pip's index settings, then run the same again."
_DISK_FULL = "no space left on device"
"""How a sentence of ``harness.files.find_no_space`` begins."""
_FREE_SPACE = (
    "Make room (`harness clean --max-size 20GiB` takes the oldest environments) and run the same again."
)
_OUT_OF_MEMORY = "out of memory"
"""How a sentence of ``harness.sweep.container`` begins."""
_MORE_MEMORY = "Give the container more memory, or run fewer cells at once (--jobs), then run the same again."
_RULES = (
    _Rule(r"No space left on device|Disk quota exceeded", "{it}: the disk is full", _FREE_SPACE),
    _Rule(
        r"Python (\S+) is not on this machine",
        "Python {1} is not on this machine",
        "Install it, let uv fetch it (--python-downloads), or take it out of the matrix.",
    ),
    _Rule(
        r"Failed to inspect Python interpreter[^`]*`[^`]*?([^/`]+)`",
        "{1}: the first of this name on the PATH does not start",
        "Put one on the PATH that starts; a shim of pyenv starts only what `pyenv global` names.",
    ),
    _Rule(r"Hash mismatch", "{it}: the file here is not the one that was locked", _LOCK_AGAIN),
    _Rule(r"was not found in the", "{it}: no index here has it", _CHECK_INDEXES),
    _Rule(r"there (?:is|are) no versions? of", "{it}: no index here has this release", _CHECK_INDEXES),
    _Rule(
        r"has no (?:usable )?wheels|no wheels? with a matching",
        "{it}: there is no wheel of it for this Python and this machine",
        "Name a release that has one, or allow an include row to build it: its key `source`.",
    ),
    _Rule(
        r"Failed to build",
        "{it}: it could not be built from its source",
        "Install what its build asks for, or name a release that has a wheel.",
    ),
    _Rule(
        r"HTTP status [a-z ]*\((\d+[^)]*)\)",
        "{it}: the package index answered {1}",
        _CHECK_NETWORK,
    ),
    _Rule(
        r"error sending request|Failed to fetch|dns error|tcp connect error|timed out",
        "{it}: the package index could not be reached",
        _CHECK_NETWORK,
    ),
    _Rule(
        r"Failed to extract|Invalid zip|truncated",
        "{it}: its file is damaged",
        "Delete it from the find-links, or run `uv cache clean`; then run the same again.",
    ),
)

_INSTALLER_MESSAGE = re.compile(r"error:|\N{MULTIPLICATION SIGN}|Python \S+ is not on this machine")
"""How words that are uv's, or hold some of uv's, begin."""

_PINNED = re.compile(r"`?([A-Za-z0-9][\w.-]*)==([\w.+!-]*\w)`?")
_UNPINNED = (
    re.compile(r"Because ([A-Za-z0-9][\w.-]*) was not found"),
    re.compile(r"Failed to fetch: `?[a-z]+://\S*?/([A-Za-z0-9][\w.-]*?)(?:-\d[^/`\s]*)?/?`?(?:\s|$)"),
)
_PATH_OR_URL = re.compile(r"[a-z]+://\S+|(?<![\w.])/(?:[\w.+@-]+/)+[\w.+@-]*")


def describe_install_error(reason: str) -> InstallError | None:
    """A sentence for what an installer said; None where it is a sentence of the harness already."""
    if reason.startswith(_DISK_FULL):
        return InstallError(reason, _FREE_SPACE)
    if reason.startswith(_OUT_OF_MEMORY):
        return InstallError(reason, _MORE_MEMORY)
    if not _INSTALLER_MESSAGE.match(reason):
        return None
    for rule in _RULES:
        if found := re.search(rule.sign, reason):
            said = rule.sentence.format("", *found.groups(), it=_find_distribution(reason))
            return InstallError(said, f"{rule.advice} {FULL_MESSAGE}")
    last = re.split(r"\s(?:cause|Caused by):\s", _INSTALLER_MESSAGE.sub("", reason))[-1].strip()
    said = f"{_find_distribution(reason)}: the installer failed: {_PATH_OR_URL.sub('<path>', last)}"
    return InstallError(said, FULL_MESSAGE)


def _find_distribution(reason: str) -> str:
    """The first distribution that is named, with its version where there is one."""
    if found := _PINNED.search(reason):
        return f"{found[1]} {found[2]}"
    for pattern in _UNPINNED:
        if found := pattern.search(reason):
            return found[1]
    return "A distribution"


STATUS_ADVICE: dict[CellStatus, str] = {
    "unsatisfiable": "Choose versions whose requirements meet, or exclude this combination.",
    "install-error": (
        "Look at what the installer said, the disk and the package index (--python-downloads fetches a "
        "Python that is not here), then run it again."
    ),
    "import-error": "Pin what the import misses to a release that still has it, or leave this release out.",
    "crashed": "Run just this cell and read its log; nothing after its last case is known.",
    "timed-out": "Run just this cell with more time; if it hangs again, do not upgrade to it.",
    "missing": "Run the same command again: it carries on with what is left.",
}
"""What to do when a cell has this status."""


def judge_cells(plan: Plan, results: Results, findings: Sequence[Finding]) -> tuple[CellVerdict, ...]:
    """One verdict for each planned cell in the order of the plan, then for cells that no plan asked for."""
    grouped: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        grouped[finding.cell].append(finding)
    expectations = select_expectations(plan)
    verdicts = [
        _judge(plan, planned, results.one_for(planned), grouped.pop(planned.cell.id, []), expectations)
        for planned in plan.cells
    ]
    verdicts = count_divergent(verdicts, findings, plan)
    verdicts += [
        CellVerdict(cell=cell, status="failed", red=True, reason=extra[0].message, layers=count_layers(extra))
        for cell, extra in grouped.items()
    ]
    return tuple(verdicts)


def count_divergent(
    verdicts: Sequence[CellVerdict], findings: Sequence[Finding], plan: Plan
) -> list[CellVerdict]:
    """Count in each cell the expected divergences that the baseline lacks; without one, that not all have."""
    known: dict[str, set[str]] = {each.cell: set() for each in verdicts if each.status in {"ok", "failed"}}
    for finding in findings:
        if finding.outcome == "xfail" and finding.cell in known:
            known[finding.cell].add(finding.check)
    usual = _find_baseline_divergences(plan, known)
    return [
        msgspec.structs.replace(each, divergent=len(known.get(each.cell, set()) - usual)) for each in verdicts
    ]


def _find_baseline_divergences(plan: Plan, known: Mapping[str, set[str]]) -> set[str]:
    """The divergences of the baseline; of one that the selection leaves out, those that are expected of it.

    Without either, what all cells have: one cell alone would have nothing but the usual then.
    """
    if plan.baseline is not None and plan.baseline in known:
        return known[plan.baseline]
    if plan.baseline_cell is not None:
        mine = filter_for_cell(select_expectations(plan), plan.baseline_cell)
        return {case for cases in known.values() for case in cases if find_expectation(mine, case)}
    return set.intersection(*known.values()) if known else set()


def count_layers(findings: Sequence[Finding]) -> dict[str, dict[str, int]]:
    """Layer -> outcome -> how many, layers in the order of the report."""
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
    if result is not None and result.edited:  # no expectation excuses that
        wanted = []
    covering = [each.reason for each in wanted if each.status == status]
    red, expected = status != "ok" and not covering, covering[0] if covering else ""
    advice = "" if not red else STATUS_ADVICE.get(status) or _find_first_advice(findings)
    if status == "install-error" and (told := describe_install_error(reason)):
        reason, advice = told.sentence, advice and told.advice
    if wanted and not covering and status != "missing":
        red = True
        reason = f"expected {wanted[0].status}, but the cell is {status}" + (f": {reason}" if reason else "")
        advice = advice or "Take the expectation out, or narrow it to the versions where it still holds."
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
    """The status after expectations have been applied, and why it is that."""
    if result is None:
        if planned.lock.reason:
            return "unsatisfiable", planned.lock.reason
        return "missing", "the run ended before this cell had a result"
    if result.edited or result.status not in {"ok", "failed"}:
        return result.status, result.reason or f"the cell is {result.status}"
    red = [finding for finding in findings if is_red(finding.outcome)]
    if red:
        return "failed", _describe_red(red)
    raw_red = any(case.outcome in {"fail", "error"} for case in result.cases)
    if result.status == "failed" and not raw_red:
        return "failed", result.reason or "the cell says failed, though each of its cases is fine"
    return "ok", ""


def _describe_red(red: Sequence[Finding]) -> str:
    """One sentence: the first red case of the lowest layer, how many more there are and in which layers."""
    told = sort_by_layer([finding for finding in red if finding.outcome != "missing"])
    if not told:
        return f"{len(red)} cases of this cell have no result"
    layers = ", ".join(dict.fromkeys(finding.layer for finding in sort_by_layer(red)))
    others = f" (and {len(red) - 1} more, in {layers})" if len(red) > 1 else ""
    return f"{told[0].check}: {told[0].message}{others}"


def sort_by_layer(findings: Sequence[Finding]) -> list[Finding]:
    """What is wrong lower down is told first: it may be why the layers above are red."""
    return sorted(findings, key=lambda finding: LAYERS.index(finding.layer) if finding.layer in LAYERS else 0)


def _find_first_advice(findings: Sequence[Finding]) -> str:
    red = sort_by_layer([each for each in findings if is_red(each.outcome) and each.advice])
    return red[0].advice if red else ""
