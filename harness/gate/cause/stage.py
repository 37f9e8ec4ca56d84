"""The stage of a gate that finds the cause: runs trials by the suite or by probe processes."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from glob import escape
from pathlib import Path
from statistics import fmean

import msgspec

from harness.cell.interface import load_checks
from harness.errors import HarnessError, MachineError, StoreError
from harness.files import describe_os_error, write_text, write_whole
from harness.gate.blocks import read_blocks
from harness.gate.cause.search import CauseSearch, join_kinds
from harness.gate.cause.sentence import describe_count, describe_seconds
from harness.gate.cause.symptoms import Seen, Symptoms, find_symptoms, see_cell, see_speed
from harness.gate.cause.trial_lock import TRIAL
from harness.gate.cause.trials import Run, Trials
from harness.gate.measuring import measure_speed
from harness.gate.request import Compared
from harness.judge.sampling import plan_analyses
from harness.judge.verdict import judge
from harness.records import (
    CULPRIT_SECONDS,
    Block,
    Cell,
    Culprit,
    Decision,
    Finding,
    Lock,
    LockDiff,
    Notify,
    Plan,
    PlannedCell,
    Progress,
    Quantity,
    Speed,
    discard,
)
from harness.resolve.pip_settings import IndexSettings
from harness.runs.folder import UNFINISHED, RunFolder, format_json
from harness.store.models import make_environments, make_installer, prepare_inputs
from harness.store.result_store import ResultStore
from harness.sweep.interrupt import one_error
from harness.sweep.run_sweep import Request, find_golden
from harness.sweep.schedule import Supplies, sweep

# How a trial is run: the suite, narrowed to what failed, or the lean processes of what got slower.

SPEED_SECONDS = 180.0
"""The least budget of one trial that measures; what is undecided by then is unresolved."""

LOOKS = 2
"""So many looks of each group fit into the budget of a trial that measures."""


@dataclass(frozen=True)
class TrialFolder(RunFolder):
    """The folder of a trial inside that of its gate; it never becomes the latest run."""

    def begin(self, plan: Plan) -> None:
        """Write the plan, marked as unfinished.

        Raises:
            MachineError: it cannot be written.
        """
        try:
            write_whole(self.path / UNFINISHED, b"")
            write_text(self.path / "plan.json", format_json(plan))
        except OSError as error:
            raise MachineError(f"a trial cannot be written: {describe_os_error(error)}") from error

    def finish(self) -> None:
        """The trial is complete."""
        (self.path / UNFINISHED).unlink(missing_ok=True)


@dataclass(frozen=True)
class Means:
    """What every trial runs with: the plan of the gate, and the folder for those of the trials."""

    plan: Plan
    request: Request
    settings: IndexSettings
    notify: Notify
    folder: Path


async def make_suite_runner(symptoms: Symptoms, means: Means, stack: AsyncExitStack) -> Run:
    """What runs the cases that failed (all of them where the candidate died) in an environment.

    Environments and results come from the store where they are known there; model and suite are in use until
    ``stack`` is closed.

    Raises:
        HarnessError: model, suite or store cannot be had.
    """
    plan, request = means.plan, means.request
    planned = _planned(symptoms, plan)
    only = request.checks if symptoms.status else tuple(map(escape, planned.cases))
    say: Callable[[str], None] = _saying(means.notify)
    installer = make_installer(means.settings, downloads=request.python_downloads)
    material = await prepare_inputs(
        request.matrix, request.store, installer, say, stack, golden=find_golden(request.golden), only=only
    )
    environments = make_environments(request.store, installer)
    results = ResultStore(request.store, say, fresh=request.options.fresh, rerun=request.options.rerun)
    options = replace(request.options, jobs=1, latency=False)

    async def run(lock: Lock, number: int) -> Seen:
        trial = _trial_plan(plan, planned, lock, number)
        place = TrialFolder(means.folder / str(number), trial.run)
        place.begin(trial)
        supplies = Supplies(material, environments.use, results, place)
        swept = await sweep(trial, supplies, options, discard)
        place.finish()
        judged = judge(trial, swept.results, load_checks())
        return see_cell(symptoms, judged.cells[0], judged.findings)

    return run


def _planned(symptoms: Symptoms, plan: Plan) -> PlannedCell:
    """The candidate's cell, with the cases that are looked for."""
    candidate = plan.cells[-1]
    if symptoms.status:
        return candidate
    cases = tuple(case for case in candidate.cases if case in symptoms.cases)
    return msgspec.structs.replace(candidate, cases=cases)


def _trial_plan(plan: Plan, planned: PlannedCell, lock: Lock, number: int) -> Plan:
    cell = Cell(
        id=TRIAL,
        axes={},
        requirements=planned.cell.requirements,
        python=planned.cell.python,
        source=planned.cell.source,
    )
    there = PlannedCell(cell=cell, lock=msgspec.structs.replace(lock, cell=TRIAL), cases=planned.cases)
    return msgspec.structs.replace(
        plan,
        run=f"{plan.run}-trial-{number}",
        title=f"{plan.title}: trial {number}",
        baseline=None,
        cells=(there,),
        baseline_cell=None,
        scenarios=(),
        subset=True,
    )


def _saying(notify: Notify) -> Callable[[str], None]:
    return lambda text: notify(Progress(cell="", stage="note", note=text))


