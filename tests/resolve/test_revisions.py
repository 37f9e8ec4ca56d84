"""The commit that is told of a run."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.resolve.revisions import read_revision


def git(folder: Path, *arguments: str) -> str:
    names = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main")
    return subprocess.run(
        ["git", *names, *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.skipif(shutil.which("git") is None, reason="no git here")
def test_the_commit_is_that_of_the_repository_and_says_when_files_differ(tmp_path: Path) -> None:
    def revision() -> str:
        return asyncio.run(read_revision(tmp_path))

    assert revision() == ""
    git(tmp_path, "init", "-q")
    assert revision() == ""
    (tmp_path / "a").write_text("1", encoding="utf-8")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-q", "-m", "one")
    head = git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / "untracked").touch()
    assert revision() == head
    (tmp_path / "a").write_text("2", encoding="utf-8")
    assert revision() == f"{head}+changes"
