"""Text on disk or in a git revision (``main:requirements.txt``), and the commit of a checkout."""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass
from pathlib import Path, PurePath

from harness.errors import MachineError, UsageError
from harness.processes import Completed, run
from harness.reading import decode_text, exists, is_descriptor, read_input_in_loop
from harness.redaction import redact

# The commit that a run belongs to.

CHANGED = "+changes"
"""Follows a commit when tracked files differed from it: the commit alone does not say what was run."""

_GIT_SECONDS = 10.0


async def read_revision(folder: Path) -> str:
    """The commit that is checked out around ``folder``; empty without a repository, without git, or too late.

    A run is worth having without it, so nothing is raised.
    """
    try:
        head = await _ask_git(folder, "rev-parse", "--verify", "--quiet", "HEAD")
        changes = await _ask_git(folder, "status", "--porcelain", "--untracked-files=no") if head else ""
    except (OSError, TimeoutError):
        return ""
    return f"{head}{CHANGED}" if changes else head


async def _ask_git(folder: Path, *arguments: str) -> str:
    env = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}  # looking must not get in the way of somebody's commit
    done = await run(("git", *arguments), env=env, cwd=folder, timeout=_GIT_SECONDS)
    return done.stdout.strip() if done.returncode == 0 else ""


GIT_SECONDS = 60.0

MOST_LINKS = 8
_LINK = "120000"
"""What git says of a symbolic link."""


@dataclass(frozen=True)
class Place:
    """A file; one of a git ``revision`` has its path from the root of the repository.

    Where that begins with ``./`` or ``../`` it is, as for git itself, relative to the folder of the caller.
    """

    path: str
    revision: str = ""

    def __str__(self) -> str:
        """As a person writes it, without credentials: dependency files may name addresses."""
        return redact(f"{self.revision}:{self.path}" if self.revision else self.path)

    @property
    def name(self) -> str:
        """The last part of its path."""
        return PurePath(self.path).name

    def beside(self, other: str) -> Place:
        """The file that this one names relative to itself."""
        if self.revision:
            path = posixpath.normpath(posixpath.join(posixpath.dirname(self.path), other))
            here = self._is_relative and not path.startswith("../")
            return Place(f"./{path}" if here else path, self.revision)
        if is_descriptor(Path(self.path)):  # a pipe lies nowhere: relative to the working directory
            return Place(other)
        return Place(str(Path(self.path).parent / other))

    @property
    def _is_relative(self) -> bool:
        return self.path.startswith(("./", "../"))

    @property
    def root(self) -> tuple[str, ...]:
        """What tells ``git ls-tree`` where its paths begin."""
        return () if self._is_relative else ("--full-tree",)

    @property
    def key(self) -> tuple[str, str]:
        """Equal for the same file, by its name: enough to see that files name each other in a circle."""
        return self.revision, os.path.normpath(self.path)


def parse_place(text: str) -> Place:
    """The place that a person means: a file that is there, else ``REV:path`` where there is a colon."""
    revision, colon, path = text.partition(":")
    if not colon or not revision or not path:
        return Place(text)
    return Place(text) if exists(Path(text)) else Place(path, revision)


async def read_place(place: Place, cwd: Path) -> str:
    """The text that lies there; git is asked in ``cwd``, and paths on disk are relative to it.

    Raises:
        UsageError: no such file or revision, no regular file or pipe, too large, or no text.
        MachineError: there is no git, or it does not answer.
    """
    if place.revision:
        return await _read_revision(place, cwd)
    return decode_text(await read_input_in_loop(cwd / place.path, str(place)), place)


async def _read_revision(place: Place, cwd: Path, links: int = MOST_LINKS) -> str:
    asked = f"{place.revision}^{{commit}}"
    found = await _git(cwd, "rev-parse", "--verify", "--quiet", "--end-of-options", asked)
    if "not a git repository" in found.stderr:
        raise UsageError(f"{place}: no such file, and {cwd} is in no git repository")
    said = redact(" ".join(found.stderr.split()))
    if found.returncode != 0 and said:
        raise MachineError(f"{place}: git cannot say: {said[:400]}")
    if found.returncode != 0:  # a revision that is not there has no words
        raise UsageError(
            f"{place}: no such file, and no git revision {place.revision!r} here (is the clone shallow?)"
        )
    commit = found.stdout.strip()
    shown = await _git(cwd, "cat-file", "blob", f"{commit}:{place.path}")
    if shown.returncode != 0:
        raise UsageError(f"{place}: git revision {place.revision!r} has no file {place.path!r}")
    listed = await _git(cwd, "ls-tree", *place.root, commit, "--", place.path)
    if listed.stdout.startswith(_LINK):  # its content is where it leads, which would be read as a package
        if not links:
            raise UsageError(f"{place}: a symbolic link that leads to more than {MOST_LINKS} others")
        return await _read_revision(place.beside(shown.stdout), cwd, links - 1)
    return shown.stdout.removeprefix("\ufeff")


async def _git(cwd: Path, *arguments: str) -> Completed:
    try:
        # In English: what it says decides whose fault it is.
        env = os.environ | {"LC_ALL": "C"}
        return await run(("git", *arguments), env=env, cwd=cwd, timeout=GIT_SECONDS)
    except FileNotFoundError:
        raise MachineError("there is no git on this machine; name a file instead of a git revision") from None
    except TimeoutError:
        raise MachineError(
            f"git did not answer within {GIT_SECONDS:.0f} s: git {' '.join(arguments)}"
        ) from None
