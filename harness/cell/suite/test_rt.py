"""RT: batches, order, buffers, odd texts and memory. By hand: ``--only 'rt.*'``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, List, Optional, Tuple

import numpy as np
import pytest

from harness.cell import normalization, oracle
from harness.cell.change import measure_distances
from harness.cell.comparison import choose_allowed, compare, find_distances, name_worst, unit_rows
from harness.cell.controls import Controls
from harness.cell.corpus import Sentence
from harness.cell.drawn import LONGEST, load_unusual
from harness.cell.embedded import hold_to_tolerance
from harness.cell.facts import PeakUnknownError, measure_growth
from harness.cell.interface import CellSpec
from harness.cell.record import Record
from harness.cell.subject import TEXTS

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Calls: batches, order, buffers

SAME_LENGTH = (["the red house"], ["two green cars"], ["a cold day"])
"""Texts of equal shape, for which a runtime reuses its buffer."""


@pytest.mark.check("rt.batch-independence")
def test_batch_independence(  # noqa: PLR0913, PLR0917 # fixtures are arguments
    subject: Any,
    few: List[Sentence],
    alone: NDArray,
    controls: Controls,
    tolerance: Callable[[str], float],
    record: Record,
) -> None:
    """Embed in one batch, and compare with separate embedding."""
    together = np.array(subject([sentence.text for sentence in few]))
    hold_to_tolerance(together, alone, few, tolerance, controls, record)


@pytest.mark.check("rt.order-independence")
def test_order_independence(  # noqa: PLR0913, PLR0917 # fixtures are arguments
    subject: Any,
    few: List[Sentence],
    alone: NDArray,
    controls: Controls,
    tolerance: Callable[[str], float],
    record: Record,
) -> None:
    """Embed in another order, and compare with separate embedding."""
    shuffled = np.random.default_rng(20261101).permutation(len(few))
    embedded = np.array(subject([few[row].text for row in shuffled]))
    sentences = [few[row] for row in shuffled]
    hold_to_tolerance(embedded, alone[shuffled], sentences, tolerance, controls, record)


@pytest.mark.check("rt.no-alias")
def test_no_alias(subject: Any, record: Record) -> None:
    """Compare a result before and after further calls."""
    overwritten = []
    for first in SAME_LENGTH:
        kept = subject(first)
        before = np.array(kept, copy=True).tobytes()  # bits: a NaN that stays is not overwritten
        for other in (*SAME_LENGTH, ["something much longer than the texts before it", "b"]):
            subject(other)
        if before != np.array(kept).tobytes():
            overwritten.append(first[0])
    record(
        value=len(overwritten),
        unit="results overwritten",
        bound="max",
        allowed=0,
        sample="; ".join(overwritten),
        facts={"results": len(SAME_LENGTH)},
    )


@pytest.mark.check("rt.inputs-unchanged")
def test_inputs_unchanged(subject: Any, record: Record) -> None:
    """Compare texts and token arrays before and after further calls.

    None of the calls is larger, because a runtime would use new memory for a larger one.
    """
    texts = ["the red house", "a longer text about two green cars", ""]
    given = list(texts)
    subject(given)
    changed = ["texts"] if given != texts else []
    arrays = hasattr(subject, "infer") and hasattr(subject, "tokenize")
    if arrays:
        tokens = subject.tokenize(texts)
        before = {name: array.copy() for name, array in tokens.items()}
        subject.infer(tokens)
        for other in (texts[::-1], ["a blue boat", "x"], ["y"]):
            subject.infer(subject.tokenize(other))
        changed += [name for name, array in tokens.items() if not np.array_equal(array, before[name])]
    record(
        value=len(changed),
        unit="inputs changed",
        bound="max",
        allowed=0,
        sample=", ".join(changed),
        facts={"token arrays looked at": arrays},
    )


@pytest.mark.check("rt.again")
def test_again(started: Tuple[Any, Optional[str]], record: Record) -> None:
    """Send the texts of the first call again, whatever was called in between."""
    subject, form = started
    raised = ""
    try:
        subject(list(TEXTS))
    except Exception as error:
        if form is None:  # not even its first call returned
            raise
        raised = f"{type(error).__name__}: {error}"
    record(value=int(bool(raised)), unit="calls that raise", bound="max", allowed=0, sample=raised)


@pytest.mark.check("rt.deterministic")
def test_deterministic(subject: Any, few: List[Sentence], record: Record) -> None:
    """Embed the same twice."""
    texts = [sentence.text for sentence in few]
    first = np.array(subject(texts), copy=True)
    difference = compare(np.array(subject(texts)), first)
    record(
        value=difference.worst,
        unit="abs",
        bound="max",
        allowed=0.0,
        worst=difference.index,
        share=difference.share,
        sample=name_worst(difference.rows, few),
    )


# Unusual texts: empty, too long, other scripts, emoji, control characters

KINDS = {"empty-string": "empty"}
"""Cases with another name than the kind in the corpus."""

ORDINARY = "plain"
"""The kind of texts that a service has to embed like the reference before odd ones tell anything."""


@pytest.fixture(scope="module")
def unusual(count_tokens: Callable[[str], int], limit: int) -> List[Sentence]:
    """Return texts of further kinds, which golden embeddings do not cover."""
    return load_unusual(count_tokens, limit)


@pytest.fixture(scope="module")
def ordinary_error(spec: CellSpec, subject: Any, reference_model: Any, shipped: List[Sentence]) -> float:
    """Return how far ordinary texts are from the reference."""
    from harness.cell.reference import encode

    texts = [sentence.text for sentence in shipped if sentence.kind == ORDINARY]
    wanted = encode(reference_model, texts, normalize=True, role="document" if spec.query else "")
    return float(find_distances(unit_rows(np.asarray(subject(texts))), wanted).max())


def hold_empty_list(subject: Any, record: Record) -> None:
    """Check that an empty list gives an array (0, d) of the usual dtype, or that of lists an empty list."""
    usual, returned = subject(["x"]), subject([])
    wanted, actual = np.asarray(usual), np.asarray(returned)
    shape = (0, wanted.shape[1])
    listed = isinstance(usual, (list, tuple)) and type(returned) is type(usual) and not returned
    record(
        value=float(listed or (actual.shape == shape and actual.dtype == wanted.dtype)),
        unit="kept",
        bound="equal",
        allowed=1.0,
        sample=f"shape {actual.shape} {actual.dtype}, for shape {shape} {wanted.dtype}",
    )


@pytest.mark.check("rt.texts")
def test_texts(  # noqa: PLR0913, PLR0917 # fixtures are arguments
    text: str,
    spec: CellSpec,
    subject: Any,
    reference_model: Any,
    shipped: List[Sentence],
    unusual: List[Sentence],
    ordinary_error: float,
    tolerance: Callable[[str], float],
    record: Record,
) -> None:
    """Compare one kind of texts with the reference, in one call, unless ordinary texts differ from it too."""
    from harness.cell.reference import encode

    if text == "empty-list":
        hold_empty_list(subject, record)
        return
    sentences = [sentence for sentence in [*shipped, *unusual] if sentence.kind == KINDS.get(text, text)]
    if not sentences:
        pytest.skip(
            f"texts are not made as long as the limit of this model, if it is beyond {LONGEST} tokens"
        )
    texts = [sentence.text for sentence in sentences]
    wanted = encode(reference_model, texts, normalize=True, role="document" if spec.query else "")
    embedded = np.asarray(subject(texts))
    allowed = choose_allowed(tolerance, embedded, "l2.float32")
    if not ordinary_error <= allowed:
        pytest.skip(f"ordinary texts differ from the reference too, by {ordinary_error:.2g}: see l2.parity")
    record(**measure_distances(unit_rows(embedded), wanted, sentences, allowed))


ROWS, TILE = 32768, 1024
DIMENSION = 384
ALLOWED = 3.0
"""Allowed memory in sizes of the input: the result, one temporary of squares, and one scaled copy.

