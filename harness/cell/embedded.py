"""Fixtures of layers L1 to GOLD: embeddings of the corpus by subject and reference, each computed once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, List

import numpy as np
import pytest

from harness.cell.change import measure_distances
from harness.cell.comparison import choose_allowed
from harness.cell.corpus import Sentence, load_corpus
from harness.cell.subject import describe_form

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.cell.controls import Controls
    from harness.cell.interface import CellSpec
    from harness.cell.record import Record


SLICE = 8
"""Texts in one call; padding all texts to the longest of the corpus would take seconds."""

SEED = 20261129


def slice_texts(texts: List[str]) -> List[List[int]]:
    """The rows of each call: texts of similar length and a short one, in mixed order, as a service gets them.

    Padding costs an eighth more than in sorted slices, in which an ignored mask has little effect.
    """
    random = np.random.default_rng(SEED)
    by_length = sorted(range(len(texts)), key=lambda row: -len(texts[row]))
    others = by_length[: len(texts) - len(texts) // SLICE]
    shortest = [by_length[len(others) + at] for at in random.permutation(len(texts) - len(others))]
    slices = [others[start : start + SLICE - 1] for start in range(0, len(others), SLICE - 1)]
    for part, short in zip(slices, shortest):  # noqa: B905 # strict is new in 3.10; there are no more short ones
        part.append(short)
    mixed = [[part[at] for at in random.permutation(len(part))] for part in slices]
    return [mixed[at] for at in random.permutation(len(mixed))]


def embed_in_slices(embedder: Any, texts: List[str]) -> NDArray:
    """Embed texts in slices of similar length; rows are in the order of ``texts``."""
    slices = slice_texts(texts)
    parts = [np.array(embedder([texts[row] for row in rows])) for rows in slices]
    stacked = np.concatenate(parts)
    if len(stacked) != len(texts):
        raise ValueError(f"the embedder returns {len(stacked)} rows for {len(texts)} texts")
    restored: NDArray = stacked[np.argsort(np.concatenate(slices), kind="stable")]
    return restored


def hold_to_tolerance(  # noqa: PLR0913, PLR0917 # two arrays, and what is faults of them
    actual: NDArray,
    wanted: NDArray,
    few: List[Sentence],
    tolerance: Callable[[str], float],
    controls: Controls,
    record: Record,
) -> None:
    """Compare embeddings before the normalizer; another shape is told as that."""
    allowed = choose_allowed(tolerance, actual, "rt.float32")
    if actual.shape != wanted.shape:
        shapes = f"shape {actual.shape} for {len(few)} texts, but should be {wanted.shape}"
        record(value=np.inf, unit="distance", bound="max", allowed=allowed, sample=shapes)
        return
    found = measure_distances(actual, wanted, few, allowed)
    record(**found, control=controls.measure_embeddings("no-attention-mask"))


def embed_alone(subject: Any, sentences: Iterable[Sentence]) -> NDArray:
    """The embeddings (n, d) of texts, each embedded separately."""
    return np.concatenate([np.array(subject([sentence.text])) for sentence in sentences])


class Answers:
    """Embeddings of the corpus by the subject, in each available output dtype.

    ``query_subject`` embeds queries, where the service has a function of its own for them.
    """

    def __init__(self, subject: Any, texts: List[str], query_subject: Any = None) -> None:
        self.subject = subject
        self.query_subject = subject if query_subject is None else query_subject
        self._texts = texts
        self._known: Dict[str, NDArray] = {}
        self._variants: Dict[str, Any] = {}

    def variant(self, output: str) -> Any:
        """The subject with this output dtype; the case is skipped if there is none.

        A subject without ``variant`` is judged in the dtype that it returns.
        """
        if hasattr(self.subject, "variant"):
            if output not in self._variants:  # making one can compile a model
                self._variants[output] = self.subject.variant(output)
            return self._variants[output]
        returned = str(np.asarray(self.subject(["a text"])).dtype)
        if returned != output and returned in ("float32", "float16"):
            pytest.skip(f"the embedder returns {returned} and has no variant() for {output}")
        if output not in (returned, "float32"):
            pytest.skip(f"the embedder returns {returned}; judged as float32")
        return self.subject

    def returned(self) -> NDArray:
        """Embeddings of the corpus (n, d) in the dtype that the embedder returns by itself, as a new copy."""
        if "" not in self._known:
            self._known[""] = embed_in_slices(self.subject, self._texts)
        return self._known[""].copy()

    def form(self, output: str) -> str:
        """The dtype of vectors as they are returned, or what holds them: ``list of lists of floats``."""
        return describe_form(self.variant(output)(["a text"]))

    def queries(self, output: str) -> NDArray:
        """Embeddings of the corpus as queries (n, d); ``embeddings`` where these do not differ."""
        if self.query_subject is self.subject:
            return self.embeddings(output)
        if "queries" not in self._known:
            self._known["queries"] = embed_in_slices(self.query_subject, self._texts)
        return self._known["queries"].copy()

    def embeddings(self, output: str) -> NDArray:
        """Embeddings of the corpus (n, d), not normalized, as a new copy."""
        if output not in self._known:
            variant = self.variant(output)
            own = variant is self.subject
            self._known[output] = self.returned() if own else embed_in_slices(variant, self._texts)
        return self._known[output].copy()


@pytest.fixture(scope="session")
def answers(subject: Any, query_subject: Any, corpus: List[Sentence]) -> Answers:
    """Return the embeddings of the corpus by the subject."""
    return Answers(subject, [sentence.text for sentence in corpus], query_subject)


def embed_by_reference(model: Any, corpus: List[Sentence], role: str) -> NDArray:
    """``encode(normalize_embeddings=True)`` of the corpus (n, d), read-only; see ``reference.encode``."""
    from harness.cell.reference import encode  # noqa: PLC0415 # torch

    texts = [sentence.text for sentence in corpus]
    embeddings = embed_in_slices(lambda part: encode(model, part, normalize=True, role=role), texts)
    embeddings.setflags(write=False)
    return embeddings


@pytest.fixture(scope="session")
def expected(spec: CellSpec, reference_model: Any, corpus: List[Sentence]) -> NDArray:
    """Return the corpus as the reference embeds it; as documents where queries differ."""
    return embed_by_reference(reference_model, corpus, "document" if spec.query else "")


@pytest.fixture(scope="session")
def expected_queries(
    spec: CellSpec, reference_model: Any, corpus: List[Sentence], expected: NDArray
) -> NDArray:
    """Return the corpus as the reference embeds queries; ``expected`` where these do not differ."""
    return embed_by_reference(reference_model, corpus, "query") if spec.query else expected


@pytest.fixture(scope="session")
def encoded(
    spec: CellSpec,
    loaded_reference: Any,
    reference_model: Any,
    corpus: List[Sentence],
    request: pytest.FixtureRequest,
) -> NDArray:
    """Return what ``encode`` of this release returns for the corpus, in the dtype of the loaded model."""
    if loaded_reference is reference_model:
        expected: NDArray = request.getfixturevalue("expected")
        return expected
    return embed_by_reference(loaded_reference, corpus, "document" if spec.query else "")


@pytest.fixture(scope="session")
def few(spec: CellSpec, corpus: List[Sentence]) -> List[Sentence]:
    """Return sentences of every kind and of very different length, without the longest ones.

    To a team's own texts those of the harness are added: where all have one length, padding has no effect.
    """
    from harness.cell.controls import choose_sentences  # noqa: PLC0415 # torch

    own = choose_sentences(corpus)
    known = {sentence.text for sentence in own}
    shipped = choose_sentences(load_corpus("")) if spec.corpus else []
    return [*own, *(sentence for sentence in shipped if sentence.text not in known)]


@pytest.fixture(scope="session")
def alone(subject: Any, few: List[Sentence]) -> NDArray:
    """Return the embeddings of the few, each embedded separately."""
    return embed_alone(subject, few)


@pytest.fixture(scope="session")
def count_tokens(spec: CellSpec, reference_model: Any) -> Callable[[str], int]:
    """Return the count of the tokens of a text in the reference; see ``reference.count_tokens``."""
    from harness.cell.reference import count_tokens  # noqa: PLC0415 # torch

    return lambda text: count_tokens(reference_model, text, "document" if spec.query else "")


@pytest.fixture(scope="session")
def limit(reference_model: Any) -> int:
    """Return the number of tokens at which the reference cuts texts."""
    from harness.cell.reference import find_limit  # noqa: PLC0415 # torch

    return find_limit(reference_model)


@pytest.fixture(scope="session")
def shipped() -> List[Sentence]:
    """Return the corpus of the harness, because a corpus of the user may lack kinds."""
    return load_corpus("")


@pytest.fixture(scope="session")
def controls(reference_model: Any, few: List[Sentence]) -> Controls:
    """Return the control models, which differ from the reference."""
    from harness.cell.controls import Controls  # noqa: PLC0415 # torch

    return Controls(reference_model, few)
