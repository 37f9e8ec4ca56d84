"""What processes that were killed have left behind: found by the locks that died with them, and removed."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness.held import TEMPORARY, claim, remove_files
from harness.run.folder import remove_left_folders
from harness.run.store import Store, remove_marks

_RUN = re.compile(rb'"run":"([^"]+)"')


def remove_leftovers(store: Store) -> None:
    """Remove what killed processes have left in a store and in the folder for temporary files.

    Processes that still work for one of them are ended. What a living process uses is left alone, and so is
    what belongs to another user, and a folder that is not marked as a store.
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
