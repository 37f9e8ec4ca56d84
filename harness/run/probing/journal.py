"""The blocks of a gate in a file, one line each, as they are measured: a gate that is cut off leaves them."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from harness.errors import UsageError
from harness.gate_records import Block

BLOCKS = "blocks.jsonl"


def append_block(folder: Path, block: Block) -> None:
    """Write one more line, and see that it is on the disk.

    Raises:
        OSError: no room, no permission.
    """
    with (folder / BLOCKS).open("ab") as file:
        file.write(msgspec.json.encode(block) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read_blocks(folder: Path) -> tuple[Block, ...]:
    """The blocks that were measured, in their order; half a last line was being written when it was cut off.

    Raises:
        UsageError: a line that is no block.
    """
    path = folder / BLOCKS
    if not path.exists():
        return ()
    lines = path.read_bytes().split(b"\n")[:-1]
    return tuple(_read(path, number, line) for number, line in enumerate(lines, 1))


def _read(path: Path, number: int, line: bytes) -> Block:
    try:
        return msgspec.json.decode(line, type=Block)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: line {number} is not a block as this version writes it: {error}") from None
