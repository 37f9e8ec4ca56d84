"""Vectors of a team's own index: each form is read, and each fault is named with its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.cell.stored import StoredError, load_stored

TEXTS = ["one", "zwei \u00fc", ""]
ROWS = np.array([[1, 0], [0.6, 0.8], [0, 1]], np.float32)
NONE = None


def write_npz(folder: Path, texts: list[str] = TEXTS, rows: np.ndarray = ROWS, name: str = "vectors") -> Path:
    path = folder / "sample.npz"
    np.savez(path, **{"texts": np.array(texts), name: rows})
    return path


def write_lines(folder: Path, *lines: str) -> Path:
    path = folder / "sample.jsonl"
    entries = [
        json.dumps({"text": text, "vector": row.tolist()}) for text, row in zip(TEXTS, ROWS, strict=True)
    ]
    path.write_text("\n".join(lines or (*entries, "")), encoding="utf-8")
    return path


def write_npy(folder: Path) -> Path:
    np.save(folder / "sample.npy", ROWS.astype(np.float16))
    (folder / "texts.txt").write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    return folder / "sample.npy"


@pytest.mark.parametrize(
    ("write", "texts", "dtype"),
    [(write_npz, "", "float32"), (write_lines, "", "float32"), (write_npy, "texts.txt", "float16")],
)
def test_each_form_is_read(write: Callable[[Path], Path], texts: str, dtype: str, tmp_path: Path) -> None:
    read = load_stored(write(tmp_path), tmp_path / texts if texts else None)
    assert [each.text for each in read.sentences] == TEXTS
    assert read.service.dtype == dtype
    assert read.service == pytest.approx(ROWS, abs=1e-3)


@pytest.mark.parametrize(
    ("texts", "rows", "told"),
    [
        (TEXTS[:2], ROWS, "2 texts, but 3 vectors; each needs the other"),
        ([], ROWS[:0], "0 texts, but 0 vectors"),
        (["one", "one", "two"], ROWS, "the text 'one' is there twice; keep one of them"),
        (TEXTS, ROWS * [[1], [np.nan], [1]], "the vector of 'zwei \u00fc' (row 1) is not finite"),
        (TEXTS, ROWS * [[1], [1], [3]], "the vector of '' (row 2) has the length 3, but should have 1"),
        (TEXTS, ROWS[0], "expected vectors as floats (n, d), found float32 (2,)"),
        (TEXTS, ROWS.astype(int), "expected vectors as floats (n, d), found int64 (3, 2)"),
        (TEXTS, ROWS.astype(object), "not an .npz of text and numbers; pickled objects are not accepted"),
    ],
)
def test_each_fault_is_told(texts: list[str], rows: np.ndarray, told: str, tmp_path: Path) -> None:
    path = write_npz(tmp_path, texts, rows)
    with pytest.raises(StoredError) as refused:
        load_stored(path, NONE)
    assert str(refused.value).startswith(f"{path}: ")
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (('{"text": "one", "vector": [1, 0]}', "{"), "line 2: expected {"),
        (('{"text": "one"}',), "line 1: expected {"),
        (('{"text": "a", "vector": [1, 0]}', '{"text": "b", "vector": [1]}'), "line 2: (1,) numbers, but"),
        (('{"text": "a", "vector": [1, "b"]}',), "line 1: expected {"),
    ],
)
def test_the_line_of_a_fault_is_told(lines: tuple[str, ...], told: str, tmp_path: Path) -> None:
    with pytest.raises(StoredError) as refused:
        load_stored(write_lines(tmp_path, *lines), NONE)
    assert told in str(refused.value)


def test_only_directions_of_other_lengths_are_kept_where_the_service_does_not_normalize(
    tmp_path: Path,
) -> None:
    read = load_stored(write_npz(tmp_path, rows=ROWS * np.float32(3)), normalized=False)
    assert read.service == pytest.approx(ROWS)
    assert read.service.dtype == np.float32


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StoredError, match="expected the arrays texts and vectors, found texts, embeddings"):
        load_stored(write_npz(tmp_path, name="embeddings"), NONE)
    with pytest.raises(StoredError, match=r"an \.npy holds no texts; name their file"):
        load_stored(write_npy(tmp_path), NONE)
    with pytest.raises(StoredError, match=r"expected a file \.npz, \.npy or \.jsonl, found '\.csv'"):
        load_stored(tmp_path / "sample.csv", NONE)
    with pytest.raises(StoredError, match="cannot be read"):
        load_stored(tmp_path / "missing.npz", NONE)
    np.save(tmp_path / "sample.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(StoredError, match=r"sample\.npy .*cannot be read; pickled objects are not accepted$"):
        load_stored(tmp_path / "sample.npy", tmp_path / "texts.txt", normalized=True)
    (tmp_path / "sample.npz").write_bytes(b"nothing")
    with pytest.raises(StoredError, match=r"sample\.npz: not an \.npz|cannot be read"):
        load_stored(tmp_path / "sample.npz", NONE)
