"""Run newly red cases again in fresh processes of both environments, in turn, and read what they left."""

from __future__ import annotations

from contextlib import AsyncExitStack
from glob import escape
from pathlib import Path

import msgspec

from harness.cell.interface import load_checks, select_cases
from harness.errors import UsageError
from harness.gate.suite_runs import PartFolder, make_suite_runner
from harness.held import mark
from harness.judge.confirmation import REPEATS, confirm, list_repeatable
from harness.judge.gate_verdict import decide
from harness.judge.outcomes import WHOLE_CELL
from harness.records import (
    BASELINE,
    CANDIDATE,
    CellResult,
    Confirmation,
    Notify,
    Plan,
    PlannedCell,
    Progress,
    Run,
)
from harness.resolve.pip_settings import IndexSettings
from harness.runs.folder import REPEATS_FOLDER, UNFINISHED, VECTORS, RunFolder, read_run
from harness.sweep.run_sweep import Request


def confirm_from_files(
    run: Run, folder: Path, wanted: int = REPEATS, *, accept_known: bool
) -> tuple[Confirmation, ...]:
    """Count how often each newly red case was red, from the repeats in the folder of a gate.

    Without ``wanted`` repeats, as in a gate of an earlier version, nothing has to be confirmed.
    """
    if not wanted:
        return ()
    first = decide(run.judgement, accept_known=accept_known)
    repeats = read_repeats(folder) if list_repeatable(first, run.plan) else []
    return confirm(run.plan, run.results, first, repeats, load_checks(), wanted)


def read_repeats(folder: Path) -> list[tuple[CellResult, ...]]:
    """The results of each repeat of a gate; those that are incomplete, damaged or changed are left out."""
    found = []
    for path in sorted((folder / REPEATS_FOLDER).glob("[0-9]*")):
        try:
            found.append(read_run(path).results)
        except UsageError:  # it was interrupted before its plan was complete
            continue
    return found


async def repeat_new_cases(  # noqa: PLR0913 - one parameter an ingredient
    run: Run, request: Request, settings: IndexSettings, notify: Notify, folder: Path, *, accept_known: bool
) -> tuple[Confirmation, ...]:
    """Run the newly red cases of a gate again, and nothing else; all cases if the candidate died.

    All newly red cases share one process for each repeat and environment. No stored result is used.

    Raises:
        HarnessError: the harness or the machine failed.
    """
    cases = list_repeatable(decide(run.judgement, accept_known=accept_known), run.plan)
    if not cases:
        return ()
    _log(notify, f"{_describe(cases)} again in fresh processes, {REPEATS} times in each environment")
    planned = {each.cell.id: _narrow(each, cases, run.plan) for each in run.plan.cells}
    only = None if WHOLE_CELL in cases else planned[CANDIDATE].cases
    before = RunFolder(folder).cell(BASELINE) / VECTORS
    async with AsyncExitStack() as stack:
        runner = await make_suite_runner(request, settings, notify, stack, cases=only, repeat=True)
        stack.enter_context(mark(folder / UNFINISHED, keep=True))  # as long as cells write their logs
        for number in range(1, REPEATS + 1):
            plan = _make_plan(run.plan, (planned[BASELINE], planned[CANDIDATE]), number)
            part = PartFolder(folder / REPEATS_FOLDER / str(number), plan.run)
            part.begin(plan)
            for arm in (CANDIDATE, BASELINE):
                wait = f"repeat {number} of {REPEATS}, {arm}"
                notify(Progress(cell="", stage="waiting", note=wait))
                one = msgspec.structs.replace(plan, cells=(planned[arm],))
                (result,) = await runner.run(one, part, before)
                _log(notify, f"{wait}: {_describe_end(result)}")
            part.finish()
    return confirm_from_files(run, folder, accept_known=accept_known)


def _narrow(planned: PlannedCell, cases: tuple[str, ...], plan: Plan) -> PlannedCell:
    """A cell with the cases of the candidate to run again, so that both environments run the same ones.

    In the baseline too the vectors are compared with those of its first run: they may be flaky.
    """
    if WHOLE_CELL in cases:
        return planned
    candidate = next(each for each in plan.cells if each.cell.id == CANDIDATE)
    chosen = select_cases(candidate.cases, [escape(case) for case in cases])
    return msgspec.structs.replace(planned, cases=chosen)


def _make_plan(plan: Plan, cells: tuple[PlannedCell, ...], number: int) -> Plan:
    return msgspec.structs.replace(
        plan,
        run=f"{plan.run}-repeat-{number}",
        title=f"{plan.title}: repeat {number}",
        cells=cells,
        baseline_cell=None,
        scenarios=(),
        subset=True,
    )


def _describe(cases: tuple[str, ...]) -> str:
    if WHOLE_CELL in cases:
        return "the candidate died; all cases run"
    return "1 newly red case runs" if len(cases) == 1 else f"{len(cases)} newly red cases run"


def _describe_end(result: CellResult) -> str:
    """How a process ended; what it measured is judged when all repeats are over."""
    return "done" if result.status in {"ok", "failed"} else f"{result.status}: {result.reason}"


def _log(notify: Notify, text: str) -> None:
    notify(Progress(cell="", stage="note", note=text))
