"""The quantities that the proof measures, and what its rows hold."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from proof.goals import Row
from proof.planted import make_matrix

from harness.gate.quantities import plan_quantities
from harness.records import Quantity


@pytest.fixture(scope="module", name="quantities")
def quantities_fixture(tmp_path_factory: pytest.TempPathFactory) -> tuple[Quantity, ...]:
    matrix = make_matrix(tmp_path_factory.mktemp("proof"))
    return tuple(each for each in plan_quantities(matrix) if each.group == "normalizer")


def held(rows: Sequence[Row]) -> list[bool | None]:
    return [each.holds for each in rows]
