"""Run a part of the suite in fresh processes after the check phase of a gate: for repeats and for trials."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from glob import escape
from pathlib import Path

from harness.errors import MachineError
from harness.files import describe_os_error, write_text, write_whole
from harness.records import CellResult, Notify, Plan, Progress, discard
from harness.resolve.pip_settings import IndexSettings
from harness.runs.folder import UNFINISHED, RunFolder, format_json
from harness.store.environments import EnvironmentStore
from harness.store.inputs import CellInputs
from harness.store.models import make_environments, make_installer, prepare_inputs
from harness.store.result_store import ResultStore
from harness.sweep.limits import Options
from harness.sweep.run_sweep import Request, find_golden
from harness.sweep.schedule import Supplies, sweep


@dataclass(frozen=True)
class PartFolder(RunFolder):
    """The folder of such a run within that of its gate; it never becomes the latest run."""

    def begin(self, plan: Plan) -> None:
        """Write the plan, marked as unfinished.

        Raises:
            MachineError: a file cannot be written.
        """
        try:
            write_whole(self.path / UNFINISHED, b"")
            write_text(self.path / "plan.json", format_json(plan))
        except OSError as error:
            raise MachineError(f"{plan.run} cannot be written: {describe_os_error(error)}") from error

    def finish(self) -> None:
        """Mark the run as complete."""
        (self.path / UNFINISHED).unlink(missing_ok=True)


@dataclass(frozen=True)
class SuiteRunner:
    """Runs the selected cases of a plan, one process at a time for each plan."""

    inputs: CellInputs
    environments: EnvironmentStore
    results: ResultStore
    options: Options

    async def run(self, plan: Plan, folder: RunFolder, before: Path | None) -> tuple[CellResult, ...]:
        """Run every cell of a plan; results and logs are written to the folder.

        Vectors are compared with those in the file ``before``, which the first run of the baseline has left.
        """
        supplies = Supplies(self.inputs, self.environments.use, self.results, folder, before)
        return (await sweep(plan, supplies, self.options, discard)).results


async def make_suite_runner(  # noqa: PLR0913 - one parameter an ingredient
    request: Request,
    settings: IndexSettings,
    notify: Notify,
    stack: AsyncExitStack,
    *,
    cases: tuple[str, ...] | None,
    repeat: bool = False,
) -> SuiteRunner:
    """Make the runner of these cases; None for those that the user has selected.

    Stored environments are reused, and stored results too unless it is for a ``repeat``, which stores none.
    Model and suite are in use until ``stack`` is closed.

    Raises:
        HarnessError: model, suite or store is unavailable.
    """

    def log(text: str) -> None:
        notify(Progress(cell="", stage="note", note=text))

    installer = make_installer(settings, downloads=request.python_downloads)
    inputs = await prepare_inputs(
        request.matrix,
        request.store,
        installer,
        log,
        stack,
        golden=find_golden(request.golden),
        only=request.checks if cases is None else tuple(map(escape, cases)),
        isolation=request.isolation,
    )
    rerun = repeat or request.options.rerun
    return SuiteRunner(
        inputs=inputs,
        environments=make_environments(request.store, installer),
        results=ResultStore(request.store, log, fresh=request.options.fresh, rerun=rerun, read_only=repeat),
        options=replace(request.options, jobs=1, latency=False),
    )
