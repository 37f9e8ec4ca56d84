"""GOLD: golden embeddings, vectors of the user's index, and those that the controller compares."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, List, Optional, Tuple

import numpy as np
import pytest

from harness.cell.change import measure_distances, measure_rankings, name_dtype
from harness.cell.comparison import find_distances, name_worst, unit_rows
from harness.cell.controls import SLIGHTEST, VOID, Controls
from harness.cell.corpus import Sentence
from harness.cell.embedded import Answers, embed_in_slices
from harness.cell.golden import Golden, compute_key, read_golden
from harness.cell.recorded import Recorded
from harness.cell.stored import load_stored

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.cell.interface import CellSpec
    from harness.cell.record import Record

# Golden embeddings: drift from those of another day


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


# The vectors of this cell, which the controller compares with those of the baseline


@pytest.mark.check("gold.recorded")
def test_recorded(  # noqa: PLR0913, PLR0917 # fixtures are arguments
    spec: CellSpec,
    normalize: Callable[[NDArray], NDArray],
    answers: Answers,
    corpus: List[Sentence],
    record: Record,
    request: pytest.FixtureRequest,
) -> None:
    """Write the vectors that the service returns, with those of the reference, and look for NaN."""
    service = normalize(answers.returned())
    reference, told = _embed_with_reference(request)
    queries = normalize(answers.queries("")) if spec.query else None
    recorded = Recorded(tuple(corpus), service, reference, queries)
    if spec.vectors:
        recorded.write(Path(spec.vectors))
    facts = {
        "service": f"{service.dtype} {service.shape}",
        "reference": told,
        "weights": _hash_weights(Path(spec.model_dir), corpus),
        "texts with NaN": int((np.isnan(service) | np.isnan(recorded.asked)).any(axis=1).sum()),
    }
    broken = ~(np.isfinite(service) & np.isfinite(recorded.asked)).all(axis=1)
    record(
        value=int(broken.sum()),
        unit="texts",
        bound="max",
        allowed=0,
        share=float(broken.mean()),
        sample=name_worst(np.where(broken, np.inf, 0.0), corpus),
        facts=facts,
    )


def _embed_with_reference(request: pytest.FixtureRequest) -> Tuple[Optional[NDArray], str]:
    """The vectors of the reference with their dtype; None with the reason if it raises.

    The service is compared with the baseline without them too.
    """
    try:
        encoded = request.getfixturevalue("encoded")
        return encoded, str(encoded.dtype)
    except Exception as error:  # noqa: BLE001 # whatever a broken reference raises
        return None, f"{type(error).__name__}: {error}"


def _hash_weights(model_dir: Path, corpus: List[Sentence]) -> str:
    """The sha256 of the weights, for a canary; empty where they have a name of their own."""
    try:
        return compute_key(model_dir, corpus).weights
    except (OSError, ValueError):  # of a folder that golden embeddings do not know
        return ""


@pytest.mark.check("gold.control")
def test_distance_control(
    output: str, fault: str, controls: Controls, tolerance: Callable[[str], float], record: Record
) -> None:
    """Compare the tolerance of distances with a control."""
    record(**controls.observe(fault, tolerance(f"before.{output}"), output) or pytest.skip(VOID))


# Vectors of the user's index


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
