"""L0: the reference alone against the oracle. By hand: ``--only 'l0.reference/*'``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List

import numpy as np
import pytest

from harness.cell import normalization, oracle, vectors
from harness.cell.probable import bound_formula

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.cell.corpus import Sentence
    from harness.cell.record import Record

TEXTS = 8
"""Texts that are encoded twice; their vectors have the rounding of all others."""


def make_both(source: str, request: pytest.FixtureRequest) -> List[NDArray]:
    """Rows (n, d), and what the reference makes of them: its utility, or ``encode`` of a few texts."""
    if source != "encode":
        rows = vectors.vectors("typical", source)
        return [rows, normalization.call(normalization.reference, rows)]
    from harness.cell.reference import encode

    model: Any = request.getfixturevalue("reference_model")
    corpus: List[Sentence] = request.getfixturevalue("corpus")
    texts = [sentence.text for sentence in corpus[:TEXTS]]
    return [encode(model, texts, normalize=normalize) for normalize in (False, True)]


@pytest.mark.check("l0.reference")
def test_reference(source: str, request: pytest.FixtureRequest, record: Record) -> None:
    """Compare what the reference normalizes with the exact result."""
    rows, units = make_both(source, request)
    allowed = bound_formula(rows)
    found = oracle.compare(np.asarray(units), oracle.normalize(rows), allowed)
    record(**normalization.fields(found, facts={"rows": len(rows), "d": rows.shape[1]}))
