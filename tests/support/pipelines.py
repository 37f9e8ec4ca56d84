"""Pipelines to be printed, and how their text is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from ruamel.yaml import YAML

from harness.report.workflows import Forge, Pipeline

FORGES: tuple[Forge, ...] = get_args(Forge)
USUAL = Pipeline(file="requirements.txt", matrix="compat", install="git+https://example.org/x@0123456")
ODD = Pipeline(
    file="app one/locked.txt",
    matrix="matrices/My service.toml",
    install="harness[x] @ file:///a \"b\" 'c' {{ d }} # e",
    budget="90s",
    python="3.12",
    extras=("cpu", "embedding-1"),
    groups=("serve",),
    pass_env=("TEAM_TOKEN", "NO", "GITHUB_TOKEN", "GITHUB_SHA", "CI_JOB_TOKEN"),
)
"""``NO`` is a truth value in YAML."""


def parse(text: str) -> Any:
    return YAML(typ="safe").load(text)


def scripts(forge: Forge, document: Any) -> Iterator[str]:
    """Every script of a pipeline."""
    if forge == "github":
        yield from (
            step["run"] for job in document["jobs"].values() for step in job["steps"] if "run" in step
        )
        return
    for job in document.values():
        yield from (*job.get("script", ()), *job.get("after_script", ()))
