"""The file of vectors: what is written is read, and what is no such file is refused by name."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.cell import recorded
from harness.cell.corpus import Sentence
from harness.cell.recorded import Recorded

TEXTS = (Sentence("one", "short"), Sentence("\ud83c zwei\n", "odd"))
ROWS = np.array([[1, 0], [0, np.nan]], np.float16)


@pytest.mark.parametrize("reference", [None, ROWS.astype(np.float32)])
@pytest.mark.parametrize("queries", [None, ROWS[::-1]])
def test_what_is_written_is_read(
    reference: np.ndarray | None, queries: np.ndarray | None, tmp_path: Path
) -> None:
    path = tmp_path / "vectors.npz"
    Recorded(TEXTS, ROWS, reference, queries).write(path)
    read = Recorded.read(path)
    assert read.sentences == TEXTS
    assert read.service.dtype == np.float16
    assert np.array_equal(read.service, ROWS, equal_nan=True)
    assert (read.reference is None) == (reference is None)
    asked = ROWS if queries is None else queries
    assert np.array_equal(read.asked, asked, equal_nan=True)
    assert len(read.everything) == (2 if queries is None else 4)


def archive(**arrays: Any) -> bytes:
    texts = np.frombuffer(json.dumps([[each.text, each.kind] for each in TEXTS]).encode(), np.uint8)
    file = io.BytesIO()
    np.savez(file, **{"texts": texts, "service": ROWS, **arrays})
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "cannot be read (File is not a zip file)"),
        (archive()[:-30], "cannot be read (File is not a zip file)"),
        (archive(texts=np.array([1, 2])), "cannot be read ("),
        (archive(service=np.array([["a"], ["b"]], object)), "cannot be read (Object arrays cannot be loaded"),
        (archive(service=ROWS[:1]), "float16 (1, 2), but should be floats with one row for each of 2 texts"),
        (archive(service=np.zeros((2, 2), int)), "int64 (2, 2), but should be floats"),
        (archive(reference=np.zeros(2)), "float64 (2,), but should be floats"),
        (archive(queries=ROWS[:1]), "float16 (1, 2), but should be floats"),
    ],
)
def test_another_file_is_refused(content: bytes, fault: str, tmp_path: Path) -> None:
    path = tmp_path / "vectors.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"^.*vectors\.npz: ") as refused:
        Recorded.read(path)
    assert fault in str(refused.value)


def test_a_file_that_fills_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "LARGEST", 100)
    path = tmp_path / "vectors.npz"
    Recorded(TEXTS, ROWS).write(path)
    with pytest.raises(ValueError, match="bytes, but at most 100 are read"):
        Recorded.read(path)


def test_a_missing_file_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Recorded.read(tmp_path / "vectors.npz")
