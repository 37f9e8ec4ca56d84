"""Texts and groups that all renderings of a gate share, the cause included."""

from __future__ import annotations

import itertools
import shlex
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from harness.cell.interface import check_of
from harness.judge.confirmation import show_runs
from harness.judge.outcomes import WHOLE_CELL
from harness.judge.red_cases import find_exception, sort_by_layer
from harness.records import describe_isolation
from harness.report.view import name_checks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records import (
        Confirmation,
        Culprit,
        Finding,
        FurtherChanges,
        Gate,
        LockChange,
        NoteChange,
        Outcome,
        ReleaseSearch,
    )


NOT_JUDGED = "Correctness only; latency was not judged."
"""The note of a gate without latency."""

ACCEPT_KNOWN = "--accept-known"
"""The option that accepts known divergences that only the candidate has."""


LONGEST_COMMAND = 4000
"""Largest length of a command, in characters; a shortened one would do something else."""


_VALUED = frozenset(
    {"--from", "--to", "--matrix", "--checks", "--quantities", "--budget", "--golden", "--culprit-budget"}
)
"""Options of the gate that take a value."""


def gate_command(gate: Gate, *more: str, without: Sequence[str] = ()) -> str:
    """The command that repeats a gate.

    Options in ``more`` replace the given ones; options in ``without`` are removed.
    """
    given = _without(gate.question.arguments, (*more, *without))
    there = {word for word in given if word.startswith("--")} - _VALUED
    added = [word for word in more if word not in there]
    return f"{gate.question.command} {shlex.join((*given, *added))}"


def checks_command(gate: Gate, checks: Sequence[str]) -> str:
    """The command that runs these checks only, without latency and the search for the cause."""
    globs = [word for check in dict.fromkeys(checks) for word in ("--checks", check)]
    return gate_command(gate, *globs, "--no-latency", "--no-culprit", without=("--quantities", "--budget"))


def changes_command(gate: Gate, changes: Sequence[str]) -> str:
    """The command that judges these changes instead of the requested ones."""
    options = itertools.dropwhile(lambda word: not word.startswith("--"), gate.question.arguments)
    return f"{gate.question.command} {shlex.join((*changes, *_without(tuple(options), ('--to',))))}"


def _without(arguments: Sequence[str], options: Sequence[str]) -> list[str]:
    """Arguments without these options and their values."""
    dropped = _VALUED.intersection(options)
    return [
        word
        for before, word in itertools.pairwise(("", *arguments))
        if not (word in dropped or before in dropped)
    ]


def describe_judged(gate: Gate) -> str:
    """Describe what the verdict covers, which results were reused, and whether cells were isolated."""
    if not gate.judged:
        return "No cell was judged."
    *first, last = gate.judged
    judged = f"Judged: {', '.join(first)} and {last}." if first else f"Judged: {last} only."
    if set(gate.judged) == {"correctness"}:
        judged = NOT_JUDGED
    reused = " and the ".join(cell.cell for cell in gate.decision.cells if cell.reused)
    isolation = describe_isolation(gate.question.isolation)
    parts = (
        judged,
        f"Results of the {reused} are reused from an earlier run." if reused else "",
        f"{isolation[0].upper()}{isolation[1:]}." if isolation else "",
    )
    return " ".join(filter(None, parts))


def describe_origin(change: LockChange) -> str:
    """Describe why a distribution changes."""
    origin = "pinned by the file" if change.pinned else "direct" if change.asked else "transitive"
    if change.kind != "changed":
        return f"{origin}, {change.kind}"
    return f"{origin}, another file" if change.before == change.after else origin


def name_candidate(gate: Gate) -> str:
    """The candidate behind the name of the baseline, which is not repeated."""
    question = gate.question
    more = question.candidate.removeprefix(f"{question.baseline} with ")
    return question.candidate if more == question.candidate else f"the same with {more}"


def describe_unchanged(gate: Gate) -> str:
    """Count the distributions that do not change."""
    count = gate.question.diff.unchanged
    return f"{count} {'other is' if count == 1 else 'others are'} unchanged."


