"""Golden embeddings: kept as they were, and refused where they belong to something else."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.cell.corpus import Sentence, hash_corpus, load_corpus
from harness.cell.golden import Golden, GoldenError, Key, compute_key, find_golden, read_golden
from harness.cell.interface import CellSpec
from harness.records import Lock
from harness.store.inputs import CellInputs, Suite

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


def test_the_nearest_file_of_a_folder_names_what_has_changed(tmp_path: Path) -> None:
    keep(tmp_path, Key("d" * 64, "d" * 64, "d" * 64))
    keep(tmp_path)
    changed = Key("a" * 64, "b" * 64, "e" * 64)

    with pytest.raises(GoldenError, match=f"key: corpus cccccccccccc there, eeeeeeeeeeee here; {AGAIN}$"):
        find_golden(tmp_path, changed, required=True)
    assert find_golden(tmp_path, changed) is None


@dataclass(frozen=True)
class Kept:
    """A model, a corpus and the golden embeddings of both, as a sweep gives them to a cell."""

    model: Path
    golden: Path
    corpus: list[Sentence]

    @classmethod
    def make(cls, folder: Path) -> Kept:
        kept = cls(folder / "model", folder / "golden", [Sentence("a", "plain"), Sentence("b", "plain")])
        for path in (kept.golden, kept.model / "1_Pooling"):
            path.mkdir(parents=True)
        modules = [{"path": "", "type": "x.Transformer"}, {"path": "1_Pooling", "type": "x.Pooling"}]
        (kept.model / "modules.json").write_text(json.dumps(modules))
        (kept.model / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
        (kept.model / "sentence_bert_config.json").write_text("{}")
        (kept.model / "model.safetensors").write_text("weights")
        (kept.model / "tokenizer.json").write_text("tokenizer")
        keep(kept.golden, compute_key(kept.model, kept.corpus))
        return kept

    def spec(self, lock: Lock, **changes: Any) -> CellSpec:
        inputs = CellInputs(Suite(self.model, "", {}), {}, self.model, golden=self.golden, shipped_model=True)
        return replace(inputs, **changes).make_spec("a", lock, self.model, ())


LOCK = Lock(cell="a", platform="here", python="3.11", inputs="1", origin="resolved", digest="d")


@pytest.mark.parametrize(
    ("file", "part"),
    [
        ("model.safetensors", "weights"),
        ("tokenizer.json", "tokenizer"),
        ("", "corpus"),
        ("1_Pooling/config.json", "settings"),
        ("config_sentence_transformers.json", "settings"),
    ],
)
def test_a_change_of_what_is_shipped_is_an_error_and_one_of_a_teams_own_is_a_skip(
    tmp_path: Path, file: str, part: str
) -> None:
    kept = Kept.make(tmp_path)
    assert read_golden(kept.spec(LOCK), kept.corpus) is not None
    corpus = kept.corpus if file else [*kept.corpus, Sentence("c", "plain")]
    if file:
        (kept.model / file).write_text('{"changed": true, "pooling_mode_mean_tokens": true}')

    with pytest.raises(GoldenError, match=rf"key: {part} \w+ there, \w+ here; {AGAIN}$"):
        read_golden(kept.spec(LOCK), corpus)
    assert read_golden(kept.spec(LOCK, shipped_model=False), corpus) is None
    assert read_golden(kept.spec(LOCK, corpus=tmp_path / "corpus.toml"), corpus) is None


def test_golden_embeddings_that_were_lost_are_an_error(tmp_path: Path) -> None:
    kept = Kept.make(tmp_path)
    next(kept.golden.iterdir()).unlink()

    for golden in (None, kept.golden):
        with pytest.raises(GoldenError, match=f"; {AGAIN}$"):
            read_golden(kept.spec(LOCK, golden=golden), kept.corpus)
        assert read_golden(kept.spec(LOCK, golden=golden, shipped_model=False), kept.corpus) is None


def test_weights_under_another_name_are_a_skip_for_a_teams_own_model(tmp_path: Path) -> None:
    kept = Kept.make(tmp_path)
    (kept.model / "model.safetensors").rename(kept.model / "model-00001-of-00001.safetensors")

    assert read_golden(kept.spec(LOCK, shipped_model=False), kept.corpus) is None
    with pytest.raises(GoldenError, match="which the key of golden embeddings needs"):
        read_golden(kept.spec(LOCK), kept.corpus)


def test_a_file_of_an_earlier_version_does_not_know_the_settings(tmp_path: Path) -> None:
    kept = Kept.make(tmp_path)
    path = next(kept.golden.iterdir())
    raw = json.loads(path.read_text(encoding="utf-8"))
    del raw["key"]["settings"]
    path.write_text(json.dumps(raw), encoding="utf-8")

    assert read_golden(kept.spec(LOCK), kept.corpus) is not None


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
