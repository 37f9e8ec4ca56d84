"""Read what describes an environment: requirements, ``pip freeze``, ``uv.lock``, ``pylock.toml``."""

from __future__ import annotations

import tomllib
from pathlib import Path, PurePath
from typing import Any

import msgspec

from harness.errors import UsageError
from harness.plan.file_package import FilePackage, marker_environment, merge_packages
from harness.plan.lock_formats import is_pylock, is_uv_lock, read_pylock, read_uv_lock
from harness.plan.places import Place, parse_place, read_place
from harness.plan.requirement_lines import read_lines

TEXTS = frozenset({"", ".txt", ".in", ".pip", ".req", ".freeze"})
"""Endings of requirements files and of what ``pip freeze`` was written to; some call theirs .lock, too."""

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
    place = parse_place(text)
    environment = marker_environment(python)
    suffix = PurePath(place.path).suffix.lower()
    notes: tuple[str, ...] = ()
    if suffix in TEXTS or (suffix == ".lock" and place.name.startswith("requirements")):
        lines = await read_lines(place, lambda wanted: read_place(wanted, cwd), environment)
        found, notes = list(lines.packages), lines.notes
    elif suffix in {".toml", ".lock"}:
        document = _parse_toml(await read_place(place, cwd), place)
        if is_pylock(document):
            found = list(read_pylock(document, str(place), environment))
        elif is_uv_lock(document) and suffix == ".lock":
            found = list(read_uv_lock(document, str(place), environment))
        else:
            raise UsageError(f"{place}: of an unknown kind; {_KINDS} is meant")
    else:
        await read_place(place, cwd)  # that it is not there is the plainer fault
        raise UsageError(f"{place}: of an unknown kind ({suffix}); {_KINDS} is meant")
    if not found:
        raise UsageError(f"{place}: names no package for Python {python} on this platform")
    return EnvironmentFile(place=str(place), packages=merge_packages(found), notes=notes)


def _parse_toml(text: str, place: Place) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{place}: not TOML: {error}") from None