def count_changes(gate: Gate) -> str:
    """Count the changed distributions by origin."""
    changes = gate.question.diff.changes
    pinned = sum(each.pinned for each in changes)
    asked = sum(each.asked for each in changes) - pinned
    by_file = f", {pinned} pinned by the file" if pinned else ""
    return f"{asked} direct{by_file}, {len(changes) - asked - pinned} transitive"


def describe_further_changes(way: FurtherChanges) -> str:
    """Describe the result of the search for further upgrades; the upgrades themselves are listed apart."""
    asked = f"the resolver ran {way.calls} {'time' if way.calls == 1 else 'times'}"
    if not way.changes:
        return f"No further upgrade of pinned packages makes it possible ({asked})."
    if way.smallest:
        return f"{'This makes' if len(way.changes) == 1 else 'Both make'} it possible ({asked})."
    return f"These upgrades make it possible; fewer may be enough ({asked})."


@dataclass(frozen=True)
class Group:
    """The findings of one check and outcome, or those behind one exception, with the message of the first.

    ``runs`` is how often they were red, if they were run again: ``3 of 3 runs``.
    """

    checks: tuple[str, ...]
    outcome: Outcome
    cases: tuple[str, ...]
    message: str
    advice: str
    expectation: str
    runs: str = ""

    @property
    def check(self) -> str:
        """The checks in a few words."""
        return name_checks(self.checks)

    @property
    def globs(self) -> tuple[str, ...]:
        """The values of ``--checks`` that select them."""
        if len(self.cases) == 1:
            return self.cases
        return tuple(check if check in self.cases else f"{check}/*" for check in self.checks)


def group_findings(findings: Sequence[Finding], confirmations: Sequence[Confirmation] = ()) -> list[Group]:
    """Group findings by check, or by the exception behind them; the lowest layer first.

    Findings that were not red equally often are not in one group.
    """
    runs = {each.case: show_runs(each) for each in confirmations}
    grouped: dict[tuple[str, Outcome, str], list[Finding]] = defaultdict(list)
    for each in sort_by_layer(findings):
        name = find_exception(each) or check_of(each.check)
        grouped[name, each.outcome, runs.get(each.check, "")].append(each)
    return [
        Group(
            checks=tuple(dict.fromkeys(check_of(each.check) for each in found)),
            outcome=outcome,
            cases=tuple(each.check for each in found),
            message=found[0].message,
            advice=found[0].advice,
            expectation=found[0].expectation,
            runs=often,
        )
        for (_, outcome, often), found in grouped.items()
    ]


@dataclass(frozen=True)
class Known:
    """The findings of one known divergence, with the reason that the matrix gives."""

    reason: str
    checks: tuple[str, ...]
    cases: int


def group_known(findings: Sequence[Finding]) -> list[Known]:
    """Group known divergences by reason, the lowest layer first."""
    grouped: dict[str, list[Finding]] = defaultdict(list)
    for each in sort_by_layer(findings):
        grouped[each.expectation].append(each)
    return [
        Known(reason, tuple(dict.fromkeys(check_of(each.check) for each in found)), len(found))
        for reason, found in grouped.items()
    ]


def fresh_known(gate: Gate) -> tuple[Finding, ...]:
    """Known divergences that only the candidate has; unless accepted, they fail the gate."""
    return () if gate.decision.accepted else gate.decision.known


def fresh_findings(gate: Gate) -> tuple[Finding, ...]:
    """All findings that are new in the candidate and fail the gate."""
    return (*gate.decision.new, *fresh_known(gate))


def name_note(note: NoteChange) -> str:
    """The case whose recorded behaviour changes, and how many more have the same exception."""
    return f"{note.check} and {note.cases - 1} more" if note.cases > 1 else note.check


UNCONFIRMED = "Not confirmed in fresh processes"
"""The title of newly red cases that are flaky or were not run again."""


def rerun_command(gate: Gate) -> str:
    """The command that repeats a gate without any stored result, for findings that are not confirmed."""
    return gate_command(gate, "--rerun")


def count_cases(number: int) -> str:
    """Format a number of cases."""
    return "1 case" if number == 1 else f"{number} cases"


MOST_CHECKS = 8
"""Largest number of checks in one command."""


