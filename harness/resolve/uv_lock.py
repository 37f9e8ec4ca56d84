"""Read a ``uv.lock``: the packages that its project requires, with the chosen extras and groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from harness.errors import UsageError
from harness.matrix.requirement import is_exact, specifier_fault
from harness.matrix.toml_file import MAX_SHOWN, refuse_all
from harness.redaction import redact
from harness.resolve.packages import (
    Choice,
    FilePackage,
    Found,
    from_wheel,
    hash_fault,
    holds,
    marker_environment,
    read_name,
    refuse_count,
    refuse_other_environment,
    refuse_other_python,
    refuse_unknown_choice,
)


class UvFile(msgspec.Struct, frozen=True):
    """An archive of a package in a uv.lock; ``hash`` has the form ``sha256:<digits>``."""

    hash: str | None = None


class UvDependency(msgspec.Struct, frozen=True):
    """A dependency: a name, the version where the lock has several, extras, and a marker.

    ``extra`` is the key in a package, ``extras`` that in the manifest.
    """

    name: str
    version: str = ""
    source: dict[str, str] = {}
    extra: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    marker: str = ""


class UvMetadata(msgspec.Struct, frozen=True, rename="kebab"):
    """The names of extras and groups that a project declares, empty ones included."""

    provides_extras: tuple[str, ...] = ()
    requires_dev: dict[str, Any] = {}


class UvPackage(msgspec.Struct, frozen=True, rename="kebab"):
    """A package of a uv.lock with its dependencies."""

    name: str
    version: str = ""
    source: dict[str, str] = {}
    resolution_markers: tuple[str, ...] = ()
    dependencies: tuple[UvDependency, ...] = ()
    optional_dependencies: dict[str, tuple[UvDependency, ...]] = {}
    dev_dependencies: dict[str, tuple[UvDependency, ...]] = {}
    metadata: UvMetadata = UvMetadata()
    sdist: UvFile | None = None
    wheels: tuple[UvFile, ...] = ()


class UvConflict(msgspec.Struct, frozen=True):
    """One side of a conflict: an extra or a group of a package, or the package itself."""

    package: str
    extra: str = ""
    group: str = ""


class UvManifest(msgspec.Struct, frozen=True, rename="kebab"):
    """The members of a workspace, the groups of its root, and the requirements of a script."""

    members: tuple[str, ...] = ()
    requirements: tuple[UvDependency, ...] = ()
    dependency_groups: dict[str, tuple[UvDependency, ...]] = {}


class UvLock(msgspec.Struct, frozen=True, rename="kebab"):
    """The part of a uv.lock with its pinned versions, dependencies, Pythons and platforms."""

    version: int
    package: tuple[UvPackage, ...] = ()
    requires_python: str = ""
    supported_markers: tuple[str, ...] = ()
    conflicts: tuple[tuple[UvConflict, ...], ...] = ()
    manifest: UvManifest = UvManifest()


def is_uv_lock(document: Mapping[str, Any]) -> bool:
    """Distinguish a uv.lock from the locks of other tools."""
    return isinstance(document.get("version"), int) and "metadata" not in document


def read_uv_lock(document: Mapping[str, Any], where: str, python: str, choice: Choice) -> Found:
    """The packages of a uv.lock for ``python`` ("3.11") on this platform, without the project itself.

    Those of extras and groups that are not chosen are named by the option that adds them.

    Raises:
        UsageError: the lock is invalid, has an unknown format version or hash algorithm, is for other Pythons
            or platforms, or lacks a chosen extra or group; or the chosen ones conflict.
    """
    try:
        lock = msgspec.convert(document, UvLock)
    except (msgspec.ValidationError, RecursionError) as error:
        raise UsageError(f"{where}: not a uv.lock: {error}") from None
    if lock.version != 1:
        raise UsageError(f"{where}: expected version 1 of the uv.lock format, found {lock.version}")
    refuse_count(len(lock.package), where)
    refuse_other_python(_read_specifier(lock.requires_python, where), python, where)
    refuse_other_environment(lock.supported_markers, python, where)
    refuse_all(where, _list_faults(lock, where))
    graph = _Graph(lock, where, marker_environment(python))
    refuse_unknown_choice(choice, graph.extras, graph.groups, where)
    reached, active = graph.reach(choice)
    graph.refuse_conflict(active)
    packages = [_to_package(lock.package[at], where) for at in sorted(reached - graph.roots)]
    here = {package.name for package in packages}
    unchosen = {name: option for name, option in graph.find_options(choice) if name not in here}
    fault = "none of its entries is for this environment"
    foreign = graph.find_foreign(here | unchosen.keys()) if here or not unchosen else ()
    packages += [FilePackage(name=name, where=where, fault=fault) for name in foreign]
    return Found(packages=tuple(packages), unchosen=unchosen)


def _read_specifier(text: str, where: str) -> SpecifierSet:
    if fault := specifier_fault(text):
        raise UsageError(f"{where}: requires-python: {fault}")
    return SpecifierSet(text)


def _list_faults(lock: UvLock, where: str) -> Iterator[str]:
    for package in lock.package:
        place = f"{where}: package {package.name!r}"
        try:
            read_name(package.name, where)
        except UsageError as error:
            yield str(error)
        if package.version and not is_exact(package.version):
            yield f"{place}: expected a version, found {redact(package.version)[:MAX_SHOWN]!r}"
        for file in (*package.wheels, *((package.sdist,) if package.sdist else ())):
            kind, _, digest = (file.hash or "").partition(":")
            if file.hash is not None and (fault := hash_fault(kind, digest)):
                yield f"{place}: {fault}"


def _to_package(package: UvPackage, where: str) -> FilePackage:
    name = read_name(package.name, where)
    address = package.source.get("url", package.source.get("path", ""))
    if taken := from_wheel(address, name, where):
        return taken
    kind = next(iter(package.source), "nowhere")
    return FilePackage(
        name=name,
        where=where,
        specifier=f"=={package.version}" if package.version else "",
        fault="" if kind == "registry" and package.version else f"it comes from {kind}, not from an index",
    )


_Node = tuple[int, str]
"""The place of a package in the lock, and one of its extras; empty: the package itself."""


@dataclass(frozen=True)
class _Graph:
    """The dependencies of a lock, followed for one environment.

    uv writes the extras and groups that decide between conflicting versions into markers:
    ``extra == 'extra-3-app-new'`` is the extra ``new`` of the package ``app``, with the length of its name.
    """

    lock: UvLock
    where: str
    environment: Mapping[str, str]
    _places: dict[str, list[int]] = field(default_factory=dict)
    _answers: dict[tuple[str, frozenset[str]], bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for at, package in enumerate(self.lock.package):
            self._places.setdefault(canonicalize_name(package.name), []).append(at)

    @property
    def roots(self) -> frozenset[int]:
        """The project; in a workspace without one, all members; none for a script."""
        packages = self.lock.package
        project = [
            at
            for at, package in enumerate(packages)
            if "." in {package.source.get(kind) for kind in ("editable", "virtual", "directory")}
        ]
        members = [at for name in self.lock.manifest.members for at in self._places.get(name, ())]
        return frozenset(project or members)

    @property
    def extras(self) -> frozenset[str]:
        """The extras that can be chosen."""
        roots = [self.lock.package[at] for at in self.roots]
        return frozenset(
            name for each in roots for name in (*each.optional_dependencies, *each.metadata.provides_extras)
        )

    @property
    def groups(self) -> frozenset[str]:
        """The groups that can be chosen."""
        roots = [self.lock.package[at] for at in self.roots]
        named = (name for each in roots for name in (*each.dev_dependencies, *each.metadata.requires_dev))
        return frozenset((*named, *self.lock.manifest.dependency_groups))

    def reach(self, choice: Choice) -> tuple[frozenset[int], frozenset[str]]:
        """The packages that a choice requires, and the extras and groups that are active, as in markers.

        An extra that a dependency asks for can activate further ones, so the walk is repeated until none is
        added.
        """
        active = frozenset(
            encoded
            for name in (self.lock.package[at].name for at in self.roots)
            for encoded in (
                _encode("project", name),
                *(_encode("extra", name, extra) for extra in choice.extras),
                *(_encode("group", name, group) for group in choice.groups),
            )
        )
        while True:
            nodes = self._walk(choice, active)
            further = {_encode("extra", self.lock.package[at].name, extra) for at, extra in nodes if extra}
            if further <= active:
                return frozenset(at for at, _ in nodes), active
            active |= further

    def _walk(self, choice: Choice, active: frozenset[str]) -> set[_Node]:
        packages, manifest = self.lock.package, self.lock.manifest
        if not self.roots and not manifest.requirements:  # no project: the lock is the environment
            return {(at, "") for at in range(len(packages)) if self._is_here(at)}
        seen: set[_Node] = set()
        pending: list[UvDependency] = [*manifest.requirements]
        for group in choice.groups:
            pending += manifest.dependency_groups.get(group, ())
            pending += (each for at in self.roots for each in packages[at].dev_dependencies.get(group, ()))
        nodes = [(at, extra) for at in self.roots for extra in ("", *choice.extras)]
        while nodes or pending:
            for at, extra in nodes:
                if (at, extra) not in seen:
                    seen.add((at, extra))
                    own = packages[at]
                    pending += own.optional_dependencies.get(extra, ()) if extra else own.dependencies
            nodes = [
                (at, extra)
                for each in pending
                if self._holds(each.marker, active)
                for at in self._find(each)
                for extra in ("", *each.extra, *each.extras)
            ]
            pending = []
        return seen

    def _find(self, dependency: UvDependency) -> Iterator[int]:
        """The places of a dependency; several if the lock has more than one for this environment."""
        for at in self._places.get(canonicalize_name(dependency.name), ()):
            package = self.lock.package[at]
            named = dependency.version in {"", package.version}
            found = named and dependency.source in ({}, package.source)
            if found and (dependency.version or self._is_here(at)):
                yield at

    def _is_here(self, at: int) -> bool:
        """Whether an entry of the lock is for this environment."""
        package = self.lock.package[at]
        where = f"{self.where}: package {package.name!r}"
        markers = package.resolution_markers
        return not markers or any(holds(marker, self.environment, where) for marker in markers)

    def _holds(self, marker: str, active: frozenset[str]) -> bool:
        if not marker:
            return True
        key = (marker, active if "extra" in marker else frozenset())
        if key not in self._answers:
            self._answers[key] = holds(marker, {**self.environment, "extra": active}, self.where)
        return self._answers[key]

    def refuse_conflict(self, active: frozenset[str]) -> None:
        """Refuse extras and groups that the project declares as conflicting.

        Raises:
            UsageError: two of them are active.
        """
        for conflict in self.lock.conflicts:
            chosen = [each for each in conflict if _encode_conflict(each) in active]
            if len(chosen) > 1:
                listed = " and ".join(map(_describe_conflict, chosen))
                raise UsageError(f"{self.where}: {listed} conflict; choose one of them")

    def find_options(self, choice: Choice) -> Iterator[tuple[str, str]]:
        """The name of each package that an extra or a group adds, with the option that chooses it."""
        options = [
            *((Choice(extras=(name,)), f"--extra {name}") for name in sorted(self.extras)),
            *((Choice(groups=(name,)), f"--group {name}") for name in sorted(self.groups)),
        ]
        found: dict[str, str] = {}
        for alone, option in options:
            if option not in choice.options:
                for at in self.reach(alone)[0] - self.roots:
                    found.setdefault(canonicalize_name(self.lock.package[at].name), option)
        yield from found.items()

    def find_foreign(self, known: Iterable[str]) -> Sequence[str]:
        """The names of which no entry is for this environment."""
        roots = {canonicalize_name(self.lock.package[at].name) for at in self.roots}
        return sorted(self._places.keys() - set(known) - roots)


def _encode(kind: str, package: str, name: str = "") -> str:
    return "-".join(filter(None, (kind, str(len(package)), package, name)))


def _encode_conflict(each: UvConflict) -> str:
    kind = "extra" if each.extra else "group" if each.group else "project"
    return _encode(kind, each.package, each.extra or each.group)


def _describe_conflict(each: UvConflict) -> str:
    if each.extra or each.group:
        return f"the {'extra' if each.extra else 'group'} {each.extra or each.group!r} of {each.package}"
    return f"the package {each.package}"
