"""L2: OpenVINO embedding plus normalizer, end to end, against ``encode(normalize_embeddings=True)``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, List

import numpy as np
import pytest

from harness.cell.change import measure_distances
from harness.cell.comparison import compare, name_worst
from harness.cell.controls import SLIGHTEST, VOID, Controls
from harness.cell.corpus import Sentence
from harness.cell.embedded import Answers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.cell.interface import CellSpec
    from harness.cell.record import Record


def label(corpus: List[Sentence], role: str) -> List[Sentence]:
    """The sentences with their role in the kind that a message shows."""
    return [Sentence(sentence.text, f"{role}, {sentence.kind}") for sentence in corpus]


@pytest.mark.check("l2.parity")
def test_parity(  # noqa: PLR0913, PLR0917 # fixtures are arguments
    output: str,
    normalize: Callable[[NDArray], NDArray],
    answers: Answers,
    expected: NDArray,
    expected_queries: NDArray,
    corpus: List[Sentence],
    controls: Controls,
    tolerance: Callable[[str], float],
    record: Record,
) -> None:
    """Compare the unit vectors of texts with the reference; of documents and queries where these differ."""
    allowed = tolerance(f"l2.{output}")
    actual = normalize(answers.embeddings(output))
    if expected_queries is not expected:
        corpus = [*label(corpus, "document"), *label(corpus, "query")]
        actual = np.concatenate([actual, normalize(answers.queries(output))])
        expected = np.concatenate([expected, expected_queries])
    found = measure_distances(actual, expected, corpus, allowed)
    record(**found, control=controls.measure_embeddings(SLIGHTEST))


COARSER = {"float32": 11, "float16": 8}
"""Bits of a norm in the next shorter dtype: float16, bfloat16."""


def coarse_length(embeddings: NDArray, bits: int) -> float:
    """Distance of lengths from 1 if norms have ``bits`` bits: the control of ``unit.*``."""
    norms = np.linalg.norm(embeddings.astype(np.float64), axis=1)
    scaled = np.ldexp(np.frexp(norms[norms > 0])[0], bits)
    return float(np.abs(scaled / np.rint(scaled) - 1).max(initial=0.0))


@pytest.mark.check("l2.unit-length")
def test_unit_length(  # noqa: PLR0913, PLR0917 # fixtures are arguments
    output: str,
    spec: CellSpec,
    normalize: Callable[[NDArray], NDArray],
    answers: Answers,
    corpus: List[Sentence],
    tolerance: Callable[[str], float],
    record: Record,
) -> None:
    """Measure lengths in float64."""
    allowed = tolerance(f"unit.{output}")
    embeddings = answers.embeddings(output)
    lengths = np.linalg.norm(normalize(embeddings).astype(np.float64), axis=1)
    difference = compare(lengths, np.ones(len(lengths)), allowed)
    record(
        value=difference.worst,
        unit="abs",
        bound="max",
        allowed=allowed,
        worst=difference.index,
        share=difference.share,
        sample=name_worst(difference.rows, corpus),
        control=None if spec.service else coarse_length(embeddings, COARSER[output]),
    )


@pytest.mark.check("l2.dtype")
def test_dtype(
    output: str,
    spec: CellSpec,
    normalize: Callable[[NDArray], NDArray],
    answers: Answers,
    record: Record,
) -> None:
    """Compare dtypes after the embedder and after the normalizer, or that of a service as it is returned."""
    found = embedded = answers.form(output)
    dtypes = f"{embedded} from the service"
    if not spec.service:
        found = str(normalize(answers.embeddings(output)).dtype)
        dtypes = f"{embedded} from the embedder, {found} from the normalizer"
    record(
        value=float(embedded == found == output),
        unit="kept",
        bound="equal",
        allowed=1.0,
        sample=dtypes,
    )


@pytest.mark.check("l2.control")
def test_parity_control(
    output: str, fault: str, controls: Controls, tolerance: Callable[[str], float], record: Record
) -> None:
    """Compare the tolerance with a control."""
    record(**controls.observe(fault, tolerance(f"l2.{output}"), output) or pytest.skip(VOID))
