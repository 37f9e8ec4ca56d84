"""The snapshot of the suite that cells import: every process gets a copy of its own, checked when it ends."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.cell import catalogue
from harness.errors import StoreError
from harness.files import describe_os_error, naming, walk_files
from harness.held import making_folder
from harness.run.store import Store

_READ_ONLY = 0o444


@dataclass(frozen=True)
class Suite:
    """What a cell imports, the identity of that, and the folder of the store that holds it for a person.

    Attributes:
        files: path below the folder -> content, in memory: no cell can reach it.
    """

    folder: Path
    digest: str
    files: Mapping[str, bytes] = field(repr=False)

    def put(self, target: Path) -> None:
        """Write a copy for one process into a new folder; costs some milliseconds.

        Raises:
            OSError: no room, no permission.
        """
        for name, content in self.files.items():
            path = target / name
            with naming(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                path.chmod(_READ_ONLY)  # against accidents: it does not bind root

    def find_edits(self, target: Path) -> tuple[str, ...]:
        """The files of a copy that were changed, removed or added; bytecode goes with the copy."""
        there = dict(walk_files(target))
        return tuple(
            name
            for name in sorted({*self.files, *there})
            if name not in there or not _holds(there[name], self.files.get(name))
        )


def _holds(path: Path, content: bytes | None) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False


def read_suite(folder: Path) -> Suite:
    """The suite in a folder that holds ``harness/cell``."""
    files = {name: path.read_bytes() for name, path in walk_files(folder)}
    return Suite(folder, _identify(files), files)


def _identify(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest()


def snapshot_suite(store: Store, source: Path | None = None) -> Suite:
    """Read the cell's code, and keep a copy in the store, once for each content.

    Edits during a run change nothing, and a cell finds ``harness.cell`` only.

    Raises:
        StoreError: the store cannot be written to.
    """
    source = source or Path(catalogue.__file__).parent
    files = {f"harness/cell/{name}": path.read_bytes() for name, path in walk_files(source)}
    files["harness/__init__.py"] = b""
    digest = _identify(files)
    suite = Suite(store.suites / digest[:16], digest, files)
    try:
        if suite.folder.is_dir() and not suite.find_edits(suite.folder):
            os.utime(suite.folder)
        else:
            _keep(suite, store)
    except OSError as error:
        raise StoreError(f"the suite cannot be copied to the store: {describe_os_error(error)}") from error
    return suite


def _keep(suite: Suite, store: Store) -> None:
    with making_folder(store.suites) as made:
        suite.put(made)
        if suite.folder.exists():
            store.put_aside(suite.folder)
        with contextlib.suppress(OSError):  # another process was faster; its copy has the same content
            made.rename(suite.folder)