def list_repeats(gate: Gate) -> Iterator[tuple[str, str]]:
    """The commands that repeat the gate, its red checks only, and that write a red one as a script."""
    yield "Whole gate", gate_command(gate)
    if groups := group_findings(fresh_findings(gate)):
        few = len(groups) <= MOST_CHECKS
        globs = [glob for each in groups[:MOST_CHECKS] for glob in each.globs]
        yield (
            "Red checks only" if few else f"The first {MOST_CHECKS} red checks only",
            checks_command(gate, globs),
        )
    named = [each.check for each in fresh_findings(gate) if each.check != WHOLE_CELL]
    yield from (("The first as a script", reproduce_command(gate, check)) for check in named[:1])


def reproduce_command(gate: Gate, check: str) -> str:
    """The command that writes a red case of the candidate as a script without the harness."""
    return f"harness reproduce {gate.run} {shlex.quote(check)}"


# The cause; each rendering quotes names and versions in its own way

Quote = Callable[[str], str]
"""Escapes text of a package for one output format."""

MOST = 6
"""Largest number of names in a sentence."""

NAMED = 3
"""Changes that are named where a search was cut off; the rest are counted."""


def describe_move(change: LockChange, quote: Quote, arrow: str = "->") -> str:
    """Describe a change: distribution, version before and after."""
    if change.kind == "added":
        return f"{quote(change.name)} {quote(change.after)} (added)"
    if change.kind == "removed":
        return f"{quote(change.name)} {quote(change.before)} (removed)"
    return f"{quote(change.name)} {quote(change.before)} {arrow} {quote(change.after)}"


def describe_culprit(culprit: Culprit, quote: Quote, arrow: str = "->") -> str:
    """The changes that are the cause, in one line, or among which it is; empty if none was found."""
    moves = [describe_move(each, quote, arrow) for each in culprit.changes]
    if not culprit.cut_off or len(moves) == 1:
        return " together with ".join(moves)
    more = f" and {len(moves) - NAMED} more" if len(moves) > NAMED else ""
    return f"not narrowed down: among {', '.join(moves[:NAMED])}{more}"


def culprits_of(gate: Gate) -> list[Culprit]:
    """The causes that were found, independent ones included, the most important first."""
    first = gate.culprit
    return [] if first is None else [each for each in (first, *first.further) if each.changes]


def describe_culprits(gate: Gate, quote: Quote, arrow: str = "->") -> str:
    """All causes in one line; empty if none was found."""
    return "; ".join(describe_culprit(each, quote, arrow) for each in culprits_of(gate))


def describe_search(culprit: Culprit, quote: Quote) -> list[str]:
    """Describe the failed cases and the tried releases of the search."""
    lines = []
    if culprit.looked_for:
        cases = ", ".join(quote(each) for each in culprit.looked_for[:MOST])
        more = f" and {len(culprit.looked_for) - MOST} more" if len(culprit.looked_for) > MOST else ""
        lines.append(f"Failed cases: {cases}{more}.")
    return lines + [_describe_releases(each, quote) for each in culprit.releases]


def _describe_releases(search: ReleaseSearch, quote: Quote) -> str:
    least = "" if search.unlisted is None else "at least "
    tried = f"{len(search.tried)} of {least}{search.releases} releases of {quote(search.name)} were tried"
    unknown = ", ".join(quote(each) for each in search.skipped[:MOST])
    return f"{tried}; no result for {unknown}." if unknown else f"{tried}."


def _can_be_asked(change: LockChange) -> bool:
    """Whether the gate accepts it as CHANGE: an upgrade of an installed distribution."""
    try:
        return change.kind == "changed" and Version(change.after) >= Version(change.before)
    except InvalidVersion:
        return False


def culprit_command(gate: Gate, culprit: Culprit) -> str:
    """The gate command for a cause alone, at its first bad release; empty if it would not show the failure.

    That is the case if the change is not a valid CHANGE, or if the part alone was not seen to fail.
    """
    if culprit.alone != "red" or not culprit.changes or not all(map(_can_be_asked, culprit.changes)):
        return ""
    first = {search.name: search.first_bad for search in culprit.releases}
    wanted = [
        f"{each.name}=={first.get(each.name, each.after).partition('+')[0]}" for each in culprit.changes
    ]
    return changes_command(gate, wanted)
