"""Run uv: its binary, its environment, its exit codes, and the meaning of its messages.

A lock must depend on the matrix and the index settings alone. Therefore uv reads no configuration file
(``--no-config``) and gets listed variables only: ``uv.toml``, ``UV_RESOLUTION`` or ``UV_EXCLUDE_NEWER`` of
the user would change a lock under an equal inputs digest. The list also withholds tokens of the controller.
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
"""Kind of index setting -> uv's own variables for it."""

PASSED = frozenset(
    {
        *(name for names in INDEX_VARIABLES.values() for name in names),
        *("UV_INDEX_STRATEGY", "UV_KEYRING_PROVIDER", "UV_CREDENTIALS_DIR", "NETRC"),
        *("HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_DIR", "SSL_CLIENT_CERT"),
        *("UV_OFFLINE", "UV_HTTP_TIMEOUT", "UV_HTTP_CONNECT_TIMEOUT", "UV_HTTP_RETRIES"),
        *("UV_CACHE_DIR", "UV_LINK_MODE", "UV_PYTHON_INSTALL_DIR", "UV_PYTHON_INSTALL_MIRROR"),
        *("PATH", "HOME", "USER", "TMPDIR", "LANG", "LC_ALL", "LC_CTYPE"),
        "LD_LIBRARY_PATH",  # a Python of a CI image may not start without it
        *("DBUS_SESSION_BUS_ADDRESS", "PYTHON_KEYRING_BACKEND"),  # access to a keyring
    }
)
"""The variables that are passed to uv if set: locations of its files, and access to indexes."""

_PASSED_PATTERN = re.compile(r"XDG_\w+|UV_INDEX_\w+_(?:USERNAME|PASSWORD)")
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_TRUE = frozenset({"1", "true", "t", "yes", "y", "on"})
_EXIT_CODES = frozenset({0, 1, 2})  # of uv: success; no solution or a failed build; network, file or usage


class UvError(MachineError):
    """uv could not be started, crashed or was killed (exit 5).

    Attributes:
        returncode: its exit code, negative for the signal that ended it; None if it was not started.
    """

    def __init__(self, message: str, returncode: int | None = None) -> None:
        super().__init__(message)
        self.returncode = returncode


class FullDiskError(UvError):
    """uv failed on a full disk; the message is ``no space left on device`` with the path."""


def environment(added: Mapping[str, str], environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of uv: the listed variables of this process, and the added ones."""
    passed = {
        name: value for name, value in environ.items() if name in PASSED or _PASSED_PATTERN.fullmatch(name)
    }
    return passed | dict(added)


def command(*arguments: str | Path) -> list[str]:
    """The command line of a uv call.

    Raises:
        FileNotFoundError: uv is not installed with this Python.
    """
    fixed = ("--no-config", "--no-progress", "--color", "never")
    return [uv.find_uv_bin(), *map(str, arguments), *fixed]


def is_offline(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the user set uv to offline mode (``UV_OFFLINE``)."""
    return environ.get("UV_OFFLINE", "").strip().lower() in _TRUE


async def run_uv(
    arguments: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    timeout: float,  # noqa: ASYNC109 - the process group must be ended before the error is raised
) -> Completed:
    """Run uv; the caller interprets the exit codes 1 and 2.

    Args:
        arguments: the arguments after ``uv``.
        env: the complete environment, from ``environment``.
        timeout: seconds after which uv is ended.

    Raises:
        FullDiskError: the disk is full; uv may exit with the code of "no solution" then.
        UvError: uv could not be started, crashed, or was killed.
        TimeoutError: uv took longer than ``timeout``.
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
    if done.returncode not in _EXIT_CODES:
        how = f"was ended by signal {-done.returncode}" if done.returncode < 0 else "crashed"
        raise UvError(f"uv {how} (exit code {done.returncode}): {done.stderr[-600:]}", done.returncode)
    return done


def _readable(text: str) -> str:
    """The messages of uv without colours and credentials; all of them pass through here."""
    return redact(_ANSI.sub("", text))


_UNDATED = re.compile(r"`([^`]+)` is missing an upload date")
_UNKNOWN = re.compile(r"(\S+) was not found in the (?:package registry|provided package locations)")
_UNREACHABLE = ("could not be queried", "Forbidden", "the network was disabled")
_FAILED = ("Unsupported `Content-Type`", "Failed to build")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s`'\"<>)]+")
_NO_VERSION = re.compile(r"there (?:is no version|are no versions) of ([A-Za-z0-9._-]+?)(?=[=<>!~ ,\[]|$)")


class NoSolution(msgspec.Struct, frozen=True):
    """uv ended with exit code 1: there is no solution, or the search was incomplete.

    ``unknown`` names packages that are on no index; ``undated`` names packages without any usable version
    because their index gives no upload times. ``unasked`` is the reason why an index was not queried or a
    package not built; whether a solution exists is unknown then.
    """

    reason: str
    unknown: tuple[str, ...] = ()
    undated: tuple[str, ...] = ()
    unasked: str = ""


def read_no_solution(stderr: str) -> NoSolution:
    """Parse the messages of uv after exit code 1; their wording may change, so the exit code decides."""
    text = _ANSI.sub("", stderr)
    hints_before, found, rest = text.partition("No solution found")
    if not found:
        hints_before, rest = "", text
    because = rest[rest.find("Because") :] if "Because" in rest else rest
    reason = tidy(re.split(r"\n\s*\n|\n\s*hint:", because)[0])
    undated_names = {_project(name) for name in _UNDATED.findall(hints_before)}
    undated = tuple(sorted({name for name in _NO_VERSION.findall(reason) if name in undated_names}))
    hints = re.split(r"\n\s*hint:", rest)[1:]
    unasked = next((hint for hint in hints if any(words in tidy(hint) for words in _UNREACHABLE)), "")
    if not found and any(words in text for words in _FAILED):
        unasked = text
    return NoSolution(
        reason,
        tuple(dict.fromkeys(_UNKNOWN.findall(reason))),
        undated,
        explain(unasked)[:600],
    )


def explain(text: str) -> str:
    """The text in one line, with URLs reduced to their host, because the rest may hold credentials."""
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
    """The text in one line for a lock, without colours, drawing characters, URLs and paths."""
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
