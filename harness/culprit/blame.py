"""The stage of a gate that says who is to blame: everything that the search needs, put together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.culprit.running import Means, make_speed_runner, make_suite_runner, trial_seconds
from harness.culprit.search import Hunt, join_kinds
from harness.culprit.symptoms import Seen, Symptoms, find_symptoms, see_speed
from harness.culprit.trials import Run, Trials
from harness.culprit.words import say_count, say_seconds
from harness.errors import HarnessError
from harness.gate_records import CULPRIT_SECONDS, Culprit, Decision, LockDiff, Speed
from harness.pipeline import Notify, Request
from harness.plan.candidate import Compared
from harness.plan.pip_settings import IndexSettings
from harness.records import Finding, Plan, Progress
from harness.run.interrupt import one_error
from harness.run.probing.journal import read_blocks

FOLDER = "culprit"
"""Inside the folder of a gate: one folder a trial."""

MOST_MEASURED = 12
"""Environments that are measured at most; each takes minutes."""

SUITE, SPEED = "cases", "quantities"
"""What is looked for, for a person."""

SUITE_SHARE = 0.5
"""Of the time, for the suite where there is something to measure too."""

AT_ONCE = 2
"""Trials of the suite at the same time, on a machine with as many cores."""


@dataclass(frozen=True)
class Suspicion:
    """A gate that said no: what it compared, and what it says no to; ``findings`` are those of both cells."""

    compared: Compared
    diff: LockDiff
    plan: Plan
    decision: Decision
    findings: tuple[Finding, ...]
    speed: Speed | None = None


async def find_culprit(  # noqa: PLR0913 - one parameter an ingredient
    suspicion: Suspicion,
    request: Request,
    settings: IndexSettings,
    notify: Notify,
    folder: Path,
    *,
    seconds: float = CULPRIT_SECONDS,
) -> Culprit:
    """The smallest part of the lock diff that does it; ``folder`` is that of the gate.

    A search that breaks off, or is cut off after ``seconds``, says so and what it knows by then: the gate has
    its verdict without it.
    """
    symptoms = find_symptoms(suspicion.decision, suspicion.speed, suspicion.findings)
    means = Means(suspicion.plan, request, settings, notify, folder / FOLDER)
    return await _Search(suspicion, symptoms, means, seconds).run()


@dataclass(frozen=True)
class _Search:
    """One search over both kinds of symptoms, each with what is known of it when it has to end."""

    suspicion: Suspicion
    symptoms: Symptoms
    means: Means
    seconds: float
    begun: float = field(default_factory=time.monotonic)

    async def run(self) -> Culprit:
        """Those that the suite shows, then those that only measuring shows."""
        found, suite, speed = [], self.symptoms.of_suite, self.symptoms.of_speed
        if suite:
            self._say(f"looking for the part of the upgrade that turns {say_count(suite, SUITE)} red")
            until = self.seconds * (SUITE_SHARE if speed else 1.0)
            found.append(await self._bound(self._hunt_suite, suite, until))
        if speed:
            self._say(f"looking for the part of the upgrade that makes {say_count(speed, SPEED)} worse")
            found.append(await self._bound(self._hunt_speed, speed, self.seconds))
        if not found:
            return Culprit(sentence="nothing that can be looked for by itself failed, so there is no culprit")
        return join_kinds(found)

    async def _bound(
        self, make: Callable[[], Awaitable[Hunt]], wanted: tuple[str, ...], until: float
    ) -> Culprit:
        """Search one kind until so many seconds after the beginning."""
        hunt, left = None, until - (time.monotonic() - self.begun)
        try:
            async with asyncio.timeout(left):
                with one_error():
                    hunt = await make()
                    return await hunt.search()
        except TimeoutError:
            because = f"the search was cut off after {say_seconds(round(left))}"
        except HarnessError as error:
            because = f"the search for the culprit broke off: {error}"
        self._say(because)
        return Culprit(sentence=because, looked_for=wanted) if hunt is None else hunt.stop(because)

    def _say(self, text: str) -> None:
        self.means.notify(Progress(cell="", stage="note", note=f"culprit: {text}"))

    async def _hunt_suite(self) -> Hunt:
        means = self.means
        trials = self._trials(await make_suite_runner(self.symptoms, means))
        at_once = min(AT_ONCE, means.request.options.jobs)
        return Hunt(trials, self.symptoms.of_suite, SUITE, self._python, at_once)

    async def _hunt_speed(self) -> Hunt:
        suspicion, symptoms, means = self.suspicion, self.symptoms, self.means
        budget = trial_seconds(symptoms.quantities, read_blocks(means.folder.parent))
        run = make_speed_runner(symptoms, replace(means, folder=means.folder / "speed"), budget)
        trials, wanted = replace(self._trials(run), most=MOST_MEASURED), symptoms.of_speed
        before, after = suspicion.compared.before, suspicion.compared.after
        trials.seen[before.digest] = Seen(green=frozenset(wanted))  # so says the A/A arm of the gate
        if suspicion.speed is not None:  # many processes said so: that is not measured again
            trials.seen[after.digest] = see_speed(suspicion.speed.quantities)
        units = {quantity.id: quantity.unit for quantity in symptoms.quantities}
        return Hunt(trials, wanted, SPEED, self._python, units=units)

    def _trials(self, run: Run) -> Trials:
        suspicion, means = self.suspicion, self.means
        matrix, settings = means.request.matrix, means.settings
        return Trials(suspicion.compared, suspicion.diff, matrix, settings, run, self._say)

    @property
    def _python(self) -> str:
        return self.suspicion.compared.baseline.python
