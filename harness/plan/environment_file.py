"""Read what describes an environment: requirements, ``pip freeze``, ``uv.lock``, ``pylock.toml``."""

from __future__ import annotations

import re
from pathlib import Path, PurePath
from typing import Any

import msgspec

from harness.errors import UsageError
from harness.plan.file_package import FilePackage, marker_environment, merge_packages
from harness.plan.lock_formats import is_pylock, is_uv_lock, read_pylock, read_uv_lock
from harness.plan.places import Place, parse_place, read_place
from harness.plan.requirement_lines import read_lines
from harness.plan.toml_file import parse_toml

TEXTS = frozenset({"", ".txt", ".in", ".pip", ".req", ".freeze"})
"""Endings of requirements files and of what ``pip freeze`` was written to; some call theirs .lock, too."""

_LOCK = re.compile(r"^\[\[packages?\]\]\s*$", re.MULTILINE)
"""A table that every lock has, and no requirements file."""

_KINDS = "a requirements file, the output of pip freeze, a uv.lock or a pylock.toml"


class EnvironmentFile(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says of an environment: its packages by name, and what a person has to know about it."""

    place: str
    packages: dict[str, FilePackage]
    notes: tuple[str, ...] = ()


async def read_environment_file(text: str, python: str, cwd: Path) -> EnvironmentFile:
    """The file at a path or ``REV:path``, as far as it concerns ``python`` ("3.11") on this platform.

    Raises:
        UsageError: not there, of an unknown kind, with a fault in it, or without any package.
        MachineError: there is no git, or it does not answer.
    """
    if not text.strip():
        raise UsageError(f"the name of a dependency file is empty; {_KINDS} is expected")
    place = parse_place(text)
    suffix = PurePath(place.path).suffix.lower()
    content = await read_place(place, cwd)
    document = _parse_lock(content, place, suffix)
    notes: tuple[str, ...] = ()
    if document is not None:
        found = _read_lock(document, place, python)
    elif suffix in TEXTS or (suffix == ".lock" and place.name.startswith("requirements")):

        async def read(wanted: Place) -> str:
            return content if wanted == place else await read_place(wanted, cwd)  # a pipe is read once

        lines = await read_lines(place, read, marker_environment(python))
        found, notes = list(lines.packages), lines.notes
    else:
        raise UsageError(f"{place}: of an unknown kind ({suffix}); {_KINDS} is expected")
    if not found:
        raise UsageError(f"{place}: names no package for Python {python} on this platform")
    return EnvironmentFile(place=str(place), packages=merge_packages(found), notes=notes)


def _parse_lock(content: str, place: Place, suffix: str) -> dict[str, Any] | None:
    """The document of a lock; None where a file has the name and content of a requirements file."""
    if suffix == ".toml" or (suffix == ".lock" and not place.name.startswith("requirements")):
        return parse_toml(content, place)
    if suffix == "" and _LOCK.search(content):  # process substitution has no endings
        return parse_toml(content, place)
    return None


def _read_lock(document: dict[str, Any], place: Place, python: str) -> list[FilePackage]:
    if is_pylock(document):
        return list(read_pylock(document, str(place), python))
    if is_uv_lock(document) and not place.name.endswith(".toml"):
        return list(read_uv_lock(document, str(place), python))
    raise UsageError(f"{place}: of an unknown kind; {_KINDS} is expected")
