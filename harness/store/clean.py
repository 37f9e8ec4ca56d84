"""Clean the store: remove the least recently used entries, and the leftovers of killed processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.files import remove_tree
from harness.held import TEMPORARY, claim, remove_files
from harness.runs.folder import remove_left_folders
from harness.store.store import Store, is_in_use, remove_marks

_RUN = re.compile(rb'"run":"([^"]+)"')


def remove_leftovers(store: Store) -> None:
    """Remove the leftovers of killed processes from a store and from the folder for temporary files.

    Orphaned children of such processes are ended. Files in use by a living process, files of other users, and
    a folder that is not marked as a store are not touched.
    """
    temporary = (path for path in Path(tempfile.gettempdir()).glob(TEMPORARY) if _is_ours(path))
    if not store.is_claimed:
        remove_left_folders(temporary)
        return
    remove_left_folders([*temporary, *store.making()])
    remove_files(store.half_written())
    for entry in store.marked():
        remove_marks(entry)
    _remove_marks_of_runs(store)


def _is_ours(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return path.lstat().st_uid == os.getuid()
    return False


def _remove_marks_of_runs(store: Store) -> None:
    """Remove the marks of interrupted runs without stored results; ``--fresh`` needs the others."""
    with contextlib.ExitStack() as stack:
        left = [mark for mark in store.run_marks() if stack.enter_context(claim(mark))]
        if left:
            needed = set(_list_runs(store))
            for mark in left:
                if mark.name not in needed:
                    mark.unlink(missing_ok=True)


def _list_runs(store: Store) -> Iterator[str]:
    """The ids of the runs that measured the stored results."""
    for path in (*store.results.glob("*/contract.json"), *store.results.glob("*/*/result.json")):
        with contextlib.suppress(OSError):
            yield from (name.decode(errors="replace") for name in _RUN.findall(path.read_bytes()))


Inodes = dict[tuple[int, int], int]
"""Device and number of a file -> bytes on disk."""


@dataclass(frozen=True)
class Cleaned:
    """The number of removed entries, and the bytes by which the store became smaller.

    Files that are also linked from uv's cache stay there and are not counted.
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
    """Shrink the store to ``max_bytes``; without it, remove everything that is not in use.

    Only entries of the harness are removed, and links are not followed.

    Raises:
        UsageError: the folder is not a store.
        StoreError: the store cannot be written to.
    """
    if not store.root.exists():
        return Cleaned(0, 0)
    store.claim()
    await asyncio.to_thread(_remove_unfinished, store, everything=max_bytes is None)
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
        unlinked = [inode for inode in entry.inodes if links[inode] == 0]
        total -= sum(sizes[inode] for inode in unlinked)
        freed += sum(sizes[inode] for inode in unlinked)
    return Cleaned(removed, freed)


async def _remove(store: Store, entry: _Entry) -> bool:
    async with store.lock(entry.lock):
        if is_in_use(entry.path):
            return False
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            await asyncio.to_thread(store.remove_entry, entry.path)
        remove_marks(entry.path)
        return True


def _list_entries(store: Store) -> list[_Entry]:
    kinds = (
        (store.environments, "env-"),
        (store.models, "model-"),
        (store.converted, "converted-"),
        (store.suites, "suite-"),
        (store.results, "result-"),
    )
    found = []
    for folder, prefix in kinds:
        for path in store.entries(folder):
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                found.append(_Entry(path, prefix + path.name, path.stat().st_mtime, _read_inodes(path)))
    return found


def _read_inodes(folder: Path) -> Inodes:
    found: Inodes = {}
    for place, _, names in os.walk(folder):
        for name in names:
            status = Path(place, name).lstat()
            found[status.st_dev, status.st_ino] = status.st_blocks * 512
    return found


def _remove_unfinished(store: Store, *, everything: bool) -> None:
    """Remove leftovers and half-built entries; with ``everything`` also the marks of runs and models."""
    remove_leftovers(store)
    for path in store.unlocked_leftovers():
        remove_tree(path)
    if everything:
        remove_files(store.run_marks())
        remove_files(store.notes())
