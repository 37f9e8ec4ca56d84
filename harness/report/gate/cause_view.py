"""The search for the cause as a tree: the parts of the upgrade that were tried, and their releases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report.escape import shorten
from harness.report.gate.view import MOST, culprit_command, culprits_of, describe_culprit, describe_move
from harness.report.grid import order_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.records import Culprit, Gate, LockChange, ReleaseSearch, Trial, TrialOutcome
    from harness.report.view import SignKind

OUTCOMES: dict[TrialOutcome, tuple[SignKind, str]] = {
    "red": ("red", "fails"),
    "green": ("pass", "passes"),
    "unresolved": ("missing", "no result"),
}
"""Outcome of a trial -> its kind and word."""

ARROW = "\N{RIGHTWARDS ARROW}"


@dataclass(frozen=True)
class Branch:
    """A trial: what was installed, the outcome, remarks, and the trials within it."""

    what: str
    kind: SignKind
    word: str
    remark: str = ""
    branches: tuple[Branch, ...] = ()


@dataclass(frozen=True)
class CauseView:
    """The causes with the commands that show each alone, the sentence of the search, and its tree."""

    causes: tuple[tuple[str, str], ...]
    sentence: str
    cases: str
    tree: tuple[Branch, ...]


def view_cause(gate: Gate) -> CauseView | None:
    """View the search for the cause of a gate; None if there was none."""
    if gate.culprit is None:
        return None
    cases = gate.culprit.looked_for
    return CauseView(
        causes=tuple(
            (describe_culprit(each, _quote, ARROW), culprit_command(gate, each)) for each in culprits_of(gate)
        ),
        sentence=shorten(gate.culprit.sentence, 1200),
        cases=_join([_quote(each) for each in cases]),
        tree=tuple(_grow(gate, gate.culprit)),
    )


def _quote(text: str) -> str:
    return shorten(text, 120)


def _join(names: Sequence[str]) -> str:
    """At most ``MOST`` names."""
    left = len(names) - MOST
    return ", ".join(names[:MOST]) + (f" and {left} more" if left > 0 else "")


def _grow(gate: Gate, first: Culprit) -> Iterator[Branch]:
    """The trials in their order, each with the releases of its package, then other releases."""
    every = (first, *first.further)
    asked = {each.name: each for each in gate.question.diff.changes}
    moves = asked | {each.name: each for one in every for each in (*one.dragged, *one.changes)}
    searches = {each.name: each for culprit in every for each in culprit.releases}
    trials = _list_trials(every)
    of_releases = {_release_of(each): each for each in trials if _is_of_release(each, moves, searches)}
    for trial in trials:
        if trial in of_releases.values():
            continue  # stands among the releases
        own = searches.pop(trial.applied[0], None) if len(trial.applied) == 1 else None
        branches = _list_releases(own, of_releases) if own else ()
        what, kind, word, remark = _view_trial(trial, moves)
        whole = len(asked) > 1 and {*trial.applied} == {*asked} and {*trial.moved} <= {*asked.values()}
        yield Branch(f"the whole upgrade: {what}" if whole else what, kind, word, remark, branches)
    for name, search in searches.items():
        title, count = f"releases of {_quote(name)}", _count_tried(search)
        yield Branch(title, "none", count, branches=_list_releases(search, of_releases))


def _list_trials(culprits: Sequence[Culprit]) -> list[Trial]:
    """The trials of all causes, each once."""
    return list(dict.fromkeys(each for culprit in culprits for each in culprit.trials))


def _release_of(trial: Trial) -> tuple[str, str]:
    """The package that was applied first, and its version in the trial."""
    name = next(iter(trial.applied), "")
    return name, next((each.after for each in trial.moved if each.name == name), "")


def _is_of_release(
    trial: Trial, moves: Mapping[str, LockChange], searches: Mapping[str, ReleaseSearch]
) -> bool:
    """Whether a trial is one of a search over releases: a package alone, at a version between both."""
    name, version = _release_of(trial)
    if len(trial.applied) != 1 or name not in searches or (name in moves and moves[name].after == version):
        return False
    return version in {each.version for each in searches[name].tried}


def _view_trial(trial: Trial, moves: Mapping[str, LockChange]) -> tuple[str, SignKind, str, str]:
    """What was applied, the outcome with its kind, and the reason with what had to change too."""
    moved = {each.name: each for each in trial.moved}
    names = [_describe(name, moved.get(name) or moves.get(name)) for name in trial.applied]
    remark = "; ".join(filter(None, (shorten(trial.because), _describe_along(trial))))
    return _join(names) or "the baseline", *OUTCOMES[trial.outcome], remark


def _describe_along(trial: Trial) -> str:
    """The changes that the applied ones need."""
    along = [_describe(each.name, each) for each in trial.moved if each.name not in trial.applied]
    return f"with it {_join(along)}" if along else ""


def _describe(name: str, change: LockChange | None) -> str:
    return _quote(name) if change is None else describe_move(change, _quote, ARROW)


def _count_tried(search: ReleaseSearch) -> str:
    least = "" if search.unlisted is None else "at least "
    return f"{len(search.tried)} of {least}{search.releases} tried"


def _list_releases(search: ReleaseSearch, trials: Mapping[tuple[str, str], Trial]) -> tuple[Branch, ...]:
    """The releases of a search from old to new, with the last good and the first bad one."""
    known: dict[str, tuple[TrialOutcome, str]] = {
        **dict.fromkeys(search.skipped, ("unresolved", "")),
        search.last_good: ("green", ""),
        search.first_bad: ("red", ""),
        **{each.version: (each.outcome, each.because) for each in search.tried},
    }
    marks = {search.last_good: "last good", search.first_bad: "first bad"}
    found = []
    for version in sorted(filter(None, known), key=order_version):
        outcome, because = known[version]
        own = trials.get((search.name, version))
        remarks = (marks.get(version, ""), shorten(because), _describe_along(own) if own else "")
        name = f"{_quote(search.name)} {_quote(version)}"
        found.append(Branch(name, *OUTCOMES[outcome], remark="; ".join(filter(None, remarks))))
    return tuple(found)