def trial_seconds(quantities: Iterable[Quantity], blocks: Iterable[Block]) -> float:
    """The budget of one trial that measures ``quantities``, by what ``blocks`` of the gate took.

    A trial measures no more in a block than the gate did in those that had any of these, so that is enough;
    one more a group is for the time between them.
    """
    *_, last = itertools.islice(plan_analyses(), LOOKS)
    wanted = {quantity.id for quantity in quantities}
    costs: dict[str, list[float]] = {}
    for block in blocks:
        if wanted & block.baseline.keys():
            costs.setdefault(block.group, []).append(block.seconds)
    return max(SPEED_SECONDS, sum((last.blocks + 1) * fmean(mine) for mine in costs.values()))


def make_speed_runner(symptoms: Symptoms, means: Means, budget: float) -> Run:
    """What measures the quantities that got worse, in an environment against the baseline.

    One at a time, each within ``budget`` seconds: two that measure disturb each other.
    """

    async def run(lock: Lock, number: int) -> Seen:
        trial = _speed_plan(means.plan, lock, number)
        place = TrialFolder(means.folder / str(number))
        place.begin(trial)
        try:
            speed = await measure_speed(
                trial,
                means.request,
                symptoms.quantities,
                means.settings,
                discard,
                budget=budget,
                folder=place.path,
            )
        except StoreError as error:  # of this environment; the next one may be there
            return Seen(because=str(error))
        place.finish()
        return see_speed(speed.quantities)

    return run


def _speed_plan(plan: Plan, lock: Lock, number: int) -> Plan:
    """The plan of the gate with another candidate."""
    baseline, candidate = plan.cells
    there = msgspec.structs.replace(candidate, lock=msgspec.structs.replace(lock, cell=candidate.cell.id))
    return msgspec.structs.replace(plan, run=f"{plan.run}-trial-{number}", cells=(baseline, there))


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
class CauseRequest:
    """A gate that said no: what it compared, and what it says no to; ``findings`` are those of both cells."""

    compared: Compared
    diff: LockDiff
    plan: Plan
    decision: Decision
    findings: tuple[Finding, ...]
    speed: Speed | None = None


async def find_culprit(  # noqa: PLR0913 - one parameter an ingredient
    suspicion: CauseRequest,
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

    suspicion: CauseRequest
    symptoms: Symptoms
    means: Means
    seconds: float
    begun: float = field(default_factory=time.monotonic)

    async def run(self) -> Culprit:
        """Those that the suite shows, then those that only measuring shows."""
        found, suite, speed = [], self.symptoms.of_suite, self.symptoms.of_speed
        if suite:
            self._say(f"looking for the part of the upgrade that turns {describe_count(suite, SUITE)} red")
            until = self.seconds * (SUITE_SHARE if speed else 1.0)
            found.append(await self._bound(self._hunt_suite, suite, until))
        if speed:
            self._say(f"looking for the part of the upgrade that makes {describe_count(speed, SPEED)} worse")
            found.append(await self._bound(self._hunt_speed, speed, self.seconds))
        if not found:
            return Culprit(sentence="nothing that can be looked for by itself failed, so there is no culprit")
        return join_kinds(found)

    async def _bound(
        self, make: Callable[[AsyncExitStack], Awaitable[CauseSearch]], wanted: tuple[str, ...], until: float
    ) -> Culprit:
        """Search one kind until so many seconds after the beginning."""
        hunt, left = None, until - (time.monotonic() - self.begun)
        try:
            async with asyncio.timeout(left):
                with one_error():
                    async with AsyncExitStack() as stack:
                        hunt = await make(stack)
                        return await hunt.search()
        except TimeoutError:
            because = f"the search was cut off after {describe_seconds(round(left))}"
        except HarnessError as error:
            because = f"the search for the culprit broke off: {error}"
        self._say(because)
        return Culprit(sentence=because, looked_for=wanted) if hunt is None else hunt.stop(because)

    def _say(self, text: str) -> None:
        self.means.notify(Progress(cell="", stage="note", note=f"culprit: {text}"))

    async def _hunt_suite(self, stack: AsyncExitStack) -> CauseSearch:
        means = self.means
        trials = self._trials(await make_suite_runner(self.symptoms, means, stack))
        at_once = min(AT_ONCE, means.request.options.jobs)
        return CauseSearch(trials, self.symptoms.of_suite, SUITE, self._python, at_once)

    async def _hunt_speed(self, _: AsyncExitStack) -> CauseSearch:
        suspicion, symptoms, means = self.suspicion, self.symptoms, self.means
        budget = trial_seconds(symptoms.quantities, read_blocks(means.folder.parent))
        run = make_speed_runner(symptoms, replace(means, folder=means.folder / "speed"), budget)
        trials, wanted = replace(self._trials(run), most=MOST_MEASURED), symptoms.of_speed
        before, after = suspicion.compared.before, suspicion.compared.after
        trials.seen[before.digest] = Seen(green=frozenset(wanted))  # so says the A/A arm of the gate
        if suspicion.speed is not None:  # many processes said so: that is not measured again
            trials.seen[after.digest] = see_speed(suspicion.speed.quantities)
        units = {quantity.id: quantity.unit for quantity in symptoms.quantities}
        return CauseSearch(trials, wanted, SPEED, self._python, units=units)

    def _trials(self, run: Run) -> Trials:
        suspicion, means = self.suspicion, self.means
        matrix, settings = means.request.matrix, means.settings
        return Trials(suspicion.compared, suspicion.diff, matrix, settings, run, self._say)

    @property
    def _python(self) -> str:
        return self.suspicion.compared.baseline.python
