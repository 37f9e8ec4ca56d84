"""Request a project page from an index, and decide whether the response is that of a package index."""

from __future__ import annotations

import contextlib
import html
import os
import re
import ssl
import time
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import msgspec
import requests
import urllib3
from packaging.utils import canonicalize_name

from harness.input_files import exists
from harness.resolve.pip_settings import IndexSettings, Place

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
"""Content types of a project page (PEP 503, PEP 691), as installers request them."""

_SIMPLE = "application/vnd.pypi.simple."
_HTML = ("text/html", "application/xhtml+xml")
_SUFFIXES = (".whl", ".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz", ".tar.z", ".tar", ".egg", ".exe")
_TAG = re.compile(r"<([^<>]{1,8000})>")  # excludes "<", so one pass suffices for any page
_HREF = re.compile(r"""\bhref\s*=\s*(?:"([^"]*)"?|'([^']*)'?|([^\s"'>]+))""", re.IGNORECASE)
_ABSENT = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP response, after redirects.

    ``body`` is decompressed; ``whole`` is False if it was truncated.
    """

    status: int
    content_type: str
    body: bytes
    whole: bool = True


class _ProjectPage(msgspec.Struct):
    """The required part of a PEP 691 page."""

    files: list[msgspec.Raw]


def find_fault(answer: Answer, project: str | None) -> str:
    """Why a response is not that of a package index; empty if it is.

    ``project`` is the normalized name of the requested project; None for a page of find-links, which may list
    files of any project. "No such project" is a valid response.
    """
    if answer.status in _ABSENT and project is not None:
        asks = any(_asks_for_password(tag) for tag in _tags(read_text(answer)))
        return f"status {answer.status} with a login page" if asks else ""
    if answer.status != HTTPStatus.OK:
        advice = ": credentials are missing or not accepted" if answer.status in _REFUSED else ""
        return f"status {_describe_status(answer.status)}{advice}"
    kind = answer.content_type.partition(";")[0].strip().lower()
    if kind.startswith(_SIMPLE) and kind.endswith("+json"):
        return _fault_of_json(answer)
    if kind in _HTML or kind.startswith(_SIMPLE):
        return _fault_of_html(read_text(answer), project)
    shown = f"of the type {kind[:60]!r}" if kind else "without a type"
    return f"content {shown} instead of a project page (PEP 503 HTML or PEP 691 JSON)"


def _fault_of_json(answer: Answer) -> str:
    if not answer.whole:
        return "" if answer.body.lstrip()[:1] == b"{" else "JSON that is no project page (PEP 691)"
    try:
        msgspec.json.decode(answer.body, type=_ProjectPage)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "JSON that is no project page (PEP 691)"
    return ""


def _fault_of_html(text: str, project: str | None) -> str:
    """The fault of an HTML page; one without files is valid only if it names the project and has no form."""
    tags = tuple(_tags(text))
    if any(_is_file(href, project) for tag in tags if (href := _href(tag))):
        return ""
    if any(_asks_for_password(tag) for tag in tags):
        return "a login page instead of a list of files (PEP 503)"
    if not any(_is_interactive(tag) for tag in tags):
        marked = any(tag.startswith("meta") and "pypi:repository-version" in tag for tag in tags)
        if marked or (tags and (project is None or project in canonicalize_name(text[:4096]))):
            return ""
    return "an HTML page without a list of files (PEP 503), such as a login page"


def read_text(answer: Answer) -> str:
    """The body as text; an unknown or wrong charset damages characters, but no tags."""
    named = re.search(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", answer.content_type, re.IGNORECASE)
    with contextlib.suppress(LookupError, ValueError):
        return answer.body.decode(named[1] if named else "utf-8", "replace")
    return answer.body.decode("utf-8", "replace")


def _tags(text: str) -> Iterator[str]:
    return (found[1].strip().lower() for found in _TAG.finditer(text))


def _href(tag: str) -> str:
    found = _HREF.search(tag) if re.match(r"a\s", tag) else None
    return "" if found is None else html.unescape(found[1] or found[2] or found[3] or "")


def _is_file(href: str, project: str | None) -> bool:
    try:
        name = unquote(urlsplit(href).path).rpartition("/")[2].lower()
    except ValueError:
        return False
    return name.endswith(_SUFFIXES) and (project is None or canonicalize_name(name).startswith(project))


def _is_interactive(tag: str) -> bool:
    refreshes = tag.startswith("meta") and "http-equiv" in tag and "refresh" in tag
    return refreshes or re.match(r"(?:form|input|button|script|iframe|frame)\b", tag) is not None


def _asks_for_password(tag: str) -> bool:
    return re.match(r"input\b.*\btype\s*=\s*[\"']?password\b", tag, re.DOTALL) is not None


def _describe_status(status: int) -> str:
    try:
        return f"{status} ({HTTPStatus(status).phrase})"
    except ValueError:
        return str(status)


MOST_BYTES = 262_144
"""Bytes of a page that are read; a list of files is recognizable by its first lines."""

_FAULTS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError)
_SILENT = (requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError)


def find_fault_of(place: Place, project: str, settings: IndexSettings, limit: float) -> str:
    """Why a place returns no valid page within ``limit`` seconds; empty if it does. Blocks.

    Raises:
        TimeoutError: it accepted a connection and sent no complete response.
    """
    return fetch_page(place, project, settings, limit)[1]


def fetch_page(
    place: Place, project: str, settings: IndexSettings, limit: float, most: int = MOST_BYTES
) -> tuple[Answer | None, str]:
    """The response of a place, at most ``most`` bytes of it, and why it is no valid page. Blocks.

    Raises:
        TimeoutError: it accepted a connection and sent no complete response in ``limit`` seconds.
    """
    try:
        if isinstance(named := _verification(place.url, settings), str) and not exists(Path(named)):
            return None, f"there is no file of certificates {named}"
        answer, redirected = _fetch(place, project, settings, 0.9 * limit, most)
    except _FAULTS as error:
        chain = tuple(_causes(error))
        if any(isinstance(each, _SILENT) for each in chain):
            raise TimeoutError from error
        return None, _describe_failure(error, chain)
    fault = find_fault(answer, project if place.kind == "index" else None)
    where = f" (after a redirect to {redirected})" if redirected else ""
    return answer, f"it answered with {fault}{where}" if fault else ""


def _fetch(
    place: Place, project: str, settings: IndexSettings, seconds: float, most: int
) -> tuple[Answer, str]:
    """The response, and its host if a redirect led to another page."""
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
            body, whole = _read(response, until, most)
            answer = Answer(
                status=response.status_code,
                content_type=response.headers.get("Content-Type", ""),
                body=body,
                whole=whole,
            )
            moved = bool(response.history) and urlsplit(response.url).path.rstrip("/") != _path(url)
            return answer, urlsplit(response.url).netloc.rpartition("@")[2] if moved else ""


def _read(response: requests.Response, until: float, most: int) -> tuple[bytes, bool]:
    """The beginning of a body, decompressed, and whether it is complete."""
    body = bytearray()
    for piece in response.iter_content(4096):
        body += piece
        if len(body) > most or time.monotonic() > until:
            return bytes(body[:most]), False
    return bytes(body), True


def _page(index: str, project: str) -> str:
    parts = urlsplit(index)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{project}/", fragment=""))


def _path(url: str) -> str:
    return urlsplit(url).path.rstrip("/")


def _credentials(place: Place) -> tuple[str, str] | None:
    """Credentials from ``UV_INDEX_<NAME>_*``; ``requests`` itself reads those of URLs and netrc files."""
    prefix = f"UV_INDEX_{re.sub(r'[^A-Z0-9]', '_', place.name.upper())}_"
    user, password = (os.environ.get(f"{prefix}{part}", "") for part in ("USERNAME", "PASSWORD"))
    return (user, password) if place.name and (user or password) else None


def _verification(url: str, settings: IndexSettings) -> str | bool:
    """The certificate bundle, or whether to verify at all."""
    hosts = (*settings.hosts, *re.split(r"[\s,]+", os.environ.get("UV_INSECURE_HOST", "")))
    parts = urlsplit(url)
    if {parts.hostname, parts.netloc.rpartition("@")[2]} & set(hosts):
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # the user has trusted this host
        return False
    named = settings.cert or os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")
    if named is None and (os.environ.get("UV_SYSTEM_CERTS") or os.environ.get("UV_NATIVE_TLS")):
        system = ssl.get_default_verify_paths()
        named = system.cafile or system.capath
    return named or True


def _proxies(url: str, settings: IndexSettings) -> dict[str, str]:
    """Pip's proxy; ``requests`` itself reads those of the environment."""
    if settings.proxy is None or requests.utils.should_bypass_proxies(url, None):
        return {}
    return {"http": settings.proxy, "https": settings.proxy}


