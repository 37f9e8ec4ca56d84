"""RT: what OpenVINO and torch do with other paddings and settings, by the embedder's own tokens; notes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, List

import numpy as np
import pytest

from harness.cell.change import measure_distances
from harness.cell.comparison import choose_allowed, find_distances, name_worst, unit_rows
from harness.cell.drawn import draw_short_texts, load_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.cell.corpus import Sentence
    from harness.cell.record import Record

Tokens = Dict[str, "NDArray"]

TEXTS = 5
FILLED = 3
"""Rows that fill a batch up: each token of them is masked."""


def fill_up(tokens: Tokens) -> Tokens:
    """Add rows whose mask is all 0, as a service does whose batches have one size."""
    return {name: np.pad(array, ((0, FILLED), (0, 0))) for name, array in tokens.items()}


def widen(tokens: Tokens, multiple: int) -> Tokens:
    """Pad on the right to a multiple, one more of it if the length is that already."""
    more = multiple - tokens["attention_mask"].shape[1] % multiple
    padding = tokens["attention_mask"] == 0  # the shorter texts show how the tokenizer pads
    return {
        name: np.pad(array, ((0, 0), (0, more)), constant_values=array[padding][0])
        for name, array in tokens.items()
    }


def shift(tokens: Tokens) -> Tokens:
    """Move the padding to the left."""
    counts = tokens["attention_mask"].sum(axis=1)
    return {
        name: np.stack([np.roll(row, len(row) - count) for row, count in zip(array, counts)])  # noqa: B905 # 3.10
        for name, array in tokens.items()
    }


PADDINGS: Dict[str, Callable[[Tokens], Tokens]] = {
    "masked-rows": fill_up,
    "multiple-of-8": lambda tokens: widen(tokens, 8),
    "multiple-of-64": lambda tokens: widen(tokens, 64),
    "left": shift,
}


def average(states: NDArray, mask: NDArray) -> NDArray:
    """The directions (n, h) of means over the tokens that the mask keeps."""
    kept = mask[:, :, None] != 0
    total: NDArray = np.where(kept, states, 0).astype(np.float64).sum(axis=1)
    return unit_rows(total)


def open_runtime(runtime: str, subject: Any, model: Any, texts: List[str]) -> Any:
    """The tokens of texts, int64 (n, t), and the function from tokens to hidden states (n, t, h)."""
    if runtime == "torch":
        from harness.cell import reference

        tokens = {name: np.asarray(each) for name, each in reference.tokenize(model, texts).items()}
        return tokens, lambda given: reference.infer(model, given)
    return subject.tokenize(texts), subject.infer


@pytest.mark.check("rt.padding")
def test_padding(  # noqa: PLR0913, PLR0917 # fixtures are arguments
    padding: str,
    runtime: str,
    subject: Any,
    reference_model: Any,
    few: List[Sentence],
    tolerance: Callable[[str], float],
    record: Record,
) -> None:
    """Compare the texts of a batch that is padded otherwise; rows that fill it up should be finite."""
    if not (hasattr(subject, "tokenize") and hasattr(subject, "infer")):
        pytest.skip("the embedder has no tokenize(texts) and infer(tokens)")
    sentences = [*draw_short_texts(TEXTS - 1), few[0]]
    tokens, infer = open_runtime(runtime, subject, reference_model, [each.text for each in sentences])
    usual = np.array(infer(tokens))
    padded = PADDINGS[padding](tokens)
    states = np.array(infer(padded))
    wanted = average(usual, tokens["attention_mask"])
    found = average(states[: len(wanted)], padded["attention_mask"][: len(wanted)])
    allowed = choose_allowed(tolerance, usual, "rt.float32")
    distances = find_distances(found, wanted)
    worst = float(distances.max())
    filled = states[len(wanted) :]
    finite = bool(np.isfinite(filled).all())
    sample = name_worst(distances, sentences) if worst > allowed else ""
    record(
        value=worst if finite else np.inf,
        unit="distance",
        bound="max",
        allowed=allowed,
        sample=sample if finite else describe_filled(filled, worst, allowed),
        facts={"other texts": worst, "rows that fill up": len(filled), "finite": finite},
    )


def describe_filled(filled: NDArray, worst: float, allowed: float) -> str:
    """One sentence about rows whose mask is all 0, and the texts beside them."""
    what = "NaN" if np.isnan(filled).any() else "infinite"
    others = (
        "the texts beside them are unchanged" if worst <= allowed else f"other texts are off by {worst:.2g}"
    )
    return f"rows whose mask is all 0 come out as {what}; {others}"


SETTINGS = {
    "again": {},
    "throughput": {"PERFORMANCE_HINT": "THROUGHPUT"},
    "two-streams": {"NUM_STREAMS": "2", "INFERENCE_NUM_THREADS": "2"},
}
"""Case -> settings of a further compilation, beside or instead of those of the embedder."""

CALLS = 100


@pytest.fixture(scope="module")
def compiled_again(subject: Any) -> Any:
    """Return the embedder with a further compilation of its model, for which no other check waits."""
    if not hasattr(subject, "recompile"):
        pytest.skip("the embedder has no recompile(settings)")
    return subject.recompile({})


def release(embedder: Any) -> None:
    """Give the memory of the last inference back."""
    if not embedder.release_memory():
        pytest.skip("this release of OpenVINO has no release_memory()")


def break_off(embedder: Any) -> None:
    """Make one inference raise."""
    tokens = embedder.tokenize(["a text"])
    with pytest.raises(Exception):  # noqa: B017, PT011 # whatever the runtime raises
        embedder.infer({name: array[0, 0] for name, array in tokens.items()})


def embed_long(embedder: Any) -> None:
    """Embed a text far beyond the limit of most models."""
    embedder([" ".join(load_words() * 8)])


def embed_often(embedder: Any) -> None:
    """Embed texts of several lengths, one by one."""
    for each in draw_short_texts(CALLS):
        embedder([each.text])


EVENTS: Dict[str, Callable[[Any], None]] = {
    "release-memory": release,
    "exception": break_off,
    "very-long-text": embed_long,
    "hundred-calls": embed_often,
}
"""Case -> what happens between two embeddings of the same texts."""


@pytest.mark.check("rt.compilations")
def test_compilations(  # noqa: PLR0913, PLR0917 # fixtures are arguments
    condition: str,
    subject: Any,
    compiled_again: Any,
    few: List[Sentence],
    tolerance: Callable[[str], float],
    record: Record,
) -> None:
    """Compare the embeddings of another compilation, or those before and after an event."""
    sentences = few[::4]
    texts = [each.text for each in sentences]
    if condition in SETTINGS:
        other = subject.recompile(SETTINGS[condition]) if SETTINGS[condition] else compiled_again
        before, after = np.array(subject(texts)), np.array(other(texts))
    else:
        before = np.array(compiled_again(texts))
        EVENTS[condition](compiled_again)
        after = np.array(compiled_again(texts))
    allowed = choose_allowed(tolerance, before, "rt.float32")
    found = measure_distances(after, before, sentences, allowed)
    facts = {**found.pop("facts", {}), "same bits": bool(np.array_equal(before, after))}
    record(**found, facts=facts)
