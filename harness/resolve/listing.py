"""List the files of a package on every configured index, with upload times, yanks and Pythons.

uv has no command for this, and the listing of pip has versions alone, from pip's own settings instead of
those that a lock is resolved with. A project page (PEP 503, 592, 691, 700) has all that a rule asks for.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import functools
import hashlib
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote, urlsplit

import msgspec
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version

from harness.errors import MachineError
from harness.files import write_whole
from harness.matrix.selection import Release
from harness.resolve import uv
from harness.resolve.indexes import ADVICE, IndexUnavailableError, describe_fault, in_thread, list_places
from harness.resolve.lockfile import platform_tag, wheel_tags
from harness.resolve.pip_settings import IndexSettings, Place, is_local, local_path

LIMIT_SECONDS = 60.0
"""For one page; that of a package with thousands of files has some megabytes."""

MOST_BYTES = 64 * 2**20

MAX_REASON = 200
"""Characters of the reason of a yank in a message."""

FRESH = datetime.timedelta(hours=1)
"""Age up to which a kept listing is used again."""


class ListedFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One file of a project page; ``yanked`` is the reason, None for a file that is not."""

    name: str
    uploaded: datetime.datetime | None = None
    yanked: str | None = None
    requires_python: str = ""
    nightly: bool = False


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """The files of a project on all indexes, and when they were read (UTC)."""

    read: datetime.datetime
    files: tuple[ListedFile, ...]


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where releases are listed: the settings and their places, the folder of kept listings, the present."""

    settings: IndexSettings
    places: tuple[Place, ...]
    kept: Path
    now: datetime.datetime


async def open_source(settings: IndexSettings, kept: Path, now: datetime.datetime) -> Source:
    """The source of releases with these index settings; ``now`` is in UTC.

    Raises:
        UsageError, MachineError: as ``list_places``.
    """
    return Source(settings=settings, places=await list_places(settings), kept=kept, now=now)


async def list_files(project: str, source: Source) -> Listing:
    """The files of a project on every index and page of find-links.

    What a place answers is kept, and used again for an hour, or offline for ever.

    Raises:
        IndexUnavailableError: a place gives no valid page; it is named by its host.
        MachineError: offline, and no listing is kept.
    """
    parts = await asyncio.gather(*(_list_place(place, project, source) for place in source.places))
    files = tuple(file for part in parts for file in part.files)
    return Listing(read=min((part.read for part in parts), default=source.now), files=files)


async def _list_place(place: Place, project: str, source: Source) -> Listing:
    now, nightly = source.now, _same(place.url, source.settings.nightly)

    def choose(files: Iterable[ListedFile]) -> Listing:
        own = (file for file in files if (parsed := parse_file(file.name)) and parsed[0] == project)
        return Listing(read=now, files=tuple(msgspec.structs.replace(file, nightly=nightly) for file in own))

    if is_local(place.url):
        return choose(_list_folder(local_path(place.url), project))
    digest = hashlib.sha256(f"{place.url}\n{nightly}".encode()).hexdigest()[:16]
    path = source.kept / f"{project}-{digest}.json"
    kept = _read_kept(path)
    if kept is not None and (uv.is_offline() or now - FRESH <= kept.read <= now):
        return kept
    if uv.is_offline():
        raise MachineError(
            f"the releases of {project} on {place.shown} are unknown offline (UV_OFFLINE); none are kept"
        )
    listing = choose(await _list_page(place, project, source.settings))
    with contextlib.suppress(OSError):  # a cache that cannot be written costs a request
        write_whole(path, msgspec.json.encode(listing))
    return listing


def _same(url: str, other: str | None) -> bool:
    return other is not None and url.rstrip("/") == other.rstrip("/")


def _read_kept(path: Path) -> Listing | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Listing)
    except (OSError, msgspec.DecodeError):
        return None


def _list_folder(folder: Path, project: str) -> Iterator[ListedFile]:
    """The files of a local folder, or of a local index with a folder for each project."""
    for place in (folder, folder / project):
        index = place / "index.html"
        if place != folder and index.is_file():
            yield from _parse_html(index.read_text(encoding="utf-8"))
        elif place.is_dir():
            yield from (ListedFile(name=file.name) for file in sorted(place.iterdir()) if file.is_file())


async def _list_page(place: Place, project: str, settings: IndexSettings) -> Iterable[ListedFile]:
    from harness.resolve.index_page import fetch_page, read_text  # noqa: PLC0415 - requests costs 0.1 s

    def fetch() -> tuple[Iterable[ListedFile], str]:
        answer, fault = fetch_page(place, project, settings, LIMIT_SECONDS, MOST_BYTES)
        if answer is None or fault or answer.status != 200:
            return (), fault
        if not answer.whole:
            return (), f"its page of {project} is not complete after {LIMIT_SECONDS:g} s"
        if answer.content_type.partition(";")[0].strip().lower().endswith("json"):
            files = _parse_json(answer.body)
            return files or (), "" if files is not None else "JSON that is no project page (PEP 691)"
        return tuple(_parse_html(read_text(answer))), ""

    try:
        files, fault = await in_thread(fetch, LIMIT_SECONDS)
    except TimeoutError:
        files, fault = (), f"no complete answer within {LIMIT_SECONDS:g} s"
    if fault:
        raise IndexUnavailableError(f"{describe_fault(place, fault)}\n{ADVICE}")
    return files


class _JsonFile(msgspec.Struct, rename="kebab"):
    filename: str
    upload_time: Annotated[datetime.datetime, msgspec.Meta(tz=True)] | None = None
    yanked: bool | str = False
    requires_python: str | None = None


class _JsonPage(msgspec.Struct):
    files: list[_JsonFile]


def _parse_json(body: bytes) -> tuple[ListedFile, ...] | None:
    """The files of a page; None if it is none."""
    try:
        page = msgspec.json.decode(body, type=_JsonPage)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return tuple(
        ListedFile(
            name=file.filename,
            uploaded=file.upload_time,
            yanked=(file.yanked if isinstance(file.yanked, str) else "") if file.yanked else None,
            requires_python=file.requires_python or "",
        )
        for file in page.files
    )


class _Anchors(HTMLParser):
    """Collects the attributes of the links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Mapping[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found.append(dict(attrs))


def _parse_html(text: str) -> Iterator[ListedFile]:
    anchors = _Anchors()
    anchors.feed(text)
    for each in anchors.found:
        yield ListedFile(
            name=_last_part(each.get("href") or ""),
            yanked=(each["data-yanked"] or "") if "data-yanked" in each else None,
            requires_python=each.get("data-requires-python") or "",
        )


def _last_part(href: str) -> str:
    """The last part of the path of a link; empty for a link that cannot be read."""
    try:
        return unquote(urlsplit(href).path).rpartition("/")[2]
    except ValueError:
        return ""


def parse_file(name: str) -> tuple[str, Version, frozenset[Tag] | None] | None:
    """The project, version and tags (None: a source distribution) in the name of a file; None for others."""
    try:
        if name.endswith(".whl"):
            project, version, _, tags = parse_wheel_filename(name)
            return project, version, tags
        source, version = parse_sdist_filename(name)
    except (InvalidSdistFilename, InvalidWheelFilename):
        return None
    return source, version, None


def list_releases(
    files: Iterable[ListedFile], pythons: Sequence[str], until: datetime.datetime | None = None
) -> tuple[Release, ...]:
    """The releases of a project in ascending order, with why one cannot be installed on all Pythons here.

    Files that were uploaded at ``until`` or later, or whose time is unknown then, do not count. A wheel with
    a local version, such as ``2.13.0+cpu``, is one of its public version, unless it is a nightly one.
    """
    found: dict[tuple[Version, bool], list[ListedFile]] = {}
    for file in files:
        parsed = parse_file(file.name)
        hidden = until is not None and (file.uploaded is None or file.uploaded >= until)
        if parsed is not None and not hidden:
            version = parsed[1] if file.nightly else Version(parsed[1].public)
            found.setdefault((version, file.nightly), []).append(file)
    ordinary = {version for version, nightly in found if not nightly}
    accepted = {python: frozenset(wheel_tags(python)) for python in pythons}
    return tuple(
        Release(
            version=str(version),
            uploaded=min((_day(each.uploaded) for each in group if each.uploaded), default=None),
            fault=_find_fault(group, accepted),
            nightly=nightly,
        )
        for (version, nightly), group in sorted(found.items(), key=lambda item: item[0])
        if not (nightly and version in ordinary)
    )


def _day(moment: datetime.datetime) -> datetime.date:
    return moment.astimezone(datetime.UTC).date()


def _find_fault(files: Sequence[ListedFile], accepted: Mapping[str, frozenset[Tag]]) -> str:
    """Why a release cannot be installed on every Python; empty if it can."""
    usable = [file for file in files if file.yanked is None]
    if not usable:
        reason = next((file.yanked for file in files if file.yanked), "")
        return f"yanked: {textwrap.shorten(reason, MAX_REASON)}" if reason else "yanked"
    for python, tags in accepted.items():
        fitting = [file for file in usable if _allows(file.requires_python, python)]
        if not fitting:
            return f"needs Python {usable[0].requires_python}"
        if not any(_tags(file.name) & tags for file in fitting):
            return f"no wheel for Python {python} on {platform_tag()}"
    return ""


def _tags(name: str) -> frozenset[Tag]:
    parsed = parse_file(name)
    return (parsed[2] if parsed else None) or frozenset()


@functools.lru_cache(maxsize=1000)
def _allows(requires: str, python: str) -> bool:
    """Whether ``requires-python`` allows a Python; the resolver takes ``3.11`` as 3.11.0, too."""
    try:
        return SpecifierSet(requires).contains(python, prereleases=True)
    except InvalidSpecifier:
        return True  # installers ignore it as well
