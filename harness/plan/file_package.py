"""A package as a dependency file names it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

import msgspec
from packaging.markers import (
    EvaluateContext,
    InvalidMarker,
    Marker,
    UndefinedComparison,
    UndefinedEnvironmentName,
    default_environment,
)
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from harness.errors import UsageError


class FilePackage(msgspec.Struct, frozen=True, kw_only=True):
    """One package of a dependency file: normalized name, specifier (empty: any), the extras asked for.

    ``where`` is the file, with the line where it has lines; ``fault`` says why it cannot be installed as the
    file says, which matters only if it is needed.
    """

    name: str
    where: str
    specifier: str = ""
    extras: tuple[str, ...] = ()
    fault: str = ""

    @property
    def requirement(self) -> str:
        """As a requirement (PEP 508)."""
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        return f"{self.name}{extras}{self.specifier}"


def merge_packages(packages: Iterable[FilePackage]) -> dict[str, FilePackage]:
    """Packages by name; what names one twice is bound by both, two builds of a version are that version."""
    merged: dict[str, FilePackage] = {}
    for package in packages:
        first = merged.get(package.name, package)
        both = {str(each) for each in SpecifierSet(first.specifier) & SpecifierSet(package.specifier)}
        exact = {each for each in both if each.startswith("==") and each[2] != "=" and "*" not in each}
        fault = first.fault or package.fault
        public = {Version(Version(each[2:]).public) for each in sorted(exact)}
        if len(public) > 1:
            fault = fault or f"it is pinned to {' and '.join(sorted(exact))}"
        elif len(exact) > 1:  # builds of one version, or one that is written in two ways
            both = both - exact | {f"=={public.pop()}"}
        merged[package.name] = msgspec.structs.replace(
            first,
            specifier=",".join(sorted(both)),
            extras=tuple(sorted({*first.extras, *package.extras})),
            fault=fault,
        )
    return merged


def holds(
    marker: Marker | str,
    environment: Mapping[str, str | AbstractSet[str]],
    where: str,
    context: EvaluateContext = "metadata",
) -> bool:
    """Whether a marker holds in ``environment``.

    Raises:
        UsageError: it is none, or compares what cannot be compared.
    """
    try:
        return (Marker(marker) if isinstance(marker, str) else marker).evaluate(environment, context)
    except InvalidMarker as error:
        raise UsageError(f"{where}: {marker!r} is no marker: {str(error).splitlines()[0]}") from None
    except UndefinedComparison:
        raise UsageError(f"{where}: marker '{marker}' compares what cannot be compared so") from None
    except UndefinedEnvironmentName as error:
        raise UsageError(f"{where}: marker '{marker}' speaks of {error}, which has no value here") from None


def marker_environment(python: str) -> Mapping[str, str]:
    """What markers are evaluated in: this platform, and the Python of the cells."""
    parts = (*python.split("."), "0")[:3]
    found = {name: str(value) for name, value in default_environment().items()}
    full = ".".join(parts)
    own = {"python_version": ".".join(parts[:2]), "python_full_version": full, "implementation_version": full}
    return found | own
