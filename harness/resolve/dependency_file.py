"""Read dependency files: requirements files, ``pip freeze`` output, ``uv.lock``, ``pylock.toml``."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    is_normalized_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

from harness.errors import UsageError
from harness.matrix.schema import parse_requirement
from harness.matrix.toml_file import MAX_SHOWN, parse_toml
from harness.redaction import redact
from harness.resolve.packages import (
    MAX_PACKAGES,
    FilePackage,
    hash_fault,
    holds,
    is_pylock,
    is_uv_lock,
    marker_environment,
    merge_packages,
    read_pylock,
    read_uv_lock,
)
from harness.resolve.revisions import Place, parse_place, read_place

Read = Callable[[Place], Awaitable[str]]

_INCLUDE = re.compile(r"(?:-r|-c|--requirement|--constraint)(?:\s+|=|(?<=-[rc]))(?P<file>\S.*)")
_COMMENT = re.compile(r"(?:^|\s)#.*$")
_OPTION = re.compile(r"\s--?[a-zA-Z].*$")  # --hash and other options after a requirement
_HASH = re.compile(r"\s--hash[=\s]\s*([^\s:]*):?(\S*)")
PIP_HASHES = frozenset({"sha256", "sha384", "sha512"})
"""The hash algorithms that pip accepts in a requirements file."""

_EDITABLE = re.compile(r"^(?:-e|--editable)[\s=]*")
_ARCHIVES = (".tar.gz", ".zip")
_BARE = re.compile(r"(?:[a-z+]+://|git\+|\.{0,2}/|\.$|~/)|[^@]*\.(?:whl|zip|tar\.gz)$", re.IGNORECASE)


class Lines(msgspec.Struct, frozen=True, kw_only=True):
    """The content of requirements files: packages in line order, and notes about ignored lines."""

    packages: tuple[FilePackage, ...] = ()
    notes: tuple[str, ...] = ()


async def read_lines(place: Place, read: Read, environment: Mapping[str, str]) -> Lines:
    """Read a requirements file and its included files; markers are evaluated in ``environment``.

    Raises:
        UsageError: a file is missing (with the line that names it), a line is invalid or has an unknown hash
            algorithm (with file and line), or there are too many packages.
    """
    packages: list[FilePackage] = []
    notes: list[str] = []
    queue, seen = [(place, "")], {place.key}
    while queue:
        current, named_by = queue.pop(0)
        for number, line in logical_lines(await _read_named(current, named_by, read)):
            where = f"{current}:{number}"
            _refuse_line(line, where, len(packages))
            if found := _INCLUDE.fullmatch(line):
                other = current.join(found["file"].strip("\"'"))
                queue += [] if other.key in seen else [(other, f"{where}: {redact(line)[:MAX_SHOWN]}: ")]
                seen.add(other.key)
            elif line.startswith(("-e", "--editable")) or _BARE.match(line):
                address, marker = _split_marker(line)
                if marker and not holds(marker, environment, where):
                    continue
                notes.append(f"{where}: a package from a path or URL is ignored")
                if name := _guess_name(address):
                    fault = "it comes from a path or URL, not from an index"
                    packages.append(FilePackage(name=name, where=where, fault=fault))
            elif line.startswith("-"):
                option = redact(line.split()[0]).split("=")[0]
                notes.append(f"{where}: {option} is ignored: pip's settings apply")
            else:
                packages += _package(line, where, environment)
    return Lines(packages=tuple(packages), notes=tuple(notes))


async def _read_named(place: Place, named_by: str, read: Read) -> str:
    """The text of a file; the error names the line that includes it."""
    try:
        return await read(place)
    except UsageError as error:
        raise UsageError(f"{named_by}{error}") from None


def _refuse_line(line: str, where: str, packages: int) -> None:
    if "\0" in line:
        raise UsageError(f"{where}: a NUL character; save the file as UTF-8 text")
    if packages >= MAX_PACKAGES:
        raise UsageError(f"{where}: more packages than the limit of {MAX_PACKAGES}")
    for kind, digest in _HASH.findall(line):
        if fault := hash_fault(kind.lower(), digest, PIP_HASHES):
            raise UsageError(f"{where}: {fault}")


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Logical lines without comments, joined at backslashes; each with the number of its first line."""
    first, joined = 0, ""
    for number, raw in enumerate(text.splitlines(), start=1):
        line = _COMMENT.sub("", raw).rstrip()
        first = first if joined else number
        if line.endswith("\\"):
            joined += line[:-1] + " "
            continue
        if whole := (joined + line).strip():
            yield first, whole
        joined = ""
    if joined.strip():
        yield first, joined.strip()


