"""Bytecode of environments: what cannot be read is removed, what one has compiled is given to others.

uv links the files of all environments to its cache, so the first cell that imports torch compiles it for all.
A cell that compiles everything itself spends 5-10 s more on its imports (measured 2026-11).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from harness.files import write_whole
from harness.held import temporary_folder
from harness.processes import run
from harness.run.manifest import CHECKED, MARKER, Files

_CACHE = "__pycache__"
_SECONDS = 300.0

_CHECK = """
import importlib.util, json, marshal, sys
code, bad = type(compile("", "", "exec")), []
for path in json.load(open(sys.argv[1])):
    with open(path, "rb") as file:
        data = file.read()
    try:
        whole = data[:4] != importlib.util.MAGIC_NUMBER or type(marshal.loads(data[16:])) is code
    except (EOFError, ValueError, TypeError):
        whole = False
    if not whole:
        bad.append(path)
print(json.dumps(bad))
"""
"""Reads bytecode as an import does, with the interpreter that it is for: no other knows its format."""


async def remove_damaged_bytecode(environment: Path) -> tuple[Path, ...]:
    """Remove bytecode that the interpreter of an environment cannot read, such as what a full disk cut off.

    What was read before and has not changed since is not read again.

    Raises:
        OSError: no room for the list of what was read.
    """
    there = await asyncio.to_thread(_stat_bytecode, environment)
    known = _read_checked(environment)
    unknown = [environment / name for name, status in there.items() if known.get(name) != status]
    if not unknown:
        return ()
    bad = await _find_unreadable(environment / "bin" / "python", unknown)
    for path in bad:
        path.unlink(missing_ok=True)
        del there[path.relative_to(environment).as_posix()]
    write_whole(environment / CHECKED, msgspec.json.encode(there))
    return tuple(bad)


async def _find_unreadable(python: Path, paths: list[Path]) -> list[Path]:
    with temporary_folder("bytecode") as folder:
        asked = folder / "paths.json"
        asked.write_bytes(msgspec.json.encode([str(path) for path in paths]))
        try:
            done = await run((str(python), "-I", "-S", "-c", _CHECK, str(asked)), env={}, timeout=_SECONDS)
            return list(map(Path, msgspec.json.decode(done.stdout, type=list[str])))
        except (TimeoutError, msgspec.DecodeError):  # one of them has ended the interpreter
            return paths


def _read_checked(environment: Path) -> Files:
    try:
        return msgspec.json.decode((environment / CHECKED).read_bytes(), type=Files)
    except (OSError, msgspec.DecodeError):
        return {}


def _stat_bytecode(environment: Path) -> Files:
    found = {}
    for path in _walk_bytecode(environment):
        with contextlib.suppress(FileNotFoundError):  # a running cell replaces one
            found[path.relative_to(environment).as_posix()] = _stat(path)
    return found


def _stat(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_size, status.st_mtime_ns


@dataclass
class BytecodePool:
    """Where the bytecode of a source file lies, by the file's place in its environment and its identity."""

    known: dict[tuple[str, int, int], Path] = field(default_factory=dict)

    async def take(self, environment: Path) -> None:
        """Learn what an environment that has been used has compiled, as far as it can be read."""
        if not (environment / MARKER).is_file():  # not one of ours
            return
        with contextlib.suppress(OSError):  # no room: nothing is given to others
            await remove_damaged_bytecode(environment)
        for place in _read_checked(environment):
            bytecode = environment / place
            with contextlib.suppress(OSError):  # its source is gone
                status = _find_source(bytecode).stat()
                self.known.setdefault((place, status.st_dev, status.st_ino), bytecode)

    def give(self, environment: Path) -> int:
        """Link to what others have compiled of the same files; how many were linked."""
        if not (environment / MARKER).is_file():
            return 0
        given: Files = {}
        for (place, device, inode), bytecode in self.known.items():
            target = environment / place
            with contextlib.suppress(OSError):  # it has no such file, or has its bytecode already
                status = _find_source(target).stat()
                if (status.st_dev, status.st_ino) == (device, inode):
                    target.parent.mkdir(exist_ok=True)
                    os.link(bytecode, target)
                    given[place] = _stat(target)
        if given:
            with contextlib.suppress(OSError):  # it is read once more then
                write_whole(environment / CHECKED, msgspec.json.encode(_read_checked(environment) | given))
        return len(given)


def _walk_bytecode(environment: Path) -> Iterator[Path]:
    for place, _, names in os.walk(environment):
        if place.endswith(_CACHE):
            yield from (Path(place, name) for name in names if name.endswith(".pyc"))


def _find_source(bytecode: Path) -> Path:
    return bytecode.parent.parent / f"{bytecode.name.split('.', 1)[0]}.py"
