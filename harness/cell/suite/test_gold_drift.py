"""GOLD: comparison with the golden embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, List

import pytest

from harness.cell.comparison import compare, name_worst, unit_rows
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
    difference = compare(unit_rows(answers.embeddings(output)), golden.embeddings, allowed)
    record(
        value=difference.worst,
        unit="abs",
        bound="max",
        allowed=allowed,
        worst=difference.index,
        share=difference.share,
        sample=name_worst(difference.rows, corpus),
        control=controls.apart(SLIGHTEST[output])[1],
        facts={
            "drift of the reference": compare(expected, golden.embeddings).worst,
            "made with": ", ".join(f"{name} {version}" for name, version in golden.made_with.items()),
        },
    )
