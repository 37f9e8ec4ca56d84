"""What the pipelines that `harness workflow` prints compare a change with."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

from support.pipelines import USUAL, parse, scripts
from support.repositories import git

from harness.gate.completion import find_merge_base
from harness.report.pipelines import Forge
from harness.report.workflows import render_workflow


def asked_base(forge: Forge, folder: Path, **variables: str) -> str:
    """What the pipeline gives the gate as --base, where it runs in this repository."""
    document = parse(render_workflow(forge, USUAL))
    (script,) = (each for each in scripts(forge, document) if "harness gate --base" in each)
    found = subprocess.run(
        ("bash", "-ec", f'harness() {{ printf "%s" "$3"; }}\n{script}'),
        cwd=folder,
        env={**os.environ, "FILE": "requirements.txt", "GATE_FILE": "requirements.txt", **variables},
        check=True,
        capture_output=True,
        text=True,
    )
    return found.stdout


def test_on_github_it_is_what_the_change_was_merged_into(tmp_path: Path) -> None:
    """The tip of the target may be ahead of that: the gate would judge other people's changes, in reverse."""
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "target")
    target = git(tmp_path, "rev-parse", "--short", "HEAD")
    git(tmp_path, "checkout", "-q", "-b", "change")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "change")
    git(tmp_path, "checkout", "-q", "main")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "ahead")
    git(tmp_path, "checkout", "-q", target)
    git(tmp_path, "merge", "-q", "--no-ff", "-m", "merge", "change")
    base = asked_base("github", tmp_path)
    assert asyncio.run(find_merge_base(base, tmp_path, {"GITHUB_BASE_REF": "main"})).commit == target


def test_on_gitlab_it_is_where_the_branch_left_the_target_or_what_it_is_merged_with(tmp_path: Path) -> None:
    left = {"CI_MERGE_REQUEST_DIFF_BASE_SHA": "left"}
    assert asked_base("gitlab", tmp_path, **left) == "left"
    merged = left | {"CI_MERGE_REQUEST_TARGET_BRANCH_SHA": "tip"}
    assert asked_base("gitlab", tmp_path, **merged) == "tip"
