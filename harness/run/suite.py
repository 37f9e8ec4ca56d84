"""The snapshot of the suite that cells import: nothing else of the controller is on their path."""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from harness.cell import catalogue
from harness.errors import StoreError
from harness.files import describe_os_error, hash_tree, remove_tree
from harness.held import making_folder
from harness.run.store import Store


@dataclass(frozen=True)
class Suite:
    """A folder to put on the path of a cell, and the identity of what it holds."""

    folder: Path
    digest: str


def snapshot_suite(store: Store, source: Path | None = None) -> Suite:
    """Copy the cell's code into the store, once for each content.

    Edits during a run change nothing, and a cell finds ``harness.cell`` only.

    Raises:
        StoreError: the store cannot be written to.
    """
    source = source or Path(catalogue.__file__).parent
    digest = hash_tree(source)
    folder = store.suites / digest[:16]
    inside = folder / "harness" / "cell"
    if inside.is_dir() and hash_tree(inside) == digest:
        os.utime(folder)
        for cache in inside.rglob("__pycache__"):  # may be cut off, see harness.cell.bytecode
            remove_tree(cache)
        return Suite(folder, digest)
    try:
        with making_folder(store.suites) as made:
            ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
            shutil.copytree(source, made / "harness" / "cell", ignore=ignore)
            (made / "harness" / "__init__.py").touch()
            if folder.exists():
                store.put_aside(folder)
            with contextlib.suppress(OSError):  # another process was faster; its copy has the same content
                made.rename(folder)
    except OSError as error:
        raise StoreError(f"the suite cannot be copied to the store: {describe_os_error(error)}") from error
    return Suite(folder, digest)
