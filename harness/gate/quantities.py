"""What a gate measures besides correctness: the latency of what is served, and the memory that it takes."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Iterator, Sequence
from typing import Final, Literal

from harness.cell.interface import Scenario, load_scenarios
from harness.errors import UsageError
from harness.matrix.schema import Matrix
from harness.records import Quantity, ScenarioPlan
from harness.sweep.planning import normalizers_of

NORMALIZER: Final = "normalizer"
EMBEDDING: Final = "embedding"

Group = Literal["normalizer", "embedding"]

ROUNDS: dict[Group, tuple[int, float, float]] = {NORMALIZER: (50, 5e-4, 0.025), EMBEDDING: (15, 0.01, 0.16)}
"""Rounds of a scenario at most, seconds of a round, and of all rounds that are no longer than that.

Many short rounds: a core whose other hyperthread has a stranger on it is up to 2.3 times as slow, for 10 to
50 ms at a time. In the same time, 25 rounds of 2 ms leave a noise between processes of 0.028 (one float32
row), 0.029 (32), 0.024 (256), 0.022 and 0.021 (one and 32 float16 rows), and 75 of 0.5 ms 0.016, 0.014,
0.018, 0.009 and 0.005; it falls with the root of the number of rounds, down to where the machine is quiet
(32 and 17 blocks, 2026-11; root mean square of the log of the median ratio). A block there takes 4 to 5 s for
the normalizer, 12 s for the embedding.
"""


def plan_quantities(matrix: Matrix, globs: Sequence[str] = ()) -> tuple[Quantity, ...]:
    """The quantities that a gate over this matrix judges, normalizer first; only those that match a glob.

    The reference is served by nobody, so it is not among them.

    Raises:
        UsageError: a glob, given or of the matrix, that matches none.
    """
    every = tuple(_quantities(matrix))
    names = [quantity.id for quantity in every]
    for glob in matrix.gate.thresholds:
        _refuse_idle(glob, names, f"{matrix.path}: gate.thresholds:")
    for glob in globs:
        _refuse_idle(glob, names, "--quantities")
    return tuple(
        quantity
        for quantity in every
        if not globs or any(fnmatch.fnmatchcase(quantity.id, glob) for glob in globs)
    )


def scenarios_of_group(matrix: Matrix, group: Group) -> tuple[ScenarioPlan, ...]:
    """The scenarios that the lean processes of a group measure, in their order."""
    rounds, target, budget = ROUNDS[group]
    return tuple(
        ScenarioPlan(id=scenario.id, rounds=rounds, target_seconds=target, budget_seconds=budget)
        for scenario in _served(matrix)
        if _group_of(scenario) == group
    )


def _quantities(matrix: Matrix) -> Iterator[Quantity]:
    groups: tuple[Group, ...] = (NORMALIZER, EMBEDDING)
    for group in groups:
        for scenario in _served(matrix):
            if _group_of(scenario) == group:
                yield _quantity(matrix, scenario.id, group, "s")
        yield _quantity(matrix, f"memory.{group}", group, "B")


def _served(matrix: Matrix) -> Iterator[Scenario]:
    first = normalizers_of(matrix)[0]
    return (each for each in load_scenarios(normalizers_of(matrix)) if each.target in {first, "openvino"})


def _group_of(scenario: Scenario) -> Group:
    return NORMALIZER if scenario.kind == "normalize" else EMBEDDING


def _quantity(matrix: Matrix, name: str, group: Group, unit: Literal["s", "B"]) -> Quantity:
    """With the threshold of the last glob of the matrix that matches."""
    limits = matrix.gate
    threshold = limits.latency if unit == "s" else limits.memory
    for glob, ratio in limits.thresholds.items():
        if fnmatch.fnmatchcase(name, glob):
            threshold = ratio
    return Quantity(id=name, group=group, unit=unit, threshold=threshold)


def _refuse_idle(glob: str, names: Sequence[str], where: str) -> None:
    if not fnmatch.filter(names, glob):
        near = difflib.get_close_matches(glob, names, n=3, cutoff=0.3)
        raise UsageError(f"{where} {glob!r} matches nothing that is measured; near it: {', '.join(near)}")
