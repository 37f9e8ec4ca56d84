"""What an environment is made of: tells a damaged one, and which of its distributions are to blame."""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec

from harness.files import stat_tree, write_whole

MARKER = "harness-manifest.json"
"""Written last: an environment without it was cut off while it was made."""

NOT_THERE = "it is not there"

Files = dict[str, tuple[int, int]]


class Manifest(msgspec.Struct, frozen=True):
    """Size in bytes and time of change in ns of every file."""

    files: Files


def list_files(environment: Path) -> Files:
    """Every file of an environment but bytecode and the manifest."""
    return {name: status for name, status in stat_tree(environment).items() if name != MARKER}


def write_manifest(environment: Path) -> None:
    """Mark an environment as whole."""
    write_whole(environment / MARKER, msgspec.json.encode(Manifest(list_files(environment))))


def find_damage(environment: Path) -> str:
    """What is wrong with an environment, in words; empty for a sound one."""
    if not environment.exists():
        return NOT_THERE
    try:
        manifest = msgspec.json.decode((environment / MARKER).read_bytes(), type=Manifest)
    except FileNotFoundError:
        return "it was cut off while it was made"
    except (msgspec.DecodeError, OSError) as error:
        return f"its manifest cannot be read: {error}"
    there = list_files(environment)
    differing = sorted(
        {name for name, status in manifest.files.items() if there.get(name) != status}
        | (there.keys() - manifest.files)
    )
    if differing:
        return f"{len(differing)} of its files changed since it was made, the first is {differing[0]}"
    python = environment / "bin" / "python"
    return "" if python.exists() else f"its interpreter is gone: {python.readlink()}"


def find_bad_distributions(
    environment: Path, *, thorough: bool, packages: str = "lib/python*/site-packages"
) -> tuple[str, ...]:
    """Normalized names of the distributions with a file that is not what their RECORD says.

    ``packages`` is where they lie in it. Sizes only, which costs next to nothing, or (``thorough``) contents
    too. A missing file does not count: it is gone from this environment, and says nothing about the cache
    that it was linked from.
    """
    bad = set()
    for record in environment.glob(f"{packages}/*.dist-info/RECORD"):
        if any(_differs(*row, thorough=thorough) for row in _read_record(record, environment)):
            name = record.parent.name.rsplit("-", 1)[0].removesuffix(".dist-info")
            bad.add(re.sub(r"[-_.]+", "-", name.split("-")[0]).lower())
    return tuple(sorted(bad))


def _read_record(record: Path, environment: Path) -> Iterator[tuple[Path, str, str]]:
    """Path, hash and size of each file; one that lies outside of the environment has no size that holds."""
    root = f"{os.path.normpath(environment)}{os.sep}"
    with record.open(encoding="utf-8", newline="", errors="replace") as file:
        for row in csv.reader(file):
            if len(row) == 3 and row[2] and not row[0].endswith(".pyc"):
                path = os.path.normpath(record.parent.parent / row[0])
                yield (Path(path), row[1], row[2]) if path.startswith(root) else (environment, "", "-1")


def _differs(path: Path, hashed: str, size: str, *, thorough: bool) -> bool:
    try:
        status = path.stat()
        if status.st_size != int(size) or not stat.S_ISREG(status.st_mode):
            return True
    except (OSError, ValueError):
        return False
    kind, _, expected = hashed.partition("=")
    if not thorough or kind != "sha256":
        return False
    digest = hashlib.sha256(path.read_bytes()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != expected
