"""Delta debugging with three outcomes: the smallest part of a set that is red, whatever a trial may cost.

The algorithm is ddmin (Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input, 2002). The
libraries that have it know two outcomes only, or start the trials themselves, so it is written here.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from harness.gate_records import Trial, TrialOutcome

Part = tuple[str, ...]
TryPart = Callable[[frozenset[str]], Awaitable[Trial]]
"""Applies a part of the changes, and says whether what is looked for comes up."""


@dataclass(frozen=True)
class Minimum:
    """What is left when nothing more can be left out.

    Attributes:
        part: the names that are left, in the order in which they were given; empty where all of them
            together are not red.
        whole: the outcome of all of them together.
        doubtful: names of which nobody knows whether they are needed: without them there was no answer.
        cut_off: the trials were used up before that; ``part`` is red, and may be larger than need be.
    """

    part: Part
    whole: TrialOutcome
    doubtful: Part = ()
    cut_off: bool = False


class _SpentError(Exception):
    """No trial is left."""


@dataclass
class _Search:
    """The trials of one search: none is made twice, and no more than ``most``."""

    try_part: TryPart
    at_once: int
    most: int
    known: dict[frozenset[str], TrialOutcome] = field(default_factory=dict)

    async def find_red(self, parts: Sequence[Part]) -> Part | None:
        """The first of these that is red; trials are made ``at_once``, and those behind it are spared.

        Raises:
            _SpentError: no trial is left, and none of those made was red.
        """
        for at in range(0, len(parts), self.at_once):
            some = parts[at : at + self.at_once]
            await self._try(some)
            for part in some:
                if self.known.get(frozenset(part)) == "red":
                    return part
            if any(frozenset(part) not in self.known for part in some):
                raise _SpentError
        return None

    async def _try(self, parts: Sequence[Part]) -> None:
        new = [part for part in dict.fromkeys(map(frozenset, parts)) if part not in self.known]
        new = new[: max(0, self.most - len(self.known))]
        async with asyncio.TaskGroup() as group:
            tasks = {part: group.create_task(_await(self.try_part(part))) for part in new}
        self.known |= {part: task.result().outcome for part, task in tasks.items()}


async def _await(trial: Awaitable[Trial]) -> Trial:
    return await trial


async def minimize(names: Sequence[str], try_part: TryPart, *, at_once: int = 1, most: int = 40) -> Minimum:
    """Find a part of ``names`` that is red, and of which no single name can be left out.

    A part without an answer is never taken for a green one: it is tried to do without it, and where that
    does not help the result names it as doubtful. That nothing applied is green is the caller's to know.

    Args:
        names: what can be applied; what is likely belongs together is better put side by side.
        try_part: makes a trial.
        at_once: trials made at the same time.
        most: trials made at most, that of the whole included.
    """
    search = _Search(try_part, at_once, most)
    whole = tuple(dict.fromkeys(names))
    if await search.find_red([whole]) is None:
        return Minimum((), search.known[frozenset(whole)])
    part, pieces = whole, 2
    try:
        while len(part) > 1:
            chunks = _split(part, pieces)
            rests = [_without(part, chunk) for chunk in chunks] if pieces > 2 else []
            found = await search.find_red([*chunks, *rests])
            if found is None and pieces >= len(part):
                break
            if found is None:
                pieces = min(len(part), 2 * pieces)
            else:
                pieces = 2 if found in chunks else max(2, pieces - 1)
                part = found
    except _SpentError:
        return Minimum(part, "red", doubtful=_doubtful(part, search), cut_off=True)
    return Minimum(part, "red", doubtful=_doubtful(part, search))


def _split(part: Part, pieces: int) -> list[Part]:
    """``pieces`` chunks, as equal as they can be."""
    edges = [len(part) * number // pieces for number in range(pieces + 1)]
    return [part[start:end] for start, end in itertools.pairwise(edges)]


def _without(part: Part, left_out: Part) -> Part:
    return tuple(name for name in part if name not in left_out)


def _doubtful(part: Part, search: _Search) -> Part:
    """Names without which there is no answer, or was no time for one; alone is never doubtful."""
    if len(part) == 1:
        return ()
    return tuple(n for n in part if search.known.get(frozenset(_without(part, (n,)))) != "green")
