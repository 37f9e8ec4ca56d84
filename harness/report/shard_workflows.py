"""CI pipelines that sweep a matrix on several machines: plan, sweep every shard, merge."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import pairwise

from harness.report.pipelines import (
    Forge,
    check_common,
    check_variables,
    list_variables,
    load_template,
    name_group,
)

LARGEST: dict[Forge, int] = {"github": 256, "gitlab": 200}
"""The most jobs of ``strategy.matrix`` (docs.github.com/en/actions/reference/limits) and of ``parallel``
(docs.gitlab.com/ci/yaml/#parallel), as of 2026-11; more shards are divided into several such jobs."""

MAX_SHARDS = 10_000
"""The most shards of a pipeline: 40 jobs with a matrix each, far below the 500 KB that GitHub allows."""

_OWN_VARIABLES: dict[Forge, re.Pattern[str]] = {
    "github": re.compile(r"SWEEP_.*"),
    "gitlab": re.compile(r"SWEEP_.*|RUNNER_.*_TIMEOUT"),
}
"""Variables of the pipeline itself, which a variable of the matrix would replace."""


@dataclass(frozen=True, kw_only=True)
class ShardPipeline:
    """The settings of a pipeline that sweeps at most ``shards`` shards; see ``Pipeline`` for the others."""

    matrix: str
    install: str
    shards: int
    python: str = "3.11"
    pass_env: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Group:
    """The shards of one job with a matrix: from ``first`` to ``last``."""

    job: str
    first: int
    last: int


def render_shard_workflow(forge: Forge, pipeline: ShardPipeline) -> str:
    """Render the pipeline of a forge as YAML.

    Raises:
        UsageError: a value has a special meaning in YAML or in a shell.
    """
    check_common(pipeline.matrix, pipeline.install, pipeline.python)
    check_variables(pipeline.pass_env, _OWN_VARIABLES[forge])
    name = name_group("sweep", pipeline.matrix)
    return load_template(f"{forge}_shards.yml.j2").render(
        name=name,
        groups=_divide("sweep" if forge == "github" else name, pipeline.shards, LARGEST[forge]),
        shards=pipeline.shards,
        matrix=json.dumps(pipeline.matrix),
        install=json.dumps(pipeline.install),
        python=json.dumps(pipeline.python),
        image=json.dumps(f"python:{pipeline.python}"),
        variables=list_variables(forge, pipeline.pass_env),
    )


def _divide(job: str, count: int, largest: int) -> list[_Group]:
    """Groups of about equal size, none larger than allowed; a single one has the plain name of the job."""
    groups = -(-count // largest)
    ends = [count * group // groups for group in range(groups + 1)]
    return [
        _Group(job if groups == 1 else f"{job}-{number}", before + 1, last)
        for number, (before, last) in enumerate(pairwise(ends), 1)
    ]
