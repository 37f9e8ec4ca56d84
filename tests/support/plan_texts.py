"""Matrix files for the tests of the plan."""

from __future__ import annotations

import json
from pathlib import Path

from harness.matrix.read import read_matrix
from harness.matrix.schema import Matrix

PLAIN = """\
schema = 1
title = "Two by two"

[axes]
numpy = ["1.26.2", "2.4.6"]
sentence-transformers = ["3.3.1", "6.2.0"]

[baseline]
numpy = "1.26.2"
sentence-transformers = "3.3.1"

[pins]
python = { version = "3.11", reason = "what the service runs on" }
torch = { version = ">=2.6", reason = "older ones lack something" }

[resolve]
exclude-newer = "2026-11-01"

[model]
path = "model"
"""


def put_matrix(folder: Path, text: str = PLAIN, name: str = "mine.toml") -> Path:
    """Write a matrix, and the model folder that it names."""
    write_model(folder / "model")
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def make_matrix(folder: Path, text: str = PLAIN) -> Matrix:
    """Write a matrix and read it."""
    return read_matrix(put_matrix(folder, text))


MODEL_FILES = {
    "1_Pooling/config.json": "{}",
    "modules.json": json.dumps(
        [
            {"path": path, "type": f"sentence_transformers.models.{kind}"}
            for path, kind in (("", "Transformer"), ("1_Pooling", "Pooling"))
        ]
    ),
}
"""The configs of a sentence-transformers model without weights, which no fake cell reads."""


def write_model(folder: Path) -> Path:
    """Write the configs of a model."""
    for name, text in MODEL_FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder
