"""Packages of dependency files: names, versions, markers and choices; the reader of ``pylock.toml``."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any
from urllib.parse import unquote, urlsplit

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
from packaging.utils import InvalidName, NormalizedName, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from harness.errors import UsageError
from harness.matrix.requirement import MAX_REQUIREMENT, MAX_VERSION, is_exact, number_fault
from harness.matrix.toml_file import MAX_SHOWN, refuse_all, suggest
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
    installed as specified, which is an error only if the package is needed. ``wheel``: the version is that in
    the name of a wheel.
    """

    name: str
    where: str
    specifier: str = ""
    extras: tuple[str, ...] = ()
    fault: str = ""
    wheel: bool = False

    @property
    def requirement(self) -> str:
        """The package as a requirement (PEP 508)."""
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        return f"{self.name}{extras}{self.specifier}"


class Choice(msgspec.Struct, frozen=True):
    """The extras and dependency groups of a lock that a user chooses, by normalized names."""

    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    @property
    def options(self) -> tuple[str, ...]:
        """The options of the command line that make this choice."""
        return (
            *(f"--extra {name}" for name in self.extras),
            *(f"--group {name}" for name in self.groups),
        )


_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
"""The normalized name of an extra or a group; the pattern of PEP 685 and PEP 735."""


def make_choice(extras: Iterable[str], groups: Iterable[str]) -> Choice:
    """The choice of these extras and groups, in any notation of their names.

    Raises:
        UsageError: one cannot be the name of an extra or a group.
    """
    return Choice(_normalize("--extra", extras), _normalize("--group", groups))


