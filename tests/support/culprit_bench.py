"""An upgrade of four packages, and a made-up suite that knows what each version breaks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from planted.wheels import build_wheel
from support.gate_world import make_world

from harness.gate.cause.search import CauseSearch
from harness.gate.cause.symptoms import Seen
from harness.gate.cause.trials import Trials
from harness.gate.request import Compared, UpgradeRequest, compare
from harness.gate.sides import versions_of
from harness.matrix.schema import Matrix
from harness.records import Culprit, Lock, LockChange
from harness.resolve.lockfile import diff_locks
from harness.resolve.pip_settings import IndexSettings

Suite = Callable[[Mapping[str, str]], set[str]]
"""Versions -> cases that fail with them."""

CASES = ("l0.one", "l0.two", "l1.three")
NUMPY = LockChange(name="numpy", kind="changed", asked=True, before="1.26.2", after="2.4.6")


@dataclass
class Bench:
    """An upgrade of four packages, and what its environments show."""

    compared: Compared
    matrix: Matrix
    settings: IndexSettings
    locks: dict[Any, Lock] = field(default_factory=dict)  # what was resolved for one test holds for all
    looked: list[dict[str, str]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    reached: asyncio.Event = field(default_factory=asyncio.Event)  # the first that does not come to its end

    def search(self, suite: Suite, *, at_once: int = 1, most: int = 40, limit: int = 60) -> Culprit:
        return asyncio.run(self.hunt(suite, at_once=at_once, most=most, limit=limit).search())

    def search_until(self, suite: Suite, last: int, *, at_once: int = 1) -> Culprit:
        """Ended from outside while the environment after the ``last`` is looked at."""
        hunt, reached = self.hunt(suite, at_once=at_once, last=last), asyncio.Event()
        self.reached = reached

        async def end() -> Culprit:
            search, one_more = asyncio.create_task(hunt.search()), asyncio.create_task(reached.wait())
            await asyncio.wait([search, one_more], return_when=asyncio.FIRST_COMPLETED)
            for task in (search, one_more):
                task.cancel()
            await asyncio.wait([search, one_more])
            return hunt.stop("it was cut off") if search.cancelled() else search.result()

        return asyncio.run(end())

    def hunt(
        self, suite: Suite, *, at_once: int = 1, most: int = 40, limit: int = 60, last: int | None = None
    ) -> CauseSearch:
        self.looked.clear()

        async def run(lock: Lock, number: int) -> Seen:
            self.looked.append(versions_of(lock))
            assert number == len(self.looked)
            await asyncio.sleep(0)
            if last is not None and number > last:
                self.reached.set()
                await asyncio.Event().wait()
            red = frozenset(suite(versions_of(lock)))
            unknown = frozenset({"?"}) & red
            green = frozenset() if unknown else frozenset(CASES) - red
            return Seen(red=red - unknown, green=green, because="it is crashed: no" if unknown else "")

        diff = diff_locks(self.compared.before, self.compared.after, self.compared.asked)
        trials = Trials(self.compared, diff, self.matrix, self.settings, run, self.said.append, most=limit)
        trials.locks = self.locks
        return CauseSearch(trials, CASES[:2], "cases", "3.11", at_once=at_once, most=most)


@pytest.fixture(scope="module", name="upgrade")
def upgrade_fixture(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("world")
    matrix, settings = make_world(folder)
    for version in ("2.1.0", "2.2.0", "2.3.0"):
        build_wheel(folder / "wheels", "numpy", version, {})
    for version, needs in {"5.0": "transformers", "5.2": "transformers", "6.0": "transformers>=5"}.items():
        build_wheel(
            folder / "wheels", "sentence-transformers", version, {}, requires=["numpy", "torch", needs]
        )
    for version in ("5.0", "5.0.1"):
        build_wheel(folder / "wheels", "transformers", version, {}, requires=["tokenizers>=1", "hub"])
    changes = ("numpy==2.4.6", "openvino==2026.4", "sentence-transformers==6.2.0")
    compared = asyncio.run(compare(UpgradeRequest(changes=changes), matrix, settings, folder))
    return Bench(compared, matrix, settings)


@pytest.fixture(name="bench")
def bench_fixture(upgrade: Bench) -> Bench:
    return Bench(upgrade.compared, upgrade.matrix, upgrade.settings, upgrade.locks)


def numpy_from(low: str) -> Suite:
    return lambda there: {"l0.one", "l0.two"} if there["numpy"] >= low else set()
