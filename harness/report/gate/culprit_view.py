"""Who is to blame, in words; each rendering quotes names and versions in its own way."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from harness.report.gate.view import changes_command

if TYPE_CHECKING:
    from harness.gate_records import Culprit, Gate, LockChange, ReleaseSearch

Quote = Callable[[str], str]
"""Makes what a package wrote harmless for where it is going to stand."""

MOST = 6
"""Names in a list within a sentence."""


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


def culprits_of(gate: Gate) -> list[Culprit]:
    """The culprit and the independent ones beside it: those that were found, the weightiest first."""
    first = gate.culprit
    return [] if first is None else [each for each in (first, *first.further) if each.changes]


def say_culprits(gate: Gate, quote: Quote, arrow: str = "->") -> str:
    """All that is to blame in one line; empty where nothing was found."""
    return "; ".join(say_culprit(each, quote, arrow) for each in culprits_of(gate))


def say_search(culprit: Culprit, quote: Quote) -> list[str]:
    """What was looked for, and how many releases were: what the sentence of the search does not say."""
    said = []
    if culprit.looked_for:
        cases = ", ".join(quote(each) for each in culprit.looked_for[:MOST])
        more = f" and {len(culprit.looked_for) - MOST} more" if len(culprit.looked_for) > MOST else ""
        said.append(f"Looked for: {cases}{more}.")
    return said + [_say_releases(each, quote) for each in culprit.releases]


def _say_releases(search: ReleaseSearch, quote: Quote) -> str:
    least = "" if search.unlisted is None else "at least "
    told = f"Of {least}{search.releases} releases of {quote(search.name)} {len(search.tried)} were tried"
    unknown = ", ".join(quote(each) for each in search.skipped[:MOST])
    return f"{told}; nothing is known of {unknown}." if unknown else f"{told}."


def _can_be_asked(change: LockChange) -> bool:
    """Whether the gate takes it as a change: of what was there, and upwards."""
    try:
        return change.kind == "changed" and Version(change.after) >= Version(change.before)
    except InvalidVersion:
        return False


def culprit_command(gate: Gate, culprit: Culprit) -> str:
    """The gate of a culprit alone, at its first bad release; empty where that would show something else.

    That is where a change cannot be asked for, and where the part alone was not seen to do it.
    """
    if culprit.alone != "red" or not culprit.changes or not all(map(_can_be_asked, culprit.changes)):
        return ""
    first = {search.name: search.first_bad for search in culprit.releases}
    wanted = [
        f"{each.name}=={first.get(each.name, each.after).partition('+')[0]}" for each in culprit.changes
    ]
    return changes_command(gate, wanted)
