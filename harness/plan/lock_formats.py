"""Read ``uv.lock`` and ``pylock.toml``: every package with its exact version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import msgspec
from packaging.pylock import Package, Pylock, PylockUnsupportedVersionError, PylockValidationError
from packaging.specifiers import SpecifierSet
from packaging.utils import InvalidName, NormalizedName, canonicalize_name

from harness.errors import UsageError
from harness.plan.file_package import (
    MAX_PACKAGES,
    FilePackage,
    hash_fault,
    holds,
    marker_environment,
    refuse_other_environment,
    refuse_other_python,
)
from harness.plan.toml_file import MAX_SHOWN
from harness.plan.versions import MAX_VERSION, is_exact, specifier_fault
from harness.redaction import redact

MAX_ERROR = 300
"""Characters of what ``packaging`` says of a lock; it repeats whole values."""


class UvFile(msgspec.Struct, frozen=True):
    """An archive of a package in a uv.lock; ``hash`` has the form ``sha256:<digits>``."""

    hash: str | None = None


class UvPackage(msgspec.Struct, frozen=True, rename="kebab"):
    """A package of a uv.lock."""

    name: str
    version: str = ""
    source: dict[str, str] = {}
    resolution_markers: tuple[str, ...] = ()
    sdist: UvFile | None = None
    wheels: tuple[UvFile, ...] = ()


class UvLock(msgspec.Struct, frozen=True, rename="kebab"):
    """The part of a uv.lock that tells which versions it pins, and for which Pythons and platforms."""

    version: int
    package: tuple[UvPackage, ...] = ()
    requires_python: str = ""
    supported_markers: tuple[str, ...] = ()


def is_uv_lock(document: Mapping[str, Any]) -> bool:
    """Tell a uv.lock from the locks of other tools."""
    return isinstance(document.get("version"), int) and "metadata" not in document


def is_pylock(document: Mapping[str, Any]) -> bool:
    """Tell a pylock.toml from other TOML files."""
    return "lock-version" in document and "packages" in document


def read_uv_lock(document: Mapping[str, Any], where: str, python: str) -> Iterator[FilePackage]:
    """The packages of a uv.lock for ``python`` ("3.11") on this platform; the project itself is none.

    Raises:
        UsageError: it has another form, a version of the format or a hash that is not known, or is for other
            Pythons or platforms.
    """
    environment = marker_environment(python)
    try:
        lock = msgspec.convert(document, UvLock)
        if lock.version != 1:
            raise UsageError(f"{where}: version {lock.version} of the format of uv.lock; 1 is known")
        _refuse_count(len(lock.package), where)
        refuse_other_python(_read_specifier(lock.requires_python, where), python, where)
        refuse_other_environment(lock.supported_markers, python, where)
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
    except (msgspec.ValidationError, RecursionError) as error:
        raise UsageError(f"{where}: not a uv.lock: {error}") from None


def _refuse_count(packages: int, where: str) -> None:
    if packages > MAX_PACKAGES:
        raise UsageError(f"{where}: {packages} packages; at most {MAX_PACKAGES} are read")


def _read_specifier(text: str, where: str) -> SpecifierSet:
    if fault := specifier_fault(text):
        raise UsageError(f"{where}: requires-python: {fault}")
    return SpecifierSet(text)


def _uv_package(package: UvPackage, where: str) -> FilePackage:
    indexed = "registry" in package.source and package.version
    specifier = f"=={package.version}" if package.version else ""
    place = f"{where}: package {package.name!r}"
    if specifier and not is_exact(package.version):
        raise UsageError(f"{place}: expected a version, found {redact(package.version)[:MAX_SHOWN]!r}")
    for file in (*package.wheels, *((package.sdist,) if package.sdist else ())):
        kind, _, digest = (file.hash or "").partition(":")
        if file.hash is not None and (fault := hash_fault(kind, digest)):
            raise UsageError(f"{place}: {fault}")
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
        raise UsageError(f"{where}: {redact(name)[:MAX_SHOWN]!r} is no name of a package") from None


def read_pylock(document: Mapping[str, Any], where: str, python: str) -> Iterator[FilePackage]:
    """The packages of a pylock.toml for ``python`` on this platform, no extras, with the default groups.

    Raises:
        UsageError: it breaks the specification (the path of the fault is named), has a hash of an unknown
            kind, or is for other Pythons or platforms.
    """
    try:
        lock = Pylock.from_dict(document)
    except (PylockValidationError, PylockUnsupportedVersionError) as error:
        raise UsageError(f"{where}: not a pylock file: {str(error)[:MAX_ERROR]}") from None
    _refuse_count(len(lock.packages), where)
    refuse_other_python(lock.requires_python, python, where)
    refuse_other_environment(lock.environments or (), python, where)
    around: dict[str, str | AbstractSet[str]] = {
        **marker_environment(python),
        "extras": frozenset[str](),
        "dependency_groups": frozenset(lock.default_groups or ()),
    }
    for package in lock.packages:
        place = f"{where}: package {package.name!r}"
        if package.marker is not None and not holds(package.marker, around, place, "lock_file"):
            continue
        refuse_other_python(package.requires_python, python, place)
        _refuse_pylock_version(package, place)
        elsewhere = package.vcs or package.directory or package.archive
        yield FilePackage(
            name=canonicalize_name(package.name),
            where=where,
            specifier=f"=={package.version}" if package.version else "",
            fault="it comes from a path or an address, not from an index" if elsewhere else "",
        )


def _refuse_pylock_version(package: Package, place: str) -> None:
    if package.version is not None and not is_exact(str(package.version)):
        raise UsageError(f"{place}: its version has more than {MAX_VERSION} characters")
    for file in (package.archive, package.sdist, *(package.wheels or ())):
        for kind, digest in () if file is None else file.hashes.items():
            if fault := hash_fault(kind, digest):
                raise UsageError(f"{place}: {fault}")
