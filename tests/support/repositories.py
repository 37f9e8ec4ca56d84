"""Git repositories of a test."""

from __future__ import annotations

import subprocess
from pathlib import Path


def git(folder: Path, *arguments: str) -> str:
    names = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
    argv = ("git", *names, "-c", "protocol.file.allow=always", *arguments)
    return subprocess.run(argv, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path, **files: str) -> str:
    """Commit these files (``requirements`` is requirements.txt), and return the id of the commit."""
    for name, text in files.items():
        (folder / f"{name}.txt").write_text(text.replace(" ", "\n") + "\n", encoding="utf-8")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", "a change")
    return git(folder, "rev-parse", "HEAD")


def make_repository(folder: Path, **files: str) -> Path:
    """A repository with the branch ``main`` and one commit."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet", "-b", "main")
    commit(folder, **files)
    return folder
