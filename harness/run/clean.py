"""Keep the store from growing for ever: what was used least recently goes first, what is in use never."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.files import remove_tree
from harness.run.store import Store, is_in_use, is_mark, is_stale, marks_of

Inodes = dict[tuple[int, int], int]
"""Device and number of a file -> bytes on disk."""


@dataclass(frozen=True)
class Cleaned:
    """How many entries were removed, and the bytes that the store holds less.

    Files that uv's own cache links to as well stay there, and are not counted.
    """

    entries: int
    freed: int


@dataclass(frozen=True)
class _Entry:
    path: Path
    lock: str
    used: float
    inodes: Inodes


async def clean_store(store: Store, max_bytes: int | None = None) -> Cleaned:
    """Make the store smaller than ``max_bytes``; without it, remove everything that is not in use.

    Raises:
        StoreError: the store cannot be written to.
    """
    await asyncio.to_thread(_remove_leavings, store, everything=max_bytes is None)
    entries = await asyncio.to_thread(_list_entries, store)
    links = Counter(inode for entry in entries for inode in entry.inodes)
    sizes = {inode: size for entry in entries for inode, size in entry.inodes.items()}
    total = sum(sizes.values())
    removed, freed = 0, 0
    for entry in sorted(entries, key=lambda entry: entry.used):
        if max_bytes is not None and total <= max_bytes:
            break
        if not await _remove(store, entry):
            continue
        removed += 1
        links.subtract(entry.inodes.keys())
        gone = [inode for inode in entry.inodes if links[inode] == 0]
        total -= sum(sizes[inode] for inode in gone)
        freed += sum(sizes[inode] for inode in gone)
    return Cleaned(removed, freed)


async def _remove(store: Store, entry: _Entry) -> bool:
    async with store.lock(entry.lock):
        if is_in_use(entry.path):
            return False
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            await asyncio.to_thread(store.put_aside, entry.path)
        remove_tree(marks_of(entry.path))  # of processes that were killed
        return True


def _list_entries(store: Store) -> list[_Entry]:
    kinds = (
        (store.environments, "env-"),
        (store.models, "model-"),
        (store.converted, "converted-"),
        (store.suites, "suite-"),
        (store.results, "result-"),
    )
    return [
        _Entry(path, prefix + path.name, path.stat().st_mtime, _read_inodes(path))
        for folder, prefix in kinds
        for path in _list_folders(folder)
        if not is_mark(path) and not path.name.startswith(".")
    ]


def _list_folders(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from sorted(path for path in folder.iterdir() if path.is_dir())


def _read_inodes(folder: Path) -> Inodes:
    found: Inodes = {}
    for place, _, names in os.walk(folder):
        for name in names:
            status = Path(place, name).lstat()
            found[status.st_dev, status.st_ino] = status.st_blocks * 512
    return found


def _remove_leavings(store: Store, *, everything: bool) -> None:
    """What was put aside, and what was begun and never finished."""
    remove_tree(store.root / "aside")
    for folder in (store.environments, store.models, store.converted, store.suites):
        for path in _list_folders(folder):
            if path.name.startswith(".making-") and is_stale(path):
                remove_tree(path)
    if everything:
        for mark in store.unfinished.glob("*"):
            if is_stale(mark):  # a younger one may belong to a sweep that is still running
                mark.unlink(missing_ok=True)
        for mark in store.models.glob("checked-*.json*"):
            mark.unlink(missing_ok=True)
