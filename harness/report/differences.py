"""Where the cells do not agree: cases whose outcome, or whose recorded behaviour, differs between them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.judge.outcomes import recorded_words
from harness.report.escape import shorten

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.records import Outcome, Run

_SEEN = {"pass", "fail", "error", "xfail", "xpass"}


@dataclass(frozen=True)
class Seen:
    """One thing that was seen of a case, and the cells that it was seen in."""

    outcome: Outcome
    sample: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """A case that not all cells agree on."""

    case: str
    values: tuple[Seen, ...]


def find_differences(run: Run) -> list[Difference]:
    """Every case on which cells differ, in the order of the plan.

    Numbers differ in their last digits everywhere: only outcomes count, and the words that were recorded
    (types and messages of exceptions, for one).
    """
    cases: dict[str, dict[tuple[Outcome, tuple[str, ...]], list[str]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for finding in run.judgement.findings:
        if finding.outcome in _SEEN:
            words = recorded_words(finding.observation) if finding.observation else ()
            cases[finding.check][finding.outcome, words].append(finding.cell)
    return [found for case, seen in cases.items() if len(seen) > 1 and (found := _difference(case, seen))]


def _difference(
    case: str, seen: Mapping[tuple[Outcome, tuple[str, ...]], Sequence[str]]
) -> Difference | None:
    """What was seen as a page shows it; None where all of it looks the same there."""
    shown: dict[tuple[Outcome, str], list[str]] = defaultdict(list)
    for (outcome, words), cells in seen.items():
        shown[outcome, shorten("; ".join(words), 240)] += cells
    if len(shown) < 2:
        return None
    return Difference(
        case, tuple(Seen(outcome, sample, tuple(cells)) for (outcome, sample), cells in shown.items())
    )
