"""GOLD: comparison with the golden embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, List

import pytest

from harness.cell.change import measure_distances
from harness.cell.comparison import find_distances, unit_rows
from harness.cell.controls import SLIGHTEST, Controls
from harness.cell.corpus import Sentence
from harness.cell.embedded import Answers
from harness.cell.golden import Golden, read_golden

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.cell.interface import CellSpec
    from harness.cell.record import Record


@pytest.fixture(scope="module")
def golden(spec: CellSpec, corpus: List[Sentence]) -> Golden:
    """Return the golden embeddings of this model and corpus; an error names the key that differs."""
    found = read_golden(spec, corpus)
    if found is None:
        pytest.skip("no golden embeddings are kept for this model and corpus; 'harness golden' makes them")
    return found


@pytest.mark.check("gold.drift")
def test_drift(  # noqa: PLR0913, PLR0917 # fixtures are arguments
    output: str,
    golden: Golden,
    answers: Answers,
    expected: NDArray,
    corpus: List[Sentence],
    controls: Controls,
    tolerance: Callable[[str], float],
    record: Record,
) -> None:
    """Compare directions with the golden ones; the drift of the reference is recorded as a fact."""
    allowed = tolerance(f"gold.{output}")
    found = measure_distances(unit_rows(answers.embeddings(output)), golden.embeddings, corpus, allowed)
    facts = {
        **found.pop("facts"),
        "drift of the reference": float(find_distances(expected, golden.embeddings).max()),
        "made with": ", ".join(f"{name} {version}" for name, version in golden.made_with.items()),
    }
    record(**found, facts=facts, control=controls.measure_embeddings(SLIGHTEST))
