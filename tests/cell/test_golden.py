"""Golden embeddings: kept as they were, and refused where they belong to something else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from harness.cell.corpus import hash_corpus, load_corpus
from harness.cell.golden import Golden, GoldenError, Key, find_golden

KEY = Key("a" * 64, "b" * 64, "c" * 64)
AGAIN = "run 'harness golden' and review the change"


def keep(folder: Path, key: Key = KEY) -> Path:
    path = folder / key.name
    Golden(key, {"numpy": "1.26.2"}, np.array([[0.6, 0.8], [1, 0]], dtype=np.float32)).write(path)
    return path


def test_what_was_written_is_read(tmp_path: Path) -> None:
    golden = Golden.read(keep(tmp_path))

    assert (golden.key, golden.made_with) == (KEY, {"numpy": "1.26.2"})
    assert golden.embeddings.dtype == np.float32
    assert golden.embeddings.tolist() == np.array([[0.6, 0.8], [1, 0]], dtype=np.float32).tolist()


def test_the_key_that_differs_is_named(tmp_path: Path) -> None:
    other = Key("d" * 64, "b" * 64, "e" * 64)

    with pytest.raises(GoldenError) as raised:
        find_golden(keep(tmp_path), other)

    assert str(raised.value) == (
        "golden embeddings of another key: weights aaaaaaaaaaaa there, dddddddddddd here, "
        f"corpus cccccccccccc there, eeeeeeeeeeee here; {AGAIN}"
    )


def test_a_folder_holds_those_of_many_models(tmp_path: Path) -> None:
    keep(tmp_path)
    keep(tmp_path, Key("d" * 64, "b" * 64, "c" * 64))

    found = find_golden(tmp_path, KEY)

    assert found is not None
    assert found.key == KEY
    assert find_golden(tmp_path, Key("f" * 64, "b" * 64, "c" * 64)) is None


def test_a_changed_corpus_is_not_passed_over(tmp_path: Path) -> None:
    keep(tmp_path)
    changed = Key("a" * 64, "b" * 64, "e" * 64)

    with pytest.raises(GoldenError, match="corpus cccccccccccc there, eeeeeeeeeeee here"):
        find_golden(tmp_path, changed)
    assert find_golden(tmp_path, changed, own_corpus=True) is None


@pytest.mark.parametrize("damage", ["truncated", "no key", "bad row"])
def test_a_damaged_file_is_refused(tmp_path: Path, damage: str) -> None:
    path = keep(tmp_path)
    raw = json.loads(path.read_text(encoding="utf-8"))
    texts = {
        "truncated": path.read_text(encoding="utf-8")[:-40],
        "no key": json.dumps({name: value for name, value in raw.items() if name != "key"}),
        "bad row": json.dumps({**raw, "embeddings": ["AAA", raw["embeddings"][0]]}),
    }
    path.write_text(texts[damage], encoding="utf-8")

    with pytest.raises(GoldenError, match=f"^{path.name} cannot be read .*; {AGAIN}$"):
        Golden.read(path)


def test_another_schema_is_refused(tmp_path: Path) -> None:
    path = keep(tmp_path)
    path.write_text(path.read_text(encoding="utf-8").replace('"schema": 1', '"schema": 9'), encoding="utf-8")

    with pytest.raises(GoldenError, match=f"^{path.name}: schema 9, but should be 1; {AGAIN}$"):
        Golden.read(path)


def test_the_committed_file_belongs_to_the_shipped_corpus(root: Path) -> None:
    (path,) = (root / "reports" / "golden").glob("*.json")
    golden, corpus = Golden.read(path), load_corpus("")

    assert golden.key.corpus == hash_corpus(corpus)
    assert path.name == golden.key.name
    assert golden.embeddings.shape == (len(corpus), 384)
    np.testing.assert_allclose(np.linalg.norm(golden.embeddings.astype(np.float64), axis=1), 1, atol=1e-6)
