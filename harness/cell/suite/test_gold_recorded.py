"""GOLD: the vectors of this cell, recorded for the controller, which compares them with the baseline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Callable, List, Optional, Tuple

import numpy as np
import pytest

from harness.cell.comparison import name_worst
from harness.cell.controls import VOID, Controls
from harness.cell.corpus import Sentence
from harness.cell.embedded import Answers
from harness.cell.golden import compute_key
from harness.cell.recorded import Recorded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.cell.interface import CellSpec
    from harness.cell.record import Record


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
