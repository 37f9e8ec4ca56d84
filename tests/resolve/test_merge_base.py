"""The commit that a change is compared with, in real repositories and clones."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.repositories import commit, git, make_repository

from harness.errors import UsageError
from harness.protection import split_environment
from harness.resolve.merge_base import TARGET_VARIABLES, MergeBase, find_merge_base

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="no git here")


def find(folder: Path, asked: str | None = None, environ: Mapping[str, str] = {}) -> MergeBase:
    return asyncio.run(find_merge_base(asked, folder, environ))


def refused(folder: Path, asked: str | None = None, environ: Mapping[str, str] = {}) -> str:
    with pytest.raises(UsageError) as raised:
        find(folder, asked, environ)
    return str(raised.value)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone on a branch that left ``main`` at its first commit; ``main`` and ``next`` have gone on."""
    make_repository(tmp_path / "remote", a="one")
    git(tmp_path, "clone", "--quiet", "remote", "clone")
    git(tmp_path / "clone", "checkout", "--quiet", "-b", "change")
    commit(tmp_path / "clone", a="changed")
    commit(tmp_path / "remote", a="two")
    git(tmp_path / "remote", "checkout", "--quiet", "-b", "next")
    git(tmp_path / "clone", "fetch", "--quiet")
    (tmp_path / "clone" / "inner").mkdir()
    return tmp_path / "clone"


def test_the_default_branch_of_the_remote_is_the_target(clone: Path) -> None:
    left = git(clone, "rev-parse", "--short", "HEAD^")
    assert find(clone) == MergeBase(commit=left, target="origin/main", prefix="")
    assert find(clone / "inner") == MergeBase(commit=left, target="origin/main", prefix="inner/")
    git(clone, "remote", "set-head", "origin", "--delete")
    assert find(clone).target == "origin/main"  # by its usual name


@pytest.mark.parametrize("variable", TARGET_VARIABLES)
def test_the_target_branch_of_the_ci_is_taken(clone: Path, variable: str) -> None:
    assert find(clone, environ={variable: "next"}).target == "origin/next"
    assert find(clone, environ={variable: "refs/heads/next"}).target == "origin/next"
    assert split_environment({variable: "next"})[0] == {variable: "next"}  # it reaches the command


def test_a_named_revision_is_taken(clone: Path) -> None:
    named = find(clone, "HEAD^1", {"GITHUB_BASE_REF": "next"})
    assert named == MergeBase(commit=git(clone, "rev-parse", "--short", "HEAD^"), target="HEAD^1", prefix="")


@pytest.mark.parametrize("environ", [{}, {"GITHUB_BASE_REF": "main"}])
def test_a_shallow_clone_is_told_how_to_get_the_rest(clone: Path, environ: dict[str, str]) -> None:
    git(clone.parent / "remote", "checkout", "--quiet", "main")
    git(clone.parent / "remote", "fetch", "--quiet", str(clone), "change:change")
    url = (clone.parent / "remote").as_uri()
    git(clone.parent, "clone", "--quiet", "--depth", "1", "--branch", "change", url, "shallow")
    shallow = clone.parent / "shallow"
    said = refused(shallow, environ=environ)
    assert said.startswith("git has no origin/main or ")
    assert "here: the clone is shallow; fetch all of it (`git fetch --unshallow origin '+refs/heads" in said
    git(shallow, "fetch", "--quiet", "--depth", "1", "origin", "main:refs/remotes/origin/main")
    assert refused(shallow, environ=environ).startswith(
        "origin/main and HEAD have no common commit here: the"
    )
    git(shallow, "fetch", "--quiet", "--unshallow", "origin", "+refs/heads/*:refs/remotes/origin/*")
    assert find(shallow, environ=environ).commit == find(clone).commit


def test_what_cannot_be_compared_is_refused_with_the_remedy(clone: Path, tmp_path: Path) -> None:
    alone = make_repository(tmp_path / "alone", a="one")
    assert (
        refused(alone)
        == "this repository has no remote; name the revision to compare with, such as --base main"
    )
    assert refused(clone, "nope").startswith("--base nope: git has no such revision here; fetch it")
    assert refused(clone, environ={"CHANGE_TARGET": "gone"}) == (
        "git has no origin/gone or gone here; run `git fetch`, or name a revision with --base"
    )
    (tmp_path / "none").mkdir()
    assert refused(tmp_path / "none").startswith(f"{tmp_path / 'none'} is in no git repository, so there is ")
    git(clone, "checkout", "--quiet", "--orphan", "other")
    commit(clone, a="unrelated")
    assert refused(clone).endswith("their histories are unrelated; name another revision with --base")
