"""How far the vectors of the candidate are from earlier ones: of the baseline, an index, golden ones."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.cell.interface import check_of
from harness.judge.answers import INDEX_CHECK
from harness.records import CANDIDATE
from harness.report.checks import OUTCOME_KINDS
from harness.report.escape import shorten

if TYPE_CHECKING:
    from harness.records import Finding, Outcome, Run
    from harness.report.view import SignKind

OWN_CHECK = "gold.vectors"
"""The check that compares the vectors of the service with those of the baseline."""

DISTANCES = {
    OWN_CHECK: "the service, against the baseline",
    "gold.stored": "the service, against your index",
    "gold.drift": "the service, against the golden vectors",
    "gold.reference": "the reference, against the baseline",
}
"""Check -> what it measures the distances of."""

RANKINGS = {
    INDEX_CHECK: "index and queries of the baseline",
    "gold.stored-ranking": "your index",
}
"""Check -> the searches that it compares."""

_NEXT_TEXT = re.compile(r"; (?=[^;:]{1,40} (?:[0-9.e+-]+|inf|nan): )")
"""Between two texts of ``harness.cell.comparison.name_worst``; a text may have semicolons."""

WORDS: dict[Outcome, str] = {
    "pass": "within",
    "fail": "beyond",
    "xfail": "beyond, as expected",
    "xpass": "within, unexpectedly",
    "note": "noted",
    "limit": "a limit",
    "error": "not measured",
    "missing": "not measured",
    "skip": "not measured",
}
"""Outcome -> what it says of a distance and its tolerance."""


@dataclass(frozen=True)
class DistanceRow:
    """The distances of unit vectors from earlier ones; a text in place of a number where there is none.

    ``share`` is the largest distance as a share of the tolerance, ``beyond`` the share of texts beyond it,
    ``worst`` the texts that moved most.
    """

    what: str
    kind: SignKind
    word: str
    largest: str
    allowed: str
    share: str
    median: str
    cosine: str
    beyond: str
    texts: str
    worst: tuple[str, ...]
    message: str = ""


@dataclass(frozen=True)
class RankingRow:
    """The queries that find something else in an index of earlier vectors, and the recall in both ways."""

    what: str
    kind: SignKind
    changed: str
    queries: str
    new_queries: str
    new_index: str
    worst: tuple[str, ...]
    message: str = ""


def drift_findings(run: Run | None) -> dict[str, list[Finding]]:
    """Check -> the findings of the candidate on drift, in the order of the tables; without a run none."""
    found: dict[str, list[Finding]] = {check: [] for check in (*DISTANCES, *RANKINGS)}
    for each in () if run is None else run.judgement.findings:
        if each.cell == CANDIDATE and check_of(each.check) in found:
            found[check_of(each.check)].append(each)
    return found


def list_distances(run: Run | None) -> list[DistanceRow]:
    """The distances that were measured in the candidate; checks that were skipped have none."""
    found = drift_findings(run)
    return [
        _view_distance(what, each)
        for check, what in DISTANCES.items()
        for each in found[check]
        if each.outcome != "skip"
    ]


def list_rankings(run: Run | None) -> list[RankingRow]:
    """The searches that were compared in the candidate; checks that were skipped have none."""
    found = drift_findings(run)
    return [
        _view_ranking(what, each)
        for check, what in RANKINGS.items()
        for each in found[check]
        if each.outcome != "skip"
    ]


def _view_distance(what: str, finding: Finding) -> DistanceRow:
    seen, kind = finding.observation, OUTCOME_KINDS[finding.outcome]
    dtype = finding.check.partition("/")[2]
    facts = seen.facts if seen else {}
    not_finite = "not finite" if seen else "\N{EN DASH}"
    return DistanceRow(
        what=f"{what}, {dtype}" if dtype else what,
        kind=kind,
        word=WORDS[finding.outcome],
        largest=show_distance(seen.value) if seen and seen.value is not None else not_finite,
        allowed=show_distance(seen.allowed) if seen else "\N{EN DASH}",
        share=show_share(finding) or "\N{EN DASH}",
        median=show_distance(facts.get("median distance")),
        cosine=show_cosine(facts.get("smallest cosine")),
        beyond=f"{100 * seen.share:.3g} %" if seen and seen.share is not None else "\N{EN DASH}",
        texts=str(facts.get("texts", "\N{EN DASH}")),
        worst=split_worst(seen.sample if seen else ""),
        message="" if seen and seen.value is not None else shorten(finding.message),
    )


def _view_ranking(what: str, finding: Finding) -> RankingRow:
    seen = finding.observation
    facts = seen.facts if seen else {}
    return RankingRow(
        what=what,
        kind=OUTCOME_KINDS[finding.outcome],
        changed=f"{seen.value:g}" if seen and seen.value is not None else "\N{EN DASH}",
        queries=str(facts.get("queries", "\N{EN DASH}")),
        new_queries=show_recall(facts.get("recall@10 of new queries in the earlier index")),
        new_index=show_recall(facts.get("recall@10 of earlier queries in a new index")),
        worst=split_worst(seen.sample if seen else ""),
        message="" if seen and seen.value is not None else shorten(finding.message),
    )


def show_share(finding: Finding) -> str:
    """The largest distance as a share of what is allowed: ``16 %``, ``12x``; empty without both."""
    seen = finding.observation
    if seen is None or seen.value is None or not seen.allowed:
        return ""
    share = seen.value / seen.allowed
    return f"{share:.3g}x" if share >= 2 else f"{100 * share:.3g} %"


def show_distance(value: object) -> str:
    """A distance of two unit vectors: ``1.6e-07``; a dash without one."""
    return f"{value:.2g}" if isinstance(value, (int, float)) else "\N{EN DASH}"


def show_cosine(value: object) -> str:
    """A cosine, near 1 by its distance from it: ``1 - 2.2e-08``; a dash without one."""
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        return "\N{EN DASH}"
    if value >= 1:
        return "1"
    return f"1 \N{MINUS SIGN} {1 - value:.2g}" if value > 0.99 else f"{value:.4f}"


def show_recall(value: object) -> str:
    """A share of neighbours that are found: ``100 %``; a dash without one."""
    return f"{100 * value:.4g} %" if isinstance(value, (int, float)) else "\N{EN DASH}"


def split_worst(sample: str) -> tuple[str, ...]:
    """The texts that a check names as the worst, one each."""
    return tuple(shorten(each, 160) for each in _NEXT_TEXT.split(sample) if each.strip())
