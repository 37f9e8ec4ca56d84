"""Find the commit that a change is compared with: the merge base with its target branch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from harness.errors import UsageError
from harness.resolve.revisions import ask_git

TARGET_VARIABLES = (
    "GITHUB_BASE_REF",
    "CI_MERGE_REQUEST_TARGET_BRANCH_NAME",
    "BITBUCKET_PR_DESTINATION_BRANCH",
    "SYSTEM_PULLREQUEST_TARGETBRANCH",
    "BUILDKITE_PULL_REQUEST_BASE_BRANCH",
    "CHANGE_TARGET",  # Jenkins
)
"""Variables in which a CI names the target branch of a pull request."""

_USUAL = ("main", "master")


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
    named = await _names_of(asked, cwd, environ)
    for target in named:
        if await _read(cwd, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{target}^{{commit}}"):
            break
    else:
        raise UsageError(await _describe_missing(asked, named, cwd))
    commit = await _read(cwd, "merge-base", "--end-of-options", target, "HEAD")
    if not commit:
        shallow = await _describe_shallow(cwd)
        why = shallow or "their histories are unrelated; name another revision with --base"
        raise UsageError(f"{target} and HEAD have no common commit here: {why}")
    short = await _read(cwd, "rev-parse", "--short", commit)
    return MergeBase(commit=short or commit, target=target, prefix=inside.stdout.strip())


async def _names_of(asked: str | None, cwd: Path, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The names under which the target may be known here, the best first."""
    if asked is not None:
        return (asked,)
    remotes = (await _read(cwd, "remote")).split()
    remote = "origin" if "origin" in remotes or not remotes else remotes[0]
    branch = next((environ[name] for name in TARGET_VARIABLES if environ.get(name)), "")
    if branch := branch.removeprefix("refs/heads/"):
        return (f"{remote}/{branch}", branch)
    if not remotes:
        return ()
    default = await _read(cwd, "symbolic-ref", "--quiet", "--short", f"refs/remotes/{remote}/HEAD")
    return (default,) if default else tuple(f"{remote}/{name}" for name in _USUAL)


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
    if await _read(cwd, "rev-parse", "--is-shallow-repository") != "true":
        return ""
    return (
        "the clone is shallow; fetch all of it (`git fetch --unshallow origin "
        "'+refs/heads/*:refs/remotes/origin/*'`; GitHub: fetch-depth: 0; GitLab: GIT_DEPTH: \"0\")"
    )


async def _read(cwd: Path, *arguments: str) -> str:
    done = await ask_git(cwd, *arguments)
    return done.stdout.strip() if done.returncode == 0 else ""
