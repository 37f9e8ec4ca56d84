"""How long the default matrix takes on several workers, predicted from earlier sweeps on one machine.

The durations of cells are those of the published sweeps, one cell on each core, without the stage of the
environment: one machine makes environments ahead, and the stage includes the wait for others. More workers
than cores slow each other down, a worker takes time from one cell to the next, and this machine is another
one. What all of that costs is measured beforehand, in a small sweep of other cells on as many workers.
"""

from __future__ import annotations

from dataclasses import dataclass

from perf.scale import simulate

from harness.errors import MachineError
from harness.matrix.read import shipped_matrices
from harness.records import CellResult, Plan
from harness.runs.folder import RESULTS, read_stored
from machines.sweeping import COUNT, Timed

PUBLISHED = ("compat", "openvino")
_STAGES = ("imports", "contract")


Durations = dict[tuple[str, ...], float]
"""The requirements of a cell -> its seconds; its lock may have newer releases of what nobody asked for."""


def read_durations() -> Durations:
    """The durations of the cells of the published sweeps."""
    found: Durations = {}
    for name in PUBLISHED:
        stored = read_stored(shipped_matrices().parent / "reports" / name / RESULTS[-1])
        results = {each.cell: each for each in stored.results}
        for planned in stored.plan.cells:
            found.setdefault(planned.cell.requirements, _measure(results[planned.cell.id]))
    return found


def _measure(result: CellResult) -> float:
    return sum(result.seconds.get(stage, 0.0) for stage in _STAGES)


def list_durations(plan: Plan, durations: Durations) -> list[float]:
    """Seconds of the cells of a plan that run, in the order in which a cluster gives them out.

    That is the order of the plan after the baseline, where no sweep was here before.

    Raises:
        MachineError: a cell is in no published sweep.
    """
    runs = [each for each in plan.cells if not each.lock.reason and each.same_as is None]
    runs.sort(key=lambda each: not each.cell.baseline)
    if unknown := [each.cell.id for each in runs if each.cell.requirements not in durations]:
        raise MachineError(f"no published sweep has durations of {', '.join(unknown)}")
    return [durations[each.cell.requirements] for each in runs]


@dataclass(frozen=True)
class Prediction:
    """Seconds of a sweep on the workers: simulated with the durations of one machine, predicted, and real."""

    simulated: float
    factor: float
    real: float

    @property
    def predicted(self) -> float:
        """The simulated time with what the workers cost each other."""
        return self.simulated * self.factor

    @property
    def ratio(self) -> float:
        """The real time as a multiple of the predicted one."""
        return self.real / self.predicted


def predict(small: Timed, whole: Timed, durations: Durations) -> Prediction:
    """The prediction for ``whole``; nothing is taken from it but its plan and its real time.

    Raises:
        MachineError: a sweep was continued after an interruption, so its time is not that of all cells.
    """
    if small.run.reused or whole.run.reused:
        raise MachineError(
            "a sweep was interrupted and continued, which tells no time; run the command again"
        )
    factor = small.seconds / _simulate(small.run.plan, durations)
    return Prediction(_simulate(whole.run.plan, durations), factor, whole.seconds)


def _simulate(plan: Plan, durations: Durations) -> float:
    return simulate(list_durations(plan, durations), COUNT)


def render_prediction(prediction: Prediction, small: Timed, whole: Timed, cores: int) -> str:
    """The predicted and the real time, and how much of the machine either sweep got.

    Where other programs take from one sweep more than from the other, that is in the ratio as well; the last
    line compares both at the same share of the cores, which is known only afterwards.
    """
    rows = (
        ("simulated with the durations of the published sweeps", f"{prediction.simulated:.0f} s"),
        ("times what the small sweep took longer than simulated", f"{prediction.factor:.2f}"),
        ("predicted", f"{prediction.predicted:.0f} s"),
        ("real", f"{prediction.real:.0f} s"),
        ("real / predicted", f"{prediction.ratio:.2f}"),
        ("of the cores the small sweep got", f"{100 * small.busy:.0f} %"),
        ("of the cores this sweep got", f"{100 * whole.busy:.0f} %"),
        ("real / predicted, at equal shares", f"{prediction.ratio * whole.busy / small.busy:.2f}"),
    )
    head = f"the default matrix on {COUNT} workers and {cores} cores\n"
    return head + "".join(f"  {name:<55}{value:>8}\n" for name, value in rows)
