"""Made-up quantities, an interval, and blocks that are void."""

from __future__ import annotations

from harness.records import Interval, InvalidBlock, Quantity

SMALL = Quantity(id="normalize.manual.float32.1", group="normalizer", unit="s", threshold=1.05)
LARGE = Quantity(id="normalize.manual.float32.256", group="normalizer", unit="s", threshold=1.05)
MEMORY = Quantity(id="memory.embedding", group="embedding", unit="B", threshold=1.10)
EQUAL = Interval(low=0.99, ratio=1.0, high=1.01)


def void(number: int = 1, *arms: str, scenario: str = "") -> InvalidBlock:
    return InvalidBlock(
        group="normalizer",
        number=number,
        slots=("baseline", "again", "candidate"),
        arms=arms or ("candidate",),
        void="it hung",
        scenario=scenario,
    )
