"""Functions of the library around a service, each tried on what it documents to take.

A feature is a function without result: it raises ``DifferentError`` with one sentence where the library does
something else than documented. Facts for the report go into the dictionary that it is given.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Callable, Dict, Tuple

import numpy as np

from harness.cell.comparison import unit_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

Facts = Dict[str, Any]
Feature = Callable[[Any, Facts], None]

TEXTS = ["The ferry leaves at seven.", "How do I reset my password?", "Bake the bread.", "yes"]

CLOSE = {"float32": 1e-5, "float16": 2e-3}
"""Largest error of a score or a component: rounding of rows of length one."""


class DifferentError(Exception):
    """The library does something else than it documents; one sentence."""


def _rows(count: int = 5, d: int = 64) -> NDArray:
    drawn: NDArray = np.random.RandomState(11).standard_normal((count, d))
    return drawn


def _array(value: Any) -> NDArray:
    """An array of a tensor, of an array, or of a list of these."""
    if isinstance(value, (list, tuple)):
        return np.stack([_array(each) for each in value])
    return np.asarray(value.detach().float().cpu() if hasattr(value, "detach") else value, dtype=np.float64)


def _expect(found: Any, wanted: NDArray, allowed: float, what: str) -> None:
    actual = _array(found)
    if actual.shape != wanted.shape:
        raise DifferentError(f"{what}: shape {actual.shape}, but should be {wanted.shape}")
    off = float(np.abs(actual - wanted).max(initial=0.0))
    if not off <= allowed:
        raise DifferentError(f"{what}: off by {off:.2g}, where {allowed:.2g} is rounding")


def _find(name: str) -> Any:
    import sentence_transformers.util as util  # noqa: PLC0415, PLR0402 # ten seconds

    if not hasattr(util, name):
        raise DifferentError(f"this release has no util.{name}")
    return getattr(util, name)


# Scores

_SCORES: Dict[str, Callable[[NDArray, NDArray], NDArray]] = {
    "cos_sim": lambda left, right: unit_rows(left) @ unit_rows(right).T,
    "dot_score": lambda left, right: left @ right.T,
    "euclidean_sim": lambda left, right: -np.linalg.norm(left[:, None] - right[None], axis=2),
    "manhattan_sim": lambda left, right: -np.abs(left[:, None] - right[None]).sum(axis=2),
}


def _scores(name: str, *, pairwise: bool = False) -> Feature:
    """Scores of arrays and tensors in float32; those of float16 and int8 arrays are facts."""

    def feature(_: Any, facts: Facts) -> None:
        import torch  # noqa: PLC0415 # seconds

        function = _find(f"pairwise_{name}" if pairwise else name)
        left, right = unit_rows(_rows()), unit_rows(_rows()[::-1])
        exact = _SCORES[name](left, right)
        wanted = np.diagonal(exact) if pairwise else exact
        for dtype in ("float16", "int8"):
            scale = 100 if dtype == "int8" else 1
            given = [(scale * each).astype(dtype) for each in (left, right)]
            due = _SCORES[name](*(each.astype(np.float64) for each in given))
            facts[f"{dtype} arrays"] = _try(function, given, np.diagonal(due) if pairwise else due)
        for kind, make in (("arrays", np.asarray), ("tensors", torch.from_numpy)):
            given = [make(each.astype(np.float32)) for each in (left, right)]
            _expect(function(*given), wanted, CLOSE["float32"], f"float32 {kind}")

    return feature


def _try(function: Callable[..., Any], given: Any, due: NDArray) -> str:
    """What a call with other inputs does, in words."""
    try:
        found = function(*given)
    except Exception as error:  # noqa: BLE001 # whatever the library raises is the observation
        return f"raises {type(error).__name__}"
    size = float(np.abs(due).max())
    off = float(np.abs(_array(found) - due).max()) if _array(found).shape == due.shape else np.inf
    return "right" if off <= CLOSE["float16"] * max(size, 1.0) else f"off by {off:.2g} of {size:.2g}"


def _similarity(model: Any, _: Facts) -> None:
    if not hasattr(model, "similarity"):
        raise DifferentError("this release has no SentenceTransformer.similarity")
    rows = unit_rows(_rows())
    given = rows.astype(np.float32)
    _expect(model.similarity(given, given), _SCORES["cos_sim"](rows, rows), CLOSE["float32"], "similarity")


def _semantic_search(_: Any, facts: Facts) -> None:
    rows = unit_rows(_rows(20)).astype(np.float32)
    hits = _find("semantic_search")(rows[:3], rows, top_k=5)
    exact = rows[:3].astype(np.float64) @ rows.astype(np.float64).T
    wanted = np.argsort(-exact, axis=1)[:, :5]
    found = [[hit["corpus_id"] for hit in each] for each in hits]
    facts["type of a score"] = type(hits[0][0]["score"]).__name__
    if found != wanted.tolist():
        raise DifferentError(f"found {found[0]}, but should be {wanted[0].tolist()}")


# Quantization


def _quantize(precision: str) -> Feature:
    def feature(_: Any, facts: Facts) -> None:
        try:
            from sentence_transformers.quantization import quantize_embeddings  # noqa: PLC0415 # seconds
        except ImportError as error:
            raise DifferentError(f"this release has no quantize_embeddings ({error})") from None
        rows = unit_rows(_rows(40)).astype(np.float32)
        ranges = np.vstack([rows.min(axis=0), rows.max(axis=0)])
        options = {"ranges": ranges} if precision in ("int8", "uint8") else {}
        found = np.asarray(quantize_embeddings(rows, precision=precision, **options))
        facts["dtype"], facts["shape"] = str(found.dtype), str(found.shape)
        due = _quantize_exactly(rows.astype(np.float64), ranges.astype(np.float64), precision)
        off = np.abs(found.astype(np.int64) - due)
        if found.shape != due.shape or off.max() > (1 if options else 0):  # a step of 1 is rounding
            raise DifferentError(f"{found.dtype} {found.shape}, off by {off.max()} steps")

    return feature


def _quantize_exactly(rows: NDArray, ranges: NDArray, precision: str) -> NDArray:
    if precision in ("int8", "uint8"):
        steps = (rows - ranges[0]) / ((ranges[1] - ranges[0]) / 255)
        whole: NDArray = np.trunc(steps - (128 if precision == "int8" else 0)).astype(np.int64)
        return whole
    bits = np.packbits(rows > 0, axis=1).astype(np.int64)
    return bits - 128 if precision == "binary" else bits


# Encoding


def _encode(model: Any, texts: Any, **options: Any) -> Any:
    return model.encode(texts, show_progress_bar=False, **options)


def _one_text(model: Any, _: Facts) -> None:
    _expect(_encode(model, TEXTS[0]), _array(_encode(model, TEXTS[:1]))[0], CLOSE["float32"], "one text")


def _tensor(model: Any, facts: Facts) -> None:
    found = _encode(model, TEXTS, convert_to_tensor=True)
    facts["type"] = f"{type(found).__name__} of {found.dtype}"
    _expect(found, _array(_encode(model, TEXTS)), CLOSE["float32"], "convert_to_tensor=True")


def _no_numpy(model: Any, facts: Facts) -> None:
    found = _encode(model, TEXTS, convert_to_numpy=False)
    facts["type"] = f"{type(found).__name__} of {type(found[0]).__name__}"
    _expect(found, _array(_encode(model, TEXTS)), CLOSE["float32"], "convert_to_numpy=False")


def _prompt(model: Any, _: Facts) -> None:
    if "prompt" not in inspect.signature(model.encode).parameters:
        raise DifferentError("encode of this release has no prompt")
    wanted = _array(_encode(model, [f"query: {text}" for text in TEXTS]))
    _expect(_encode(model, TEXTS, prompt="query: "), wanted, CLOSE["float32"], "prompt")


def _precision(precision: str) -> Feature:
    def feature(model: Any, facts: Facts) -> None:
        if "precision" not in inspect.signature(model.encode).parameters:
            raise DifferentError("encode of this release has no precision")
        found = np.asarray(_encode(model, TEXTS, precision=precision))
        facts["dtype"], facts["shape"] = str(found.dtype), str(found.shape)
        width = _array(_encode(model, TEXTS[:1])).shape[1]
        due = (len(TEXTS), width if precision in ("int8", "uint8") else width // 8)
        if found.shape != due or str(found.dtype) != {"binary": "int8", "ubinary": "uint8"}.get(
            precision, precision
        ):
            raise DifferentError(f"{found.dtype} {found.shape}, but should be {precision} {due}")

    return feature


def _truncate(model: Any, facts: Facts) -> None:
    """The first components of the whole vector; a cut one needs a second normalization."""
    if not hasattr(model, "truncate_sentence_embeddings"):
        raise DifferentError("this release has no truncate_sentence_embeddings")
    whole = _array(_encode(model, TEXTS, normalize_embeddings=True))
    with model.truncate_sentence_embeddings(truncate_dim=whole.shape[1] // 2):
        plain = _array(_encode(model, TEXTS))
        units = _array(_encode(model, TEXTS, normalize_embeddings=True))
    half = whole.shape[1] // 2
    lengths = np.linalg.norm(units, axis=1)
    facts["lengths after normalize_embeddings=True"] = f"{lengths.min():.3f} to {lengths.max():.3f}"
    _expect(unit_rows(plain), unit_rows(whole[:, :half]), CLOSE["float32"], "the first components")
    if np.abs(lengths - 1).max() > CLOSE["float32"]:
        raise DifferentError(
            f"normalize_embeddings=True comes before the cut: lengths {lengths.min():.3f} to "
            f"{lengths.max():.3f}; normalize again"
        )


# The utility on other tensors


def _utility(kind: str) -> Feature:
    def feature(_: Any, facts: Facts) -> None:
        import torch  # noqa: PLC0415 # seconds

        rows = torch.from_numpy(_rows().astype(np.float32))
        given, due, allowed = _make_tensor(kind, rows)
        try:
            found = _find("normalize_embeddings")(given)
        except Exception as error:
            if isinstance(error, DifferentError):
                raise
            raise DifferentError(f"raises {type(error).__name__}: {error}") from None
        facts["returned"] = f"{found.dtype}, requires grad: {found.requires_grad}"
        _expect(found.to_dense() if found.is_sparse else found, due, allowed, kind)

    return feature


def _make_tensor(kind: str, rows: Any) -> Tuple[Any, NDArray, float]:
    """A tensor of a kind, what its normalization is, and the allowed error."""
    exact = unit_rows(rows.double().numpy())
    if kind == "grad":
        return rows.clone().requires_grad_(), exact, CLOSE["float32"]
    if kind == "sparse":
        return rows.to_sparse(), exact, CLOSE["float32"]
    if kind == "bfloat16":
        return rows.bfloat16(), exact, 8e-3
    states = rows.reshape(5, 8, 8)
    return states, unit_rows(states.double().numpy().reshape(-1, 8)).reshape(5, 8, 8), CLOSE["float32"]


FEATURES: Dict[str, Feature] = {
    **{name: _scores(name) for name in _SCORES},
    **{f"pairwise_{name}": _scores(name, pairwise=True) for name in _SCORES},
    "similarity": _similarity,
    "semantic_search": _semantic_search,
    **{f"quantize-{each}": _quantize(each) for each in ("int8", "uint8", "binary", "ubinary")},
    **{f"encode-{each}": _precision(each) for each in ("int8", "uint8", "binary", "ubinary")},
    "encode-one-text": _one_text,
    "convert_to_tensor": _tensor,
    "convert_to_numpy": _no_numpy,
    "prompt": _prompt,
    "truncate_dim": _truncate,
    **{f"normalize-{kind}": _utility(kind) for kind in ("grad", "sparse", "bfloat16", "3d")},
}
"""Name in a matrix and in case ids -> its try."""
