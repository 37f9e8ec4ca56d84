"""Propose expectations for what is red in a run: grouped, and as narrow as the run shows."""

from __future__ import annotations

import glob
import math
from collections import defaultdict
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from packaging.version import Version

from harness.cell.interface import check_of
from harness.errors import UsageError
from harness.judge.expectations import cell_versions
from harness.judge.outcomes import is_red
from harness.records import Expectation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.records import CellVerdict, Finding, Judgement, Plan

ACCEPTABLE = ("unsatisfiable", "import-error", "crashed", "timed-out")
"""Statuses of a whole cell that an expectation can cover; the others are no result."""

_RAN = {"ok", "failed"}
_FAILED = {"fail", "error"}


@dataclass(frozen=True)
class Proposal:
    """An expectation, and the comment that says what was measured."""

    expectation: Expectation
    comment: str


@dataclass(frozen=True)
class _Group:
    """Cases, or a status, that are red in the same cells, and green in the same others."""

    outcome: str  # of the cases, or the status of the cells
    red: frozenset[str]
    green: frozenset[str]


def propose(  # noqa: PLR0913 - one parameter a key of the expectations
    plan: Plan,
    judgement: Judgement,
    reason: str,
    *,
    checks: Sequence[str] = (),
    link: str = "",
    matrix: Sequence[str] = (),
) -> tuple[Proposal, ...]:
    """Propose expectations for the red cases that match ``checks`` (empty: all), and for red statuses.

    Each ``where`` holds for the versions of the red cells and for none of the green ones.

    Raises:
        UsageError: cells of equal versions are red and green, which no expectation can tell apart.
    """
    chosen = [each for each in judgement.findings if is_accepted(each, judgement, checks)]
    proposals = []
    for group, cases in _group(plan, judgement, chosen, statuses=not checks).items():
        for where, cells in _split(plan, group, cases):
            mine = [each for each in chosen if each.cell in cells and each.check in cases]
            expectation = Expectation(
                reason=reason,
                check=_shorten(plan, cases) if cases else None,
                status=None if cases else group.outcome,  # type: ignore[arg-type]
                outcome="error" if cases and group.outcome == "error" else "fail",
                where=where,
                matrix=tuple(matrix),
                link=link,
            )
            comment = _describe(plan, cases, cells, mine, judgement)
            proposals.append(Proposal(expectation, comment))
    return tuple(proposals)


def is_accepted(finding: Finding, judgement: Judgement, checks: Sequence[str]) -> bool:
    """Whether an expectation can cover a finding, and it is one of the chosen checks."""
    status = {cell.cell: cell.status for cell in judgement.cells}.get(finding.cell)
    return finding.outcome in _FAILED and status in _RAN and matches(finding.check, checks)


def matches(case: str, checks: Sequence[str]) -> bool:
    """Whether a case is one of the chosen checks; without any, all are."""
    return not checks or any(fnmatchcase(case, check) for check in checks)


def list_unacceptable(judgement: Judgement, checks: Sequence[str]) -> Iterator[str]:
    """What no expectation can cover: no result, an open question, an expectation that no longer holds.

    An expected error would answer a question that nothing measured.
    """
    for cell in judgement.cells:
        if cell.status in {"missing", "install-error"}:
            yield f"{cell.cell}: {cell.status}: {cell.reason}"
        for answer in cell.answers:
            if answer.answer == "not measured":
                yield f"{cell.cell}: {answer.question}: not measured: {answer.because}"
    ran = {cell.cell for cell in judgement.cells if cell.status in _RAN}
    for each in judgement.findings:
        lost = each.cell in ran and is_red(each.outcome) and each.outcome not in _FAILED
        if lost and matches(each.check, checks):
            yield f"{each.cell}: {each.check}: {each.message}"
    if not checks:
        yield from (f"an expectation matches nothing: {each}" for each in judgement.stale_expectations)


def _group(
    plan: Plan, judgement: Judgement, chosen: Sequence[Finding], *, statuses: bool
) -> dict[_Group, tuple[str, ...]]:
    """The red cases by the cells in which they are red and green; a status has no cases."""
    red: dict[tuple[str, str], set[str]] = defaultdict(set)
    known = {(each.check, each.cell) for each in judgement.findings if each.outcome == "xfail"}
    for each in chosen:
        red[each.outcome, each.check].add(each.cell)
    ran = {cell.cell for cell in judgement.cells if cell.status in _RAN}
    cases: dict[_Group, list[str]] = defaultdict(list)
    for (outcome, case), cells in red.items():
        measured = {each.cell.id for each in plan.cells if case in each.cases and each.cell.id in ran}
        green = {cell for cell in measured - cells if (case, cell) not in known}
        cases[_Group(outcome, frozenset(cells), frozenset(green))].append(case)
    groups = {group: tuple(found) for group, found in cases.items()}
    for status in ACCEPTABLE if statuses else ():
        dead = frozenset(each.cell for each in judgement.cells if each.red and each.status == status)
        others = frozenset(each.cell for each in judgement.cells if each.status != status)
        groups |= {_Group(status, dead, others): ()} if dead else {}
    return groups


