"""The one door to uv: its binary, its environment, how it ends, and what its messages mean.

What decides a lock is in the matrix and in the index settings, so uv reads no configuration file
(``--no-config``) and gets listed variables only: a ``uv.toml``, ``UV_RESOLUTION`` or ``UV_EXCLUDE_NEWER``
of the user would change a lock whose inputs digest stays equal. Nor do tokens of the controller reach it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import uv
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)

from harness.errors import MachineError
from harness.files import describe_os_error, find_no_space
from harness.processes import Completed, run
from harness.redaction import redact

INDEX_VARIABLES: Mapping[str, tuple[str, ...]] = {
    "find_links": ("UV_FIND_LINKS",),
    "index": ("UV_DEFAULT_INDEX", "UV_INDEX_URL"),
    "extra": ("UV_INDEX", "UV_EXTRA_INDEX_URL"),
    "no_index": ("UV_NO_INDEX",),
    "cert": ("SSL_CERT_FILE", "UV_SYSTEM_CERTS", "UV_NATIVE_TLS"),
    "hosts": ("UV_INSECURE_HOST",),
    "proxy": ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"),
}
"""Kind of index setting -> the variables in which uv itself is given it."""

PASSED = frozenset(
    {
        *(name for names in INDEX_VARIABLES.values() for name in names),
        *("UV_INDEX_STRATEGY", "UV_KEYRING_PROVIDER", "UV_CREDENTIALS_DIR", "NETRC"),
        *("HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_DIR", "SSL_CLIENT_CERT"),
        *("UV_OFFLINE", "UV_HTTP_TIMEOUT", "UV_HTTP_CONNECT_TIMEOUT", "UV_HTTP_RETRIES"),
        *("UV_CACHE_DIR", "UV_LINK_MODE", "UV_PYTHON_INSTALL_DIR", "UV_PYTHON_INSTALL_MIRROR"),
        *("PATH", "HOME", "USER", "TMPDIR", "LANG", "LC_ALL", "LC_CTYPE"),
        "LD_LIBRARY_PATH",  # a Python of a CI image may not start without it
        *("DBUS_SESSION_BUS_ADDRESS", "PYTHON_KEYRING_BACKEND"),  # what a keyring is reached by
    }
)
"""The variables that uv gets where they are set: where it finds its files, and how it reaches an index."""

_PASSED_PATTERN = re.compile(r"XDG_\w+|UV_INDEX_\w+_(?:USERNAME|PASSWORD)")
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_TRUE = frozenset({"1", "true", "t", "yes", "y", "on"})
_ENDS = frozenset({0, 1, 2})  # of uv: done; no (no solution, a failed build); network, file or usage


class UvError(MachineError):
    """uv could not be started, or did not come to an end of its own (exit 5).

    Attributes:
        returncode: its exit code, negative for the signal that ended it; None where it never ran.
    """

    def __init__(self, message: str, returncode: int | None = None) -> None:
        super().__init__(message)
        self.returncode = returncode


class FullDiskError(UvError):
    """uv met a full disk; the message is ``no space left on device`` with the path."""


def environment(added: Mapping[str, str], environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Every variable that uv gets: the listed ones of this process, and those that are added."""
    passed = {
        name: value for name, value in environ.items() if name in PASSED or _PASSED_PATTERN.fullmatch(name)
    }
    return passed | dict(added)


def command(*arguments: str | Path) -> list[str]:
    """The command line of a call of uv.

    Raises:
        FileNotFoundError: there is no uv beside this Python.
    """
    fixed = ("--no-config", "--no-progress", "--color", "never")
    return [uv.find_uv_bin(), *map(str, arguments), *fixed]


