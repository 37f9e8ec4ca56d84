"""What every rendering of a gate says in words, the cause included."""

from __future__ import annotations

import itertools
import shlex
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from harness.judge.cells import in_layer_order
from harness.judge.outcomes import check_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records import Culprit, Finding, FurtherChanges, Gate, LockChange, Outcome, ReleaseSearch


NOT_JUDGED = "This is about correctness alone; latency is not judged."
"""What has to be said of a gate that measured no latency."""

ACCEPT_KNOWN = "--accept-known"
"""The option that lets a known divergence pass that only the candidate has."""


LONGEST_COMMAND = 4000
"""Characters of a command that are shown: half of one would do something else."""


_VALUED = frozenset({"--from", "--to", "--matrix", "--checks", "--quantities", "--budget", "--golden"})
"""Options of the gate after which a value stands."""


def gate_command(gate: Gate, *more: str, without: Sequence[str] = ()) -> str:
    """The command that asks again where the gate was asked.

    What is among ``more`` replaces what was given; ``without`` are options to leave out.
    """
    given = _without(gate.question.arguments, (*more, *without))
    there = {word for word in given if word.startswith("--")} - _VALUED
    added = [word for word in more if word not in there]
    return f"{gate.question.command} {shlex.join((*given, *added))}"


def checks_command(gate: Gate, checks: Sequence[str]) -> str:
    """The command that runs these checks alone: no latency, and nobody to blame."""
    globs = [word for check in checks for word in ("--checks", check)]
    return gate_command(gate, *globs, "--no-latency", "--no-culprit", without=("--quantities", "--budget"))


def changes_command(gate: Gate, changes: Sequence[str]) -> str:
    """The command that asks for these changes instead of what was asked for."""
    options = itertools.dropwhile(lambda word: not word.startswith("--"), gate.question.arguments)
    return f"{gate.question.command} {shlex.join((*changes, *_without(tuple(options), ('--to',))))}"


def _without(arguments: Sequence[str], options: Sequence[str]) -> list[str]:
    """Arguments but for these options and their values."""
    dropped = _VALUED.intersection(options)
    return [
        word
        for before, word in itertools.pairwise(("", *arguments))
        if not (word in dropped or before in dropped)
    ]


def describe_judged(gate: Gate) -> str:
    """What the verdict speaks of, and what of that was not run anew."""
    if not gate.judged:
        return "Nothing was judged."
    *first, last = gate.judged
    judged = f"Judged: {', '.join(first)} and {last}." if first else f"Judged: {last} alone."
    if set(gate.judged) == {"correctness"}:
        judged = NOT_JUDGED
    reused = " and the ".join(cell.cell for cell in gate.decision.cells if cell.reused)
    return (
        f"{judged} The suite of the {reused} ran before: its results were taken over." if reused else judged
    )


def describe_origin(change: LockChange) -> str:
    """Why a distribution moves."""
    origin = "pinned by the file" if change.pinned else "asked for" if change.asked else "dragged along"
    if change.kind != "changed":
        return f"{origin}, {change.kind}"
    return f"{origin}, another file" if change.before == change.after else origin


def describe_unchanged(gate: Gate) -> str:
    """How many distributions do not move."""
    count = gate.question.diff.unchanged
    return f"{count} {'other is' if count == 1 else 'others are'} the same."


def count_changes(gate: Gate) -> str:
    """How many distributions move, and why."""
    changes = gate.question.diff.changes
    pinned = sum(each.pinned for each in changes)
    asked = sum(each.asked for each in changes) - pinned
    told = f", {pinned} pinned by the file" if pinned else ""
    return f"{asked} asked for{told}, {len(changes) - asked - pinned} dragged along"


def describe_further_changes(way: FurtherChanges) -> str:
    """What the search for further changes came to; the changes themselves are told beside it."""
    asked = f"the resolver was asked {way.calls} {'time' if way.calls == 1 else 'times'}"
    if not way.changes:
        return f"No further upgrade of what is held would make it possible ({asked})."
    if way.smallest:
        return (
            f"It would be possible with {'this' if len(way.changes) == 1 else 'these two'} as well ({asked})."
        )
    return f"It would be possible with these as well; fewer may do ({asked})."


