"""The stage of a gate that says who is to blame: everything that the search needs, put together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from harness.culprit.running import Means, make_speed_runner, make_suite_runner, trial_seconds
from harness.culprit.search import Hunt, join_kinds
from harness.culprit.symptoms import Seen, Symptoms, find_symptoms, see_speed
from harness.culprit.trials import Say, Trials
from harness.culprit.words import say_count
from harness.errors import HarnessError
from harness.gate_records import Culprit, Decision, LockDiff, Speed
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


async def find_culprit(
    suspicion: Suspicion, request: Request, settings: IndexSettings, notify: Notify, folder: Path
) -> Culprit:
    """The smallest part of the lock diff that does it; ``folder`` is that of the gate.

    A search that breaks off says so: the gate has its verdict without it.
    """
    symptoms = find_symptoms(suspicion.decision, suspicion.speed, suspicion.findings)
    try:
        with one_error():
            means = Means(suspicion.plan, request, settings, notify, folder / FOLDER)
            return await _search(suspicion, symptoms, means)
    except HarnessError as error:
        looked_for = symptoms.of_suite or symptoms.of_speed
        return Culprit(sentence=f"the search for the culprit broke off: {error}", looked_for=looked_for)


async def _search(suspicion: Suspicion, symptoms: Symptoms, means: Means) -> Culprit:
    """Those that the suite shows, then those that only measuring shows."""

    def say(text: str) -> None:
        means.notify(Progress(cell="", stage="note", note=f"culprit: {text}"))

    found = []
    if symptoms.of_suite:
        say(f"looking for the part of the upgrade that turns {say_count(symptoms.of_suite, SUITE)} red")
        found.append(await _search_suite(suspicion, symptoms, means, say))
    if symptoms.of_speed:
        say(f"looking for the part of the upgrade that makes {say_count(symptoms.of_speed, SPEED)} worse")
        found.append(await _search_speed(suspicion, symptoms, means, say))
    if not found:
        return Culprit(sentence="nothing that can be looked for by itself failed, so there is no culprit")
    return join_kinds(found)


async def _search_suite(suspicion: Suspicion, symptoms: Symptoms, means: Means, say: Say) -> Culprit:
    compared, request = suspicion.compared, means.request
    run = await make_suite_runner(symptoms, means)
    trials = Trials(compared, suspicion.diff, request.matrix, means.settings, run, say)
    at_once = min(AT_ONCE, request.options.jobs)
    return await Hunt(trials, symptoms.of_suite, SUITE, compared.baseline.python, at_once).search()


async def _search_speed(suspicion: Suspicion, symptoms: Symptoms, means: Means, say: Say) -> Culprit:
    compared, wanted = suspicion.compared, symptoms.of_speed
    seconds = trial_seconds(symptoms.quantities, read_blocks(means.folder.parent))
    run = make_speed_runner(symptoms, replace(means, folder=means.folder / "speed"), seconds)
    trials = Trials(
        compared, suspicion.diff, means.request.matrix, means.settings, run, say, most=MOST_MEASURED
    )
    trials.seen[compared.before.digest] = Seen(green=frozenset(wanted))  # so says the A/A arm of the gate
    if suspicion.speed is not None:  # many processes said so: that is not measured again
        trials.seen[compared.after.digest] = see_speed(suspicion.speed.quantities)
    units = {quantity.id: quantity.unit for quantity in symptoms.quantities}
    return await Hunt(trials, wanted, SPEED, compared.baseline.python, units=units).search()
