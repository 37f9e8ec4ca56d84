"""RT: what earlier texts, an exception or another process change. By hand: ``--only 'rt.[af]*'``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, List, Tuple

import numpy as np
import pytest

from harness.cell.change import measure_distances
from harness.cell.comparison import choose_allowed
from harness.cell.controls import Controls
from harness.cell.corpus import Sentence
from harness.cell.fresh_process import FreshProcessError, embed_in_fresh_process
from harness.cell.interface import CellSpec
from harness.cell.record import Record

if TYPE_CHECKING:
    from numpy.typing import NDArray

MINUTES = "The minutes say that the roof of the eastern hall leaks, that the repair was put off twice, that"
ALIKE = (
    "The parcel with the number 48213 will be delivered tomorrow morning.",
    "The parcel with the number 48213 will be delivered next Wednesday.",
    "polish remover",
    "Polish remover",
    f"{MINUTES} the chair asked for three new offers before the first of May.",
    f"{MINUTES} nobody has read them.",
    "the dog bites the man",
    "the man bites the dog",
)
"""Texts that a cache takes for one if its key is a beginning, a spelling without case or a set of words."""

INVALID: Tuple[List[Any], ...] = (["half of a pair of surrogates: \ud83d"], [None])
"""Lists at which tokenizers raise: text that cannot be encoded, as JSON can hold it, and no text."""


@pytest.fixture(scope="session")
def embed_afresh(spec: CellSpec, subject: Any) -> Callable[[List[str]], NDArray]:
    """Return the embedding of texts in a new process; the case is skipped if there can be no second one."""

    def embed(texts: List[str]) -> NDArray:
        try:
            return embed_in_fresh_process(spec, texts, subject)
        except FreshProcessError as error:
            pytest.skip(str(error))

    return embed


@pytest.mark.check("rt.fresh-process")
def test_fresh_process(  # noqa: PLR0913, PLR0917 # fixtures are arguments
    subject: Any,
    few: List[Sentence],
    embed_afresh: Callable[[List[str]], NDArray],
    controls: Controls,
    tolerance: Callable[[str], float],
    record: Record,
) -> None:
    """Embed texts here in order, and in a new process in reverse."""
    sentences = [*few, *(Sentence(text, "alike") for text in ALIKE)]
    texts = [sentence.text for sentence in sentences]
    here = np.array(subject(texts))
    afresh = embed_afresh(texts[::-1])[::-1]
    found = measure_distances(afresh, here, sentences, choose_allowed(tolerance, here, "rt.float32"))
    record(**found, control=controls.measure_embeddings("no-attention-mask"))


@pytest.mark.check("rt.after-exception")
def test_after_exception(
    subject: Any, few: List[Sentence], tolerance: Callable[[str], float], record: Record
) -> None:
    """Compare embeddings before a call that raised, and in the next one."""
    texts = [sentence.text for sentence in few[::4]]
    before = np.array(subject(texts))
    for invalid in INVALID:
        raised = name_exception(subject, [texts[0], *invalid])
        if raised:
            break
    else:
        pytest.skip("the embedder raises for none of the invalid lists")
    after = np.array(subject(texts))
    found = measure_distances(after, before, few[::4], choose_allowed(tolerance, before, "rt.float32"))
    record(**{**found, "facts": {**found.get("facts", {}), "raised": raised}})


def name_exception(subject: Any, texts: List[Any]) -> str:
    """The name of the exception that a call raises; empty if it returns."""
    try:
        subject(texts)
    except Exception as error:  # noqa: BLE001 # whatever a tokenizer raises
        return type(error).__name__
    return ""