# Where: boxes of versions that hold every red cell and no green one.

_Point = tuple[Version, ...]
_Box = list[tuple[Version, Version]]


def _split(
    plan: Plan, group: _Group, cases: Sequence[str]
) -> Iterator[tuple[dict[str, str], frozenset[str]]]:
    """The version specifiers of each box, and the red cells in it."""
    versions = {each.cell.id: cell_versions(each) for each in plan.cells}
    names = _choose_names(plan, versions, group, cases)
    points = {
        cell: tuple(Version(versions[cell][name]) for name in names) for cell in group.red | group.green
    }
    red = {points[cell] for cell in group.red}
    green = {points[cell] for cell in group.green}
    texts = {(name, Version(found[name])): found[name] for found in versions.values() for name in names}
    for box in _cover(red, green):
        cells = frozenset(cell for cell in group.red if _is_in(points[cell], box))
        where = {}
        for name, (low, high) in zip(names, box, strict=True):
            first, last = texts[name, low], texts[name, high]
            where[name] = f"=={first}" if low == high else f">={first},<={last}"
        yield where, cells


def _choose_names(
    plan: Plan, versions: Mapping[str, Mapping[str, str]], group: _Group, cases: Sequence[str]
) -> list[str]:
    """The packages that tell the cells apart: axes of several versions, then others of the locks.

    Raises:
        UsageError: a red and a green cell have equal versions.
    """
    common = set.intersection(*(set(found) for found in versions.values()))
    axes = [name for name in dict.fromkeys(n for c in plan.cells for n in c.cell.axes) if name in common]
    several = [name for name in axes if len({found[name] for found in versions.values()}) > 1]
    names = several or axes
    for red in sorted(group.red):
        for green in sorted(group.green):
            one, other = versions[red], versions[green]
            if any(one[name] != other[name] for name in names):
                continue
            apart = sorted(name for name in common if one[name] != other[name])
            if not apart:
                raise UsageError(
                    f"{', '.join(cases) or group.outcome}: red in {red} and not in {green}, which have the "
                    "same versions; no expectation can tell them apart"
                )
            names = [*names, apart[0]]
    return names


def _cover(red: set[_Point], green: set[_Point]) -> Iterator[_Box]:
    """Few boxes that hold every red point and no green one, each from a point and all that can join it."""
    left = set(red)
    while left:
        box: _Box = [(version, version) for version in min(left)]
        for point in sorted(red):
            pairs = zip(box, point, strict=True)
            larger = [(min(low, version), max(high, version)) for (low, high), version in pairs]
            if not any(_is_in(each, larger) for each in green):
                box = larger
        left = {point for point in left if not _is_in(point, box)}
        yield box


def _is_in(point: _Point, box: _Box) -> bool:
    return all(low <= version <= high for version, (low, high) in zip(point, box, strict=True))


# Checks and comments.


def _shorten(plan: Plan, cases: Sequence[str]) -> str | tuple[str, ...]:
    """The cases as globs: a check with all its cases is one glob."""
    planned = {case for each in plan.cells for case in each.cases}
    globs: dict[str, None] = {}
    for case in cases:
        check = check_of(case)
        own = {each for each in planned if check_of(each) == check}
        whole = len(own) > 1 and own <= set(cases)
        globs[f"{glob.escape(check)}/*" if whole else glob.escape(case)] = None
    return next(iter(globs)) if len(globs) == 1 else tuple(globs)


def _describe(
    plan: Plan,
    cases: Sequence[str],
    cells: frozenset[str],
    findings: Sequence[Finding],
    judgement: Judgement,
) -> str:
    """What was measured: the number of cases and cells, and the worst of them."""
    where = f"{len(cells)} cell{'' if len(cells) == 1 else 's'}"
    if not cases:
        first = next(each for each in judgement.cells if each.cell in cells)
        return f"Run {plan.run}: {where}, such as {first.cell}: {_first_line(first)}"
    worst = max(findings, key=_excess)
    count = f"{len(cases)} case{'' if len(cases) == 1 else 's'} in {where}"
    return f"Run {plan.run}: {count}; worst: {worst.check} in {worst.cell}: {_first_line(worst)}"


def _first_line(said: Finding | CellVerdict) -> str:
    text = said.reason if hasattr(said, "reason") else said.message
    return next(iter(str(text).splitlines()), "")


def _excess(finding: Finding) -> float:
    """By what factor a finding is beyond its bound; infinite if its value is not finite."""
    seen = finding.observation
    if seen is None or seen.allowed is None:
        return 0.0
    if seen.value is None:
        return math.inf
    high, low = (seen.value, seen.allowed) if seen.bound == "max" else (seen.allowed, seen.value)
    return math.inf if low <= 0 else high / low
