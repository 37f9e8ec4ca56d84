"""The tries, planned from a seed: which work is disturbed, how, in which process, and when."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Work = Literal["sweep", "gate", "cause", "lock"]

SIGNALS = ("KILL", "TERM", "INT", "HUP")

TARGETS: dict[str, tuple[str, ...]] = {
    "controller": SIGNALS,
    "uv": ("KILL", "TERM"),
    "cell": ("KILL", "TERM"),
    "holder": ("KILL",),
    "probe": ("KILL", "TERM"),
}
"""Process -> the signals that it gets; a holder is the process of the namespaces of a cell."""

SPACES = ("full disk", "full store")
"""Faults of a disk: no room for reports and temporary files; none for environments, models and results."""

NEIGHBOURS = ("twice", "clean")
"""Faults of neighbours: two commands at once; `clean` again and again."""

OTHERS = (*SPACES, *NEIGHBOURS)

WARM = ("controller", "cell", "holder", "probe", "twice")
"""What is disturbed in a store with an environment of an earlier run, as most stores of users are."""

WEIGHTS: dict[Work, int] = {"sweep": 10, "gate": 5, "cause": 2, "lock": 3}
"""Share of each work, in twentieths."""

OF_WORK: dict[Work, tuple[str, ...]] = {
    "sweep": ("controller", "uv", "cell", "holder", *OTHERS),
    "gate": ("controller", "uv", "cell", "probe", *OTHERS),
    "cause": ("controller", "uv", "cell", "clean"),
    "lock": ("controller", "uv", "full disk", "twice"),
}
"""Work -> the processes and faults that it can meet."""


@dataclass(frozen=True)
class Try:
    """One disturbance.

    Attributes:
        number: from 1.
        target: the process that gets ``signal``, or a fault of ``OTHERS`` without one.
        moment: share of the steps of the work after which it comes, or of the children of its kind.
        delay: share of the usual time of a step, or of the life of a child, that passes before it comes.
        room: share of the room that the work usually needs, for a full disk or store.
        real: with all-MiniLM-L6-v2 instead of a small model made from a seed.
        planted: a fault of the harness that it has to find.
    """

    number: int
    work: Work
    target: str
    signal: str
    moment: float
    delay: float
    room: float
    real: bool
    planted: str = ""

    @property
    def is_warm(self) -> bool:
        """Whether its store has an environment of an earlier run: not where its making is disturbed."""
        return self.work != "lock" and not self.planted and self.target in WARM

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"planted-{self.planted}" if self.planted else f"{self.number:03d}-{self.work}"

    def describe(self) -> str:
        """The fault in words."""
        return f"SIG{self.signal} to {self.target}" if self.signal else self.target


def plan_tries(count: int, seed: int, real: int) -> tuple[Try, ...]:
    """Plan tries; the faults of a work come in turn, moments are drawn, and ``real`` of them are spread."""
    drawn = random.Random(seed)  # noqa: S311 - nothing is secret
    works: list[Work] = [work for work, weight in WEIGHTS.items() for _ in range(weight)]
    drawn.shuffle(works)
    turns: dict[Work, list[tuple[str, str]]] = {work: _list_faults(OF_WORK[work]) for work in WEIGHTS}
    for faults in turns.values():
        drawn.shuffle(faults)
    counts: dict[Work, int] = dict.fromkeys(WEIGHTS, 0)
    chosen = set(_spread(count, real))
    found = []
    for number in range(1, count + 1):
        work = works[(number - 1) % len(works)]
        target, signal = turns[work][counts[work] % len(turns[work])]
        counts[work] += 1
        moment, delay, room = drawn.random(), drawn.random(), drawn.random()
        found.append(Try(number, work, target, signal, moment, delay, room, real=number in chosen))
    return tuple(found)


def _list_faults(targets: Sequence[str]) -> list[tuple[str, str]]:
    return [(target, signal) for target in targets for signal in TARGETS.get(target, ("",))]


def _spread(count: int, chosen: int) -> list[int]:
    """Numbers from 1 to ``count``, evenly spread."""
    return [1 + count * at // chosen for at in range(min(chosen, count))]
