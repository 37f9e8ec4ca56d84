"""A package as a dependency file names it."""

from __future__ import annotations

import hashlib
import re
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
from harness.plan.toml_file import MAX_SHOWN
from harness.plan.versions import MAX_REQUIREMENT, number_fault
from harness.redaction import redact

MAX_PATCH = 100
"""Patch releases of a Python; none has come to 30."""


MAX_PACKAGES = 10_000
"""Packages of a dependency file; the largest environments have a few hundred."""

HASHES = frozenset(hashlib.algorithms_guaranteed) - {"shake_128", "shake_256"}
"""Those that a lock may name."""


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


def hash_fault(kind: str, digest: str, known: AbstractSet[str] = HASHES) -> str:
    """Why a hash is not one of a known kind, in hexadecimal digits; empty where it is."""
    if kind not in known:
        return f"a hash of an unknown kind ({redact(kind)[:MAX_SHOWN]!r}); known: {', '.join(sorted(known))}"
    if not re.fullmatch(r"[0-9a-fA-F]+", digest):
        return f"expected a {kind} in hexadecimal digits, found {redact(digest)[:MAX_SHOWN]!r}"
    return ""


def refuse_other_python(requires: SpecifierSet | None, python: str, where: str) -> None:
    """See that a file, or a package in it, is for the Python of the cells: for any patch release of it.

    Raises:
        UsageError: it is not.
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
    """Whether a marker holds in ``environment``.

    Raises:
        UsageError: it is none, too long, or makes a comparison that is not defined.
    """
    text = str(marker)
    too_long = f"more than {MAX_REQUIREMENT} characters" if len(text) > MAX_REQUIREMENT else ""
    if fault := too_long or number_fault(text):
        raise UsageError(f"{where}: marker {redact(text)[:MAX_SHOWN]!r}... has {fault}")
    try:
        return (Marker(marker) if isinstance(marker, str) else marker).evaluate(environment, context)
    except InvalidMarker as error:
        raise UsageError(f"{where}: {marker!r} is no marker: {str(error).splitlines()[0]}") from None
    except UndefinedComparison:
        raise UsageError(f"{where}: marker '{marker}' makes a comparison that is not defined") from None
    except UndefinedEnvironmentName as error:
        raise UsageError(f"{where}: marker '{marker}' names {error}, which has no value here") from None


def refuse_other_environment(markers: Iterable[Marker | str], python: str, where: str) -> None:
    """See that one of the environments that a lock is for is that of the cells, in any patch release.

    Raises:
        UsageError: none is, or a marker is none.
    """
    listed = list(markers)
    patches = [python] if python.count(".") > 1 else [f"{python}.{patch}" for patch in (0, MAX_PATCH)]
    around = [marker_environment(patch) for patch in patches]
    if listed and not any(holds(marker, each, where) for marker in listed for each in around):
        raise UsageError(
            f"{where}: none of its environments is Python {python} on this platform "
            f"({redact('; '.join(map(str, listed)))[:MAX_SHOWN]}); lock for this one too"
        )


def marker_environment(python: str) -> Mapping[str, str]:
    """What markers are evaluated in: this platform, and the Python of the cells."""
    parts = (*python.split("."), "0")[:3]
    found = {name: str(value) for name, value in default_environment().items()}
    full = ".".join(parts)
    own = {"python_version": ".".join(parts[:2]), "python_full_version": full, "implementation_version": full}
    return found | own
