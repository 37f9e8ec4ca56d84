"""What the answer of a package index is: a project page (PEP 503, PEP 691), no such project, or a fault."""

from __future__ import annotations

import contextlib
import html
import re
from collections.abc import Iterator
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

import msgspec
from packaging.utils import canonicalize_name

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
"""What a project page may be, as installers ask for it."""

_SIMPLE = "application/vnd.pypi.simple."
_HTML = ("text/html", "application/xhtml+xml")
_SUFFIXES = (".whl", ".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz", ".tar.z", ".tar", ".egg", ".exe")
_TAG = re.compile(r"<([^<>]{1,8000})>")  # no "<" in it: one pass over any page, however it is made
_HREF = re.compile(r"""\bhref\s*=\s*(?:"([^"]*)"?|'([^']*)'?|([^\s"'>]+))""", re.IGNORECASE)
_ABSENT = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One answer over HTTP, after redirects.

    ``body`` is decoded as its Content-Encoding says, and cut off where it is long (``whole`` is False then).
    """

    status: int
    content_type: str
    body: bytes
    whole: bool = True


class _ProjectPage(msgspec.Struct):
    """The part of a PEP 691 page that makes it one."""

    files: list[msgspec.Raw]


def find_fault(answer: Answer, project: str | None) -> str:
    """Why an answer is not that of a package index; empty where it is.

    ``project`` is the normalized name of the project whose page was asked for; None for a page of
    find-links, which may hold files of any. That an index lacks a project is a proper answer.
    """
    if answer.status in _ABSENT and project is not None:
        asks = any(_asks_for_password(tag) for tag in _tags(_text(answer)))
        return f"status {answer.status} with a login page" if asks else ""
    if answer.status != HTTPStatus.OK:
        advice = ": credentials are missing or not accepted" if answer.status in _REFUSED else ""
        return f"status {_say_status(answer.status)}{advice}"
    kind = answer.content_type.partition(";")[0].strip().lower()
    if kind.startswith(_SIMPLE) and kind.endswith("+json"):
        return _fault_of_json(answer)
    if kind in _HTML or kind.startswith(_SIMPLE):
        return _fault_of_html(_text(answer), project)
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
    """A page without any file counts only if it names the project and has nothing to fill in."""
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


def _text(answer: Answer) -> str:
    """The body as text; a charset that is unknown or wrong costs characters, never the tags."""
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


def _say_status(status: int) -> str:
    try:
        return f"{status} ({HTTPStatus(status).phrase})"
    except ValueError:
        return str(status)
