"""Check at its start that a service returns the vectors that it returned when the canary was written.

Copy this file and ``canary.json`` beside the service; it needs the standard library and NumPy::

    from check_canary import check
    check(service.embed, "canary.json")

or run ``python check_canary.py canary.json package.module:function``. `harness canary` writes both files.
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SCHEMA = 1


class CanaryError(Exception):
    """The service does not return the vectors of the canary, or the canary is damaged."""


def check(
    embed: Callable[[list[str]], Any],
    canary: str | Path = "canary.json",
    model_dir: str | Path | None = None,
) -> float:
    """Compare the vectors of ``embed`` with those of a canary.

    Args:
        embed: from texts to final vectors (n, d), as the service returns them.
        canary: the file that `harness canary` wrote.
        model_dir: the folder of the model, if its weights are to be compared, too.

    Returns:
        the largest distance of a vector, relative to the length of that of the canary.

    Raises:
        CanaryError: something differs; the message names it.
    """
    expected = read(canary)
    if model_dir is not None:
        check_weights(expected, Path(model_dir))
    rows = [np.frombuffer(base64.b64decode(row), expected["dtype"]) for row in expected["vectors"]]
    before, now = np.stack(rows), np.asarray(embed(list(expected["texts"])))
    if now.shape != before.shape or now.dtype != before.dtype.newbyteorder("="):
        should = f"{before.dtype.name} {before.shape}"
        raise CanaryError(f"the service returns {now.dtype} {now.shape}, but should return {should}")
    distances = find_distances(now.astype(np.float64), before.astype(np.float64))
    worst = int(np.argmax(distances))
    if not distances[worst] <= expected["tolerance"]:
        raise CanaryError(
            f"the vector of {expected['texts'][worst][:60]!r} is {distances[worst]:.2g} from that of the "
            f"canary, but should be at most {expected['tolerance']:g}; made with {expected['versions']}"
        )
    return float(distances[worst])


def read(canary: str | Path) -> dict[str, Any]:
    """Read a canary and verify its digest.

    Raises:
        CanaryError: the file is missing, damaged or of another schema.
    """
    try:
        content = json.loads(Path(canary).read_text(encoding="utf-8"))
        digest = content.pop("digest")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CanaryError(f"{canary}: cannot be read ({type(error).__name__}: {error})") from error
    if content.get("schema") != SCHEMA:
        raise CanaryError(f"{canary}: schema {content.get('schema')}, but this file reads {SCHEMA}")
    if hashlib.sha256(json.dumps(content, sort_keys=True).encode("ascii")).hexdigest() != digest:
        raise CanaryError(f"{canary}: the content does not match its digest; write it again")
    found: dict[str, Any] = content
    return found


def check_weights(expected: dict[str, Any], folder: Path) -> None:
    """Compare the weights in a model folder with those of the canary.

    Raises:
        CanaryError: no file of weights has the digest, or the canary has none.
    """
    files = [path for name in ("*.safetensors", "pytorch_model*.bin") for path in sorted(folder.rglob(name))]
    if not expected["weights"] or not files:
        raise CanaryError("the weights cannot be compared: the canary or the folder has none")
    if expected["weights"] not in [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]:
        raise CanaryError(f"{folder}: other weights than those of the canary ({expected['weights'][:12]})")


def find_distances(now: np.ndarray, before: np.ndarray) -> np.ndarray:
    """For each row the length of its change, relative to the earlier row; infinite for another NaN."""
    same = (now == before) | (np.isnan(now) & np.isnan(before))
    with np.errstate(invalid="ignore"):
        moved = np.linalg.norm(np.where(same, 0.0, now - before), axis=1)
    lengths = np.linalg.norm(np.where(np.isfinite(before), before, 0.0), axis=1)
    distances: np.ndarray = np.where(np.isfinite(moved), moved, np.inf) / np.where(lengths == 0, 1.0, lengths)
    return distances


def main(arguments: list[str]) -> str:
    """Check the function that the command line names; return what to print."""
    canary, path = arguments
    module, _, name = path.partition(":")
    sys.path.insert(0, "")
    distance = check(getattr(importlib.import_module(module), name), canary)
    return f"the vectors are those of the canary (largest distance {distance:.2g})"


if __name__ == "__main__":
    try:
        sys.stdout.write(main(sys.argv[1:]) + "\n")
    except CanaryError as error:
        sys.exit(str(error))