def is_offline(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the user told uv to keep off the network."""
    return environ.get("UV_OFFLINE", "").strip().lower() in _TRUE


async def run_uv(
    arguments: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    timeout: float,  # noqa: ASYNC109 - the process group must be ended before the error is raised
) -> Completed:
    """Run uv to its end; an exit code of 1 or 2 is for the caller to judge.

    Args:
        arguments: what follows ``uv`` on its command line.
        env: its whole environment, of ``environment``.
        timeout: seconds; then it is ended.

    Raises:
        FullDiskError: there is no space left, for which its exit code may be that of "no solution".
        UvError: it could not be started, crashed, or was killed.
        TimeoutError: it took longer than ``timeout``.
    """
    try:
        done = await run(command(*arguments), env=env, timeout=timeout)
    except TimeoutError:
        raise
    except OSError as error:
        raise UvError(f"uv could not be started: {describe_os_error(error)}") from error
    done = Completed(done.argv, done.returncode, done.stdout, _readable(done.stderr))
    if done.returncode and (full := find_no_space(done.stderr)):
        raise FullDiskError(full, done.returncode)
    if done.returncode not in _ENDS:
        how = f"was ended by signal {-done.returncode}" if done.returncode < 0 else "crashed"
        raise UvError(f"uv {how} (exit code {done.returncode}): {done.stderr[-600:]}", done.returncode)
    return done


def _readable(text: str) -> str:
    """What uv wrote for a person, without colours and credentials; everything that it says leaves here."""
    return redact(_ANSI.sub("", text))


# What uv wrote when it gave no lock: what it lacked, and the reason in words for a person.

_UNDATED = re.compile(r"`([^`]+)` is missing an upload date")
_UNKNOWN = re.compile(r"(\S+) was not found in the (?:package registry|provided package locations)")
_UNASKED = ("could not be queried", "Forbidden", "the network was disabled")
_FAILED = ("Unsupported `Content-Type`", "Failed to build")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s`'\"<>)]+")
_NO_VERSION = re.compile(r"there (?:is no version|are no versions) of ([A-Za-z0-9._-]+?)(?=[=<>!~ ,\[]|$)")


class NoSolution(msgspec.Struct, frozen=True):
    """The resolver ended with exit code 1: it found no solution, or was kept from looking.

    ``unknown`` names packages that no index has; ``undated`` those that seem to have no version only
    because their index gives no upload times. ``unasked`` says why an index was not asked, or a package not
    built, so that nothing is known of a solution.
    """

    reason: str
    unknown: tuple[str, ...] = ()
    undated: tuple[str, ...] = ()
    unasked: str = ""


def read_no_solution(stderr: str) -> NoSolution:
    """What uv printed when it ended with exit code 1; its words may change, its code decides."""
    text = _ANSI.sub("", stderr)
    told, found, rest = text.partition("No solution found")
    if not found:
        told, rest = "", text
    because = rest[rest.find("Because") :] if "Because" in rest else rest
    reason = tidy(re.split(r"\n\s*\n|\n\s*hint:", because)[0])
    undated_names = {_project(name) for name in _UNDATED.findall(told)}
    undated = tuple(sorted({name for name in _NO_VERSION.findall(reason) if name in undated_names}))
    hints = re.split(r"\n\s*hint:", rest)[1:]
    unasked = next((hint for hint in hints if any(words in tidy(hint) for words in _UNASKED)), "")
    if not found and any(words in text for words in _FAILED):
        unasked = text
    return NoSolution(
        reason,
        tuple(dict.fromkeys(_UNKNOWN.findall(reason))),
        undated,
        explain(unasked)[:600],
    )


def explain(text: str) -> str:
    """One line for a message: of an address its host, for the rest may hold credentials."""
    return _flatten(_URL.sub(lambda found: _host(found[0]), text))


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        return parts.path if parts.scheme == "file" else parts.netloc.rpartition("@")[2] or "<address>"
    except ValueError:
        return "<address>"


def _flatten(text: str) -> str:
    return " ".join(re.sub(r"[│╰├─▶]", " ", _ANSI.sub("", text)).split())


def tidy(text: str) -> str:
    """One line for a lock: without colours, drawing characters, addresses and paths of this machine."""
    plain = _flatten(text)
    plain = re.sub(r"[a-z]+://\S+|(?<![\w.])/(?:[\w.+@-]+/)+[\w.+@-]*", "<path>", plain)
    return " ".join(plain.split())


def _project(filename: str) -> str:
    try:
        return parse_wheel_filename(filename)[0]
    except InvalidWheelFilename:
        pass
    try:
        return parse_sdist_filename(filename)[0]
    except InvalidSdistFilename:
        return ""
