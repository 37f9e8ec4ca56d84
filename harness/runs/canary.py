"""The canary of a run: a few texts with the vectors that the service returned in one cell."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cell.interface import RECORDED_CHECK
from harness.errors import UsageError
from harness.records import CellResult
from harness.runs.folder import VECTORS, StoredRun

if TYPE_CHECKING:
    from harness.cell.corpus import Sentence
    from harness.cell.recorded import Recorded

SCHEMA = 1
TEXTS = 16
"""Largest number of texts: every kind of the shipped corpus, and not more than a static batch of 16."""

_VERSIONS = ("numpy", "openvino", "tokenizers", "transformers")


def make_canary(stored: StoredRun, folder: Path, cell: str = "") -> str:
    """The text of a canary file from the vectors of a cell, by default the baseline.

    Raises:
        UsageError: the run has no such cell, or the cell has no vectors.
    """
    plan = stored.plan
    chosen = cell or plan.baseline or plan.cells[0].cell.id
    planned = next((each for each in plan.cells if each.cell.id == chosen), None)
    if planned is None:
        known = ", ".join(each.cell.id for each in plan.cells[:5])
        raise UsageError(f"--cell {chosen}: the run has no such cell; it has {known}")
    recorded = _read_vectors(folder / "cells" / (planned.same_as or chosen) / VECTORS)
    rows = choose_texts(recorded.sentences)
    result = next((each for each in stored.results if each.cell == chosen), None)
    facts = result.facts if result else {}
    little = recorded.service.dtype.newbyteorder("<")
    content = {
        "schema": SCHEMA,
        "run": plan.run,
        "cell": chosen,
        "model": plan.service.model if plan.service else "",
        "weights": _find_weights(result),
        "versions": {name: facts[f"version.{name}"] for name in _VERSIONS if f"version.{name}" in facts},
        "dtype": little.str,
        "tolerance": plan.tolerances[f"before.{'float16' if little.itemsize == 2 else 'float32'}"],
        "texts": [recorded.sentences[row].text for row in rows],
        "vectors": [base64.b64encode(row.astype(little)).decode() for row in recorded.service[rows]],
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode("ascii")).hexdigest()
    return json.dumps({**content, "digest": digest}, indent=1) + "\n"


def _read_vectors(path: Path) -> Recorded:
    from harness.cell.recorded import Recorded  # noqa: PLC0415 # NumPy

    try:
        return Recorded.read(path)
    except FileNotFoundError:
        raise UsageError(f"{path}: the cell has no vectors; run the sweep again with this version") from None
    except ValueError as error:
        raise UsageError(str(error)) from None


def choose_texts(sentences: Sequence[Sentence]) -> list[int]:
    """The rows of the first text of each kind, then of others, in their order and at most ``TEXTS``."""
    first = {each.kind: row for row, each in reversed(list(enumerate(sentences)))}
    others = (row for row in range(len(sentences)) if row not in first.values())
    return sorted([*sorted(first.values()), *others][:TEXTS])


def _find_weights(result: CellResult | None) -> str:
    """The sha256 of the weights as the cell recorded it; empty if it is unknown."""
    for case in result.cases if result else ():
        if case.id == RECORDED_CHECK and case.observation is not None:
            return str(case.observation.facts.get("weights", ""))
    return ""
