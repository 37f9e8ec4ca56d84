"""From uv's ``pylock.toml`` to locked distributions: of each the one file that this Python would install."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
from packaging.tags import Tag
from packaging.utils import canonicalize_name, parse_wheel_filename

from harness.errors import MachineError
from harness.records import Distribution


class LockedFile(msgspec.Struct, frozen=True):
    """A wheel or a source archive."""

    hashes: dict[str, str]
    url: str | None = None
    path: str | None = None
    name: str | None = None

    @property
    def filename(self) -> str:
        """Its file name."""
        return self.name or unquote(urlsplit(self.url or self.path or "").path).rpartition("/")[2]


class LockedPackage(msgspec.Struct, frozen=True):
    """One package of a pylock file."""

    name: str
    version: str
    wheels: tuple[LockedFile, ...] = ()
    sdist: LockedFile | None = None


class PyLock(msgspec.Struct, frozen=True, rename="kebab"):
    """The part of a pylock file that a lock is made of."""

    packages: tuple[LockedPackage, ...] = ()


def distributions_of(document: Mapping[str, Any], tags: Sequence[Tag]) -> tuple[Distribution, ...]:
    """The distributions of a pylock document, sorted by name.

    Raises:
        MachineError: the document is of another form, or holds a package without a file for these tags.
    """
    try:
        packages = msgspec.convert(document, PyLock).packages
    except msgspec.ValidationError as error:
        raise MachineError(
            f"uv wrote a pylock file of another form: {error}; is uv too old or too new?"
        ) from None
    rank = {tag: at for at, tag in enumerate(tags)}
    return tuple(
        Distribution(name=package.name, version=package.version, sha256=(_file_hash(package, rank),))
        for package in sorted(packages, key=lambda package: canonicalize_name(package.name))
    )


def _file_hash(package: LockedPackage, rank: Mapping[Tag, int]) -> str:
    file = min(package.wheels, key=lambda wheel: _place(wheel, rank), default=package.sdist)
    if file in package.wheels and _place(file, rank)[0] == len(rank):
        file = package.sdist
    if file is None or "sha256" not in file.hashes:
        raise MachineError(
            f"uv locked {package.name} {package.version} without a hashed file for this platform"
        )
    return file.hashes["sha256"]


def _place(wheel: LockedFile, rank: Mapping[Tag, int]) -> tuple[int, int]:
    """Where a wheel stands among the wheels of its package: by tag, then the highest build number."""
    _, _, build, tags = parse_wheel_filename(wheel.filename)
    return min(rank.get(tag, len(rank)) for tag in tags), -build[0] if build else 0
