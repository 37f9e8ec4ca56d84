"""L1: hidden states of the OpenVINO model against torch, before pooling and normalization."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, List

import numpy as np
import pytest

from harness.cell.comparison import choose_allowed, find_token_distances, name_worst
from harness.cell.controls import SLIGHTEST, VOID, Controls, choose_sentences

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.cell.corpus import Sentence
    from harness.cell.record import Record


def choose_for_hidden(corpus: List[Sentence]) -> List[Sentence]:
    """Choose a few sentences of every kind, and the longest one, which is truncated and pads the others."""
    return [*choose_sentences(corpus), max(corpus, key=lambda sentence: len(sentence.text))]


def refuse_tokens(
    counts: NDArray, wanted: NDArray, sentences: List[Sentence], allowed: float, record: Record
) -> None:
    """Fail with the first sentence whose number of tokens differs between subject and reference."""
    row = int(np.argmax(counts != wanted))
    message = f"{counts[row]} tokens, but the reference has {wanted[row]}: {sentences[row].shown}"
    record(value=np.inf, unit="distance", bound="max", allowed=allowed, worst=(row,), sample=message)


def take_tokens(states: NDArray, mask: NDArray) -> NDArray:
    """The states (n, most tokens, h) that the mask keeps, then zeros.

    Padding is no difference: on either side, to the longest text or to a multiple of 8 or 64.
    """
    kept = mask != 0
    counts = np.count_nonzero(kept, axis=1)
    taken = np.zeros((len(states), int(counts.max(initial=0)), states.shape[2]), dtype=states.dtype)
    for row, count in enumerate(counts):
        taken[row, :count] = states[row][kept[row]]
    return taken


def match_scale(states: NDArray, wanted: NDArray) -> NDArray:
    """States in the scale of others: one factor for all of them has no effect on a direction."""
    size, due = (float(np.linalg.norm(each.astype(np.float64))) for each in (states, wanted))
    if not (size and np.isfinite(size)):
        return states
    scaled: NDArray = (states.astype(np.float64) * (due / size)).astype(states.dtype)
    return scaled if abs(due / size - 1) > 1e-3 else states  # else it is rounding


@pytest.mark.check("l1.hidden")
def test_hidden(  # noqa: PLR0913, PLR0917 # fixtures are arguments
    subject: Any,
    reference_model: Any,
    corpus: List[Sentence],
    controls: Controls,
    tolerance: Any,
    record: Record,
) -> None:
    """Compare unmasked hidden states, for a few sentences of every kind."""
    from harness.cell import reference

    if not hasattr(subject, "hidden"):
        pytest.skip("the embedder has no hidden(texts)")
    allowed = tolerance("l1.hidden")
    sentences = choose_for_hidden(corpus)
    rows: List[float] = []
    for part in (
        sentences[:-1],
        sentences[-1:],
    ):  # the longest separately, so the others are not padded to its length
        texts = [sentence.text for sentence in part]
        actual, mask = subject.hidden(texts)
        states, wanted = reference.hidden(reference_model, texts)
        counts, expected = (np.count_nonzero(each, axis=1) for each in (mask, wanted))
        if not np.array_equal(counts, expected):
            refuse_tokens(counts, expected, part, allowed, record)
            return
        actual, states = (take_tokens(each, of) for each, of in ((actual, mask), (states, wanted)))
        allowed = choose_allowed(tolerance, actual, "l1.hidden")
        rows.extend(find_token_distances(match_scale(actual, states), states).max(axis=1))
    worst = int(np.argmax(rows))
    record(
        value=rows[worst],
        unit="distance",
        bound="max",
        allowed=allowed,
        worst=(worst,),
        share=np.mean(np.array(rows) > allowed),
        sample=name_worst(np.array(rows), sentences),
        control=controls.measure_states(SLIGHTEST),
        facts={"sentences": len(sentences)},
    )


@pytest.mark.check("l1.control")
def test_hidden_control(
    fault: str, controls: Controls, tolerance: Callable[[str], float], record: Record
) -> None:
    """Compare the tolerance with a control."""
    record(**controls.observe(fault, tolerance("l1.hidden"), states=True) or pytest.skip(VOID))