def _normalize(option: str, names: Iterable[str]) -> tuple[str, ...]:
    found = {canonicalize_name(name): name for name in names}
    for normalized, name in found.items():
        if not _NAME.fullmatch(normalized):
            raise UsageError(
                f"{option} {redact(name)[:MAX_SHOWN]!r}: expected a name such as embedding, of letters, "
                "digits, - _ and ."
            )
    return tuple(found)


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a file: packages in its order, and notes about what is ignored.

    ``unchosen`` maps each package of another extra or group to the option that chooses it.
    """

    packages: tuple[FilePackage, ...] = ()
    notes: tuple[str, ...] = ()
    unchosen: dict[str, str] = {}


def refuse_unknown_choice(
    choice: Choice, extras: AbstractSet[str], groups: AbstractSet[str], where: str
) -> None:
    """Refuse a chosen extra or group that a lock does not have.

    Raises:
        UsageError: one is unknown; with those that the lock has.
    """
    kinds = (("extra", choice.extras, extras), ("group", choice.groups, groups))
    refuse_all(
        where,
        (
            f"{where}: no {kind} {name!r}{suggest(name, known)}; "
            f"there are: {', '.join(sorted(known)) or 'none'}"
            for kind, chosen, known in kinds
            for name in chosen
            if name not in {canonicalize_name(each) for each in known}
        ),
    )


def from_wheel(address: str, name: str, where: str) -> FilePackage | None:
    """The package in the version that the name of its wheel has; None for an address of another kind.

    ``pip freeze`` in an environment of conda writes the path of the wheel in place of the version.
    """
    found = parse_wheel_address(address)
    if found is None:
        return None
    if found[0] != name:
        return FilePackage(name=name, where=where, fault=f"its address is that of a wheel of {found[0]}")
    return FilePackage(name=name, where=where, specifier=f"=={found[1]}", wheel=True)


def parse_wheel_address(address: str) -> tuple[NormalizedName, Version] | None:
    """The name and version in the name of the wheel at a path or URL; None without one."""
    try:
        last = re.split(r"[/\\]", unquote(urlsplit(address).path))[-1]
        name, version, _, _ = parse_wheel_filename(last)
    except ValueError:  # an invalid URL, or no name of a wheel
        return None
    return name, version


def read_name(name: str, where: str) -> NormalizedName:
    """The normalized name of a package.

    Raises:
        UsageError: it cannot be the name of a package.
    """
    try:
        return canonicalize_name(name, validate=True)
    except InvalidName:
        raise UsageError(f"{where}: {redact(name)[:MAX_SHOWN]!r} is not the name of a package") from None


def refuse_count(packages: int, where: str) -> None:
    """Refuse a file of too many packages.

    Raises:
        UsageError: there are more than ``MAX_PACKAGES``.
    """
    if packages > MAX_PACKAGES:
        raise UsageError(f"{where}: {packages} packages; the limit is {MAX_PACKAGES}")


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


def is_pylock(document: Mapping[str, Any]) -> bool:
    """Distinguish a pylock.toml from other TOML files."""
    return "lock-version" in document and "packages" in document


def read_pylock(document: Mapping[str, Any], where: str, python: str, choice: Choice) -> Found:
    """The packages of a pylock.toml for ``python`` on this platform, with the default groups and a choice.

    Raises:
        UsageError: the lock violates the specification (with the path of the fault), has an unknown hash
            algorithm, is for other Pythons or platforms, or lacks a chosen extra or group.
    """
    try:
        lock = Pylock.from_dict(document)
    except (PylockValidationError, PylockUnsupportedVersionError) as error:
        raise UsageError(f"{where}: not a pylock file: {str(error)[:MAX_ERROR]}") from None
    refuse_count(len(lock.packages), where)
    refuse_other_python(lock.requires_python, python, where)
    refuse_other_environment(lock.environments or (), python, where)
    extras, groups = frozenset(lock.extras or ()), frozenset(lock.dependency_groups or ())
    refuse_unknown_choice(choice, extras, groups, where)
    always = frozenset(lock.default_groups or ())

    def names(choice: Choice) -> set[str]:
        return {each.name for each in _list_chosen(lock, where, python, choice, always)}

    chosen = list(_list_chosen(lock, where, python, choice, always))
    refuse_all(where, (fault for each in chosen for fault in _list_pylock_faults(each, where)))
    for each in chosen:
        refuse_other_python(each.requires_python, python, f"{where}: package {each.name!r}")
    alone = (
        *(Choice(extras=(name,)) for name in sorted(extras)),
        *(Choice(groups=(name,)) for name in sorted(groups)),
    )
    here = {each.name for each in chosen}
    unchosen = {name: each.options[0] for each in reversed(alone) for name in names(each) - here}
    return Found(packages=tuple(_to_package(each, where) for each in chosen), unchosen=unchosen)


def _list_chosen(
    lock: Pylock, where: str, python: str, choice: Choice, always: frozenset[str]
) -> Iterator[Package]:
    around: dict[str, str | AbstractSet[str]] = {
        **marker_environment(python),
        "extras": frozenset(choice.extras),
        "dependency_groups": always | frozenset(choice.groups),
    }
    for package in lock.packages:
        place = f"{where}: package {package.name!r}"
        if package.marker is None or holds(package.marker, around, place, "lock_file"):
            yield package


def _list_pylock_faults(package: Package, where: str) -> Iterator[str]:
    place = f"{where}: package {package.name!r}"
    if package.version is not None and not is_exact(str(package.version)):
        yield f"{place}: its version has more than {MAX_VERSION} characters"
    for file in (package.archive, package.sdist, *(package.wheels or ())):
        for kind, digest in () if file is None else file.hashes.items():
            if fault := hash_fault(kind, digest):
                yield f"{place}: {fault}"


def _to_package(package: Package, where: str) -> FilePackage:
    name = canonicalize_name(package.name)
    archive = package.archive
    if archive and (taken := from_wheel(archive.url or archive.path or "", name, where)):
        return taken
    elsewhere = package.vcs or package.directory or archive
    return FilePackage(
        name=name,
        where=where,
        specifier=f"=={package.version}" if package.version else "",
        fault="it comes from a path or URL, not from an index" if elsewhere else "",
    )
