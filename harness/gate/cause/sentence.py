"""The cause of a failing gate in one sentence, and the records of what was found."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from packaging.version import Version

from harness.records import LockChange, ReleaseSearch, Trial

# What a search comes to: a part that was red, and a culprit with all that it rests on.


@dataclass(frozen=True)
class FailingPart:
    """A part that was red: what was applied, what moved along, and what of the wanted came up."""

    digest: str
    changes: tuple[LockChange, ...]
    dragged: tuple[LockChange, ...]
    explained: tuple[str, ...]


@dataclass(frozen=True)
class FoundCause:
    """A culprit, and what it rests on.

    Attributes:
        changes: what is to blame.
        dragged: what moves along with it.
        explained: what of the wanted it turns red.
        alone: the trial of it alone.
        without: the trial of everything but it.
        releases: for each of the changes that spans several.
        through: of packages that bring the culprit along and are not to blame themselves.
    """

    changes: tuple[LockChange, ...]
    dragged: tuple[LockChange, ...]
    explained: tuple[str, ...]
    alone: Trial
    without: Trial
    releases: tuple[ReleaseSearch, ...]
    through: tuple[ReleaseSearch, ...] = ()


RED = "red"
"""What becomes of a case."""

_GROWN = {"s": "slower", "B": "larger"}

_SHOWN = 4


def describe_change(change: LockChange) -> str:
    """One change: ``numpy 1.26.2 -> 2.4.6``, ``+ hub 2.0``, ``- idna 3.11``."""
    if change.kind == "added":
        return f"{change.name} {change.after} (new)"
    if change.kind == "removed":
        return f"{change.name} {change.before} (gone)"
    return f"{change.name} {change.before} -> {change.after}"


def by_weight(changes: Sequence[LockChange]) -> list[LockChange]:
    """Those asked for first, then those that have another version, then what is gone or new."""
    kinds = ("changed", "removed", "added")
    return sorted(changes, key=lambda change: (not change.asked, kinds.index(change.kind)))


def describe_changes(changes: Sequence[LockChange], limit: int = _SHOWN) -> str:
    """Several changes, the weightiest few by name."""
    return _join(_shorten([describe_change(change) for change in by_weight(changes)], limit))


def describe_worse(units: Collection[str]) -> str:
    """What becomes of what is looked for: cases, which have no unit, turn red; seconds and bytes grow."""
    return " or ".join(_GROWN[unit] for unit in sorted(set(units), reverse=True)) or RED


def describe_found(found: FoundCause, told: str, worse: str, doubts: str = "") -> str:
    """What it is, what it does (``told``, see ``describe_share``), both directions, the first bad release.

    ``doubts`` keep it from being the smallest for certain; see ``describe_doubts``.
    """
    one, dragged = len(found.changes) == 1, found.dragged
    along = f" (which moves {describe_changes(dragged, 2)} along)" if dragged else ""
    head = _describe_alone(
        describe_changes(found.changes) + along, found.alone, _Effect(told, worse), one=one
    )
    if found.alone.outcome == "red" and not one and not doubts:
        head += ", and none of them can be left out"
    parts = [head, _describe_without(found.without, worse, one=one), *map(_describe_release, found.releases)]
    return "; ".join(parts) + _describe_apart(found) + doubts


def describe_so_far(red: FailingPart, told: str, worse: str, because: str) -> str:
    """The smallest part known to do it when the search was ended; ``because`` says by what."""
    what, one = describe_changes(red.changes), len(red.changes) == 1
    along = f" (which moves {describe_changes(red.dragged, 2)} along)" if red.dragged else ""
    does = _Effect(told, worse).say(one=one)
    head = f"{what}{along} alone {does}" if one else f"{what}{along} {does} together"
    return f"{head}; {because}, so a smaller part or an earlier release may do"


def describe_seconds(seconds: float) -> str:
    """A duration as a person says it."""
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:g} seconds"


@dataclass(frozen=True)
class _Effect:
    """``told`` is what is looked for, ``worse`` what becomes of it."""

    told: str
    worse: str

    def say(self, *, one: bool) -> str:
        """With the verb, for one package or for several."""
        verb = ("turn" if self.worse == RED else "make") + ("s" if one else "")
        return f"{verb} {self.told} {self.worse}"


def _describe_alone(what: str, alone: Trial, effect: _Effect, *, one: bool) -> str:
    """Only a trial of this part alone that was red says that it is this part alone."""
    if alone.outcome == "red":
        does = effect.say(one=one)
        return f"{what} alone {does}" if one else f"{what} {does} together"
    head = f"{what} {'is' if one else 'are'} in what {effect.say(one=True)}"
    left = "it" if one else "they"
    if alone.outcome == "green":
        return f"{head}, but alone {left} {'does' if one else 'do'} not"
    return f"{head}; what {left} {'does' if one else 'do'} alone is not known ({alone.because})"


def describe_count(wanted: Sequence[str], noun: str) -> str:
    """How many of them, or which one."""
    return wanted[0] if len(wanted) == 1 else f"{len(wanted)} {noun}"


def describe_share(explained: Collection[str], wanted: Collection[str], noun: str) -> str:
    """How much of what is looked for comes up."""
    if len(wanted) == 1:
        return next(iter(explained))
    if len(explained) == len(wanted):
        return f"all {len(wanted)} {noun}"
    return f"{len(explained)} of {len(wanted)} {noun}"


def _describe_without(without: Trial, worse: str, *, one: bool) -> str:
    left = "it" if one else "them"
    if without.outcome == "unresolved":
        return f"what all the rest does without {left} is not known ({without.because})"
    if without.outcome == "red":
        same = _Effect("the same", worse).say(one=True)
        return f"but without {left} the rest {same}, so there is a second cause"
    if not without.moved:
        green = ", and the baseline is green" if worse == RED else ""
        return f"without {left} nothing of the upgrade can stay{green}"
    gone = {change.name for change in without.moved}
    back = [name for name in without.applied if name not in gone]
    less = f" (and without {_join(_shorten(back, 3))}, which cannot stay)" if back else ""
    return f"all the rest without {left}{less} {'stays green' if worse == RED else 'does not'}"


def _describe_release(search: ReleaseSearch) -> str:
    doubts = [f"{len(search.skipped)} in between could not be tried"] if search.skipped else []
    if search.unlisted and _lies_within(search.unlisted, search):
        low, high = search.unlisted
        doubts.append(f"there are too many to look up all: what lies between {low} and {high} was left out")
    told = f"the first bad {search.name} is {search.first_bad}, the last good one {search.last_good}"
    return f"{told} ({'; '.join(doubts)})" if doubts else told


def _lies_within(gap: tuple[str, str], search: ReleaseSearch) -> bool:
    ends = [Version(each) for each in (search.last_good, gap[0], gap[1], search.first_bad)]
    return ends in (sorted(ends), sorted(ends, reverse=True))


def _describe_apart(found: FoundCause) -> str:
    """Which packages bring the culprit along, and how the two were told apart."""
    free = ", and is not to blame" if found.alone.outcome == "red" else ""
    told = (
        f"{search.name} brings it along from {search.first_bad} on{free}: with "
        f"{search.last_good} of it the same comes up"
        for search in found.through
    )
    return "".join(f"; {each}" for each in told)


def describe_doubts(doubtful: Sequence[str], *, cut_off: bool, trials: int) -> str:
    """What keeps the part from being the smallest for certain; empty where nothing does."""
    if cut_off:
        return f"; the search was cut off after {trials} trials, so a smaller part may do"
    if doubtful:
        return f"; whether {_join(doubtful)} {'is' if len(doubtful) == 1 else 'are'} needed is not known"
    return ""


def _shorten(words: Sequence[str], limit: int = _SHOWN) -> list[str]:
    return [*words[:limit], *([f"{len(words) - limit} more"] if len(words) > limit else [])]


def _join(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""
