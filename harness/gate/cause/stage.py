"""The stage of a gate that finds the cause: trials run the suite or probe processes."""

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

from harness.cell.interface import load_checks, select_cases
from harness.errors import HarnessError, StoreError
from harness.gate.blocks import read_blocks
from harness.gate.cause.search import CauseSearch, join_searches
from harness.gate.cause.sentence import describe_count, describe_seconds
from harness.gate.cause.symptoms import (
    Observation,
    Symptoms,
    are_confirmed,
    find_symptoms,
    observe_cell,
    observe_speed,
)
from harness.gate.cause.trial_lock import TRIAL
from harness.gate.cause.trials import Run, Trials
from harness.gate.measuring import measure_speed
from harness.gate.request import Comparison
from harness.gate.suite_runs import PartFolder, make_suite_runner
from harness.judge.alpha_spending import plan_analyses
from harness.judge.verdict import judge
from harness.records import (
    BASELINE,
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
from harness.runs.folder import VECTORS, RunFolder
from harness.sweep.interrupt import one_error
from harness.sweep.run_sweep import Request

# Run a trial: the failed cases of the suite, or probe processes for the regressed quantities.

MIN_TRIAL_SECONDS = 180.0
"""Smallest budget of a measuring trial; quantities still undecided then are unresolved."""

TRIAL_ANALYSES = 2
"""Interim analyses of each group that fit into the budget of a measuring trial."""


@dataclass(frozen=True)
class TrialContext:
    """Shared by all trials; ``plan`` is that of the gate, ``folder`` contains those of the trials.

    ``before`` is the file of the baseline's vectors, which those of a trial are compared with.
    """

    plan: Plan
    request: Request
    settings: IndexSettings
    notify: Notify
    folder: Path
    before: Path | None = None

    def wait(self, what: str) -> None:
        """Report what the search waits for."""
        self.notify(Progress(cell="", stage="waiting", note=what))


async def make_case_runner(symptoms: Symptoms, context: TrialContext, stack: AsyncExitStack) -> Run:
    """Make the function that runs the failed cases in an environment; all cases if the candidate died.

    Model and suite are in use until ``stack`` is closed.

    Raises:
        HarnessError: model, suite or store is unavailable.
    """
    plan = context.plan
    planned = _narrow_cell(symptoms, plan)
    cases = None if symptoms.status else planned.cases
    runner = await make_suite_runner(context.request, context.settings, context.notify, stack, cases=cases)

    async def run(lock: Lock, number: int) -> Observation:
        context.wait(f"trial {number} of the search for the cause")
        trial = _make_suite_plan(plan, planned, lock, number)
        folder = PartFolder(context.folder / str(number), trial.run)
        folder.begin(trial)
        results = await runner.run(trial, folder, context.before)
        folder.finish()
        judged = judge(trial, results, load_checks())
        return observe_cell(symptoms, judged.cells[0], judged.findings)

    return run


def _narrow_cell(symptoms: Symptoms, plan: Plan) -> PlannedCell:
    """The cell of the candidate, narrowed to the failed cases."""
    candidate = plan.cells[-1]
    if symptoms.status:
        return candidate
    cases = select_cases(candidate.cases, [escape(case) for case in symptoms.cases])
    return msgspec.structs.replace(candidate, cases=cases)


def _make_suite_plan(plan: Plan, planned: PlannedCell, lock: Lock, number: int) -> Plan:
    cell = Cell(
        id=TRIAL,
        axes={},
        requirements=planned.cell.requirements,
        python=planned.cell.python,
        source=planned.cell.source,
    )
    planned_cell = PlannedCell(cell=cell, lock=msgspec.structs.replace(lock, cell=TRIAL), cases=planned.cases)
    return msgspec.structs.replace(
        plan,
        run=f"{plan.run}-trial-{number}",
        title=f"{plan.title}: trial {number}",
        baseline=None,
        cells=(planned_cell,),
        baseline_cell=None,
        scenarios=(),
        subset=True,
    )


def trial_seconds(quantities: Iterable[Quantity], blocks: Iterable[Block]) -> float:
    """The budget in seconds of a trial that measures ``quantities``, from the cost of the gate's ``blocks``.

    A block of a trial costs at most as much as a block of the gate with any of these quantities. One more
    block per group covers the time between blocks.
    """
    *_, last = itertools.islice(plan_analyses(), TRIAL_ANALYSES)
    ids = {quantity.id for quantity in quantities}
    costs: dict[str, list[float]] = {}
    for block in blocks:
        if ids & block.baseline.keys():
            costs.setdefault(block.group, []).append(block.seconds)
    return max(MIN_TRIAL_SECONDS, sum((last.blocks + 1) * fmean(mine) for mine in costs.values()))


def make_speed_runner(symptoms: Symptoms, context: TrialContext, budget: float) -> Run:
    """Make the function that measures the regressed quantities of an environment against the baseline.

    Trials run one at a time, each within ``budget`` seconds: parallel measurements disturb each other.
    """

    async def run(lock: Lock, number: int) -> Observation:
        context.wait(f"trial {number} of the search for the cause")
        trial = _make_speed_plan(context.plan, lock, number)
        folder = PartFolder(context.folder / str(number))
        folder.begin(trial)
        try:
            speed = await measure_speed(
                trial,
                context.request,
                symptoms.quantities,
                context.settings,
                discard,
                budget=budget,
                folder=folder.path,
            )
        except StoreError as error:  # other environments may still be available
            return Observation(because=str(error))
        folder.finish()
        return observe_speed(speed.quantities)

    return run


def _make_speed_plan(plan: Plan, lock: Lock, number: int) -> Plan:
    """The plan of the gate with another candidate."""
    baseline, candidate = plan.cells
    planned_cell = msgspec.structs.replace(
        candidate, lock=msgspec.structs.replace(lock, cell=candidate.cell.id)
    )
    return msgspec.structs.replace(plan, run=f"{plan.run}-trial-{number}", cells=(baseline, planned_cell))


FOLDER = "culprit"
"""Within the folder of a gate: one folder per trial."""

MAX_MEASURED = 12
"""Largest number of measured environments; each takes minutes."""

SUITE, SPEED = "cases", "quantities"
"""Names of the symptoms in sentences."""

SUITE_SHARE = 0.5
"""Share of the time for the suite if quantities regressed too."""

PARALLEL_TRIALS = 2
"""Largest number of trials of the suite at the same time."""


@dataclass(frozen=True)
class CauseRequest:
    """A failed gate: its comparison and decision; ``findings`` are those of both cells."""

    comparison: Comparison
    diff: LockDiff
    plan: Plan
    decision: Decision
    findings: tuple[Finding, ...]
    speed: Speed | None = None


async def find_cause(  # noqa: PLR0913 - one parameter an ingredient
    cause_request: CauseRequest,
    request: Request,
    settings: IndexSettings,
    notify: Notify,
    folder: Path,
    *,
    seconds: float = CULPRIT_SECONDS,
) -> Culprit:
    """Find the smallest part of the lock diff that is the cause; ``folder`` is that of the gate.

    A search that fails, or exceeds ``seconds``, returns its result so far with the reason; the verdict of the
    gate does not depend on it.
    """
    symptoms = find_symptoms(cause_request.decision, cause_request.speed, cause_request.findings)
    before = RunFolder(folder).cell(BASELINE) / VECTORS
    context = TrialContext(cause_request.plan, request, settings, notify, folder / FOLDER, before)
    return await _Search(cause_request, symptoms, context, seconds).run()


@dataclass(frozen=True)
class _Search:
    """The search over both kinds of symptoms, each with its own time limit."""

    cause_request: CauseRequest
    symptoms: Symptoms
    context: TrialContext
    seconds: float
    begun: float = field(default_factory=time.monotonic)

    async def run(self) -> Culprit:
        """Search for the causes of failed cases, then of regressed quantities."""
        found, suite, speed = [], self.symptoms.of_suite, self.symptoms.of_speed
        if suite:
            self._log(f"searching for the part of the upgrade that turns {describe_count(suite, SUITE)} red")
            limit = self.seconds * (SUITE_SHARE if speed else 1.0)
            found.append(await self._run_limited(self._make_suite_search, suite, limit))
        if speed:
            self._log(
                f"searching for the part of the upgrade that makes {describe_count(speed, SPEED)} worse"
            )
            found.append(await self._run_limited(self._make_speed_search, speed, self.seconds))
        if not found:
            return Culprit(sentence="no failure can be reproduced by itself, so the cause was not searched")
        return join_searches(found)

    async def _run_limited(
        self, make: Callable[[AsyncExitStack], Awaitable[CauseSearch]], ids: tuple[str, ...], limit: float
    ) -> Culprit:
        """Search for one kind of symptoms until ``limit`` seconds after the start."""
        search, left = None, limit - (time.monotonic() - self.begun)
        try:
            async with asyncio.timeout(left):
                with one_error():
                    async with AsyncExitStack() as stack:
                        search = await make(stack)
                        return await search.search()
        except TimeoutError:
            because = f"the search reached its limit of {describe_seconds(round(left))}"
        except HarnessError as error:
            because = f"the search for the cause failed: {error}"
        self._log(because)
        return Culprit(sentence=because, looked_for=ids) if search is None else search.stop(because)

    def _log(self, text: str) -> None:
        self.context.notify(Progress(cell="", stage="note", note=f"cause: {text}"))
        self.context.wait("trials of the search for the cause")

    async def _make_suite_search(self, stack: AsyncExitStack) -> CauseSearch:
        context = self.context
        trials = self._make_trials(await make_case_runner(self.symptoms, context, stack))
        ids = self.symptoms.of_suite
        if are_confirmed(self.symptoms, self.cause_request.decision):  # by fresh processes of both
            comparison = self.cause_request.comparison
            trials.observations[comparison.before.digest] = Observation(green=frozenset(ids))
            trials.observations[comparison.after.digest] = Observation(red=frozenset(ids))
        parallel = min(PARALLEL_TRIALS, context.request.options.jobs)
        return CauseSearch(trials, ids, SUITE, self._python, parallel)

    async def _make_speed_search(self, _: AsyncExitStack) -> CauseSearch:
        cause_request, symptoms, context = self.cause_request, self.symptoms, self.context
        budget = trial_seconds(symptoms.quantities, read_blocks(context.folder.parent))
        run = make_speed_runner(symptoms, replace(context, folder=context.folder / "speed"), budget)
        trials, ids = replace(self._make_trials(run), max_trials=MAX_MEASURED), symptoms.of_speed
        before, after = cause_request.comparison.before, cause_request.comparison.after
        trials.observations[before.digest] = Observation(green=frozenset(ids))  # known from the A/A arm
        if cause_request.speed is not None:  # the gate has measured the candidate with many processes
            trials.observations[after.digest] = observe_speed(cause_request.speed.quantities)
        units = {quantity.id: quantity.unit for quantity in symptoms.quantities}
        return CauseSearch(trials, ids, SPEED, self._python, units=units)

    def _make_trials(self, run: Run) -> Trials:
        cause_request, context = self.cause_request, self.context
        matrix, settings = context.request.matrix, context.settings
        return Trials(cause_request.comparison, cause_request.diff, matrix, settings, run, self._log)

    @property
    def _python(self) -> str:
        return self.cause_request.comparison.baseline.python
