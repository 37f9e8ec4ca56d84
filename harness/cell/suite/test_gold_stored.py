"""GOLD: comparison with vectors of the user's index."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

import pytest

from harness.cell.change import measure_distances, measure_rankings, name_dtype
from harness.cell.embedded import embed_in_slices
from harness.cell.recorded import Recorded
from harness.cell.stored import load_stored

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.cell.interface import CellSpec
    from harness.cell.record import Record


@pytest.fixture(scope="module")
def stored(spec: CellSpec) -> Recorded:
    """Return the stored vectors with their texts."""
    return load_stored(*map(Path, spec.stored), normalized=spec.normalized)


@pytest.fixture(scope="module")
def embedded(subject: Any, stored: Recorded) -> NDArray:
    """Return the stored texts as the service embeds them (n, d), as its embedder returns them."""
    return embed_in_slices(subject, [sentence.text for sentence in stored.sentences])


@pytest.mark.check("gold.stored")
def test_stored(
    stored: Recorded,
    embedded: NDArray,
    normalize: Callable[[NDArray], NDArray],
    tolerance: Callable[[str], float],
    record: Record,
) -> None:
    """Compare the vectors of the service with the stored ones."""
    now = normalize(embedded.copy())
    allowed = tolerance(f"before.{name_dtype(now, stored.service)}")
    record(**measure_distances(now, stored.service, stored.sentences, allowed))


@pytest.mark.check("gold.stored-ranking")
def test_stored_ranking(
    stored: Recorded,
    embedded: NDArray,
    normalize: Callable[[NDArray], NDArray],
    tolerance: Callable[[str], float],
    record: Record,
) -> None:
    """Count the texts that find something else in the stored index, or in a new one."""
    now = normalize(embedded.copy())
    tie = tolerance(f"l3.tie.{name_dtype(now, stored.service)}")
    record(**measure_rankings(now, stored.service, stored.sentences, tie))
