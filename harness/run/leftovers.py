"""What processes that were killed have left behind: found by the locks that died with them, and removed."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.files import remove_tree
from harness.held import MAKING, TEMPORARY, WRITING, claim, remove_files
from harness.processes import end_users
from harness.run.store import Store, remove_marks

_RUN = re.compile(rb'"run":"([^"]+)"')


def remove_leftovers(store: Store) -> None:
    """Remove what killed processes have left in a store and in the folder for temporary files.

    Processes that still work for one of them are ended. What a living process uses is left alone, and so is
    what belongs to another user, and a folder that is not marked as a store.
    """
    temporary = (path for path in Path(tempfile.gettempdir()).glob(TEMPORARY) if _is_ours(path))
    if not store.is_claimed:
        _remove_folders(temporary)
        return
    _remove_folders([*temporary, *store.making()])
    remove_files(store.half_written())
    for entry in store.marked():
        remove_marks(entry)
    _remove_marks_of_runs(store)


def remove_leftovers_of_runs(runs: Path) -> None:
    """Remove half-written files from a folder of runs; a run that was cut off stays, and says so."""
    _remove_folders(runs.glob(MAKING))
    remove_files(runs.rglob(WRITING))


def _is_ours(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return path.lstat().st_uid == os.getuid()
    return False


def _remove_folders(found: Iterable[Path]) -> None:
    with contextlib.ExitStack() as stack:
        left = [path for path in found if stack.enter_context(claim(path))]
        if left:
            end_users(left)
        for path in left:
            remove_tree(path)


def _remove_marks_of_runs(store: Store) -> None:
    """A mark of a run that was cut off is needed as long as a result of it is there: see ``--fresh``."""
    with contextlib.ExitStack() as stack:
        left = [mark for mark in store.run_marks() if stack.enter_context(claim(mark))]
        if left:
            needed = set(_list_runs(store))
            for mark in left:
                if mark.name not in needed:
                    mark.unlink(missing_ok=True)


def _list_runs(store: Store) -> Iterator[str]:
    """The runs that have measured the results of a store."""
    for path in (*store.results.glob("*/contract.json"), *store.results.glob("*/*/result.json")):
        with contextlib.suppress(OSError):
            yield from (name.decode(errors="replace") for name in _RUN.findall(path.read_bytes()))
