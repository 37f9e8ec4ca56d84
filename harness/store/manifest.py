"""Manifests of environments: detect missing and damaged files, and share valid bytecode between environments.

uv links the files of all environments to its cache, so the first cell that imports torch compiles it for all.
A cell that compiles everything itself spends 5-10 s more on its imports (measured 2026-11).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import csv
import fnmatch
import hashlib
import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec
from packaging.utils import canonicalize_name, canonicalize_version

from harness.files import stat_tree, write_whole
from harness.held import WRITING, temporary_folder
from harness.processes import run

MARKER = "harness-manifest.json"
"""Written last: an environment without it is incomplete."""

CHECKED = "harness-bytecode.json"
"""Size and modification time of the bytecode files that were found to be readable."""

PACKAGES = "lib/python*/site-packages"
"""Glob of the folder with the distributions of an environment."""

NOT_THERE = "it does not exist"

Files = dict[str, tuple[int, int]]

_INSTALLER = "INSTALLER"
"""uv writes this file, and then the RECORD that names it, after all other files of a distribution."""


class Manifest(msgspec.Struct, frozen=True):
    """Size in bytes and modification time in ns of every file.

    ``whole``: every file of the RECORDs existed with its size; unknown in manifests from before 2026-12.
    """

    files: Files
    whole: bool = False


class _Row(NamedTuple):
    """One row of a RECORD; ``size`` is empty if it is not given."""

    distribution: str
    named: str
    hashed: str
    size: str


def list_files(environment: Path) -> Files:
    """Every file of an environment without bytecode and the files of the harness."""
    return {
        name: status
        for name, status in stat_tree(environment).items()
        if name not in (MARKER, CHECKED) and not fnmatch.fnmatch(name, WRITING)
    }


def write_manifest(environment: Path) -> None:
    """Mark an environment as complete; the caller has verified it with ``find_incomplete``."""
    manifest = Manifest(list_files(environment), whole=True)
    write_whole(environment / MARKER, msgspec.json.encode(manifest))


def find_damage(environment: Path, wanted: Mapping[str, str]) -> str:
    """The fault of an environment; empty if it is intact.

    ``wanted`` maps distributions to versions. An environment of an earlier version of the harness is compared
    with its RECORDs once.
    """
    if not environment.exists():
        return NOT_THERE
    manifest = _read_manifest(environment)
    if isinstance(manifest, str):
        return manifest
    damage = _compare(environment, manifest)
    if not damage and not manifest.whole:
        damage = "; ".join(find_incomplete(environment, wanted).values())
        if damage:
            return f"it was never complete: {damage}"
        write_manifest(environment)
    return damage


def find_changes(environment: Path) -> str:
    """The changes to an environment since its creation; empty if there are none.

    Bytecode does not count: a cell compiles the modules that it imports.
    """
    manifest = _read_manifest(environment)
    return manifest if isinstance(manifest, str) else _compare(environment, manifest)


def _read_manifest(environment: Path) -> Manifest | str:
    """The manifest of an environment, or the reason why it has none."""
    try:
        return msgspec.json.decode((environment / MARKER).read_bytes(), type=Manifest)
    except FileNotFoundError:
        return "its installation was interrupted"
    except (msgspec.DecodeError, OSError) as error:
        return f"its manifest cannot be read: {error}"


def _compare(environment: Path, manifest: Manifest) -> str:
    there = list_files(environment)
    differing = sorted(
        {name for name, status in manifest.files.items() if there.get(name) != status}
        | (there.keys() - manifest.files)
    )
    if differing:
        return f"{len(differing)} of its files changed since its creation, the first is {differing[0]}"
    python = environment / "bin" / "python"
    return "" if python.exists() else f"its interpreter no longer exists: {python.readlink()}"


def find_incomplete(
    environment: Path, wanted: Mapping[str, str], *, packages: str = PACKAGES
) -> dict[str, str]:
    """The distributions that do not match their RECORD, each with its fault.

    Args:
        environment: the folder of the installation.
        wanted: the required version of each distribution, by name.
        packages: glob of the folder in it that holds the distributions.

    Returns:
        Normalized name -> one sentence; empty if every file of every RECORD exists with its size. Bytecode
        does not count: installers may leave it out, and interpreters write it.
    """
    found: dict[str, str] = {}
    installed = {name: (there, record) for name, there, record in _find_records(environment, packages)}
    for name, version in ((canonicalize_name(name), version) for name, version in wanted.items()):
        if name not in installed:
            found[name] = f"{name} {version} is not installed"
            continue
        there, record = installed[name]
        if canonicalize_version(there) != canonicalize_version(version):
            found[name] = f"{name}: expected version {version}, found {there}"
        elif not _was_finished(record):
            found[name] = f"{name} {version} was not completely installed"
    counts = _count(environment, _claims(environment, packages), thorough=False)
    for owner, bad in sorted(counts.items()):
        noun = "1 file does" if len(bad) == 1 else f"{len(bad)} files do"
        found.setdefault(owner, f"{noun} not match the RECORD of {owner}, the first is {min(bad)}")
    return found


def find_bad_distributions(environment: Path, *, packages: str = PACKAGES) -> tuple[str, ...]:
    """Normalized names of the distributions with a file whose content does not match their RECORD.

    A missing file does not count: it does not show damage to the cache that it was linked from. A file
    outside of the environment counts: no wheel may install one.
    """
    claims = {
        path: rows
        for path, rows in _claims(environment, packages).items()
        if path.exists() or not _is_inside(path, environment)
    }
    return tuple(sorted(_count(environment, claims, thorough=True)))


def _find_records(environment: Path, packages: str) -> Iterator[tuple[str, str, Path]]:
    """Name, version and RECORD of each distribution."""
    for record in environment.glob(f"{packages}/*.dist-info/RECORD"):
        name, _, version = record.parent.name.removesuffix(".dist-info").partition("-")
        yield canonicalize_name(name), version, record


def _was_finished(record: Path) -> bool:
    return any(Path(row[0]).name == _INSTALLER for row in _read_rows(record))


def _claims(environment: Path, packages: str) -> dict[Path, list[_Row]]:
    """Path -> its rows in all RECORDs; two distributions may install the same path, and one of them wins."""
    claims = defaultdict(list)
    for name, _, record in _find_records(environment, packages):
        for named, hashed, size in _read_rows(record):
            path = Path(os.path.normpath(record.parent.parent / named))
            claims[path].append(_Row(name, named, hashed, size))
    return claims


def _read_rows(record: Path) -> Iterator[list[str]]:
    with record.open(encoding="utf-8", newline="", errors="replace") as file:
        for row in csv.reader(file):
            if len(row) == 3 and not row[0].endswith(".pyc"):
                yield row


def _is_inside(path: Path, environment: Path) -> bool:
    return os.path.normpath(path).startswith(f"{os.path.normpath(environment)}{os.sep}")


def _count(
    environment: Path, claims: Mapping[Path, Iterable[_Row]], *, thorough: bool
) -> dict[str, list[str]]:
    """The files that match none of their rows, or lie outside of the environment, by distribution."""
    bad = defaultdict(list)
    for path, rows in claims.items():
        matches = any(_matches(path, row, thorough=thorough) for row in rows)
        if not matches or not _is_inside(path, environment):
            for row in rows:
                bad[row.distribution].append(row.named)
    return bad


def _matches(path: Path, row: _Row, *, thorough: bool) -> bool:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or (row.size and status.st_size != int(row.size)):
            return False
    except (OSError, ValueError):
        return False
    if not row.size:
        return True
    kind, _, expected = row.hashed.partition("=")
    if not thorough or kind != "sha256":
        return True
    digest = hashlib.sha256(path.read_bytes()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == expected


# Bytecode: unreadable files are removed, valid ones are shared between environments.

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
"""Reads bytecode as an import does, in the interpreter of the environment: the format depends on it."""


async def remove_damaged_bytecode(environment: Path) -> tuple[Path, ...]:
    """Remove bytecode that the interpreter of an environment cannot read, such as truncated files.

    Files that were checked before and have not changed are skipped.

    Raises:
        OSError: the list of checked files cannot be written.
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
        except (TimeoutError, msgspec.DecodeError):  # one of the files crashed the interpreter
            return paths


