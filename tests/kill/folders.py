"""Model folders with one fault: what the service loads, where the reference loads the right one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

Change = Callable[[Path], None]


def _edit(name: str, **values: Any) -> Change:
    def change(folder: Path) -> None:
        path = folder / name
        found = json.loads(path.read_text(encoding="utf-8"))
        path.unlink()
        path.write_text(json.dumps(found | values), encoding="utf-8")

    return change


def _pooling(mode: str) -> Change:
    flags = {
        f"pooling_mode_{each}": each == mode
        for each in ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens")
    }
    return _edit("1_Pooling/config.json", **flags)


def _shuffle_vocabulary(folder: Path) -> None:
    """Exchange two frequent words of the tokenizer."""
    path = folder / "tokenizer.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    words = found["model"]["vocab"]
    words["the"], words["of"] = words["of"], words["the"]
    path.unlink()
    path.write_text(json.dumps(found), encoding="utf-8")


def _keep_case(folder: Path) -> None:
    """Keep upper case, in both places from which a tokenizer is made."""
    _edit("tokenizer_config.json", do_lower_case=False)(folder)
    normalizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["normalizer"]
    _edit("tokenizer.json", normalizer=normalizer | {"lowercase": False})(folder)


FOLDERS: dict[str, Change] = {
    "cls": _pooling("cls_token"),
    "max": _pooling("max_tokens"),
    "weighted": _pooling("weightedmean_tokens"),
    "limit-128": _edit("sentence_bert_config.json", max_seq_length=128),
    "limit-512": _edit("sentence_bert_config.json", max_seq_length=512),
    "relu": _edit("config.json", hidden_act="relu"),
    "tanh-gelu": _edit("config.json", hidden_act="gelu_new"),
    "eps": _edit("config.json", layer_norm_eps=1e-5),
    "five-layers": _edit("config.json", num_hidden_layers=5),
    "six-heads": _edit("config.json", num_attention_heads=6),
    "vocabulary": _shuffle_vocabulary,
    "cased": _keep_case,
    "prompt": _edit(
        "config_sentence_transformers.json", prompts={"query": "query: "}, default_prompt_name="query"
    ),
}
"""Name -> what is changed in a copy of the shipped model folder."""


def make_folder(name: str, model: Path, target: Path) -> Path:
    """A copy of a model folder with a fault; one that is there is kept."""
    folder = target / name
    if not folder.is_dir():
        made = target / f"{name}.unfinished"
        shutil.rmtree(made, ignore_errors=True)
        shutil.copytree(model, made)
        FOLDERS[name](made)
        made.rename(folder)
    return folder
