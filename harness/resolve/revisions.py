"""Read text from disk or from a git revision (``main:requirements.txt``), and the commit of a checkout."""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass
from pathlib import Path, PurePath

from harness.errors import MachineError, UsageError
from harness.input_files import decode_text, exists, is_descriptor, read_input_in_loop
from harness.processes import Completed, run
from harness.redaction import redact

CHANGED = "+changes"
"""Suffix of a commit id if tracked files differed from the commit."""

_GIT_SECONDS = 10.0


async def read_revision(folder: Path) -> str:
    """The commit checked out around ``folder``; empty without a repository or git, or after a time-out.

    A run does not depend on it, so nothing is raised.
    """
    try:
        head = await _try_git(folder, "rev-parse", "--verify", "--quiet", "HEAD")
        changes = await _try_git(folder, "status", "--porcelain", "--untracked-files=no") if head else ""
    except (OSError, TimeoutError):
        return ""
    return f"{head}{CHANGED}" if changes else head


async def _try_git(folder: Path, *arguments: str) -> str:
    env = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}  # must not block a commit of the user
    done = await run(("git", *arguments), env=env, cwd=folder, timeout=_GIT_SECONDS)
    return done.stdout.strip() if done.returncode == 0 else ""


GIT_SECONDS = 60.0

MAX_LINKS = 8
_LINK = "120000"
"""The mode of a symbolic link in git."""


@dataclass(frozen=True)
class Place:
    """A file on disk, or in a git ``revision`` with a path from the root of the repository.

    As in git itself, a path that begins with ``./`` or ``../`` is relative to the folder of the caller.
    """

    path: str
    revision: str = ""

    def __str__(self) -> str:
        """The notation of the command line, without credentials: dependency files may name URLs."""
        return redact(f"{self.revision}:{self.path}" if self.revision else self.path)

    @property
    def name(self) -> str:
        """The last part of its path."""
        return PurePath(self.path).name

    def join(self, other: str) -> Place:
        """The file at a path relative to the folder of this one."""
        if self.revision:
            path = posixpath.normpath(posixpath.join(posixpath.dirname(self.path), other))
            here = self._is_relative and not path.startswith("../")
            return Place(f"./{path}" if here else path, self.revision)
        if is_descriptor(Path(self.path)):  # a pipe has no folder: relative to the working directory
            return Place(other)
        return Place(str(Path(self.path).parent / other))

    @property
    def _is_relative(self) -> bool:
        return self.path.startswith(("./", "../"))

    @property
    def root(self) -> tuple[str, ...]:
        """The option of ``git ls-tree`` for the base folder of the path."""
        return () if self._is_relative else ("--full-tree",)

    @property
    def key(self) -> tuple[str, str]:
        """Equal for the same file by name, which detects files that include each other."""
        return self.revision, os.path.normpath(self.path)


def parse_place(text: str) -> Place:
    """Parse the argument of the user: an existing file, else ``REV:path`` if it has a colon."""
    revision, colon, path = text.partition(":")
    if not colon or not revision or not path:
        return Place(text)
    return Place(text) if exists(Path(text)) else Place(path, revision)


async def read_place(place: Place, cwd: Path) -> str:
    """Read the text at a place; ``cwd`` is the base of paths on disk, and the folder that git runs in.

    Raises:
        UsageError: the file or revision is missing, not a regular file or pipe, too large, or not text.
        MachineError: git is missing or does not answer.
    """
    if place.revision:
        return await _read_revision(place, cwd)
    return decode_text(await read_input_in_loop(cwd / place.path, str(place)), place)


async def _read_revision(place: Place, cwd: Path, links: int = MAX_LINKS) -> str:
    asked = f"{place.revision}^{{commit}}"
    found = await ask_git(cwd, "rev-parse", "--verify", "--quiet", "--end-of-options", asked)
    if "not a git repository" in found.stderr:
        raise UsageError(f"{place}: no such file, and {cwd} is in no git repository")
    message = redact(" ".join(found.stderr.split()))
    if found.returncode != 0 and message:
        raise MachineError(f"{place}: git failed: {message[:400]}")
    if found.returncode != 0:  # git prints no message for a missing revision
        raise UsageError(
            f"{place}: no such file, and no git revision {place.revision!r} here (is the clone shallow?)"
        )
    commit = found.stdout.strip()
    shown = await ask_git(cwd, "cat-file", "blob", f"{commit}:{place.path}")
    if shown.returncode != 0:
        raise UsageError(f"{place}: git revision {place.revision!r} has no file {place.path!r}")
    listed = await ask_git(cwd, "ls-tree", *place.root, commit, "--", place.path)
    if listed.stdout.startswith(
        _LINK
    ):  # the content of a link is its target, which would be parsed as a package
        if not links:
            raise UsageError(f"{place}: a symbolic link that leads to more than {MAX_LINKS} others")
        return await _read_revision(place.join(shown.stdout), cwd, links - 1)
    return decode_text(shown.raw, place)


async def ask_git(cwd: Path, *arguments: str) -> Completed:
    """Run git in a folder; the caller interprets its exit code.

    Raises:
        MachineError: git is missing or does not answer.
    """
    try:
        # In English: the message decides the kind of the error.
        env = os.environ | {"LC_ALL": "C"}
        return await run(("git", *arguments), env=env, cwd=cwd, timeout=GIT_SECONDS)
    except FileNotFoundError:
        raise MachineError("there is no git on this machine; name a file instead of a git revision") from None
    except TimeoutError:
        raise MachineError(
            f"git did not answer within {GIT_SECONDS:.0f} s: git {' '.join(arguments)}"
        ) from None
