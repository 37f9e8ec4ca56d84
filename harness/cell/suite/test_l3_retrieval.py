"""L3: retrieval, the ten nearest neighbours of every sentence of the corpus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, List

import numpy as np
import pytest

from harness.cell.comparison import differing_queries, name_worst, unit_rows
from harness.cell.controls import VOID, Controls
from harness.cell.corpus import Sentence
from harness.cell.embedded import Answers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.cell.record import Record

DEPTH = 10

UNSEEN = {
    ("float16", "bfloat16-weights"): "float16 output moves scores as far as these weights do: it cannot tell"
}


@pytest.mark.check("l3.top10")
def test_top10(  # noqa: PLR0913, PLR0917 # fixtures are arguments
    output: str,
    normalize: Callable[[NDArray], NDArray],
    answers: Answers,
    expected: NDArray,
    expected_queries: NDArray,
    corpus: List[Sentence],
    tolerance: Callable[[str], float],
    record: Record,
) -> None:
    """Compare the rankings by subject and reference for every sentence, as a query to all others."""
    tie = tolerance(f"l3.tie.{output}")
    index = normalize(answers.embeddings(output))
    actual = index if expected_queries is expected else normalize(answers.queries(output))
    indexes = {"index": index, "expected_index": expected}
    swapped = differing_queries(actual, expected_queries, tie, DEPTH, **indexes)
    products = np.abs(
        actual.astype(np.float64) @ index.astype(np.float64).T
        - expected_queries.astype(np.float64) @ expected.T
    )
    record(
        value=int(np.count_nonzero(swapped)),
        unit="queries",
        bound="max",
        allowed=0,
        share=np.count_nonzero(swapped) / len(swapped),
        sample=name_worst(swapped, corpus),
        facts={
            "queries": len(swapped),
            "tie tolerance": tie,
            "largest change of a score": float(products.max()),
            "queries with swapped ties": int(
                np.count_nonzero(differing_queries(actual, expected_queries, 0.0, DEPTH, **indexes))
            ),
        },
    )


@pytest.mark.check("l3.across")
def test_across(  # noqa: PLR0913, PLR0917 # fixtures are arguments
    output: str,
    normalize: Callable[[NDArray], NDArray],
    answers: Answers,
    expected: NDArray,
    expected_queries: NDArray,
    corpus: List[Sentence],
    tolerance: Callable[[str], float],
    record: Record,
) -> None:
    """Search the index of one side with the queries of the other, and compare with the reference alone."""
    tie = tolerance(f"l3.tie.{output}")
    index = normalize(answers.embeddings(output))
    queries = index if expected_queries is expected else normalize(answers.queries(output))
    ways = {
        "index of the subject": differing_queries(
            expected_queries, expected_queries, tie, DEPTH, index=index, expected_index=expected
        ),
        "queries of the subject": differing_queries(
            queries, expected_queries, tie, DEPTH, index=expected, expected_index=expected
        ),
    }
    way, swapped = max(ways.items(), key=lambda entry: int(np.count_nonzero(entry[1])))
    named = name_worst(swapped, corpus)
    record(
        value=int(np.count_nonzero(swapped)),
        unit="queries",
        bound="max",
        allowed=0,
        share=np.count_nonzero(swapped) / len(swapped),
        sample=f"{way}: {named}" if named else "",
        facts={
            "queries": len(swapped),
            "tie tolerance": tie,
            **{name: int(np.count_nonzero(found)) for name, found in ways.items()},
        },
    )


@pytest.mark.check("l3.control")
def test_top10_control(
    output: str, fault: str, controls: Controls, tolerance: Callable[[str], float], record: Record
) -> None:
    """Count the rankings that a control changes."""
    if (output, fault) in UNSEEN:
        pytest.skip(UNSEEN[output, fault])
    chosen = controls.choose(fault) or pytest.skip(VOID)
    tie = tolerance(f"l3.tie.{output}")
    changed, right = unit_rows(controls.embeddings(chosen)), unit_rows(controls.embeddings())
    swapped = differing_queries(changed, right, tie, DEPTH)
    record(
        value=int(np.count_nonzero(swapped)),
        unit="queries",
        bound="min",
        allowed=1,
        share=np.count_nonzero(swapped) / len(swapped),
        sample=name_worst(swapped, controls.sentences),
        facts={"queries": len(swapped), "tie tolerance": tie, "control": chosen},
    )
