"""The quantities of a gate: latency of the served scenarios, and peak memory."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Iterator, Sequence
from typing import Final, Literal

from harness.cell.interface import Scenario
from harness.errors import UsageError
from harness.matrix.schema import Matrix
from harness.records import Quantity, ScenarioPlan
from harness.sweep.planning import catalogue_of

NORMALIZER: Final = "normalizer"
EMBEDDING: Final = "embedding"

Group = Literal["normalizer", "embedding"]

ROUNDS: dict[Group, tuple[int, float, float]] = {NORMALIZER: (50, 5e-4, 0.025), EMBEDDING: (15, 0.01, 0.16)}
"""Largest number of rounds of a scenario, target seconds of a round, and budget in seconds of all rounds.

Rounds are short and many: load on the other hyperthread makes a core up to 2.3 times as slow, for 10 to 50 ms
at a time. In the same time, 25 rounds of 2 ms have a noise between processes of 0.028 (one float32 row),
0.029 (32), 0.024 (256), 0.022 and 0.021 (one and 32 float16 rows). With 75 rounds of 0.5 ms it is 0.016,
0.014, 0.018, 0.009 and 0.005. The noise falls with the root of the number of rounds, down to that of an idle
machine (32 and 17 blocks, 2026-11; root mean square of the log of the median ratio). A block takes 4 to 5 s
for the normalizer and 12 s for the embedding.
"""


def plan_quantities(matrix: Matrix, globs: Sequence[str] = ()) -> tuple[Quantity, ...]:
    """The quantities that a gate over this matrix judges, normalizer first; with globs only those that match.

    The reference is not served, so it is not included.

    Raises:
        UsageError: a glob, given or of the matrix, matches no quantity.
    """
    every = tuple(_list_quantities(matrix))
    names = [quantity.id for quantity in every]
    for glob in matrix.gate.thresholds:
        _check_glob(glob, names, f"{matrix.path}: gate.thresholds:")
    for glob in globs:
        _check_glob(glob, names, "--quantities")
    return tuple(
        quantity
        for quantity in every
        if not globs or any(fnmatch.fnmatchcase(quantity.id, glob) for glob in globs)
    )


def scenarios_of_group(matrix: Matrix, group: Group) -> tuple[ScenarioPlan, ...]:
    """The scenarios that the probe processes of a group measure, in order."""
    rounds, target, budget = ROUNDS[group]
    return tuple(
        ScenarioPlan(id=scenario.id, rounds=rounds, target_seconds=target, budget_seconds=budget)
        for scenario in _served_scenarios(matrix)
        if _group_of(scenario) == group
    )


def _list_quantities(matrix: Matrix) -> Iterator[Quantity]:
    groups: tuple[Group, ...] = (NORMALIZER, EMBEDDING)
    for group in groups:
        timed = [scenario for scenario in _served_scenarios(matrix) if _group_of(scenario) == group]
        for scenario in timed:
            yield _make_quantity(matrix, scenario.id, group, "s")
        if timed:  # a service has no normalizer that could be measured alone
            yield _make_quantity(matrix, f"memory.{group}", group, "B")


def _served_scenarios(matrix: Matrix) -> Iterator[Scenario]:
    first = matrix.subject.normalizers[0]
    return (each for each in catalogue_of(matrix) if each.target in {first, "openvino"})


def _group_of(scenario: Scenario) -> Group:
    return NORMALIZER if scenario.kind == "normalize" else EMBEDDING


def _make_quantity(matrix: Matrix, name: str, group: Group, unit: Literal["s", "B"]) -> Quantity:
    """A quantity with the threshold of the last matching glob of the matrix."""
    limits = matrix.gate
    threshold = limits.latency if unit == "s" else limits.memory
    for glob, ratio in limits.thresholds.items():
        if fnmatch.fnmatchcase(name, glob):
            threshold = ratio
    return Quantity(id=name, group=group, unit=unit, threshold=threshold)


def _check_glob(glob: str, names: Sequence[str], where: str) -> None:
    if not fnmatch.filter(names, glob):
        near = difflib.get_close_matches(glob, names, n=3, cutoff=0.3)
        raise UsageError(f"{where} {glob!r} matches no quantity; similar: {', '.join(near)}")
