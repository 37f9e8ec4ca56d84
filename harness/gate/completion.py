"""Complete the request of a gate without files: the dependency file, and the commit to compare it with."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping
from pathlib import Path

import msgspec

from harness.errors import UsageError
from harness.gate.request import UpgradeRequest
from harness.matrix.read import MATRICES, in_checkout, is_shipped, matrix_files
from harness.matrix.schema import Matrix
from harness.resolve.dependency_file import find_dependency_file
from harness.resolve.packages import Choice, make_choice
from harness.resolve.revisions import ask_git


async def complete_upgrade(
    upgrade: UpgradeRequest,
    base: str | None,
    matrix: Matrix,
    cwd: Path,
    environ: Mapping[str, str] = os.environ,
) -> tuple[UpgradeRequest, str]:
    """The request with both sides, and a note about what was completed; empty if nothing was.

    Without changes and files, the dependency file of the merge base is compared with that of the working
    tree. Changes alter the dependency file that the matrix names. Where a file is read, the matrix names the
    extras and groups that the request leaves open.

    Raises:
        UsageError: there is no dependency file or no merge base, or the matrix is not that of the project.
        MachineError: git is missing or does not answer.
    """
    if upgrade.changes and upgrade.from_file is None and matrix.gate_file is None:
        return upgrade, ""  # both sides are versions of the matrix
    upgrade = msgspec.structs.replace(upgrade, choice=complete_choice(upgrade.choice, matrix))
    if upgrade.changes:
        if upgrade.from_file is not None or matrix.gate_file is None:
            return upgrade, ""
        file = _relative(matrix.gate_file, cwd)
        return msgspec.structs.replace(upgrade, from_file=file), f"the baseline is {file}"
    if base is None and (upgrade.from_file is not None or upgrade.to_file is not None):
        return upgrade, ""
    file = upgrade.to_file or dependency_file_of(matrix, cwd, "--to")
    found = await find_merge_base(base, cwd, environ)
    path = posixpath.normpath(posixpath.join(found.prefix, file))
    note = f"{file} against that of {found.commit}, the merge base with {found.target}"
    return msgspec.structs.replace(upgrade, from_file=f"{found.commit}:{path}", to_file=file), note


def complete_choice(named: Choice, matrix: Matrix) -> Choice:
    """The extras and groups that a user names; where there are none of a kind, those of the matrix."""
    own = make_choice(matrix.gate.extras, matrix.gate.groups)
    return Choice(extras=named.extras or own.extras, groups=named.groups or own.groups)


def dependency_file_of(matrix: Matrix, cwd: Path, option: str) -> str:
    """The dependency file that a matrix names, else the one of the project, relative to ``cwd``.

    ``option`` is how a user names one.

    Raises:
        UsageError: there is none, or there are several.
    """
    return find_dependency_file(cwd, option) if matrix.gate_file is None else _relative(matrix.gate_file, cwd)


def _relative(file: Path, cwd: Path) -> str:
    return Path(os.path.relpath(file, cwd)).as_posix()


def refuse_foreign_matrix(matrix: Matrix, cwd: Path, *, alone: bool) -> None:
    """Refuse a shipped matrix for a project with a matrix of its own, or one without, if ``alone``.

    A shipped matrix judges the embedder of the harness, which says nothing about the service of the project.
    ``alone`` means that the request names neither a change nor a file.

    Raises:
        UsageError: the matrix is a shipped one; with the command that judges the service.
    """
    if in_checkout() or not is_shipped(matrix):
        return
    if own := matrix_files(cwd / MATRICES):
        listed = " or ".join(f"--matrix {MATRICES / file.name}" for file in own)
        raise UsageError(
            f"--matrix {matrix.name} judges the embedder of the harness, but this project has a matrix of "
            f"its own; use {listed}"
        )
    if alone:
        raise UsageError(
            f"this project has no matrix in {MATRICES}/; `harness init` writes one for its embedder"
        )


# The merge base of a change with its target branch.

TARGET_VARIABLES = (
    "GITHUB_BASE_REF",
    "CI_MERGE_REQUEST_TARGET_BRANCH_NAME",
    "BITBUCKET_PR_DESTINATION_BRANCH",
    "SYSTEM_PULLREQUEST_TARGETBRANCH",
    "BUILDKITE_PULL_REQUEST_BASE_BRANCH",
    "CHANGE_TARGET",  # Jenkins
)
"""Variables in which a CI names the target branch of a pull request."""

_USUAL_BRANCHES = ("main", "master")


class MergeBase(msgspec.Struct, frozen=True, kw_only=True):
    """The newest common commit of the working tree's branch and ``target``.

    ``prefix`` is the path of the folder of the caller in the repository, empty or with a slash at its end.
    """

    commit: str
    target: str
    prefix: str


async def find_merge_base(asked: str | None, cwd: Path, environ: Mapping[str, str] = os.environ) -> MergeBase:
    """The merge base of HEAD with a revision, else with the target branch of the CI, else of the remote.

    Raises:
        UsageError: there is no repository, no such revision, or no common commit; with the remedy.
        MachineError: git is missing or does not answer.
    """
    inside = await ask_git(cwd, "rev-parse", "--show-prefix")
    if inside.returncode != 0:
        raise UsageError(
            f"{cwd} is in no git repository, so there is nothing to compare with; name the upgrade, such as "
            "`harness gate numpy==2.4.6`, or both files with --from FILE --to FILE"
        )
    named = await _names_of_target(asked, cwd, environ)
    for target in named:
        if await _read_git(
            cwd, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{target}^{{commit}}"
        ):
            break
    else:
        raise UsageError(await _describe_missing(asked, named, cwd))
    commit = await _read_git(cwd, "merge-base", "--end-of-options", target, "HEAD")
    if not commit:
        shallow = await _describe_shallow(cwd)
        why = shallow or "their histories are unrelated; name another revision with --base"
        raise UsageError(f"{target} and HEAD have no common commit here: {why}")
    short = await _read_git(cwd, "rev-parse", "--short", commit)
    return MergeBase(commit=short or commit, target=target, prefix=inside.stdout.strip())


async def _names_of_target(asked: str | None, cwd: Path, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The names under which the target may be known here, the best first."""
    if asked is not None:
        return (asked,)
    remotes = (await _read_git(cwd, "remote")).split()
    remote = "origin" if "origin" in remotes or not remotes else remotes[0]
    branch = next((environ[name] for name in TARGET_VARIABLES if environ.get(name)), "")
    if branch := branch.removeprefix("refs/heads/"):
        return (f"{remote}/{branch}", branch)
    if not remotes:
        return ()
    default = await _read_git(cwd, "symbolic-ref", "--quiet", "--short", f"refs/remotes/{remote}/HEAD")
    return (default,) if default else tuple(f"{remote}/{name}" for name in _USUAL_BRANCHES)


async def _describe_missing(asked: str | None, named: tuple[str, ...], cwd: Path) -> str:
    if shallow := await _describe_shallow(cwd):
        return f"git has no {' or '.join(named) or 'remote'} here: {shallow}"
    if asked is not None:
        return f"--base {asked}: git has no such revision here; fetch it, or name another one"
    if not named:
        return "this repository has no remote; name the revision to compare with, such as --base main"
    return f"git has no {' or '.join(named)} here; run `git fetch`, or name a revision with --base"


async def _describe_shallow(cwd: Path) -> str:
    """The remedy for a clone without its history; empty for a whole one."""
    if await _read_git(cwd, "rev-parse", "--is-shallow-repository") != "true":
        return ""
    return (
        "the clone is shallow; fetch all of it (`git fetch --unshallow origin "
        "'+refs/heads/*:refs/remotes/origin/*'`; GitHub: fetch-depth: 0; GitLab: GIT_DEPTH: \"0\")"
    )


async def _read_git(cwd: Path, *arguments: str) -> str:
    done = await ask_git(cwd, *arguments)
    return done.stdout.strip() if done.returncode == 0 else ""
