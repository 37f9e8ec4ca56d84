"""Find the dependency file of an environment and read it, or name the command that exports it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Any

import msgspec

from harness.errors import UsageError
from harness.matrix.toml_file import parse_toml
from harness.resolve.packages import (
    Choice,
    FilePackage,
    Found,
    is_pylock,
    marker_environment,
    merge_packages,
    read_pylock,
)
from harness.resolve.requirements_file import read_requirements
from harness.resolve.revisions import Place, parse_place, read_place
from harness.resolve.uv_lock import is_uv_lock, read_uv_lock

TEXTS = frozenset({"", ".txt", ".in", ".pip", ".req", ".freeze"})
"""Suffixes of requirements files and ``pip freeze`` output; ``requirements*.lock`` counts as well."""

_LOCK = re.compile(r"^\[\[packages?\]\]\s*$", re.MULTILINE)
"""A table header that occurs in every lock and in no requirements file."""

_CONDA = re.compile(r"^dependencies:\s*$", re.MULTILINE)
_KINDS = "a requirements file, the output of pip freeze, a uv.lock or a pylock.toml"

_MAX_WHEELS = 5
"""Packages that the note on versions from the names of wheels lists."""

_FREEZE = "python -m pip list --format=freeze > requirements.txt"
_POETRY = "poetry export --output requirements.txt` (of poetry-plugin-export)"
_EXPORTS = {
    "poetry.lock": f"`{_POETRY}",
    "pdm.lock": "`pdm export --prod --output requirements.txt`",
    "pipfile.lock": "`pipenv requirements > requirements.txt`",
    "pipfile": "`pipenv requirements > requirements.txt`",
}
"""Name of a file of another tool in lower case -> the command that exports it."""


class EnvironmentFile(msgspec.Struct, frozen=True, kw_only=True):
    """An environment as described by a file: its packages by name, and notes for the user.

    ``unchosen`` maps each package of an extra or group that is not chosen to the option that chooses it.
    """

    place: str
    packages: dict[str, FilePackage]
    notes: tuple[str, ...] = ()
    unchosen: dict[str, str] = {}


async def read_environment_file(
    text: str,
    python: str,
    cwd: Path,
    choice: Choice = Choice(),  # noqa: B008 - frozen
) -> EnvironmentFile:
    """Read the dependency file at a path or ``REV:path`` for ``python`` ("3.11") on this platform.

    Raises:
        UsageError: the file is missing, of an unknown kind, invalid, or names no package.
        MachineError: git is missing or does not answer.
    """
    if not text.strip():
        raise UsageError(f"the name of a dependency file is empty; {_KINDS} is expected")
    place = parse_place(text)
    content = await read_place(place, cwd)
    if export := _find_export(place, content, python):
        raise UsageError(f"{place}: this kind of file is not read; {export}, and name that file instead")
    found = await _read_content(content, place, python, cwd, choice)
    if not found.packages:
        options = ", ".join(sorted(set(found.unchosen.values())))
        hint = f"; it has packages for {options}" if options else ""
        raise UsageError(f"{place}: names no package for Python {python} on this platform{hint}")
    return EnvironmentFile(
        place=str(place),
        packages=merge_packages(found.packages),
        notes=(*found.notes, *_describe_wheels(found.packages)),
        unchosen=found.unchosen,
    )


async def _read_content(content: str, place: Place, python: str, cwd: Path, choice: Choice) -> Found:
    """The packages in the text of a file; what a requirements file includes is read, too."""
    suffix = PurePath(place.path).suffix.lower()
    document = _parse_lock(content, place, suffix)
    if document is not None:
        return _read_lock(document, place, python, choice)
    if suffix in TEXTS or (suffix == ".lock" and place.name.startswith("requirements")):

        async def read(wanted: Place) -> str:  # a pipe can be read once only
            return content if wanted == place else await read_place(wanted, cwd)

        found = await read_requirements(place, read, marker_environment(python))
        note = f"{place}: a requirements file has no extras or groups: {', '.join(choice.options)} is ignored"
        return msgspec.structs.replace(found, notes=(*found.notes, note)) if choice.options else found
    raise UsageError(f"{place}: unknown kind of file ({suffix}); {_KINDS} is expected")


def _find_export(place: Place, content: str, python: str) -> str:
    """What to do with a file that another tool has to export; empty for a file that can be read."""
    name = place.name.lower()
    command = _EXPORTS.get(name, "")
    if name == "pyproject.toml":
        command = f"uv pip compile pyproject.toml --python-version {python} --output-file requirements.txt`"
        return f"resolve it with `{_POETRY if '[tool.poetry.dependencies]' in content else command}"
    if name.endswith((".yml", ".yaml")) and _CONDA.search(content):
        return f"write it in that environment with `{_FREEZE}`"
    return f"export it with {command}" if command else ""


def _describe_wheels(packages: Iterable[FilePackage]) -> tuple[str, ...]:
    """One note on all versions that come from names of wheels."""
    taken = [f"{each.name}{each.specifier} ({each.where})" for each in packages if each.wheel]
    if not taken:
        return ()
    more = f" and {len(taken) - _MAX_WHEELS} more" if len(taken) > _MAX_WHEELS else ""
    listed = ", ".join(taken[:_MAX_WHEELS])
    return (f"versions taken from the names of wheels, not the wheels themselves: {listed}{more}",)


def _parse_lock(content: str, place: Place, suffix: str) -> dict[str, Any] | None:
    """The document of a lock; None for a file with the name and content of a requirements file."""
    if suffix == ".toml" or (suffix == ".lock" and not place.name.startswith("requirements")):
        return parse_toml(content, place)
    if suffix == "" and _LOCK.search(content):  # a pipe has no suffix
        return parse_toml(content, place)
    return None


def _read_lock(document: dict[str, Any], place: Place, python: str, choice: Choice) -> Found:
    if is_pylock(document):
        return read_pylock(document, str(place), python, choice)
    if is_uv_lock(document) and not place.name.endswith(".toml"):
        return read_uv_lock(document, str(place), python, choice)
    raise UsageError(f"{place}: unknown kind of file; {_KINDS} is expected")


# The one of a project

WHOLE = ("uv.lock", "pylock.toml", "requirements.txt")
"""Names of the dependency file of a service; others are for development, tests or one platform."""

_MORE = ("requirements*.txt", "requirements*.lock", "requirements/*.txt", "pylock.*.toml")
_EXPORTED = (
    "poetry.lock",
    "pdm.lock",
    "Pipfile.lock",
    "environment.yml",
    "environment.yaml",
    "pyproject.toml",
)
"""Files whose error, when they are read, names the command that exports them."""


def find_dependency_file(folder: Path, option: str) -> str:
    """The name of the one dependency file in a folder, relative to it; ``option`` is how a user names one.

    Raises:
        UsageError: there is none, or there are several; the message lists them.
    """
    found = [name for name in WHOLE if (folder / name).is_file()]
    found = found or sorted({_name(path, folder) for glob in _MORE for path in folder.glob(glob)})
    found = found or [name for name in _EXPORTED if (folder / name).is_file()][:1]
    if len(found) > 1:
        raise UsageError(
            f"there are {len(found)} dependency files; name that of the service: "
            + " or ".join(f"{option} {name}" for name in found)
        )
    if not found:
        raise UsageError(
            f"{folder} has no dependency file; name one, such as {option} deploy/requirements.txt "
            "(`pip freeze > requirements.txt` writes one)"
        )
    return found[0]


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()
