"""Read ``uv.lock`` and ``pylock.toml``: every package with its exact version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import msgspec
from packaging.pylock import Pylock, PylockUnsupportedVersionError, PylockValidationError
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidName, NormalizedName, canonicalize_name

from harness.errors import UsageError
from harness.plan.file_package import FilePackage, holds


class UvPackage(msgspec.Struct, frozen=True, rename="kebab"):
    """A package of a uv.lock."""

    name: str
    version: str = ""
    source: dict[str, str] = {}
    resolution_markers: tuple[str, ...] = ()


class UvLock(msgspec.Struct, frozen=True):
    """The part of a uv.lock that tells which versions it pins."""

    version: int
    package: tuple[UvPackage, ...] = ()


def is_uv_lock(document: Mapping[str, Any]) -> bool:
    """Tell a uv.lock from the locks of other tools."""
    return isinstance(document.get("version"), int) and "metadata" not in document


def is_pylock(document: Mapping[str, Any]) -> bool:
    """Tell a pylock.toml from other TOML files."""
    return "lock-version" in document and "packages" in document


def read_uv_lock(
    document: Mapping[str, Any], where: str, environment: Mapping[str, str]
) -> Iterator[FilePackage]:
    """The packages of a uv.lock for ``environment``; the project itself is none.

    Raises:
        UsageError: it has another form, or a version of the format that is not known.
    """
    try:
        lock = msgspec.convert(document, UvLock)
        if lock.version != 1:
            raise UsageError(f"{where}: version {lock.version} of the format of uv.lock; 1 is known")
        elsewhere: dict[str, UvPackage] = {}
        here: set[str] = set()
        for package in lock.package:
            markers = package.resolution_markers
            place = f"{where}: package {package.name!r}"
            if markers and not any(holds(text, environment, place) for text in markers):
                elsewhere[package.name] = package
                continue
            here.add(package.name)
            if "." not in {package.source.get("editable"), package.source.get("virtual")}:
                yield _uv_package(package, where)
        for name in elsewhere.keys() - here:
            fault = "none of its entries is for this environment"
            yield FilePackage(name=_read_name(name, where), where=where, fault=fault)
    except msgspec.ValidationError as error:
        raise UsageError(f"{where}: not a uv.lock: {error}") from None


def _uv_package(package: UvPackage, where: str) -> FilePackage:
    indexed = "registry" in package.source and package.version
    specifier = f"=={package.version}" if package.version else ""
    try:
        SpecifierSet(specifier)
    except InvalidSpecifier:
        raise UsageError(f"{where}: package {package.name!r}: {package.version!r} is no version") from None
    return FilePackage(
        name=_read_name(package.name, where),
        where=where,
        specifier=specifier,
        fault="" if indexed else f"it comes from {next(iter(package.source), 'nowhere')}, not from an index",
    )


def _read_name(name: str, where: str) -> NormalizedName:
    try:
        return canonicalize_name(name, validate=True)
    except InvalidName:
        raise UsageError(f"{where}: {name!r} is no name of a package") from None


def read_pylock(
    document: Mapping[str, Any], where: str, environment: Mapping[str, str]
) -> Iterator[FilePackage]:
    """The packages of a pylock.toml for ``environment``, without extras, with the default groups.

    Raises:
        UsageError: it is not what the specification says; the path of the fault is named.
    """
    try:
        lock = Pylock.from_dict(document)
    except (PylockValidationError, PylockUnsupportedVersionError) as error:
        raise UsageError(f"{where}: not a pylock file: {error}") from None
    around: dict[str, str | AbstractSet[str]] = {
        **environment,
        "extras": frozenset[str](),
        "dependency_groups": frozenset(lock.default_groups or ()),
    }
    for package in lock.packages:
        place = f"{where}: package {package.name!r}"
        if package.marker is not None and not holds(package.marker, around, place, "lock_file"):
            continue
        elsewhere = package.vcs or package.directory or package.archive
        yield FilePackage(
            name=canonicalize_name(package.name),
            where=where,
            specifier=f"=={package.version}" if package.version else "",
            fault="it comes from a path or an address, not from an index" if elsewhere else "",
        )
