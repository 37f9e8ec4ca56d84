"""Pipelines to be printed, and how their text is read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from ruamel.yaml import YAML

from harness.report.audit_workflows import AuditPipeline
from harness.report.pipelines import Forge
from harness.report.shard_workflows import ShardPipeline
from harness.report.workflows import Home, Pipeline

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


ROOT = Path(__file__).parents[2]
ACTIONS = {name: ROOT / ".github" / "actions" / name / "action.yml" for name in ("gate", "comment")}
GITLAB_FILE = ROOT / ".gitlab" / "gate.yml"
HOME = Home(host="github.com", path="team/harness", ref="0123456789abcdef0123456789abcdef01234567")
SHORT = replace(USUAL, home=HOME)
SHORT_ODD = replace(ODD, install=f"git+https://gitlab.com/team/harness@{HOME.ref}", home=HOME)
SWEEP = ShardPipeline(matrix="compat", install=USUAL.install, shards=8)
SWEEP_ODD = ShardPipeline(
    matrix=ODD.matrix, install=ODD.install, shards=600, python="3.12", pass_env=ODD.pass_env
)
AUDIT = AuditPipeline(path="src", install=USUAL.install)
AUDIT_ODD = AuditPipeline(path="app one/", install=ODD.install, python="3.12")


def read_action(name: str) -> Any:
    return parse(ACTIONS[name].read_text(encoding="utf-8"))


def step_of(steps: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """The step with this name."""
    (found,) = (each for each in steps if each.get("name") == name)
    return found


def include_gitlab(text: str) -> Any:
    """The pipeline that GitLab makes of a short one: the shared file with its inputs filled in."""
    (include,) = parse(text)["include"]
    head, body = GITLAB_FILE.read_text(encoding="utf-8").split("\n---\n")
    inputs = parse(head)["spec"]["inputs"]
    given = include["inputs"]
    assert set(given) <= set(inputs)
    values = {name: given.get(name, each.get("default")) for name, each in inputs.items()}
    assert [name for name, value in values.items() if value is None] == []
    for name, each in inputs.items():
        assert re.fullmatch(each.get("regex", ".*"), values[name]), name
    return fill(parse(body), values)


def fill(node: Any, values: dict[str, str]) -> Any:
    """A parsed document with its inputs replaced by values."""
    if isinstance(node, str):
        return re.sub(r"\$\[\[ inputs\.([a-z-]+) \]\]", lambda found: values[found[1]], node)
    if isinstance(node, dict):
        return {fill(name, values): fill(each, values) for name, each in node.items()}
    return [fill(each, values) for each in node] if isinstance(node, list) else node


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
