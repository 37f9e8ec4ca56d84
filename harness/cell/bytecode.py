"""Bytecode is written whole or not at all: a full disk must not leave modules that nothing can import."""

from __future__ import annotations

import os
import sys
from typing import Any


def write_bytecode_whole() -> None:
    """From now on an import that has no room for the whole of its bytecode writes none.

    ``importlib`` itself ignores a short write and renames what a full disk has cut off into its place (seen
    with CPython 3.9, 3.11 and 3.13); every later import of the module fails: "marshal data too short".
    """
    external: Any = sys.modules["_frozen_importlib_external"]
    external._write_atomic = _write_atomic  # noqa: SLF001 - there is no public place for it


def _write_atomic(path: str, data: bytes, mode: int = 0o666) -> None:
    temporary = f"{path}.{os.getpid()}-{id(data)}"
    descriptor = os.open(temporary, os.O_EXCL | os.O_CREAT | os.O_WRONLY, mode & 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:  # buffered: it writes on, or raises
            file.write(data)
        os.replace(temporary, path)  # noqa: PTH105 - paths of importlib are text
    except OSError:
        os.unlink(temporary)  # noqa: PTH108 - likewise
        raise
