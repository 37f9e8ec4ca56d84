"""A gate as it runs: both cells, latency, a decision, the search for the culprit, renderings."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from harness.culprit.blame import Suspicion, find_culprit
from harness.errors import HarnessError
from harness.gate.files import Render, begin_gate, write_gate, write_unrun
from harness.gate.prepare import Prepared
from harness.gate_records import Decision, Gate
from harness.judge.gate import decide
from harness.pipeline import Notify, Request, measure_plan
from harness.plan.pip_settings import IndexSettings
from harness.records import Progress, Run
from harness.run.folder import RunFolder
from harness.speed.looks import Verdicts
from harness.speed.sampling import measure_speed


async def run_gate(
    prepared: Prepared, request: Request, settings: IndexSettings, notify: Notify, render: Render
) -> tuple[Gate, Path]:
    """Run both cells, measure latency, decide, and look for the culprit; returns the folder of the gate too.

    Until it is over its folder is marked as unfinished. What is there first says that it was cut off; what
    it knew by then can be decided from its results and blocks.

    Raises:
        HarnessError: the harness or the machine failed; a cell that fails has a status instead.
    """
    plan, question, quantities = prepared.plan, prepared.question, prepared.quantities
    if prepared.runs_nothing:
        return write_unrun(plan, question, request.reports, render)
    budget = prepared.terms.budget or request.matrix.gate.budget_seconds
    waiting = Verdicts(quantities).sum_up(spent=0.0, budget=budget) if quantities else None
    accepted = prepared.terms.accept_known
    begin = partial(begin_gate, plan, question, waiting, render, accept_known=accepted)
    without_latency = replace(request, options=replace(request.options, latency=False))
    run, folder = await measure_plan(without_latency, plan, settings, notify, begin)
    speed = None
    write = partial(write_gate, run, question, folder, render, accept_known=accepted)
    if quantities and _can_be_timed(decide(run.judgement, accept_known=True)):
        known = write(speed=waiting)  # what is known stays known, whatever becomes of the measuring
        try:
            speed = await measure_speed(
                plan, request, quantities, settings, notify, budget=budget, folder=folder
            )
        except (HarnessError, OSError) as error:
            if known.decision.verdict != "regressed":
                raise
            speed = waiting
            notify(Progress(cell="", stage="note", note=f"latency could not be measured: {error}"))
    gate = write(speed=speed)
    if gate.decision.verdict == "regressed" and prepared.terms.culprit:
        suspicion, seconds = _suspect(prepared, run, gate), prepared.terms.culprit_budget
        culprit = await find_culprit(suspicion, request, settings, notify, folder, seconds=seconds)
        gate = write(speed=speed, culprit=culprit)
    RunFolder(folder).finish()
    return gate, folder


def _can_be_timed(decision: Decision) -> bool:
    """Not where the candidate died, or the baseline is not whole; checks that skip hide no speed."""
    alive = all(cell.status in {"ok", "failed"} for cell in decision.cells)
    return alive and decision.verdict in {"pass", "regressed"}


def _suspect(prepared: Prepared, run: Run, gate: Gate) -> Suspicion:
    """What the search for the culprit starts from."""
    return Suspicion(
        compared=prepared.compared,
        diff=prepared.question.diff,
        plan=prepared.plan,
        decision=gate.decision,
        findings=run.judgement.findings,
        speed=gate.speed,
    )
