"""A service of one function, as teams have it: started and ended by hand, lists of floats as vectors."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from harness.cell.embedder import OpenVinoEmbedder
from harness.cell.normalizers import stable

_running: list[str] = []


def _trace(text: str) -> str:
    """Add to what the processes of a cell have done, which they share a folder for; returns all of it."""
    path = Path(os.environ["TMPDIR"], os.environ["SERVED_TRACE"])
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{text}\n")
    return ", ".join(path.read_text(encoding="utf-8").splitlines())


def start() -> None:
    """Start what the service needs."""
    _running.append(os.environ["SERVED_TOKEN"])
    sys.stdout.write(f"started with {_running[0]}\n")
    _trace("start")


def stop() -> None:
    """End it; the last process that does so tells of all."""
    sys.stdout.write(f"traced: {_trace(f'stop {len(_running)}')}\n")


class Service:
    """Texts to unit vectors, as lists."""

    def __init__(self, model_dir: str) -> None:
        self._right = OpenVinoEmbedder(model_dir)

    def __call__(self, texts: list[str]) -> list[list[float]]:
        if not _running:
            raise RuntimeError("the service was not started")
        vectors: list[list[float]] = np.asarray(stable(self._right(texts))).tolist()
        return vectors
