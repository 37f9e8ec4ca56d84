"""An upgrade of four packages, and a fake suite that fails by version."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from planted.wheels import build_wheel
from support.gate_world import make_world

from harness.gate.cause.search import CauseSearch
from harness.gate.cause.symptoms import Observation
from harness.gate.cause.trials import Trials
from harness.gate.request import Comparison, UpgradeRequest, compare
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
    """An upgrade of four packages, and searches for the cause of its failures."""

    comparison: Comparison
    matrix: Matrix
    settings: IndexSettings
    locks: dict[Any, Lock] = field(default_factory=dict)  # shared by all tests
    observed: list[dict[str, str]] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)
    reached: asyncio.Event = field(default_factory=asyncio.Event)  # set by the first trial that hangs

    def search(
        self, suite: Suite, *, parallel: int = 1, max_trials: int = 40, max_environments: int = 60
    ) -> Culprit:
        return asyncio.run(
            self.make_search(
                suite, parallel=parallel, max_trials=max_trials, max_environments=max_environments
            ).search()
        )

    def search_until(self, suite: Suite, last: int, *, parallel: int = 1) -> Culprit:
        """A search that is interrupted in the trial after the ``last``."""
        make_search, reached = self.make_search(suite, parallel=parallel, last=last), asyncio.Event()
        self.reached = reached

        async def end() -> Culprit:
            search, one_more = asyncio.create_task(make_search.search()), asyncio.create_task(reached.wait())
            await asyncio.wait([search, one_more], return_when=asyncio.FIRST_COMPLETED)
            for task in (search, one_more):
                task.cancel()
            await asyncio.wait([search, one_more])
            return make_search.stop("it was interrupted") if search.cancelled() else search.result()

        return asyncio.run(end())

    def make_search(
        self,
        suite: Suite,
        *,
        parallel: int = 1,
        max_trials: int = 40,
        max_environments: int = 60,
        last: int | None = None,
    ) -> CauseSearch:
        self.observed.clear()

        async def run(lock: Lock, number: int) -> Observation:
            self.observed.append(versions_of(lock))
            assert number == len(self.observed)
            await asyncio.sleep(0)
            if last is not None and number > last:
                self.reached.set()
                await asyncio.Event().wait()
            red = frozenset(suite(versions_of(lock)))
            unknown = frozenset({"?"}) & red
            green = frozenset() if unknown else frozenset(CASES) - red
            return Observation(
                red=red - unknown, green=green, because="the cell is crashed" if unknown else ""
            )

        diff = diff_locks(self.comparison.before, self.comparison.after, self.comparison.asked)
        trials = Trials(
            self.comparison,
            diff,
            self.matrix,
            self.settings,
            run,
            self.logged.append,
            max_trials=max_environments,
        )
        trials.locks = self.locks
        return CauseSearch(trials, CASES[:2], "cases", "3.11", parallel=parallel, max_trials=max_trials)


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
    comparison = asyncio.run(compare(UpgradeRequest(changes=changes), matrix, settings, folder))
    return Bench(comparison, matrix, settings)


@pytest.fixture(name="bench")
def bench_fixture(upgrade: Bench) -> Bench:
    return Bench(upgrade.comparison, upgrade.matrix, upgrade.settings, upgrade.locks)


def numpy_from(low: str) -> Suite:
    return lambda there: {"l0.one", "l0.two"} if there["numpy"] >= low else set()
