"""What an environment is made of: tells one that is not whole, and which of its distributions are damaged."""

from __future__ import annotations

import base64
import csv
import fnmatch
import hashlib
import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
from packaging.utils import canonicalize_name, canonicalize_version

from harness.files import stat_tree, write_whole
from harness.held import WRITING

MARKER = "harness-manifest.json"
"""Written last: an environment without it was cut off while it was made."""

CHECKED = "harness-bytecode.json"
"""Size and time of change of the bytecode in an environment that was found to be readable."""

PACKAGES = "lib/python*/site-packages"
"""Where the distributions of an environment lie."""

NOT_THERE = "it is not there"

Files = dict[str, tuple[int, int]]

_INSTALLER = "INSTALLER"
"""uv writes it, and then the RECORD that names it, when every file of a distribution is in its place."""


class Manifest(msgspec.Struct, frozen=True):
    """Size in bytes and time of change in ns of every file.

    ``whole``: all that the RECORDs name was there, with its size; manifests of before 2026-12 do not say.
    """

    files: Files
    whole: bool = False


class _Row(NamedTuple):
    """One file that a distribution says that it has installed; ``size`` is empty where it does not say."""

    distribution: str
    named: str
    hashed: str
    size: str


def list_files(environment: Path) -> Files:
    """Every file of an environment but bytecode and what the harness notes in it."""
    return {
        name: status
        for name, status in stat_tree(environment).items()
        if name not in (MARKER, CHECKED) and not fnmatch.fnmatch(name, WRITING)
    }


def write_manifest(environment: Path) -> None:
    """Mark an environment as whole, which ``find_incomplete`` has found it to be."""
    manifest = Manifest(list_files(environment), whole=True)
    write_whole(environment / MARKER, msgspec.json.encode(manifest))


def find_damage(environment: Path, wanted: Mapping[str, str]) -> str:
    """What is wrong with an environment, in words; empty for a sound one.

    ``wanted`` is the version of each distribution in it, by name. One that an earlier harness has made is
    compared with its RECORDs once.
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
            return f"it was never whole: {damage}"
        write_manifest(environment)
    return damage


def find_changes(environment: Path) -> str:
    """What changed in an environment since it was made, in words; empty where nothing did.

    Bytecode does not count: a cell compiles what it imports.
    """
    manifest = _read_manifest(environment)
    return manifest if isinstance(manifest, str) else _compare(environment, manifest)


def _read_manifest(environment: Path) -> Manifest | str:
    """The manifest of an environment, or in words why there is none."""
    try:
        return msgspec.json.decode((environment / MARKER).read_bytes(), type=Manifest)
    except FileNotFoundError:
        return "it was cut off while it was made"
    except (msgspec.DecodeError, OSError) as error:
        return f"its manifest cannot be read: {error}"


def _compare(environment: Path, manifest: Manifest) -> str:
    there = list_files(environment)
    differing = sorted(
        {name for name, status in manifest.files.items() if there.get(name) != status}
        | (there.keys() - manifest.files)
    )
    if differing:
        return f"{len(differing)} of its files changed since it was made, the first is {differing[0]}"
    python = environment / "bin" / "python"
    return "" if python.exists() else f"its interpreter is gone: {python.readlink()}"


def find_incomplete(
    environment: Path, wanted: Mapping[str, str], *, packages: str = PACKAGES
) -> dict[str, str]:
    """The distributions that are not installed as their RECORD says, each with what is wrong, in words.

    Args:
        environment: the folder that was installed into.
        wanted: the version of each distribution that has to be there, by name.
        packages: glob of the folder in it that holds the distributions.

    Returns:
        Normalized name -> one sentence; empty where every file of every RECORD is there, with its size.
        Bytecode does not count: installers may leave it out, and interpreters write it.
    """
    found: dict[str, str] = {}
    installed = {name: (there, record) for name, there, record in _find_records(environment, packages)}
    for name, version in ((canonicalize_name(name), version) for name, version in wanted.items()):
        if name not in installed:
            found[name] = f"{name} {version} is not installed"
            continue
        there, record = installed[name]
        if canonicalize_version(there) != canonicalize_version(version):
            found[name] = f"{name} {there} is installed, but should be {version}"
        elif not _was_finished(record):
            found[name] = f"{name} {version} was not installed to its end"
    counts = _count(environment, _claims(environment, packages), thorough=False)
    for owner, bad in sorted(counts.items()):
        noun = "1 file is" if len(bad) == 1 else f"{len(bad)} files are"
        found.setdefault(owner, f"{noun} not as the RECORD of {owner} says, the first is {min(bad)}")
    return found


def find_bad_distributions(environment: Path, *, packages: str = PACKAGES) -> tuple[str, ...]:
    """Normalized names of the distributions with a file whose content is not what their RECORD says.

    A missing file does not count: it is gone from this environment, and says nothing about the cache that it
    was linked from. A file outside of the environment does: no wheel may bring one.
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
    """Path -> what each distribution says about it: two may bring the same file, of which one is there."""
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
    """The files that are as none of their distributions says, or outside, by distribution."""
    bad = defaultdict(list)
    for path, rows in claims.items():
        sound = any(_agrees(path, row, thorough=thorough) for row in rows)
        if not sound or not _is_inside(path, environment):
            for row in rows:
                bad[row.distribution].append(row.named)
    return bad


def _agrees(path: Path, row: _Row, *, thorough: bool) -> bool:
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
