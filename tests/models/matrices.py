"""The matrices of the family: one for each member, with the oldest and the newest cell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from planted.command import ROOT

from models.family import Member

CELLS: Mapping[str, Mapping[str, str]] = {
    "oldest": {"numpy": "1.26.2", "sentence-transformers": "2.7.0", "openvino": "2024.6.0"},
    "newest": {"numpy": "2.4.6", "sentence-transformers": "6.2.0", "openvino": "2026.4.1"},
}
"""The oldest and the newest releases of the shipped matrices that go together."""

STRIPPED = """schema = 1
[[expected]]
check = "rt.texts/whitespace"
where = { sentence-transformers = "<5.4" }
reason = "before 5.4 sentence-transformers strips texts before the tokenizer sees them, which bytes show"
"""

MATRIX = """schema = 1
title = "{name}: {covers}"
{files}
{rows}
[baseline]
{baseline}
[pins]
python = {{ version = "3.11", reason = "the Python for which a CPU wheel of torch 2.13.0 is at hand" }}
torch = {{ version = "2.13.0", reason = "as in the default matrix" }}

[resolve]
exclude-newer = "2026-11-01"

[model]
{model}
"""


def write_matrix(member: Member, place: Path) -> str:
    """The matrix of a member; ``place`` is the folder of a made model."""
    bytewise = member.tokenizer == "bytes"
    expected = ["shipped", *(["stripped.toml"] if bytewise else [])]
    # Texts of whitespace alone are left to rt.texts, whose corpus is always the shipped one.
    corpus = 'corpus = "corpus.toml"' if bytewise else ""
    releases = {
        cell: "".join(f'{name} = "{release}"\n' for name, release in versions.items())
        for cell, versions in CELLS.items()
    }
    return MATRIX.format(
        name=member.name,
        covers=member.covers,
        files=f"expected = {json.dumps(expected)}\n{corpus}",
        rows="\n".join(f"[[include]]\n{each}" for each in releases.values()),
        baseline=releases["oldest"],
        model=_write_model(member, place),
    )


def _write_model(member: Member, place: Path) -> str:
    if not member.distribution:
        return f'path = "{place}"'
    return (
        f'distribution = "{member.distribution}"\nfolder = "{member.folder}"\n'
        f'weights = "model.safetensors"\nweights-sha256 = "{member.sha256}"'
    )


def write_corpus(folder: Path) -> None:
    """Write the shipped corpus without texts of whitespace alone, and the expectations."""
    groups = (ROOT / "harness/cell/corpus.toml").read_text("utf-8").split("[[group]]")
    kept = "[[group]]".join(each for each in groups if 'kind = "whitespace"' not in each)
    (folder / "corpus.toml").write_text(kept, encoding="utf-8")
    (folder / "stripped.toml").write_text(STRIPPED, encoding="utf-8")
