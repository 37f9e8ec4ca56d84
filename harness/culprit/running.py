"""How a trial is run: the suite, narrowed to what failed, or the lean processes of what got slower."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from glob import escape
from pathlib import Path
from statistics import fmean

import msgspec

from harness.cell.catalogue import load_checks
from harness.culprit.symptoms import Seen, Symptoms, see_cell, see_speed
from harness.culprit.trials import Run
from harness.errors import MachineError, StoreError
from harness.files import describe_os_error, write_text, write_whole
from harness.gate_records import Block, Quantity
from harness.judge.judgement import judge
from harness.judge.sampling import looks
from harness.pipeline import Notify, Request, find_golden
from harness.plan.pip_settings import IndexSettings
from harness.plan.trial import TRIAL
from harness.records import Cell, Lock, Plan, PlannedCell, Progress
from harness.run.folder import UNFINISHED, RunFolder, format_json
from harness.run.prepare import make_environments, make_installer, prepare_material
from harness.run.results import ResultStore
from harness.run.schedule import Supplies, sweep
from harness.speed.sampling import measure_speed

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


def keep_quiet(_: Progress) -> None:
    """A trial is told in one line when it is over, not stage by stage."""


async def make_suite_runner(symptoms: Symptoms, means: Means) -> Run:
    """What runs the cases that failed (all of them where the candidate died) in an environment.

    Environments and results come from the store where they are known there.

    Raises:
        HarnessError: model, suite or store cannot be had.
    """
    plan, request = means.plan, means.request
    planned = _planned(symptoms, plan)
    only = request.checks if symptoms.status else tuple(map(escape, planned.cases))
    say: Callable[[str], None] = _saying(means.notify)
    installer = make_installer(means.settings, downloads=request.python_downloads)
    material = await prepare_material(
        request.matrix, request.store, installer, say, golden=find_golden(request.golden), only=only
    )
    environments = make_environments(request.store, installer)
    results = ResultStore(request.store, say, fresh=request.options.fresh, rerun=request.options.rerun)
    options = replace(request.options, jobs=1, latency=False)

    async def run(lock: Lock, number: int) -> Seen:
        trial = _trial_plan(plan, planned, lock, number)
        place = TrialFolder(means.folder / str(number), trial.run)
        place.begin(trial)
        supplies = Supplies(material, environments.use, results, place)
        swept = await sweep(trial, supplies, options, keep_quiet)
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
    *_, last = itertools.islice(looks(), LOOKS)
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
                keep_quiet,
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
