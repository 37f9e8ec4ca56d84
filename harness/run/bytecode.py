"""Bytecode that one environment has compiled, given to others that link to the very same source file.

uv links the files of all environments to its cache, so the first cell that imports torch compiles it for all.
A cell that compiles everything itself spends 5-10 s more on its imports (measured 2026-11).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.run.manifest import MARKER

_CACHE = "__pycache__"


@dataclass
class BytecodePool:
    """Where the bytecode of a source file lies, by the file's place in its environment and its identity."""

    known: dict[tuple[str, int, int], Path] = field(default_factory=dict)

    def take(self, environment: Path) -> None:
        """Learn what an environment that has been used has compiled."""
        if not (environment / MARKER).is_file():  # not one of ours
            return
        for bytecode in _walk_bytecode(environment):
            source = _find_source(bytecode)
            with contextlib.suppress(OSError):
                status = source.stat()
                place = str(bytecode.relative_to(environment))
                self.known.setdefault((place, status.st_dev, status.st_ino), bytecode)

    def give(self, environment: Path) -> int:
        """Link to what others have compiled of the same files; how many were linked."""
        if not (environment / MARKER).is_file():
            return 0
        given = 0
        for (place, device, inode), bytecode in self.known.items():
            target = environment / place
            with contextlib.suppress(OSError):  # it has no such file, or has its bytecode already
                status = _find_source(target).stat()
                if (status.st_dev, status.st_ino) == (device, inode):
                    target.parent.mkdir(exist_ok=True)
                    os.link(bytecode, target)
                    given += 1
        return given


def _walk_bytecode(environment: Path) -> Iterator[Path]:
    for place, _, names in os.walk(environment):
        if place.endswith(_CACHE):
            yield from (Path(place, name) for name in names if name.endswith(".pyc"))


def _find_source(bytecode: Path) -> Path:
    return bytecode.parent.parent / f"{bytecode.name.split('.', 1)[0]}.py"