def _describe_failure(error: BaseException, chain: Sequence[BaseException]) -> str:
    """Describe a failed connection; the messages of the libraries would hold the whole URL."""
    for each in chain:
        if isinstance(each, ssl.SSLError):
            return f"TLS failed: {getattr(each, 'verify_message', '') or each.reason or each.strerror}"
    kinds = {
        requests.TooManyRedirects: "too many redirects",
        requests.ConnectTimeout: "no connection in time",
        requests.exceptions.ContentDecodingError: "an answer that cannot be decompressed",
        requests.exceptions.ProxyError: "the proxy failed",
    }
    what = next((text for kind, text in kinds.items() if isinstance(error, kind)), "the connection failed")
    system = next((each.strerror for each in chain if isinstance(each, OSError) and each.strerror), None)
    return f"{what}: {system}" if system else f"{what} ({type(chain[-1]).__name__})"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and its causes; urllib3 stores them in ``reason`` or in the arguments."""
    seen: list[BaseException] = []
    queue = [error]
    while queue:
        each = queue.pop(0)
        if any(each is other for other in seen):
            continue
        seen.append(each)
        yield each
        inner = (getattr(each, "reason", None), *each.args, each.__cause__, each.__context__)
        queue += [found for found in inner if isinstance(found, BaseException)]
