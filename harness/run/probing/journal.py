"""The blocks of a gate in a file, one line each, as they are measured: a gate that is cut off leaves them."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from harness.errors import UsageError
from harness.files import naming
from harness.gate_records import Block, VoidBlock
from harness.reading import MAX_RESULTS, read_input
from harness.records import UNREADABLE

BLOCKS = "blocks.jsonl"


def append_block(folder: Path, block: Block | VoidBlock) -> None:
    """Write one more line, of a block that is void too, and see that it is on the disk.

    Raises:
        OSError: no room, no permission.
    """
    path = folder / BLOCKS
    with naming(path), path.open("ab") as file:
        file.write(msgspec.json.encode(block) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read_blocks(folder: Path) -> tuple[Block, ...]:
    """The blocks that were measured, in their order; half a last line was being written when it was cut off.

    Raises:
        UsageError: a line that is no block.
    """
    return tuple(each for each in _read_lines(folder) if isinstance(each, Block))


def read_void(folder: Path) -> tuple[VoidBlock, ...]:
    """The blocks that were void, in their order; none in a folder of before they were written.

    Raises:
        UsageError: a line that is no block.
    """
    return tuple(each for each in _read_lines(folder) if isinstance(each, VoidBlock))


def _read_lines(folder: Path) -> tuple[Block | VoidBlock, ...]:
    path = folder / BLOCKS
    if not path.exists():
        return ()
    lines = read_input(path, MAX_RESULTS).split(b"\n")[:-1]
    return tuple(_read(path, number, line) for number, line in enumerate(lines, 1))


def _read(path: Path, number: int, line: bytes) -> Block | VoidBlock:
    try:
        found = msgspec.json.decode(line, type=dict[str, object])
        if "void" in found:
            return msgspec.convert(found, VoidBlock)
        return msgspec.convert(found, Block)
    except UNREADABLE as error:
        raise UsageError(f"{path}: line {number} is not a block as this version writes it: {error}") from None
