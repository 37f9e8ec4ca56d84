"""The quantities that the proof measures, its statistics without a process, and what its rows hold."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.gate_records import Interval, Quantity
from harness.plan.quantities import plan_quantities
from harness.proof import simulation
from harness.proof.goals import Row
from harness.proof.planted import make_matrix
from harness.proof.simulation import Method
from harness.speed import looks
from harness.statistics.__main__ import Request, estimate


@pytest.fixture(scope="module", name="quantities")
def quantities_fixture(tmp_path_factory: pytest.TempPathFactory) -> tuple[Quantity, ...]:
    matrix = make_matrix(tmp_path_factory.mktemp("proof"))
    return tuple(each for each in plan_quantities(matrix) if each.group == "normalizer")


@pytest.fixture(autouse=True)
def statistics_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers as the process does, without the second that it takes to start; test_statistics holds that."""

    async def answer(
        samples: dict[str, tuple[float, ...]],
        confidence: float,
        *,
        method: Method = "signed-rank",
        **_: object,
    ) -> dict[str, Interval]:
        return estimate(Request(samples, confidence, method)).intervals

    monkeypatch.setattr(simulation, "estimate", answer)
    monkeypatch.setattr(looks, "estimate", answer)


def held(rows: Sequence[Row]) -> list[bool | None]:
    return [each.holds for each in rows]
