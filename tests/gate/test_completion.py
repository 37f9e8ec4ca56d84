"""A gate that names less than both sides: what is compared with what, and what is refused."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.plan_texts import PLAIN, put_matrix
from support.repositories import commit, git, make_repository
from support.upgrades import World, moves, world_fixture  # noqa: F401 - fixtures

from harness.errors import UsageError
from harness.gate.completion import (
    TARGET_VARIABLES,
    MergeBase,
    complete_upgrade,
    find_merge_base,
    refuse_foreign_matrix,
)
from harness.gate.request import UpgradeRequest, compare
from harness.matrix.read import read_matrix, shipped_matrices
from harness.matrix.schema import Matrix
from harness.protection import split_environment
from harness.resolve.packages import Choice

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="no git here")

NAMED = PLAIN + '\n[gate]\nfile = "../requirements.txt"\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A branch on which NumPy was upgraded, in the working tree alone."""
    folder = make_repository(tmp_path / "project", requirements="numpy==1.26.2 sentence-transformers==3.3.1")
    git(folder, "checkout", "--quiet", "-b", "change")
    (folder / "requirements.txt").write_text("numpy==2.0.2\nsentence-transformers==3.3.1\n", encoding="utf-8")
    put_matrix(folder / "matrices", NAMED)
    return folder


def complete(
    project: Path, *changes: str, base: str | None = None, matrix: Matrix | None = None, **files: str
) -> tuple[UpgradeRequest, str]:
    asked = UpgradeRequest(changes=changes, from_file=files.get("from_file"), to_file=files.get("to_file"))
    found = matrix or read_matrix(project / "matrices" / "mine.toml")
    return asyncio.run(complete_upgrade(asked, base, found, project, {}))


def test_without_arguments_the_working_tree_is_compared_with_the_merge_base(
    project: Path, world: World
) -> None:
    left = git(project, "rev-parse", "--short", "main")
    upgrade, note = complete(project, base="main")
    assert (upgrade.from_file, upgrade.to_file) == (f"{left}:requirements.txt", "requirements.txt")
    assert note == f"requirements.txt against that of {left}, the merge base with main"
    assert moves(asyncio.run(compare(upgrade, *world, project))) == {"!numpy": "1.26.2 2.0.2"}


def test_a_file_below_the_root_of_the_repository(project: Path) -> None:
    inner = project / "services" / "search"
    put_matrix(inner / "matrices", PLAIN)
    commit(inner, requirements="numpy==1.26.2")
    upgrade, _ = complete(inner, base="HEAD")
    left = git(project, "rev-parse", "--short", "HEAD")
    assert upgrade.from_file == f"{left}:services/search/requirements.txt"
    assert upgrade.to_file == "requirements.txt"


def test_the_file_of_the_matrix_is_the_baseline_of_changes(project: Path) -> None:
    upgrade, note = complete(project, "numpy==2.4.6")
    assert (upgrade.from_file, upgrade.to_file, note) == (
        "requirements.txt",
        None,
        "the baseline is requirements.txt",
    )
    plain = read_matrix(put_matrix(project / "plain"))
    assert complete(project, "numpy==2.4.6", matrix=plain)[0].from_file is None
    assert complete(project, "numpy==2.4.6", from_file="a.txt")[0].from_file == "a.txt"


def test_files_that_are_named_stay(project: Path) -> None:
    same = complete(project, from_file="main:a.txt", to_file="a.txt")
    assert same == (UpgradeRequest(from_file="main:a.txt", to_file="a.txt"), "")
    based, _ = complete(project, base="main", to_file="requirements.txt")
    assert based.from_file == f"{git(project, 'rev-parse', '--short', 'main')}:requirements.txt"


@pytest.mark.parametrize(
    ("named", "used"),
    [
        (Choice(), Choice(extras=("the-embedding",), groups=("serve",))),
        (Choice(extras=("gpu",)), Choice(extras=("gpu",), groups=("serve",))),
        (Choice(extras=("gpu",), groups=("dev",)), Choice(extras=("gpu",), groups=("dev",))),
    ],
)
def test_the_matrix_chooses_from_a_lock_what_no_option_names(
    project: Path, named: Choice, used: Choice
) -> None:
    text = f'{NAMED}extras = ["The_Embedding"]\ngroups = ["serve"]\n'
    matrix = read_matrix(put_matrix(project / "matrices", text))
    plain = read_matrix(put_matrix(project / "plain", text.replace("file =", "# file =")))
    for asked in (
        UpgradeRequest(choice=named),
        UpgradeRequest(changes=("numpy==2.4.6",), choice=named),
        UpgradeRequest(from_file="a.txt", to_file="b.txt", choice=named),
    ):
        assert asyncio.run(complete_upgrade(asked, "main", matrix, project, {}))[0].choice == used
    changes = UpgradeRequest(changes=("numpy==2.4.6",))
    assert asyncio.run(complete_upgrade(changes, None, plain, project, {})) == (changes, "")


def test_without_a_dependency_file_nothing_is_compared(project: Path) -> None:
    (project / "requirements.txt").unlink()
    with pytest.raises(UsageError, match="has no dependency file; name one, such as --to deploy/"):
        complete(project, base="main", matrix=read_matrix(put_matrix(project / "plain")))


def test_a_shipped_matrix_judges_no_service(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    shipped = read_matrix(shipped_matrices() / "compat.toml")
    with pytest.raises(UsageError, match=r"its own; use --matrix matrices/mine\.toml$"):
        refuse_foreign_matrix(shipped, project, alone=False)
    own = project / "matrices" / "mine.toml"
    refuse_foreign_matrix(read_matrix(own), project, alone=True)
    own.unlink()
    refuse_foreign_matrix(shipped, project, alone=False)
    with pytest.raises(UsageError, match="has no matrix in matrices/; `harness init` writes one"):
        refuse_foreign_matrix(shipped, project, alone=True)


# The merge base, in real repositories and clones.


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
