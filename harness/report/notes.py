"""Recorded behaviour of embedders and libraries: what is not as a check would have it, in which releases."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.cell.interface import LIBRARY_CHECK, check_of, load_checks
from harness.judge.expectations import cell_versions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.cell.interface import Check
    from harness.records import Finding, Run

    Versions = Mapping[str, Mapping[str, str]]

ORDER = ("embedder", "subject", "library")
"""What a check runs on; notes on the embedder come first, because services are built as it is."""

FIRST = ("openvino", "transformers", "sentence-transformers", "torch", "numpy", "tokenizers")
"""Packages whose versions are named before those of others."""

NAMED = 2
"""Packages whose versions are named at most: in a small matrix many change together."""


@dataclass(frozen=True)
class NoteRow:
    """One behaviour: its cases, the message of the first, and the cells in which it happens.

    ``where`` names versions that only these cells have; empty if no package tells them apart.
    """

    cases: tuple[str, ...]
    message: str
    cells: int
    measured: int
    where: str


def list_notes(run: Run) -> list[NoteRow]:
    """Group the notes of checks that only record, by check and cells; the embedder's come first.

    What is a note only because it is not served (another normalizer, another dtype) is left out.
    """
    checks = {each.id: each for each in load_checks() if each.severity == "notes" or each.on != "subject"}
    by_case: dict[str, list[Finding]] = defaultdict(list)
    for each in run.judgement.findings:
        if check_of(each.check) in checks and each.outcome in {"pass", "note"}:
            by_case[each.check].append(each)
    grouped: dict[tuple[str, str, frozenset[str], frozenset[str]], list[Finding]] = defaultdict(list)
    for case, found in by_case.items():
        noted = frozenset(each.cell for each in found if each.outcome == "note")
        others = frozenset(each.cell for each in found) - noted
        if noted:
            first = next(each for each in found if each.outcome == "note")
            grouped[check_of(case), _name_kind(first), noted, others].append(first)
    versions = {each.cell.id: cell_versions(each) for each in run.plan.cells}
    rows = [
        (_rank(checks[check]), _make_row(found, noted, others, versions))
        for (check, _, noted, others), found in grouped.items()
    ]
    return [row for _, row in sorted(rows, key=lambda entry: entry[0])]


def _name_kind(finding: Finding) -> str:
    """What tells notes of one check apart: each function of the library, but for those that are missing."""
    if check_of(finding.check) != LIBRARY_CHECK:
        return ""
    return "missing" if "this release has no" in finding.message else finding.check


def _rank(check: Check) -> int:
    return ORDER.index(check.on)


def _make_row(
    found: list[Finding], noted: frozenset[str], others: frozenset[str], versions: Versions
) -> NoteRow:
    return NoteRow(
        cases=tuple(each.check for each in found),
        message=found[0].message,
        cells=len(noted),
        measured=len(noted) + len(others),
        where=_describe_releases(noted, others, versions),
    )


def _describe_releases(noted: frozenset[str], others: frozenset[str], versions: Versions) -> str:
    """The packages whose versions differ between two sets of cells: ``transformers 5.22.1, not 4.57.6``."""
    if not others:
        return ""
    described = []
    packages = {name for cell in noted | others for name in versions.get(cell, {})}
    ranked = sorted(
        packages, key=lambda name: (name not in FIRST, FIRST.index(name) if name in FIRST else 0, name)
    )
    for name in ranked:
        here, there = (
            {versions[cell].get(name, "absent") for cell in cells if cell in versions}
            for cells in (noted, others)
        )
        if here and there and not here & there:
            described.append(f"{name} {', '.join(sorted(here))}, not {', '.join(sorted(there))}")
    return "; ".join(described[:NAMED])
