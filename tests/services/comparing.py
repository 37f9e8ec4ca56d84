"""What the harness said of a service, compared with what the service deserves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from harness.errors import ExitCode
from harness.records import Record
from services.entries import Deserved, Ending, Usable

Kind = Literal["false pass", "false failure", "not measured", "other word"]

ARMS = ("baseline", "candidate")

KINDS: dict[Kind, str] = {
    "false pass": (
        "a question answered yes where the deserved answer is another one; a usable environment that "
        "deserves not to be; a run with exit code 0 that deserves another code, or the verdict pass where a "
        "fault of the baseline deserves to be told"
    ),
    "false failure": (
        "a question answered no where the deserved answer is another one; an environment that is not usable "
        "and deserves to be; a run with exit code 1 that deserves another code, or a fault told where none is"
    ),
    "not measured": (
        "a question not asked or not measured where an answer is deserved; a run that ends without a "
        "decision (exit codes 2 to 5) and deserves one, or another one"
    ),
    "other word": "the same exit code under another verdict",
}
"""The kinds of differences, each with its definition."""


class Told(Record, frozen=True, kw_only=True):
    """An answer of the harness, with the number or the fault behind it."""

    answer: str
    because: str = ""


class Judged(Record, frozen=True, kw_only=True):
    """What a sweep or a gate said: how it ended, and its answers in both environments by question."""

    ending: Ending
    sentence: str = ""
    answers: tuple[dict[str, Told], dict[str, Told]] = ({}, {})
    usable: tuple[Usable, Usable] | None = None  # None: a gate tells none
    seconds: float = 0.0


class Difference(Record, frozen=True, kw_only=True):
    """One point in which the harness said something else than deserved."""

    kind: Kind
    run: Literal["sweep", "gate"]
    what: str  # a question, "usable" or "verdict"
    arm: str = ""
    deserved: str
    got: str
    because: str = ""


def compare(
    deserved: Deserved, sweep: Judged | None, gate: Judged | None, *, timed: bool
) -> tuple[Difference, ...]:
    """The differences of a sweep and a gate from what a service deserves; None: it left no result.

    ``timed``: the gate was asked for latency; otherwise its cost is no question.
    """
    return (
        *_compare_run("sweep", deserved, deserved.sweep, sweep, {"cost"}),
        *_compare_run("gate", deserved, deserved.gate, gate, set() if timed else {"cost"}),
    )


def _compare_run(
    run: Literal["sweep", "gate"],
    deserved: Deserved,
    ending: Ending,
    judged: Judged | None,
    unasked: set[str],
) -> Iterator[Difference]:
    if judged is None:
        got = "no result"
        yield Difference(kind="not measured", run=run, what="verdict", deserved=_show(ending), got=got)
        return
    if kind := _find_ending_kind(ending, judged.ending):
        shown = {"deserved": _show(ending), "got": _show(judged.ending)}
        yield Difference(kind=kind, run=run, what="verdict", because=judged.sentence, **shown)
    for arm, name in enumerate(ARMS):
        for question in deserved.answers:
            wanted = None if question in unasked else deserved.answer(question, arm)
            if question == "cost" and arm == 0:
                wanted = None  # one answer for both environments
            told = judged.answers[arm].get(question, Told(answer="not asked"))
            if wanted and (kind := _find_answer_kind(wanted, told.answer)):
                told_words = {"got": told.answer, "because": told.because}
                yield Difference(kind=kind, run=run, what=question, arm=name, deserved=wanted, **told_words)
        if judged.usable and (
            kind := _find_answer_kind(_word(deserved.usable[arm]), _word(judged.usable[arm]))
        ):
            words = {"deserved": _word(deserved.usable[arm]), "got": _word(judged.usable[arm])}
            yield Difference(kind=kind, run=run, what="usable", arm=name, **words)


def _word(usable: Usable) -> str:
    return {True: "yes", False: "no", "unknown": "not measured"}[usable]


def _show(ending: Ending) -> str:
    return f"{ending.verdict} ({ending.exit})"


def _find_answer_kind(deserved: str, got: str) -> Kind | None:
    if got == deserved:
        return None
    return {"yes": "false pass", "no": "false failure"}.get(got, "not measured")  # type: ignore[return-value]


def _find_ending_kind(deserved: Ending, got: Ending) -> Kind | None:
    """The kind of a difference between two endings; None without one."""
    if got == deserved:
        return None
    if got.exit == deserved.exit == ExitCode.PASS:
        return "false pass" if got.verdict == "pass" else "false failure"
    if got.exit == deserved.exit:
        return "other word"
    kinds: dict[int, Kind] = {ExitCode.PASS: "false pass", ExitCode.REGRESSED: "false failure"}
    return kinds.get(got.exit, "not measured")
