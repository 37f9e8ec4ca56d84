"""The commit that a run belongs to."""

from __future__ import annotations

import os
from pathlib import Path

from harness.processes import run

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
