"""Who is to blame, in words; each rendering quotes names and versions in its own way."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.gate_records import Culprit, Gate, LockChange, ReleaseSearch, TrialOutcome

Quote = Callable[[str], str]
"""Makes what a package wrote harmless for where it is going to stand."""

_ALONE: dict[TrialOutcome, str] = {
    "red": "turns it red",
    "green": "does not turn it red",
    "unresolved": "could not be tried",
}
_WITHOUT: dict[TrialOutcome, str] = {
    "green": "stays green",
    "red": "is red all the same",
    "unresolved": "could not be tried",
}


def say_move(change: LockChange, quote: Quote, arrow: str = "->") -> str:
    """A distribution, and from where to where it moves."""
    if change.kind == "added":
        return f"{quote(change.name)} {quote(change.after)} (added)"
    if change.kind == "removed":
        return f"{quote(change.name)} {quote(change.before)} (removed)"
    return f"{quote(change.name)} {quote(change.before)} {arrow} {quote(change.after)}"


def say_culprit(culprit: Culprit, quote: Quote, arrow: str = "->") -> str:
    """The changes to blame in one line; empty where none was found."""
    return " together with ".join(say_move(each, quote, arrow) for each in culprit.changes)


def say_evidence(culprit: Culprit, quote: Quote, arrow: str = "->") -> list[str]:
    """What the blame rests on: both directions, what had to come along, the first bad release."""
    this = "this" if len(culprit.changes) == 1 else "these together"
    said = []
    if culprit.changes and culprit.alone is not None:
        said.append(f"{this} alone {_ALONE[culprit.alone]}")
    if culprit.changes and culprit.without is not None:
        said.append(f"everything but {this} {_WITHOUT[culprit.without]}")
    if len(culprit.changes) > 1:
        said.append("an interaction: no smaller part of the upgrade does it")
    if culprit.dragged:
        moves = ", ".join(say_move(each, quote, arrow) for each in culprit.dragged[:6])
        more = f" and {len(culprit.dragged) - 6} more" if len(culprit.dragged) > 6 else ""
        said.append(f"had to move along: {moves}{more}")
    said += [say_release(each, quote) for each in culprit.releases]
    if culprit.looked_for:
        cases = ", ".join(quote(each) for each in culprit.looked_for[:3])
        more = f" and {len(culprit.looked_for) - 3} more" if len(culprit.looked_for) > 3 else ""
        said.append(f"looked for: {cases}{more}")
    return said


def say_release(search: ReleaseSearch, quote: Quote) -> str:
    """The first bad release, its last good neighbour, and how sure that is."""
    tried = len(search.tried)
    told = (
        f"first bad release: {quote(search.name)} {quote(search.first_bad)}; "
        f"the last good one is {quote(search.last_good)}"
    )
    if search.releases:
        told += f" (of {search.releases} releases {tried} {'was' if tried == 1 else 'were'} tried)"
    if search.skipped:
        told += f"; nothing is known of {', '.join(quote(each) for each in search.skipped[:6])} between them"
    return told


def culprit_command(gate: Gate) -> str:
    """The gate of the culprit alone, at its first bad release; empty where a change cannot be asked for."""
    culprit = gate.culprit
    if culprit is None or not culprit.changes or any(not each.after for each in culprit.changes):
        return ""
    first = {search.name: search.first_bad for search in culprit.releases}
    wanted = [
        f"{each.name}=={first.get(each.name, each.after).partition('+')[0]}" for each in culprit.changes
    ]
    arguments = gate.question.arguments
    kept = [
        word
        for option, value in itertools.pairwise(arguments)
        if option in {"--from", "--matrix"}
        for word in (option, value)
    ]
    return f"{gate.question.command} {shlex.join((*wanted, *kept))}"
