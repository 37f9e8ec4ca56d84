"""Check every package index by requesting one project page before anything is resolved.

uv treats a login page, or a missing ``file:`` index, as an index without versions, and reports "no solution"
(seen with uv 0.13.9). Therefore each index must first return a project page. If it does not, uv itself is
tried before the index is refused: uv may have credentials, certificates or a proxy that this module lacks.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from harness.errors import MachineError, UsageError
from harness.held import temporary_folder
from harness.records import Cell
from harness.resolve import uv
from harness.resolve.pip_settings import IndexSettings, Place, is_local, local_path
from harness.resolve.uv import explain, read_no_solution

LIMIT_SECONDS = 15.0
"""For the request to one index, and again for the attempt through uv: as long as pip waits by default.

With 5 s a healthy index was refused on a machine whose cores were all busy.
"""

ADVICE = "check its address, credentials, proxy and certificates (`pip config list`, UV_* variables)"

_ONLY_THIS = (
    "UV_DEFAULT_INDEX",
    "UV_INDEX_URL",
    "UV_INDEX",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_NO_INDEX",
)

_READ_SECONDS = 30.0

T = TypeVar("T")


class IndexUnavailableError(MachineError):
    """A configured package index does not return project pages (exit 5)."""


async def check_indexes(
    settings: IndexSettings, cells: Sequence[Cell], *, limit: float = LIMIT_SECONDS
) -> IndexSettings:
    """Check every index and every page of find-links concurrently; the returned settings record the check.

    The check is skipped if nothing is to be resolved, if it was done before, and offline. It requests the
    page of the first required package; ``limit`` is the time per index in seconds.

    Raises:
        IndexUnavailableError: an index does not return a project page; each such index is named by its host.
        UsageError: uv refuses a setting.
        MachineError: uv could not be run.
    """
    names = [Requirement(text).name for cell in cells for text in cell.requirements[:1]]
    if settings.answered or uv.is_offline() or not names:
        return settings
    project = canonicalize_name(names[0])
    places = await list_places(settings)
    faults = await asyncio.gather(*(_ask(place, project, settings, limit) for place in places))
    messages = [describe_fault(place, fault) for place, fault in zip(places, faults, strict=True) if fault]
    if messages:
        raise IndexUnavailableError("\n".join([*messages, ADVICE]))
    return msgspec.structs.replace(settings, answered=True)


def describe_fault(place: Place, fault: str) -> str:
    """The sentence on a place that cannot be used; it is named by its host."""
    kind = "package index" if place.kind == "index" else "page of find-links"
    return f"the {kind} {place.shown} cannot be used: {fault}"


async def list_places(settings: IndexSettings) -> tuple[Place, ...]:
    """The indexes and pages that uv queries with these settings, including its default index.

    Raises:
        UsageError: uv refuses a setting.
        MachineError: uv could not be run.
    """
    env = uv.environment(settings.environment())
    links = (*settings.find_links, *env.pop("UV_FIND_LINKS", "").split(","))
    urls = () if settings.no_index else await _index_urls(settings, env)
    names = {url: name for name, url in _named(env)}
    indexes = (Place(kind="index", url=url, name=names.get(url, "")) for url in dict.fromkeys(urls))
    pages = (Place(kind="find-links", url=link) for link in dict.fromkeys(links) if link.strip())
    return (*indexes, *pages)


async def _index_urls(settings: IndexSettings, env: Mapping[str, str]) -> Sequence[str]:
    """The index URLs that uv emits when it compiles an empty requirements file."""
    arguments = msgspec.structs.replace(settings, find_links=()).resolve_arguments()  # uv would read these
    asked = ("pip", "compile", "-", "--quiet", "--no-header", "--emit-index-url", *arguments)
    try:
        done = await uv.run_uv((*asked, "--python", sys.executable), env=env, timeout=_READ_SECONDS)
    except TimeoutError:
        raise MachineError(f"uv took over {_READ_SECONDS:g} s to read the index settings") from None
    if done.returncode != 0:
        raise UsageError(f"uv refuses the index settings: {explain(done.stderr)[:600]}")
    return re.findall(r"^--(?:extra-)?index-url (.+)$", done.stdout, re.MULTILINE)


def _named(env: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Name and URL of named indexes, as in ``UV_INDEX="corp=https://..."``."""
    for variable in ("UV_DEFAULT_INDEX", "UV_INDEX"):
        for word in env.get(variable, "").split():
            name, equals, url = word.partition("=")
            if equals and re.fullmatch(r"[\w.-]+", name):
                yield name, url


async def _ask(place: Place, project: str, settings: IndexSettings, limit: float) -> str:
    """Why an index or page cannot be used; empty if it can."""
    if is_local(place.url):
        return "" if local_path(place.url).is_dir() else "there is no such folder"
    if not place.url.lower().startswith(("http://", "https://")):
        return "its address is neither http(s) nor a folder"
    from harness.resolve.index_page import find_fault_of  # noqa: PLC0415 - requests costs every command 0.1 s

    try:
        fault = await in_thread(lambda: find_fault_of(place, project, settings, limit), limit)
    except TimeoutError:
        return f"no complete answer within {limit:g} s"  # uv would not get one either
    return fault if fault and not await _uv_can_use(place, project, settings, limit) else ""


async def in_thread(work: Callable[[], T], limit: float) -> T:
    """The result of a thread that is abandoned after ``limit`` seconds, or on cancellation.

    A blocking read of a socket cannot be interrupted, and a server that sends single bytes keeps it within
    the read time-out; a thread of an executor would delay the end of the program.
    """
    future: concurrent.futures.Future[T] = concurrent.futures.Future()
    future.set_running_or_notify_cancel()

    def fill() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is awaited
            future.set_exception(error)

    threading.Thread(target=fill, name="harness-index", daemon=True).start()
    async with asyncio.timeout(limit):
        return await asyncio.wrap_future(future)


async def _uv_can_use(place: Place, project: str, settings: IndexSettings, limit: float) -> bool:
    """Whether uv gets a valid answer from this place alone: the project, or that it does not exist."""
    env = uv.environment(settings.environment())
    env = {name: value for name, value in env.items() if name not in _ONLY_THIS}
    env |= {"UV_HTTP_RETRIES": "0", "UV_HTTP_TIMEOUT": str(max(round(limit), 1))}
    source: tuple[str, ...] = ("--no-index", "--find-links", place.url)
    if place.kind == "index":
        env["UV_DEFAULT_INDEX"] = f"{place.name}={place.url}" if place.name else place.url
        source = ()
    hosts = (argument for host in settings.hosts for argument in ("--allow-insecure-host", host))
    with temporary_folder("index") as folder:
        asked = folder / "requirements.in"
        asked.write_text(f"{project}\n", encoding="utf-8")
        fixed = ("pip", "compile", asked, "--python", sys.executable, "--no-deps", "--refresh")
        try:
            done = await uv.run_uv((*fixed, *source, *hosts), env=env, timeout=limit)
        except uv.FullDiskError:  # no fault of the index
            raise
        except (TimeoutError, uv.UvError):
            return False
    if done.returncode == 0:
        return True
    if (
        done.returncode != 1 or place.kind == "find-links"
    ):  # a login page as find-links holds no project either
        return False
    found = read_no_solution(done.stderr)
    return bool(found.unknown) and not found.unasked