@dataclass(frozen=True)
class Group:
    """The findings of one check and outcome: the first of them speaks for all."""

    check: str
    outcome: Outcome
    cases: tuple[str, ...]
    message: str
    advice: str
    expectation: str

    @property
    def glob(self) -> str:
        """What ``--checks`` takes to run them all."""
        return self.cases[0] if len(self.cases) == 1 else f"{self.check}/*"


def group_findings(findings: Sequence[Finding]) -> list[Group]:
    """Findings check by check, the lowest layer first: a person reads checks, not their parameters."""
    grouped: dict[tuple[str, Outcome], list[Finding]] = defaultdict(list)
    for each in in_layer_order(findings):
        grouped[check_of(each.check), each.outcome].append(each)
    return [
        Group(
            check=check,
            outcome=outcome,
            cases=tuple(each.check for each in found),
            message=found[0].message,
            advice=found[0].advice,
            expectation=found[0].expectation,
        )
        for (check, outcome), found in grouped.items()
    ]


@dataclass(frozen=True)
class Known:
    """What one known divergence covers: the reason that the matrix gives for it stands for all of it."""

    reason: str
    checks: tuple[str, ...]
    cases: int


def group_known(findings: Sequence[Finding]) -> list[Known]:
    """Known divergences by their reason, the lowest layer first."""
    grouped: dict[str, list[Finding]] = defaultdict(list)
    for each in in_layer_order(findings):
        grouped[each.expectation].append(each)
    return [
        Known(reason, tuple(dict.fromkeys(check_of(each.check) for each in found)), len(found))
        for reason, found in grouped.items()
    ]


def fresh_known(gate: Gate) -> tuple[Finding, ...]:
    """Known divergences that only the candidate has, unless they were accepted: they fail the gate too."""
    return () if gate.decision.accepted else gate.decision.known


def fresh_findings(gate: Gate) -> tuple[Finding, ...]:
    """Everything that is new in the candidate and fails the gate."""
    return (*gate.decision.new, *fresh_known(gate))


def count_cases(number: int) -> str:
    """How many cases, in words."""
    return "1 case" if number == 1 else f"{number} cases"


MOST_CHECKS = 8
"""Checks that one command runs."""


def name_red(groups: Sequence[Group]) -> str:
    """What the command runs that is told beside what is red."""
    return "What is red alone" if len(groups) <= MOST_CHECKS else f"The first {MOST_CHECKS} red checks alone"


# Who is to blame, in words; each rendering quotes names and versions in its own way.

Quote = Callable[[str], str]
"""Makes what a package wrote harmless for where it is going to stand."""

MOST = 6
"""Names in a list within a sentence."""


def describe_move(change: LockChange, quote: Quote, arrow: str = "->") -> str:
    """A distribution, and from where to where it moves."""
    if change.kind == "added":
        return f"{quote(change.name)} {quote(change.after)} (added)"
    if change.kind == "removed":
        return f"{quote(change.name)} {quote(change.before)} (removed)"
    return f"{quote(change.name)} {quote(change.before)} {arrow} {quote(change.after)}"


def describe_culprit(culprit: Culprit, quote: Quote, arrow: str = "->") -> str:
    """The changes to blame in one line; empty where none was found."""
    return " together with ".join(describe_move(each, quote, arrow) for each in culprit.changes)


def culprits_of(gate: Gate) -> list[Culprit]:
    """The culprit and the independent ones beside it: those that were found, the weightiest first."""
    first = gate.culprit
    return [] if first is None else [each for each in (first, *first.further) if each.changes]


def describe_culprits(gate: Gate, quote: Quote, arrow: str = "->") -> str:
    """All that is to blame in one line; empty where nothing was found."""
    return "; ".join(describe_culprit(each, quote, arrow) for each in culprits_of(gate))


def describe_search(culprit: Culprit, quote: Quote) -> list[str]:
    """What was looked for, and how many releases were: what the sentence of the search does not say."""
    said = []
    if culprit.looked_for:
        cases = ", ".join(quote(each) for each in culprit.looked_for[:MOST])
        more = f" and {len(culprit.looked_for) - MOST} more" if len(culprit.looked_for) > MOST else ""
        said.append(f"Looked for: {cases}{more}.")
    return said + [_describe_releases(each, quote) for each in culprit.releases]


def _describe_releases(search: ReleaseSearch, quote: Quote) -> str:
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
