"""Keep secrets of the controller out of the reach of other processes of the same user.

On Linux every process of the same user can read the initial environment of a process in
``/proc/<pid>/environ``, whatever the process changes later. Therefore the controller re-executes itself once,
with only the variables that it and its children need. Values with credentials are passed through an anonymous
file and kept in memory; variables that only a matrix may need stay in that file.
"""

from __future__ import annotations

import ctypes
import fnmatch
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Mapping

from harness.redaction import redact

_STARTED = "HARNESS_STARTED_AGAIN"
"""``<process id>:<descriptor of the file>``; another id means that a parent passed the variable on."""

_KEPT = "HARNESS_KEPT_VARIABLES"
"""The same in the process that was started again, whose file holds the variables that it does not need."""

_PR_SET_DUMPABLE = 4  # <linux/prctl.h>

NEEDED = (
    *("PATH", "HOME", "USER", "LOGNAME", "USERNAME", "SHELL", "PWD", "TMPDIR", "TMP", "TEMP", "TZ"),
    *("LANG", "LANGUAGE", "LC_*", "TERM", "COLORTERM", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"),
    *("XDG_*", "BROWSER", "DISPLAY", "XAUTHORITY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS"),
    *("GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "BITBUCKET_PR_DESTINATION_BRANCH"),
    *("SYSTEM_PULLREQUEST_TARGETBRANCH", "BUILDKITE_PULL_REQUEST_BASE_BRANCH", "CHANGE_TARGET"),
    *("CI", "GITHUB_ACTIONS", "GITLAB_CI", "TF_BUILD", "HARNESS_*", "_HARNESS_COMPLETE", "COMP_*"),
    *("PYTHON*", "VIRTUAL_ENV", "PYENV_*", "CONDA_PREFIX", "COVERAGE_*", "LD_*", "DYLD_*", "NIX_*"),
    *("PIP_*", "UV_*", "RUST_LOG", "RUST_BACKTRACE", "NETRC", "SSL_CERT_*", "REQUESTS_CA_BUNDLE"),
    *("CURL_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"),
    *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM"),
    *("GIT_CONFIG*", "GIT_EXEC_PATH", "GIT_OPTIONAL_LOCKS"),
    *("CC", "CXX", "CFLAGS", "CPPFLAGS", "CXXFLAGS", "LDFLAGS", "CMAKE_*", "MAKEFLAGS", "PKG_CONFIG_PATH"),
    *("OMP_*", "OPENBLAS_*", "MKL_*", "SYSTEMROOT", "PATHEXT", "COMSPEC", "APPDATA", "LOCALAPPDATA"),
    "DASK_*",
)
"""Globs of the variables that the controller, uv, pip, git and dask read; a matrix may read others."""

_SECRET_NAME = re.compile(
    r"PASSWORD|PASSWD|TOKEN|SECRET|KEY|CREDENTIAL|_USERNAME$|^GIT_CONFIG_(?:VALUE|PARAMETERS)"
)


def split_environment(environ: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The needed variables without credentials, and the needed ones with credentials."""
    needed = {
        name: value
        for name, value in environ.items()
        if any(fnmatch.fnmatchcase(name, glob) for glob in NEEDED) and not name.startswith("UV_PUBLISH_")
    }
    private = {name: value for name, value in needed.items() if _is_secret(name, value)}
    return {name: value for name, value in needed.items() if name not in private}, private


def _is_secret(name: str, value: str) -> bool:
    schemeless = name.lower().endswith("_proxy") and "@" in value  # user:password@host:3128
    return bool(_SECRET_NAME.search(name)) or schemeless or redact(value) != value


def protect_process() -> None:
    """Re-execute this process without secrets in its initial environment, and make its memory root-only.

    The first call does not return; in the new process ``os.environ`` holds all needed variables. Call it
    before threads, open files or children exist. Steps that the system does not support are skipped.
    """
    pid, _, descriptor = os.environ.pop(_STARTED, "").partition(":")
    if pid != str(os.getpid()):
        _start_again()
    elif descriptor:
        os.set_inheritable(int(descriptor), False)  # noqa: FBT003 - takes no keyword
        os.environ.update(_read(int(descriptor))["needed"])
        os.environ[_KEPT] = f"{pid}:{descriptor}"
    if sys.platform == "linux":
        # The files of this process in /proc then belong to root; those of its children are unaffected.
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _start_again() -> None:
    if os.name != "posix" or not sys.executable or not sys.orig_argv:
        return
    shown, private = split_environment(os.environ)
    others = {name: value for name, value in os.environ.items() if name not in shown and name not in private}
    descriptor = _make_anonymous_file()
    os.write(descriptor, json.dumps({"needed": private, "others": others}).encode())
    os.set_inheritable(descriptor, True)  # noqa: FBT003 - takes no keyword
    shown[_STARTED] = f"{os.getpid()}:{descriptor}"
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], shown)  # noqa: S606 - itself


def _make_anonymous_file() -> int:
    """A file without a name, in memory where the system has such files."""
    if hasattr(os, "memfd_create"):  # Linux
        return os.memfd_create("harness")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _read(descriptor: int) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(os.pread(descriptor, os.fstat(descriptor).st_size, 0))
    return found


def read_variables(names: Iterable[str]) -> dict[str, str]:
    """The variables of these names with which the command was started, without those that are not set."""
    pid, _, descriptor = os.environ.get(_KEPT, "").partition(":")
    others = _read(int(descriptor))["others"] if pid == str(os.getpid()) else {}
    known = {**others, **os.environ}
    return {name: known[name] for name in names if name in known}
