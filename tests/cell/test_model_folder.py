"""What is read from a sentence-transformers model folder, in the spellings of old and new releases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.cell.model_folder import ModelFolder, ModelFolderError

MODULES = [
    {"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
]
NORMALIZE = {"idx": 2, "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}
MEAN = {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}


def write(root: Path, pooling: dict[str, Any], *, modules: list[dict[str, Any]] = MODULES) -> Path:
    (root / "1_Pooling").mkdir()
    (root / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    (root / "1_Pooling" / "config.json").write_text(json.dumps(pooling), encoding="utf-8")
    (root / "sentence_bert_config.json").write_text('{"max_seq_length": 256}', encoding="utf-8")
    return root


def test_everything_is_read(tmp_path: Path) -> None:
    root = write(tmp_path, MEAN, modules=[*MODULES, NORMALIZE])

    assert ModelFolder.read(root) == ModelFolder(
        root=root, transformer=root, pooling="mean", max_length=256, lower_case=False
    )


@pytest.mark.parametrize("pooling", [{"pooling_mode_cls_token": True}, {"pooling_mode": "cls"}])
def test_old_and_new_spelling_of_pooling(tmp_path: Path, pooling: dict[str, Any]) -> None:
    assert ModelFolder.read(write(tmp_path, pooling)).pooling == "cls"


def test_a_pooling_that_is_not_understood_is_refused(tmp_path: Path) -> None:
    root = write(tmp_path, {**MEAN, "pooling_mode_max_tokens": True})

    with pytest.raises(ModelFolderError) as raised:
        ModelFolder.read(root)

    path = root / "1_Pooling" / "config.json"
    assert str(raised.value) == f"{path}: pooling mean + max; only mean, cls or max is supported"


def test_other_modules_are_refused(tmp_path: Path) -> None:
    dense = {"idx": 2, "path": "2_Dense", "type": "sentence_transformers.models.Dense"}
    root = write(tmp_path, MEAN, modules=[*MODULES, dense])

    with pytest.raises(ModelFolderError) as raised:
        ModelFolder.read(root)

    assert str(raised.value) == (
        f"{root / 'modules.json'}: modules Transformer, Pooling, Dense, "
        "but only Transformer, Pooling, Normalize are supported"
    )


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match="not a sentence-transformers model folder"):
        ModelFolder.read(tmp_path)
