"""The cause of a failed gate in one sentence, and the records of the search."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from packaging.version import Version

from harness.records import LockChange, ReleaseSearch, Trial

# Results of a search: a red part, and a cause with its evidence


@dataclass(frozen=True)
class FailingPart:
    """A red part: applied changes, transitive changes (``dragged``), and the symptoms that it shows."""

    digest: str
    changes: tuple[LockChange, ...]
    dragged: tuple[LockChange, ...]
    explained: tuple[str, ...]


@dataclass(frozen=True)
class FoundCause:
    """A cause and its evidence.

    Attributes:
        changes: that are the cause.
        dragged: transitive changes of these.
        explained: symptoms that it shows.
        alone: the trial of the cause alone.
        without: the trial of all other changes.
        releases: searches for the first bad release, by change.
        requirers: searches of packages that require the cause but are not the cause.
    """

    changes: tuple[LockChange, ...]
    dragged: tuple[LockChange, ...]
    explained: tuple[str, ...]
    alone: Trial
    without: Trial
    releases: tuple[ReleaseSearch, ...]
    requirers: tuple[ReleaseSearch, ...] = ()


RED = "red"
"""The effect on a case."""

_DEGRADATIONS = {"s": "slower", "B": "larger"}

_MAX_NAMES = 4


def describe_change(change: LockChange) -> str:
    """Describe a change: ``numpy 1.26.2 -> 2.4.6``, ``hub 2.0 (added)``, ``idna 3.11 (removed)``."""
    if change.kind == "added":
        return f"{change.name} {change.after} (added)"
    if change.kind == "removed":
        return f"{change.name} {change.before} (removed)"
    return f"{change.name} {change.before} -> {change.after}"


def sort_by_relevance(changes: Sequence[LockChange]) -> list[LockChange]:
    """Sort changes: direct ones first, then changed, removed and added distributions."""
    kinds = ("changed", "removed", "added")
    return sorted(changes, key=lambda change: (not change.asked, kinds.index(change.kind)))


def describe_changes(changes: Sequence[LockChange], limit: int = _MAX_NAMES) -> str:
    """Describe several changes, at most ``limit`` of them by name."""
    return _join(_shorten([describe_change(change) for change in sort_by_relevance(changes)], limit))


def describe_degradation(units: Collection[str]) -> str:
    """Describe the effect on symptoms by unit: red for cases, which have none; slower or larger."""
    return " or ".join(_DEGRADATIONS[unit] for unit in sorted(set(units), reverse=True)) or RED


def describe_found(found: FoundCause, symptoms: str, degradation: str, uncertainty: str = "") -> str:
    """Describe a cause, its effect, the trials in both directions and the first bad releases.

    ``symptoms`` is as of ``describe_share``, ``uncertainty`` as of ``describe_uncertainty``.
    """
    one, dragged = len(found.changes) == 1, found.dragged
    along = f" (transitive: {describe_changes(dragged, 2)})" if dragged else ""
    head = _describe_alone(
        describe_changes(found.changes) + along, found.alone, _Effect(symptoms, degradation), one=one
    )
    if found.alone.outcome == "red" and not one and not uncertainty:
        head += ", and each of them is necessary"
    parts = [
        head,
        _describe_without(found.without, degradation, one=one),
        *map(_describe_release, found.releases),
    ]
    return "; ".join(parts) + _describe_requirers(found) + uncertainty


def describe_interrupted(part: FailingPart, symptoms: str, degradation: str, because: str) -> str:
    """Describe the smallest red part of an interrupted search; ``because`` is the reason."""
    what, one = describe_changes(part.changes), len(part.changes) == 1
    along = f" (transitive: {describe_changes(part.dragged, 2)})" if part.dragged else ""
    does = _Effect(symptoms, degradation).describe(one=one)
    head = f"{what}{along} alone {does}" if one else f"{what}{along} {does} together"
    return f"{head}; {because}, so a smaller part or an earlier release may be the cause"


def describe_seconds(seconds: float) -> str:
    """Format a duration in seconds or minutes."""
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:g} seconds"


@dataclass(frozen=True)
class _Effect:
    """The effect of a cause: ``degradation`` of ``symptoms``."""

    symptoms: str
    degradation: str

    def describe(self, *, one: bool) -> str:
        """The effect with its verb, singular for one package."""
        verb = ("turn" if self.degradation == RED else "make") + ("s" if one else "")
        return f"{verb} {self.symptoms} {self.degradation}"


def _describe_alone(what: str, alone: Trial, effect: _Effect, *, one: bool) -> str:
    """Describe the part by its trial alone: it is the cause alone only if that trial is red."""
    if alone.outcome == "red":
        does = effect.describe(one=one)
        return f"{what} alone {does}" if one else f"{what} {does} together"
    head = f"{what} {'is' if one else 'are'} part of what {effect.describe(one=True)}"
    if alone.outcome == "green":
        return f"{head}, but alone {'it does' if one else 'they do'} not"
    return f"{head}; {'its' if one else 'their'} effect alone is unknown ({alone.because})"


def describe_count(symptoms: Sequence[str], noun: str) -> str:
    """Describe symptoms by their number, or a single one by its id."""
    return symptoms[0] if len(symptoms) == 1 else f"{len(symptoms)} {noun}"


def describe_share(explained: Collection[str], symptoms: Collection[str], noun: str) -> str:
    """Describe which share of the symptoms a cause explains."""
    if len(symptoms) == 1:
        return next(iter(explained))
    if len(explained) == len(symptoms):
        return f"all {len(symptoms)} {noun}"
    return f"{len(explained)} of {len(symptoms)} {noun}"


def _describe_without(without: Trial, degradation: str, *, one: bool) -> str:
    cause = "it" if one else "them"
    if without.outcome == "unresolved":
        return f"the effect of all other changes is unknown ({without.because})"
    if without.outcome == "red":
        return "but all other changes together have the same effect, so there is a second cause"
    if not without.moved:
        green = ", and the baseline is green" if degradation == RED else ""
        return f"without {cause} no other change is possible{green}"
    moved = {change.name for change in without.moved}
    impossible = [name for name in without.applied if name not in moved]
    less = f" (except {_join(_shorten(impossible, 3))}, impossible without {cause})" if impossible else ""
    return f"all other changes together{less} {'stay green' if degradation == RED else 'do not'}"


def _describe_release(search: ReleaseSearch) -> str:
    limits = [f"{len(search.skipped)} in between could not be tried"] if search.skipped else []
    if search.unlisted and _lies_within(search.unlisted, search):
        low, high = search.unlisted
        limits.append(f"there are too many releases to list those between {low} and {high}")
    ends = (
        f"the first bad release of {search.name} is {search.first_bad}, the last good one {search.last_good}"
    )
    return f"{ends} ({'; '.join(limits)})" if limits else ends


def _lies_within(gap: tuple[str, str], search: ReleaseSearch) -> bool:
    ends = [Version(each) for each in (search.last_good, gap[0], gap[1], search.first_bad)]
    return ends in (sorted(ends), sorted(ends, reverse=True))


def _describe_requirers(found: FoundCause) -> str:
    """Describe packages that require the cause, and the release that separates the two."""
    no_cause = ", and is not the cause" if found.alone.outcome == "red" else ""
    texts = (
        f"{search.name} requires it from {search.first_bad} on{no_cause}: with {search.name} "
        f"{search.last_good} the effect is the same"
        for search in found.requirers
    )
    return "".join(f"; {each}" for each in texts)


def describe_uncertainty(doubtful: Sequence[str], *, cut_off: bool, trials: int) -> str:
    """Describe why the part may not be minimal; empty if it is."""
    if cut_off:
        return f"; the search reached its limit of {trials} trials, so a smaller part may be the cause"
    if doubtful:
        return f"; it is unknown whether {_join(doubtful)} {'is' if len(doubtful) == 1 else 'are'} necessary"
    return ""


def _shorten(words: Sequence[str], limit: int = _MAX_NAMES) -> list[str]:
    return [*words[:limit], *([f"{len(words) - limit} more"] if len(words) > limit else [])]


def _join(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""
