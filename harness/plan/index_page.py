"""A page of an index as ``requests`` fetches it: with the user's credentials, certificates and proxy."""

from __future__ import annotations

import os
import re
import ssl
import time
from collections.abc import Iterator, Sequence
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

import msgspec
import requests
import urllib3

from harness.plan.index_answers import ACCEPT, Answer, find_fault
from harness.plan.pip_settings import IndexSettings, local_path

MOST_BYTES = 262_144
"""How much of a page is read; a list of files shows what it is in its first lines."""

_FAULTS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError)
_SILENT = (requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError)


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where distributions come from; ``name`` is the one that ``UV_INDEX`` gives an index, if it does."""

    kind: Literal["index", "find-links"]
    url: str
    name: str = ""

    @property
    def shown(self) -> str:
        """Its host, or the path of a folder: an address may hold credentials anywhere else."""
        if is_local(self.url):
            return re.sub(r"^[^/]*@", "", str(local_path(self.url)))  # without a scheme it is no path
        try:
            return urlsplit(self.url).netloc.rpartition("@")[2] or "an address without a host"
        except ValueError:
            return "an address that cannot be read"


def is_local(url: str) -> bool:
    """Whether this is a folder and no address."""
    return url.startswith("file:") or "://" not in url


def find_fault_of(place: Place, project: str, settings: IndexSettings, limit: float) -> str:
    """Why a place does not answer as one within ``limit`` seconds; empty where it does. Blocks.

    Raises:
        TimeoutError: it took a connection, and then gave no whole answer.
    """
    try:
        answer, redirected = _fetch(place, project, settings, 0.9 * limit)
    except _FAULTS as error:
        chain = tuple(_causes(error))
        if any(isinstance(each, _SILENT) for each in chain):
            raise TimeoutError from error
        return _say_failure(error, chain)
    fault = find_fault(answer, project if place.kind == "index" else None)
    where = f" (after a redirect to {redirected})" if redirected else ""
    return f"it answered with {fault}{where}" if fault else ""


def _fetch(place: Place, project: str, settings: IndexSettings, seconds: float) -> tuple[Answer, str]:
    """The answer, and the host that it came from if a redirect led to another page."""
    url = _page(place.url, project) if place.kind == "index" else place.url
    until = time.monotonic() + seconds
    with requests.Session() as session:
        session.max_redirects = 10
        response = session.get(
            url,
            headers={
                "Accept": ACCEPT,
                "Accept-Encoding": "identity",
                "User-Agent": "embedding-parity-harness",
            },
            auth=_credentials(place),
            verify=_verification(url, settings),
            cert=os.environ.get("SSL_CLIENT_CERT") or None,
            proxies=_proxies(url, settings),
            timeout=(seconds / 2, seconds),  # a name may have a second address
            stream=True,
        )
        with response:
            body, whole = _read(response, until)
            answer = Answer(
                status=response.status_code,
                content_type=response.headers.get("Content-Type", ""),
                body=body,
                whole=whole,
            )
            moved = bool(response.history) and urlsplit(response.url).path.rstrip("/") != _path(url)
            return answer, urlsplit(response.url).netloc.rpartition("@")[2] if moved else ""


def _read(response: requests.Response, until: float) -> tuple[bytes, bool]:
    """The beginning of a body, decompressed, and whether that is all of it."""
    body = bytearray()
    for piece in response.iter_content(4096):
        body += piece
        if len(body) > MOST_BYTES or time.monotonic() > until:
            return bytes(body[:MOST_BYTES]), False
    return bytes(body), True


def _page(index: str, project: str) -> str:
    parts = urlsplit(index)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{project}/", fragment=""))


def _path(url: str) -> str:
    return urlsplit(url).path.rstrip("/")


def _credentials(place: Place) -> tuple[str, str] | None:
    """Those of ``UV_INDEX_<NAME>_*``; of an address and of a netrc file ``requests`` takes them itself."""
    prefix = f"UV_INDEX_{re.sub(r'[^A-Z0-9]', '_', place.name.upper())}_"
    user, password = (os.environ.get(f"{prefix}{part}", "") for part in ("USERNAME", "PASSWORD"))
    return (user, password) if place.name and (user or password) else None


def _verification(url: str, settings: IndexSettings) -> str | bool:
    """A bundle of certificates, or whether to check at all."""
    hosts = (*settings.hosts, *re.split(r"[\s,]+", os.environ.get("UV_INSECURE_HOST", "")))
    parts = urlsplit(url)
    if {parts.hostname, parts.netloc.rpartition("@")[2]} & set(hosts):
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # the user wants it so
        return False
    named = settings.cert or os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")
    if named is None and (os.environ.get("UV_SYSTEM_CERTS") or os.environ.get("UV_NATIVE_TLS")):
        system = ssl.get_default_verify_paths()
        named = system.cafile or system.capath
    return named or True


def _proxies(url: str, settings: IndexSettings) -> dict[str, str]:
    """Pip's proxy; those of the environment ``requests`` finds itself."""
    if settings.proxy is None or requests.utils.should_bypass_proxies(url, None):
        return {}
    return {"http": settings.proxy, "https": settings.proxy}


def _say_failure(error: BaseException, chain: Sequence[BaseException]) -> str:
    """Words for a connection that gave no answer; those of the libraries hold the whole address."""
    for each in chain:
        if isinstance(each, ssl.SSLError):
            return f"TLS failed: {getattr(each, 'verify_message', '') or each.reason or each.strerror}"
    kinds = {
        requests.TooManyRedirects: "redirects without end",
        requests.ConnectTimeout: "no connection in time",
        requests.exceptions.ContentDecodingError: "an answer that cannot be decompressed",
        requests.exceptions.ProxyError: "the proxy failed",
    }
    what = next((text for kind, text in kinds.items() if isinstance(error, kind)), "the connection failed")
    system = next((each.strerror for each in chain if isinstance(each, OSError) and each.strerror), None)
    return f"{what}: {system}" if system else f"{what} ({type(chain[-1]).__name__})"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what led to it; urllib3 keeps that in ``reason`` or in the arguments."""
    seen: list[BaseException] = []
    waiting = [error]
    while waiting:
        each = waiting.pop(0)
        if any(each is other for other in seen):
            continue
        seen.append(each)
        yield each
        inner = (getattr(each, "reason", None), *each.args, each.__cause__, each.__context__)
        waiting += [found for found in inner if isinstance(found, BaseException)]
