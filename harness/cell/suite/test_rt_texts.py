"""RT: texts that services meet and demos don't: empty, too long, other scripts, emoji, control characters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, List

import numpy as np
import pytest

from harness.cell.compare import compare, name_worst, unit_rows
from harness.cell.corpus import Sentence, load_corpus

if TYPE_CHECKING:
    from harness.cell.record import Record

KINDS = {"empty-string": "empty"}
"""Where the case is called otherwise than the kind of the corpus."""


@pytest.fixture(scope="module")
def shipped() -> List[Sentence]:
    """Return the corpus of the harness: a corpus of the user's own need not hold every kind."""
    return load_corpus("")


def hold_empty_list(subject: Any, record: Record) -> None:
    """An empty list is an array of no rows, as wide and as typed as any other."""
    wanted, actual = np.asarray(subject(["x"])), np.asarray(subject([]))
    shape = (0, wanted.shape[1])
    record(
        value=float(actual.shape == shape and actual.dtype == wanted.dtype),
        unit="kept",
        bound="equal",
        allowed=1.0,
        sample=f"shape {actual.shape} {actual.dtype}, for shape {shape} {wanted.dtype}",
    )


@pytest.mark.check("rt.texts")
def test_texts(  # noqa: PLR0913, PLR0917 # fixtures are arguments
    text: str,
    subject: Any,
    reference_model: Any,
    shipped: List[Sentence],
    tolerance: Callable[[str], float],
    record: Record,
) -> None:
    """Compare one kind of texts, in one call, with the reference."""
    from harness.cell.reference import encode

    if text == "empty-list":
        hold_empty_list(subject, record)
        return
    sentences = [sentence for sentence in shipped if sentence.kind == KINDS.get(text, text)]
    texts = [sentence.text for sentence in sentences]
    wanted = encode(reference_model, texts, normalize=True)
    allowed = tolerance("l2.float32")
    difference = compare(unit_rows(np.asarray(subject(texts))), wanted, allowed)
    record(
        value=difference.worst,
        unit="abs",
        bound="max",
        allowed=allowed,
        worst=difference.index,
        share=difference.share,
        sample=name_worst(difference.rows, sentences),
        facts={"texts": len(texts)},
    )