_COMPILE = """
import json, py_compile, sys
for path in json.load(open(sys.argv[1])):
    try:
        py_compile.compile(path, doraise=True)
    except (py_compile.PyCompileError, OSError):
        pass
"""


async def _compile_modules(environment: Path, made: Path) -> None:
    """Compile the modules of an environment for which a cell has made bytecode in the folder ``made``.

    A cell that cannot write to its environment leaves the names of its modules; what it compiled is not used.
    """
    places = (Path("/", path.relative_to(made)) for path in _walk_bytecode(made))
    missing = (place for place in places if _is_inside(place, environment) and not place.exists())
    if sources := [str(_find_source(place)) for place in missing]:
        with temporary_folder("bytecode") as folder, contextlib.suppress(TimeoutError):
            asked = folder / "paths.json"
            asked.write_bytes(msgspec.json.encode(sources))
            python = str(environment / "bin" / "python")
            await run((python, "-I", "-S", "-c", _COMPILE, str(asked)), env={}, timeout=_SECONDS)


def _read_checked(environment: Path) -> Files:
    try:
        return msgspec.json.decode((environment / CHECKED).read_bytes(), type=Files)
    except (OSError, msgspec.DecodeError):
        return {}


def _stat_bytecode(environment: Path) -> Files:
    found = {}
    for path in _walk_bytecode(environment):
        with contextlib.suppress(FileNotFoundError):  # replaced by a running cell
            found[path.relative_to(environment).as_posix()] = _stat(path)
    return found


