"""What a reader of a gate has to know first: merge or not, what is new, its cause, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.judge.cost_verdict import FACTOR, describe_rise, name_quantity
from harness.records import BASELINE, CANDIDATE
from harness.report.escape import shorten, without_texts
from harness.report.gate.acceptance import accepted_questions, list_accepted, list_remaining
from harness.report.gate.drift import OWN_CHECK, drift_findings, show_distance, show_share
from harness.report.gate.speed_view import (
    find_remedies,
    regressed,
    show_limit,
    show_percent_interval,
    show_percents,
    unclear,
    worst_first,
)
from harness.report.gate.view import (
    ACCEPT_KNOWN,
    count_cases,
    count_changes,
    culprits_of,
    describe_culprit,
    describe_move,
    fresh_known,
    gate_command,
    rerun_command,
)
from harness.report.headline import EXIT_CODES, STATUS_WORDS, VERDICT_KINDS, Tile
from harness.report.page.cell_details import ANSWER_KINDS
from harness.report.questions import list_gate_questions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.records import (
        Answer,
        Answered,
        Culprit,
        Finding,
        Gate,
        LockChange,
        QuantityDecision,
        ReleaseSearch,
        Run,
        Verdict,
    )
    from harness.report.view import SignKind

ARROW = "\N{RIGHTWARDS ARROW}"

ACTIONS: dict[Verdict, str] = {
    "pass": "Merge",
    "failing, nothing new": "Merge, nothing new is wrong",
    "regressed": "Do not merge",
    "failing": "Do not merge",
    "inconclusive": "Not decided",
    "unsatisfiable": "Cannot be installed",
    "error": "Not decided, the gate failed",
}
"""Verdict -> what it means for the pull request."""

PASSES: frozenset[Verdict] = frozenset({"pass", "failing, nothing new"})
"""Verdicts with exit code 0."""

NEW_FAULTS = {
    "before": "vectors differ from those of the baseline",
    "reference": "vectors differ from the reference",
    "ranking": "searches find something else",
    "dtype": "dtype or zero rows not kept",
    "stability": "unstable",
}
"""Question -> what is wrong if its answer has become no."""

MOST_NAMED = 3
"""Largest number of direct changes in the headline, and of quantities in a sentence."""


@dataclass(frozen=True)
class Step:
    """Something to do, with the command for it if there is one."""

    text: str
    command: str = ""


@dataclass(frozen=True)
class GateHeadline:
    """The action for the pull request, the upgrade, what is new, its cause, and what to do."""

    kind: SignKind
    action: str
    upgrade: str
    faults: tuple[str, ...]  # what is new
    cause: str
    steps: tuple[Step, ...]
    news: str

    @property
    def new(self) -> str:
        """What is new in one line; empty if nothing is."""
        return "; ".join(self.faults)

    @property
    def statement(self) -> str:
        """Action and upgrade in one line."""
        return f"{self.action}: {self.upgrade}"


def find_headline(gate: Gate) -> GateHeadline:
    """The headline of a gate."""
    decision = gate.decision
    verdict = decision.verdict
    because = f": {shorten(without_texts(decision.because), 200)}" if decision.because else ""
    accepted = verdict in PASSES and list_accepted(gate)
    return GateHeadline(
        kind="xfail" if accepted else VERDICT_KINDS[verdict],
        action=_name_action(gate),
        upgrade=name_upgrade(gate),
        faults=tuple(_list_new(gate)) if verdict == "regressed" else (),
        cause="; ".join(_describe_cause(each) for each in culprits_of(gate)),
        steps=tuple(_list_steps(gate)),
        news=f"{show_verdict(gate)}: {shorten(decision.sentence, 600)}{because}",
    )


def show_verdict(gate: Gate) -> str:
    """The verdict with its exit code; a pass may be one because people accepted what is red."""
    verdict = gate.decision.verdict
    accepted = verdict in PASSES and list_accepted(gate)
    return f"{verdict.upper()} ({'exit code 0, accepted' if accepted else EXIT_CODES[verdict]})"


def _name_action(gate: Gate) -> str:
    """What the verdict means for the pull request, and what a gate that passes does not cover."""
    verdict = gate.decision.verdict
    if verdict == "regressed" and fresh_known(gate) and not gate.decision.new and not list_remaining(gate):
        return "Review before merging"
    if verdict not in PASSES:
        return ACTIONS[verdict]
    if list_accepted(gate):
        return "Merge, what is red is accepted"
    if not gate.judged:
        return "Nothing to judge"
    if {"--checks", "--quantities"} & {*gate.question.arguments}:
        return "Nothing new in the checks that ran"
    only_correctness = ", latency was not judged" if set(gate.judged) == {"correctness"} else ""
    return f"{ACTIONS[verdict]}{only_correctness}"


def name_upgrade(gate: Gate) -> str:
    """The direct changes by name, or the two environments: ``numpy 1.26.2 -> 2.4.6``."""
    question = gate.question
    direct = [each for each in question.diff.changes if each.asked]
    asked = [each for each in direct if not each.pinned] or direct
    if not asked:
        counted = f" ({count_changes(gate)})" if question.diff.changes else ""
        return f"{shorten(question.baseline, 80)} {ARROW} {shorten(question.candidate, 80)}{counted}"
    named = ", ".join(describe_move(each, _name, ARROW) for each in asked[:MOST_NAMED])
    left = len(asked) - MOST_NAMED
    return f"{named} and {left} more" if left > 0 else named


def _name(text: str) -> str:
    return shorten(text, 60)


# What is new in the candidate, in a few words


def _list_new(gate: Gate) -> Iterator[str]:
    """What is wrong with the candidate and was right in the baseline."""
    cells = {cell.cell: cell for cell in gate.decision.cells}
    before, after = cells.get(BASELINE), cells.get(CANDIDATE)
    if after is not None and after.status in STATUS_WORDS:
        yield f"{STATUS_WORDS[after.status]} in the candidate"
    answers = {} if before is None else {each.question: each.answer for each in before.answers}
    wrong = [each for each in (after.answers if after else ()) if _is_new(each, answers.get(each.question))]
    accepted = accepted_questions(gate)
    wrong = [each for each in wrong if each.question not in accepted]
    yield from (NEW_FAULTS[each.question] for each in wrong)
    if gate.decision.new and not wrong:
        yield f"{count_cases(len(gate.decision.new))} newly red"
    if known := fresh_known(gate):
        noun = "known divergence" if len(known) == 1 else "known divergences"
        yield f"{len(known)} {noun} that the baseline does not have"
    slower = list_remaining(gate)
    yield from map(_describe_risen, slower[:MOST_NAMED])
    if (left := len(slower) - MOST_NAMED) > 0:
        yield f"{left} more quantities above their limits"


def _is_new(answer: Answer, before: Answered | None) -> bool:
    return answer.answer == "no" and before != "no" and answer.question in NEW_FAULTS


def _describe_risen(decision: QuantityDecision) -> str:
    """A quantity above its threshold: ``embedding one text takes 6.0 % longer (limit +5 %)``."""
    large = decision.change is not None and decision.change.ratio >= FACTOR
    limit = f"{decision.quantity.threshold:g}" if large else show_limit(decision)
    return f"{shorten(describe_rise(decision), 120)} (limit {limit})"


def _describe_cause(culprit: Culprit) -> str:
    """The changes that are the cause, with the first bad release of each that has one."""
    several = len(culprit.changes) > 1
    found = [
        f"{_name(each.name) + ' ' if several else ''}since {_name(each.first_bad)} "
        f"(last good {_name(each.last_good)})"
        for each in _own_releases(culprit)
    ]
    return ", ".join((describe_culprit(culprit, _name, ARROW), *found))


def _own_releases(culprit: Culprit) -> list[ReleaseSearch]:
    """The searches over releases of the cause itself, without those of packages that require it."""
    names = {each.name for each in culprit.changes}
    return [each for each in culprit.releases if each.name in names]


# What to do


def _list_steps(gate: Gate) -> Iterator[Step]:
    """What a reader can do about the verdict, each instead of the others; the most specific first."""
    decision = gate.decision
    found = [each for each in culprits_of(gate) if not each.cut_off or len(each.changes) == 1]
    if found and decision.verdict not in PASSES:  # independent causes: each explains other cases
        yield Step(", and ".join(_describe_remedy(each) for each in found))
    if decision.verdict == "regressed" and not found:
        yield from _list_without_cause(gate)
    if decision.verdict == "regressed" and any(each.cut_off for each in culprits_of(gate)):
        yield Step("search longer, with what was tried", gate_command(gate, "--culprit-budget", "1h"))
    if gate.question.further is not None:
        for change in gate.question.further.changes:
            yield Step(f"upgrade {_name(change.name)} to {_name(change.lowest)} or newer, too")
    if fresh_known(gate) and not decision.new and not list_remaining(gate):  # else it changes no verdict
        yield Step("accept the known divergences", gate_command(gate, ACCEPT_KNOWN))
    if decision.verdict == "inconclusive":
        yield from _list_repeats(gate)


def _list_without_cause(gate: Gate) -> Iterator[Step]:
    """What to do while no cause is known: the versions of before, or the search that was switched off."""
    direct = [each for each in gate.question.diff.changes if each.asked]
    if len(direct) == 1:
        yield Step(_describe_kept(direct[0], direct[0].before))
    if gate.culprit is None:
        yield Step("search for the cause", gate_command(gate))


def _list_repeats(gate: Gate) -> Iterator[Step]:
    """How a gate without a decision gets one."""
    undecided = unclear(gate.speed) if gate.decision.cells else []
    if gate.decision.unconfirmed:
        yield Step("run the gate again without stored results", rerun_command(gate))
    elif undecided:
        for remedy in find_remedies(gate, undecided):
            yield Step(remedy.advice[:1].lower() + remedy.advice[1:], remedy.command)
    else:
        yield Step("run the gate again", gate_command(gate))


def _describe_remedy(culprit: Culprit) -> str:
    """The nearest state of the cause that is right: the last good release, or the version of the baseline."""
    good = {each.name: each.last_good for each in _own_releases(culprit)}
    kept = [_describe_kept(each, good.get(each.name, each.before)) for each in culprit.changes]
    return f"{'keep one of them: ' if len(kept) > 1 else ''}{', or '.join(kept)}"


def _describe_kept(change: LockChange, good: str) -> str:
    if change.kind == "added":
        return f"leave out {_name(change.name)}"
    return f"stay at {_name(change.name)} {_name(good)}"


# The questions, with their answers in both environments


@dataclass(frozen=True)
class AnswerRow:
    """A question with the answer of the candidate; ``before`` is that of the baseline, if it has one."""

    title: str
    kind: SignKind
    answer: str
    before: str
    before_kind: SignKind
    because: str


def view_questions(gate: Gate) -> list[AnswerRow]:
    """View the questions of a gate."""
    return [
        AnswerRow(
            title=each.title,
            kind=_kind_of(each.candidate),
            answer=each.candidate,
            before="" if each.baseline == "not asked" else each.baseline,
            before_kind=_kind_of(each.baseline),
            because=shorten(each.because, 200),
        )
        for each in list_gate_questions(gate)
    ]


def _kind_of(answer: str) -> SignKind:
    return next((kind for known, kind in ANSWER_KINDS.items() if known == answer), "none")


# Tiles: four numbers


def view_tiles(gate: Gate, run: Run | None) -> tuple[Tile, ...]:
    """Four numbers of a gate: drift of the vectors, changed searches, latency, memory; none if all lack."""
    found = drift_findings(run)
    tiles = (
        _view_drift(found[OWN_CHECK]),
        _view_ranking(found["gold.ranking"]),
        _view_cost(gate, "s", "latency"),
        _view_cost(gate, "B", "memory"),
    )
    return () if all(each.number == "\N{EN DASH}" for each in tiles) else tiles


def _view_drift(findings: Sequence[Finding]) -> Tile:
    each = next((each for each in findings if each.outcome != "skip"), None)
    seen = each.observation if each else None
    if each is None or seen is None:
        return Tile("\N{EN DASH}", "vectors not compared", "", "none")
    kind: SignKind = "red" if each.outcome in {"fail", "xfail", "error"} else "none"
    if seen.value is None:
        return Tile("not finite", "vectors, against the baseline", shorten(seen.sample, 80), kind)
    texts = seen.facts.get("texts")
    more = f"largest distance {show_distance(seen.value)}" + (f" of {texts} texts" if texts else "")
    share = show_share(each)
    title = f"{'of ' if share.endswith('%') else ''}the allowed change of the vectors"
    return Tile(share or show_distance(seen.value), title if share else "change of the vectors", more, kind)


def _view_ranking(findings: Sequence[Finding]) -> Tile:
    each = next((each for each in findings if each.outcome != "skip"), None)
    seen = each.observation if each else None
    if each is None or seen is None or seen.value is None:
        return Tile("\N{EN DASH}", "searches not compared", "", "none")
    changed, queries = f"{seen.value:g}", seen.facts.get("queries", "?")
    more = "stored vectors stay valid" if not seen.value else "stored vectors have to be embedded again"
    return Tile(
        f"{changed} / {queries}", "queries find something else", more, "red" if seen.value else "none"
    )


def _view_cost(gate: Gate, unit: Literal["s", "B"], noun: str) -> Tile:
    """The quantity of a unit that is nearest to the verdict: the worst outcome, then what is first in it."""
    decisions = [each for each in worst_first(gate.speed) if each.quantity.unit == unit] if gate.speed else []
    measured = [each for each in decisions if each.change is not None]
    if not measured:
        return Tile("\N{EN DASH}", f"{noun} not measured", "", "missing" if decisions else "none")
    alike = [each for each in measured if each.outcome == measured[0].outcome]
    largest = max(alike, key=lambda each: each.change.ratio if each.change else 0.0)
    worst = next((each for each in regressed(gate.speed) if each.quantity.unit == unit), largest)
    limit = show_limit(worst)
    kind: SignKind = "red" if worst.outcome == "regressed" else "none"
    word = "" if worst.outcome in {"passed", "regressed"} else f", {worst.outcome}"
    return Tile(
        show_percents(worst.change.ratio if worst.change else 1.0),
        f"{noun} of {shorten(name_quantity(worst.quantity), 60)}",
        f"{show_percent_interval(worst.change)}, limit {limit}{word}",
        kind,
    )