The manual formula needs 1, because the temporary is freed before the division, and a normalizer with a scaled
copy needs 2. More means an unnecessary temporary. Norms, pages and pools of the allocator are below 0.1.
"""


@pytest.fixture(scope="module")
def batch() -> Any:
    """Return about 50 MB of rows, float32; tiled, because their values do not matter."""
    tile = np.random.default_rng(5).standard_normal((TILE, DIMENSION)).astype(np.float32)
    return np.tile(tile, (ROWS // TILE, 1))


@pytest.fixture(scope="module")
def reference(batch: Any) -> float:
    """Return the memory of the reference for the same rows, in sizes of the input."""
    import torch
    from sentence_transformers.util import normalize_embeddings

    return measure(normalize_embeddings, torch.from_numpy(batch), batch.nbytes)


def measure(normalize: Callable[[Any], Any], rows: Any, size: int) -> float:
    """Growth of the peak in one call, after a small one that loads libraries."""
    normalize(rows[:64])
    try:
        return measure_growth(lambda: normalize(rows)) / size
    except PeakUnknownError as error:
        pytest.skip(str(error))


@pytest.mark.check("rt.memory")
def test_memory(batch: Any, reference: float, normalize: Callable[[Any], Any], record: Record) -> None:
    """Measure the peak memory; that of the reference is recorded as a fact."""
    record(
        value=measure(normalize, batch.copy(), batch.nbytes),  # a normalizer can work in place
        unit="times the input",
        bound="max",
        allowed=ALLOWED,
        facts={"reference": round(reference, 4), "input_bytes": batch.nbytes},
    )


@pytest.mark.check("rt.large-batch")
def test_large_batch(normalizer: str, batch: Any, normalize: Callable[[Any], Any], record: Record) -> None:
    """Compare the first tile with the exact result, and each other one unless it equals the first."""
    tile = batch[:TILE]
    exact = oracle.normalize(tile)
    allowed = normalization.allowed(normalizer, tile, exact)
    units = normalize(batch.copy())
    worst = oracle.compare(units[:TILE], exact, allowed)
    for start in range(TILE, len(batch), TILE):
        part = units[start : start + TILE]
        if worst.within and not np.array_equal(part, units[:TILE]):
            worst = max(worst, oracle.compare(part, exact, allowed), key=lambda found: found.value)
    record(**normalization.fields(worst))
