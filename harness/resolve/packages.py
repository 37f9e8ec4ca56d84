"""Packages of dependency files; parsers of ``uv.lock`` and ``pylock.toml``."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import msgspec
from packaging.markers import (
    EvaluateContext,
    InvalidMarker,
    Marker,
    UndefinedComparison,
    UndefinedEnvironmentName,
    default_environment,
)
from packaging.pylock import Package, Pylock, PylockUnsupportedVersionError, PylockValidationError
from packaging.specifiers import SpecifierSet
from packaging.utils import InvalidName, NormalizedName, canonicalize_name
from packaging.version import Version

from harness.errors import UsageError
from harness.matrix.schema import MAX_REQUIREMENT, MAX_VERSION, is_exact, number_fault, specifier_fault
from harness.matrix.toml_file import MAX_SHOWN
from harness.redaction import redact

MAX_PATCH = 100
"""Upper bound of the patch releases of a Python; none has reached 30."""

MAX_PACKAGES = 10_000
"""Maximum number of packages in a dependency file; the largest environments have a few hundred."""

HASHES = frozenset(hashlib.algorithms_guaranteed) - {"shake_128", "shake_256"}
"""The hash algorithms that a lock may name."""


class FilePackage(msgspec.Struct, frozen=True, kw_only=True):
    """One package of a dependency file: normalized name, specifier (empty: any version), required extras.

    ``where`` is the file, with the line if it has lines; ``fault`` is the reason why the package cannot be
    installed as specified, which is an error only if the package is needed.
    """

    name: str
    where: str
    specifier: str = ""
    extras: tuple[str, ...] = ()
    fault: str = ""

    @property
    def requirement(self) -> str:
        """The package as a requirement (PEP 508)."""
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        return f"{self.name}{extras}{self.specifier}"


def merge_packages(packages: Iterable[FilePackage]) -> dict[str, FilePackage]:
    """Packages by name; duplicates combine their specifiers, builds of one version count as that version."""
    merged: dict[str, FilePackage] = {}
    for package in packages:
        first = merged.get(package.name, package)
        both = {str(each) for each in SpecifierSet(first.specifier) & SpecifierSet(package.specifier)}
        exact = {each for each in both if each.startswith("==") and each[2] != "=" and "*" not in each}
        fault = first.fault or package.fault
        public = {Version(Version(each[2:]).public) for each in sorted(exact)}
        if len(public) > 1:
            fault = fault or f"it is pinned to {' and '.join(sorted(exact))}"
        elif len(exact) > 1:  # builds or notations of one version
            both = both - exact | {f"=={public.pop()}"}
        merged[package.name] = msgspec.structs.replace(
            first,
            specifier=",".join(sorted(both)),
            extras=tuple(sorted({*first.extras, *package.extras})),
            fault=fault,
        )
    return merged


def hash_fault(kind: str, digest: str, known: AbstractSet[str] = HASHES) -> str:
    """Why a hash has no known algorithm or no hexadecimal digits; empty if it is valid."""
    if kind not in known:
        return f"unknown hash algorithm {redact(kind)[:MAX_SHOWN]!r}; known: {', '.join(sorted(known))}"
    if not re.fullmatch(r"[0-9a-fA-F]+", digest):
        return f"expected a {kind} in hexadecimal digits, found {redact(digest)[:MAX_SHOWN]!r}"
    return ""


def refuse_other_python(requires: SpecifierSet | None, python: str, where: str) -> None:
    """Refuse a file, or a package in it, whose ``requires-python`` excludes all patch releases of a Python.

    Raises:
        UsageError: it excludes the Python of the cells.
    """
    if requires is None:
        return
    patches = [python] if python.count(".") > 1 else [f"{python}.{patch}" for patch in range(MAX_PATCH)]
    if not any(requires.contains(each, prereleases=True) for each in patches):
        raise UsageError(
            f"{where}: requires-python is {str(requires)!r}, but the cells have Python {python}; "
            "lock for that Python, or change the Python of the matrix"
        )


def holds(
    marker: Marker | str,
    environment: Mapping[str, str | AbstractSet[str]],
    where: str,
    context: EvaluateContext = "metadata",
) -> bool:
    """Whether a marker is true in ``environment``.

    Raises:
        UsageError: the marker is invalid, too long, or contains an undefined comparison.
    """
    text = str(marker)
    too_long = f"more than {MAX_REQUIREMENT} characters" if len(text) > MAX_REQUIREMENT else ""
    if fault := too_long or number_fault(text):
        raise UsageError(f"{where}: marker {redact(text)[:MAX_SHOWN]!r}... has {fault}")
    try:
        return (Marker(marker) if isinstance(marker, str) else marker).evaluate(environment, context)
    except InvalidMarker as error:
        raise UsageError(f"{where}: invalid marker {marker!r}: {str(error).splitlines()[0]}") from None
    except UndefinedComparison:
        raise UsageError(f"{where}: marker '{marker}' contains an undefined comparison") from None
    except UndefinedEnvironmentName as error:
        raise UsageError(f"{where}: marker '{marker}' uses {error}, which is undefined here") from None


def refuse_other_environment(markers: Iterable[Marker | str], python: str, where: str) -> None:
    """Refuse a lock none of whose environments matches this platform and a patch release of ``python``.

    Raises:
        UsageError: no environment matches, or a marker is invalid.
    """
    listed = list(markers)
    patches = [python] if python.count(".") > 1 else [f"{python}.{patch}" for patch in (0, MAX_PATCH)]
    environments = [marker_environment(patch) for patch in patches]
    if listed and not any(holds(marker, each, where) for marker in listed for each in environments):
        raise UsageError(
            f"{where}: none of its environments is Python {python} on this platform "
            f"({redact('; '.join(map(str, listed)))[:MAX_SHOWN]}); lock for this environment as well"
        )


def marker_environment(python: str) -> Mapping[str, str]:
    """The environment of marker evaluation: this platform, and the Python of the cells."""
    parts = (*python.split("."), "0")[:3]
    found = {name: str(value) for name, value in default_environment().items()}
    full = ".".join(parts)
    own = {"python_version": ".".join(parts[:2]), "python_full_version": full, "implementation_version": full}
    return found | own


MAX_ERROR = 300
"""Maximum number of characters of an error of ``packaging``, which repeats whole values."""


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
    """The part of a uv.lock with its pinned versions, Pythons and platforms."""

    version: int
    package: tuple[UvPackage, ...] = ()
    requires_python: str = ""
    supported_markers: tuple[str, ...] = ()


def is_uv_lock(document: Mapping[str, Any]) -> bool:
    """Distinguish a uv.lock from the locks of other tools."""
    return isinstance(document.get("version"), int) and "metadata" not in document


def is_pylock(document: Mapping[str, Any]) -> bool:
    """Distinguish a pylock.toml from other TOML files."""
    return "lock-version" in document and "packages" in document


def read_uv_lock(document: Mapping[str, Any], where: str, python: str) -> Iterator[FilePackage]:
    """The packages of a uv.lock for ``python`` ("3.11") on this platform, without the project itself.

    Raises:
        UsageError: the lock is invalid, has an unknown format version or hash algorithm, or is for other
            Pythons or platforms.
    """
    environment = marker_environment(python)
    try:
        lock = msgspec.convert(document, UvLock)
        if lock.version != 1:
            raise UsageError(f"{where}: expected version 1 of the uv.lock format, found {lock.version}")
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
        raise UsageError(f"{where}: {packages} packages; the limit is {MAX_PACKAGES}")


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
        raise UsageError(f"{where}: {redact(name)[:MAX_SHOWN]!r} is not the name of a package") from None


def read_pylock(document: Mapping[str, Any], where: str, python: str) -> Iterator[FilePackage]:
    """The packages of a pylock.toml for ``python`` on this platform, without extras, with the default groups.

    Raises:
        UsageError: the lock violates the specification (with the path of the fault), has an unknown hash
            algorithm, or is for other Pythons or platforms.
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
            fault="it comes from a path or URL, not from an index" if elsewhere else "",
        )


def _refuse_pylock_version(package: Package, place: str) -> None:
    if package.version is not None and not is_exact(str(package.version)):
        raise UsageError(f"{place}: its version has more than {MAX_VERSION} characters")
    for file in (package.archive, package.sdist, *(package.wheels or ())):
        for kind, digest in () if file is None else file.hashes.items():
            if fault := hash_fault(kind, digest):
                raise UsageError(f"{place}: {fault}")
