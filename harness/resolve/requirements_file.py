"""Read requirements files and the output of ``pip freeze``."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
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
from harness.matrix.requirement import parse_requirement
from harness.matrix.toml_file import MAX_SHOWN, refuse_all
from harness.redaction import redact
from harness.resolve.packages import (
    MAX_PACKAGES,
    FilePackage,
    Found,
    from_wheel,
    hash_fault,
    holds,
    parse_wheel_address,
)
from harness.resolve.revisions import Place

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


async def read_requirements(place: Place, read: Read, environment: Mapping[str, str]) -> Found:
    """Read a requirements file and its included files; markers are evaluated in ``environment``.

    Raises:
        UsageError: a file is missing (with the line that names it), a line is invalid or has an unknown hash
            algorithm, or there are too many packages; with a line for each fault of all files.
    """
    packages: list[FilePackage] = []
    notes: list[str] = []
    faults: list[str] = []
    queue, seen = [(place, "")], {place.key}
    while queue:
        current, named_by = queue.pop(0)
        try:
            text = await read(current)
        except UsageError as error:
            faults.append(f"{named_by}{error}")
            continue
        if "\0" in text:
            at = text[: text.index("\0")].count("\n") + 1
            faults.append(f"{current}:{at}: a NUL character; save the file as UTF-8 text")
            continue
        for number, line in logical_lines(text):  # each with the number of its first line
            where = f"{current}:{number}"
            if found := _INCLUDE.fullmatch(line):
                other = current.join(found["file"].strip("\"'"))
                queue += [] if other.key in seen else [(other, f"{where}: {redact(line)[:MAX_SHOWN]}: ")]
                seen.add(other.key)
                continue
            if len(packages) >= MAX_PACKAGES:
                raise UsageError(f"{where}: more packages than the limit of {MAX_PACKAGES}")
            try:
                read_line = _read_line(line, where, environment)
            except UsageError as error:
                faults.append(str(error))
            else:
                packages += read_line.packages
                notes += read_line.notes
    refuse_all(place, faults)
    return Found(packages=tuple(packages), notes=tuple(notes))


def _read_line(line: str, where: str, environment: Mapping[str, str]) -> Found:
    """The package of a logical line, or the note on why it is ignored.

    Raises:
        UsageError: the line is no requirement, or has an unknown hash algorithm.
    """
    for kind, digest in _HASH.findall(line):
        if fault := hash_fault(kind.lower(), digest, PIP_HASHES):
            raise UsageError(f"{where}: {fault}")
    if line.startswith(("-e", "--editable")) or _BARE.match(line):
        return _read_address(line, where, environment)
    if line.startswith("-"):
        option = redact(line.split(maxsplit=1)[0]).split("=")[0]
        return Found(notes=(f"{where}: {option} is ignored: pip's settings apply",))
    return Found(packages=tuple(_package(line, where, environment)))


def _read_address(line: str, where: str, environment: Mapping[str, str]) -> Found:
    """The package of a line that is a path or URL: in the version of its wheel, else with a fault."""
    address, marker = _split_marker(line)
    if marker and not holds(marker, environment, where):
        return Found()
    if not line.startswith("-") and (wheel := parse_wheel_address(_OPTION.sub("", address).split("[")[0])):
        return Found(
            packages=(FilePackage(name=wheel[0], where=where, specifier=f"=={wheel[1]}", wheel=True),)
        )
    name = _guess_name(address)
    package = FilePackage(name=name, where=where, fault="it comes from a path or URL, not from an index")
    note = f"{where}: a package from a path or URL is ignored"
    return Found(packages=(package,) if name else (), notes=(note,))


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
    name, extras = canonicalize_name(asked.name), tuple(sorted(asked.extras))
    if asked.url is not None and (wheel := from_wheel(asked.url, name, where)):
        return [msgspec.structs.replace(wheel, extras=extras)]
    fault = "" if asked.url is None else "it comes from a URL, not from an index"
    return [FilePackage(name=name, where=where, specifier=str(asked.specifier), extras=extras, fault=fault)]
