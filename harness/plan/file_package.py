"""A package as a dependency file names it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from packaging.markers import default_environment
from packaging.specifiers import SpecifierSet


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
    """Packages by name; what names one twice is bound by both."""
    merged: dict[str, FilePackage] = {}
    for package in packages:
        first = merged.get(package.name, package)
        both = SpecifierSet(first.specifier) & SpecifierSet(package.specifier)
        exact = {str(each) for each in both if each.operator == "=="}
        fault = first.fault or package.fault
        if len(exact) > 1:
            fault = fault or f"it is pinned to {' and '.join(sorted(exact))}"
        merged[package.name] = msgspec.structs.replace(
            first,
            specifier=",".join(sorted({str(each) for each in both})),
            extras=tuple(sorted({*first.extras, *package.extras})),
            fault=fault,
        )
    return merged


def marker_environment(python: str) -> Mapping[str, str]:
    """What markers are evaluated in: this platform, and the Python of the cells."""
    parts = (*python.split("."), "0")[:3]
    found = {name: str(value) for name, value in default_environment().items()}
    full = ".".join(parts)
    own = {"python_version": ".".join(parts[:2]), "python_full_version": full, "implementation_version": full}
    return found | own
