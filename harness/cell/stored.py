"""Vectors out of a team's own index, with their texts: every cell is compared with them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, List, Optional, Sequence, Tuple

import numpy as np

from harness.cell.comparison import unit_rows
from harness.cell.corpus import Sentence
from harness.cell.recorded import Recorded

if TYPE_CHECKING:
    from numpy.typing import NDArray

KIND = "stored"
LENGTH_TOLERANCE = 2e-3
"""Largest distance of a length from one: what float16 allows, see ``unit.float16`` in tolerances.toml."""


class StoredError(ValueError):
    """A file of stored vectors is invalid; with the file, the place and the remedy."""


def load_stored(path: Path, texts: Optional[Path] = None, *, normalized: bool = True) -> Recorded:
    """Read stored vectors.

    Args:
        path: ``.npz`` with the arrays ``texts`` and ``vectors``, ``.npy`` with the vectors alone, or JSON
            lines with an object ``{"text": ..., "vector": [...]}`` each.
        texts: the texts of an ``.npy``, one in each line; None for the other forms.
        normalized: the service returns vectors of length one, so the stored ones must have it too; of another
            service only the directions are kept.

    Raises:
        StoredError: the file cannot be read, numbers of texts and vectors differ, a vector is not finite or
            has not the length one, or a text is there twice.
    """
    if path.suffix not in _READERS:
        raise StoredError(f"{path}: expected a file .npz, .npy or .jsonl, found {path.suffix!r}")
    if texts is not None and path.suffix != ".npy":
        raise StoredError(f"{path}: an {path.suffix} holds its texts itself; delete stored.texts")
    try:
        found, vectors = _READERS[path.suffix](path, texts)
    except OSError as error:
        raise StoredError(f"{path}: cannot be read ({error.strerror or error})") from error
    _refuse_invalid(path, found, vectors)
    if normalized:
        _refuse_other_lengths(path, found, vectors)
    else:
        vectors = unit_rows(vectors).astype(vectors.dtype)
    return Recorded(tuple(Sentence(text, KIND) for text in found), vectors)


def _read_npz(path: Path, _: Optional[Path]) -> Tuple[List[str], NDArray]:
    try:
        with np.load(str(path), allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
    except ValueError as error:
        raise StoredError(f"{path}: not an .npz of text and numbers{_reason(error)}") from error
    if not {"texts", "vectors"} <= found.keys():
        raise StoredError(f"{path}: expected the arrays texts and vectors, found {', '.join(found)}")
    return [str(text) for text in found["texts"].tolist()], found["vectors"]


def _read_npy(path: Path, texts: Optional[Path]) -> Tuple[List[str], NDArray]:
    if texts is None:
        raise StoredError(
            f"{path}: an .npy holds no texts; name their file in stored.texts, with one text in each line"
        )
    try:
        vectors = np.load(str(path), allow_pickle=False)
        lines = texts.read_text(encoding="utf-8").splitlines()
    except ValueError as error:  # a decoding error is one too
        raise StoredError(f"{path} with {texts}: cannot be read{_reason(error)}") from error
    return lines, vectors


def _reason(error: ValueError) -> str:
    """What NumPy or the decoder says, without NumPy's advice to load pickled objects, which are code."""
    return "; pickled objects are not accepted" if "pickle" in str(error) else f" ({error})"


def _read_lines(path: Path, _: Optional[Path]) -> Tuple[List[str], NDArray]:
    texts: List[str] = []
    rows: List[Any] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            text, row = entry["text"], entry["vector"]
            rows.append(np.array(row, np.float64))
        except (ValueError, KeyError, TypeError) as error:
            raise StoredError(
                f'{path}: line {number}: expected {{"text": "...", "vector": [...]}} ({error})'
            ) from error
        texts.append(str(text))
        if rows[-1].shape != rows[0].shape or rows[-1].ndim != 1:
            raise StoredError(
                f"{path}: line {number}: {rows[-1].shape} numbers, but should be {rows[0].shape}"
            )
    return texts, np.array(rows, np.float32)


_READERS = {".npz": _read_npz, ".npy": _read_npy, ".jsonl": _read_lines, ".ndjson": _read_lines}


def _refuse_invalid(path: Path, texts: Sequence[str], vectors: NDArray) -> None:
    if vectors.ndim != 2 or vectors.dtype.kind != "f":
        raise StoredError(f"{path}: expected vectors as floats (n, d), found {vectors.dtype} {vectors.shape}")
    if len(texts) != len(vectors) or not texts:
        raise StoredError(f"{path}: {len(texts)} texts, but {len(vectors)} vectors; each needs the other")
    if twice := next((text for text, count in Counter(texts).items() if count > 1), ""):
        raise StoredError(f"{path}: the text {twice[:80]!r} is there twice; keep one of them")
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    for row in np.flatnonzero(~np.isfinite(lengths))[:1]:
        raise StoredError(f"{path}: the vector of {texts[row][:80]!r} (row {row}) is not finite")


def _refuse_other_lengths(path: Path, texts: Sequence[str], vectors: NDArray) -> None:
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    for row in np.flatnonzero(np.abs(lengths - 1) > LENGTH_TOLERANCE)[:1]:
        raise StoredError(
            f"{path}: the vector of {texts[row][:80]!r} (row {row}) has the length {lengths[row]:.4g}, but "
            "should have 1; store what the service returns, or normalize the sample"
        )