def _stat(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_size, status.st_mtime_ns


@dataclass
class BytecodePool:
    """Paths of compiled bytecode, by relative path, device and inode of the source file."""

    known: dict[tuple[str, int, int], Path] = field(default_factory=dict)
    _compiling: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def take(self, environment: Path, made: Path | None = None) -> None:
        """Add the readable bytecode of an environment to the pool.

        ``made`` is what a cell has compiled that cannot write to its environment.
        """
        if not (environment / MARKER).is_file():  # not an environment of the store
            return
        if made is not None:
            async with self._compiling:  # the same modules once
                await asyncio.to_thread(self.give, environment)
                await _compile_modules(environment, made)
                await self._read(environment)
        else:
            await self._read(environment)

    async def _read(self, environment: Path) -> None:
        with contextlib.suppress(OSError):  # a full disk: nothing is shared
            await remove_damaged_bytecode(environment)
        for place in _read_checked(environment):
            bytecode = environment / place
            with contextlib.suppress(OSError):  # its source no longer exists
                status = _find_source(bytecode).stat()
                self.known.setdefault((place, status.st_dev, status.st_ino), bytecode)

    def give(self, environment: Path) -> int:
        """Link pooled bytecode of the same source files into an environment; returns the number of links."""
        if not (environment / MARKER).is_file():
            return 0
        linked: Files = {}
        for (place, device, inode), bytecode in self.known.items():
            target = environment / place
            with contextlib.suppress(OSError):  # no such source, or bytecode exists
                status = _find_source(target).stat()
                if (status.st_dev, status.st_ino) == (device, inode):
                    target.parent.mkdir(exist_ok=True)
                    os.link(bytecode, target)
                    linked[place] = _stat(target)
        if linked:
            with contextlib.suppress(OSError):  # the files are then checked once more
                write_whole(environment / CHECKED, msgspec.json.encode(_read_checked(environment) | linked))
        return len(linked)


def inherit_bytecode(environment: Path, others: Iterable[Path]) -> int:
    """Link checked bytecode of other environments into a new one; returns the number of links.

    Only bytecode that has not changed since it was checked is linked, and only for the same source file.
    """
    linked: Files = {}
    for other in others:
        for place, status in _read_checked(other).items():
            if place in linked:
                continue
            source = _find_source(Path(place))
            with contextlib.suppress(OSError):  # no such source, or bytecode exists
                if (other / source).samefile(environment / source) and _stat(other / place) == status:
                    (environment / place).parent.mkdir(exist_ok=True)
                    os.link(other / place, environment / place)
                    linked[place] = status
    if linked:
        write_whole(environment / CHECKED, msgspec.json.encode(_read_checked(environment) | linked))
    return len(linked)


def _walk_bytecode(environment: Path) -> Iterator[Path]:
    for place, _, names in os.walk(environment):
        if place.endswith(_CACHE):
            yield from (Path(place, name) for name in names if name.endswith(".pyc"))


def _find_source(bytecode: Path) -> Path:
    return bytecode.parent.parent / f"{bytecode.name.split('.', 1)[0]}.py"
