"""Which release was the first bad one: a bisection that steps over releases of which nothing is known."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from harness.gate_records import LockChange, ReleaseSearch, ReleaseTrial, TrialOutcome
from harness.plan.releases import Listed

TryRelease = Callable[[str], Awaitable[ReleaseTrial]]
"""Puts one release in the place of the candidate's."""


async def bisect_releases(
    change: LockChange,
    listed: Listed,
    try_release: TryRelease,
    *,
    at_once: int = 1,
    most: int = 24,
) -> ReleaseSearch:
    """Search the first bad release of a change whose ends are known: good before it, bad after it.

    Args:
        change: a distribution that both sides have.
        listed: the releases in between.
        try_release: makes a trial.
        at_once: releases tried at the same time.
        most: releases tried at most; what is left between the ends then is skipped.
    """
    versions, gap = (change.before, *listed.versions, change.after), listed.gap
    good, bad = 0, len(versions) - 1
    known: dict[int, TrialOutcome] = {}
    tried: list[ReleaseTrial] = []
    while len(tried) < most:
        open_ = [at for at in range(good + 1, bad) if at not in known]
        chosen = _spread(open_, min(at_once, most - len(tried)))
        if not chosen:
            break
        trials = await _try_all([versions[at] for at in chosen], try_release)
        tried += trials
        known |= {at: trial.outcome for at, trial in zip(chosen, trials, strict=True)}
        good, bad = _narrow(known, good, bad)
    return ReleaseSearch(
        name=change.name,
        last_good=versions[good],
        first_bad=versions[bad],
        skipped=tuple(versions[good + 1 : bad]),
        unlisted=None if gap is None else (versions[gap], versions[gap + 1]),
        releases=len(versions),
        tried=tuple(tried),
    )


def _spread(places: Sequence[int], count: int) -> list[int]:
    """Up to ``count`` of these, which cut them into parts as equal as can be."""
    parts = count + 1
    return (
        list(dict.fromkeys(places[len(places) * cut // parts] for cut in range(1, parts))) if places else []
    )


async def _try_all(versions: Sequence[str], try_release: TryRelease) -> list[ReleaseTrial]:
    async def one(version: str) -> ReleaseTrial:
        return await try_release(version)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(version)) for version in versions]
    return [task.result() for task in tasks]


def _narrow(known: Mapping[int, TrialOutcome], good: int, bad: int) -> tuple[int, int]:
    """The lowest bad one above the last good one that is below it."""
    bad = min((at for at, outcome in known.items() if good < at < bad and outcome == "red"), default=bad)
    good = max((at for at, outcome in known.items() if good < at < bad and outcome == "green"), default=good)
    return good, bad