def _guess_name(line: str) -> str:
    """The probable name of a package from a path or URL: ``#egg=``, distribution file or last folder.

    Empty without one. A package under test from a path must be detected, not treated as absent.
    """
    try:
        url = urlsplit(_EDITABLE.sub("", line).split(" ")[0].strip("\"'"))
    except ValueError:  # an invalid URL such as https://[x
        return ""
    named = re.search(r"(?:^|&)egg=([A-Za-z0-9._-]+)", url.fragment)
    path = unquote(url.path).partition("@")[0].partition("[")[0].rstrip("/")
    name = canonicalize_name(named[1] if named else _name_of(path.split("/")))
    return name if is_normalized_name(name) else ""


def _name_of(parts: Sequence[str]) -> str:
    """The package name in a path: of a wheel, an archive, a folder or a repository; empty without one."""
    last = parts[-1]
    with contextlib.suppress(InvalidWheelFilename, InvalidSdistFilename):
        if last.endswith(".whl"):
            return parse_wheel_filename(last)[0]
        if last.endswith(_ARCHIVES):
            return parse_sdist_filename(last)[0]
    if "archive" in parts[1:]:  # archive of a tag, as code forges offer it
        return parts[parts.index("archive", 1) - 1]
    return "" if last.endswith((".whl", *_ARCHIVES)) else last.removesuffix(".git")


def _split_marker(line: str) -> tuple[str, str]:
    """The URL of a line, and its marker; empty without one."""
    address, *marker = re.split(r"\s+;\s*|;\s+", line, maxsplit=1)
    return address, marker[0] if marker else ""


def _package(line: str, where: str, environment: Mapping[str, str]) -> list[FilePackage]:
    try:
        asked = parse_requirement(_OPTION.sub("", line))
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from None
    if asked.marker is not None and not holds(asked.marker, environment, where):
        return []
    name = canonicalize_name(asked.name)
    return [
        FilePackage(
            name=name,
            where=where,
            specifier=str(asked.specifier),
            extras=tuple(sorted(asked.extras)),
            fault="" if asked.url is None else "it comes from a URL, not from an index",
        )
    ]


TEXTS = frozenset({"", ".txt", ".in", ".pip", ".req", ".freeze"})
"""Suffixes of requirements files and ``pip freeze`` output; ``requirements*.lock`` counts as well."""

_LOCK = re.compile(r"^\[\[packages?\]\]\s*$", re.MULTILINE)
"""A table header that occurs in every lock and in no requirements file."""

_KINDS = "a requirements file, the output of pip freeze, a uv.lock or a pylock.toml"


class EnvironmentFile(msgspec.Struct, frozen=True, kw_only=True):
    """An environment as described by a file: its packages by name, and notes for the user."""

    place: str
    packages: dict[str, FilePackage]
    notes: tuple[str, ...] = ()


async def read_environment_file(text: str, python: str, cwd: Path) -> EnvironmentFile:
    """Read the dependency file at a path or ``REV:path`` for ``python`` ("3.11") on this platform.

    Raises:
        UsageError: the file is missing, of an unknown kind, invalid, or names no package.
        MachineError: git is missing or does not answer.
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
            return (
                content if wanted == place else await read_place(wanted, cwd)
            )  # a pipe can be read once only

        lines = await read_lines(place, read, marker_environment(python))
        found, notes = list(lines.packages), lines.notes
    else:
        raise UsageError(f"{place}: unknown kind of file ({suffix}); {_KINDS} is expected")
    if not found:
        raise UsageError(f"{place}: names no package for Python {python} on this platform")
    return EnvironmentFile(place=str(place), packages=merge_packages(found), notes=notes)


def _parse_lock(content: str, place: Place, suffix: str) -> dict[str, Any] | None:
    """The document of a lock; None for a file with the name and content of a requirements file."""
    if suffix == ".toml" or (suffix == ".lock" and not place.name.startswith("requirements")):
        return parse_toml(content, place)
    if suffix == "" and _LOCK.search(content):  # a pipe has no suffix
        return parse_toml(content, place)
    return None


def _read_lock(document: dict[str, Any], place: Place, python: str) -> list[FilePackage]:
    if is_pylock(document):
        return list(read_pylock(document, str(place), python))
    if is_uv_lock(document) and not place.name.endswith(".toml"):
        return list(read_uv_lock(document, str(place), python))
    raise UsageError(f"{place}: unknown kind of file; {_KINDS} is expected")
