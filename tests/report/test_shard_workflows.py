"""The pipelines of a sweep on several machines: how shards are divided, and what the last job says."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.command_line import command
from support.pipelines import FORGES, SWEEP_ODD, parse, step_of
from support.plan_texts import PLAIN, put_matrix
from support.shards import CELLS, cut, sweep

from harness.cli.main import cli
from harness.errors import UsageError
from harness.report.pipelines import Forge
from harness.report.shard_workflows import ShardPipeline, render_shard_workflow

HARNESS = """\
#!/bin/sh
echo "$@" >> "$TOLD"
case "$1" in
  cells) echo "$COUNT" ;;
  sweep)
    number=${5%/*}
    mkdir -p reports/runs
    cp -R "$LEFT/$number/runs/." reports/runs/ || exit 137 # killed before it left anything
    exit 4 ;; # as a shard without an answer, which is for the last job to judge
  merge) exit 99 ;;
esac
"""


class Machines:
    """Runs the scripts of a pipeline, each job in a folder of its own, with a harness that only pretends."""

    def __init__(self, folder: Path, left: Path, count: int = 2) -> None:
        self.folder, self.told = folder, folder / "told"
        (folder / "bin").mkdir()
        (folder / "bin" / "harness").write_text(HARNESS)
        (folder / "bin" / "python").write_text("#!/bin/sh\n")  # pip
        for tool in (folder / "bin").iterdir():
            tool.chmod(0o755)
        self.env = {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "TOLD": str(self.told),
            "LEFT": str(left),
            "COUNT": str(count),
        }

    def run(self, job: str, script: str, **variables: str) -> int:
        folder = self.folder / job
        folder.mkdir(exist_ok=True)
        own = {name: str(folder / name) for name in ("RUNNER_TEMP", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        argv = ("bash", "-eo", "pipefail", "-c", script)
        return subprocess.run(argv, cwd=folder, env=self.env | own | variables, check=False).returncode

    def read(self, job: str, name: str) -> dict[str, str]:
        """The variables that a job wrote into a file."""
        lines = (self.folder / job / name).read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What both shards of a sweep without a fault leave."""
    folder = tmp_path_factory.mktemp("left")
    for number in (1, 2):
        sweep(folder / str(number), cut(number, 2, cells=(*CELLS[:2], CELLS[3]), scenarios=()))
    return folder


def sweep_on_github(machines: Machines, pipeline: ShardPipeline) -> tuple[list[int], int]:
    """The exit codes of the jobs of shards, and of the last job."""
    jobs = parse(render_shard_workflow("github", pipeline))["jobs"]
    plan = step_of(jobs["plan"]["steps"], "Count the shards")
    assert machines.run("plan", plan["run"], **plan["env"]) == 0
    outputs = machines.read("plan", "GITHUB_OUTPUT")
    step = step_of(jobs["sweep"]["steps"], "Sweep")
    shards = machines.folder / "merge" / "RUNNER_TEMP" / "shards"
    shards.mkdir(parents=True)
    codes = []
    for number in outputs["sweep"].strip("[]").split(","):
        job = f"shard-{number}"
        given = {"SWEEP_SHARD": number, "SWEEP_SHARDS": outputs["count"]}
        codes.append(machines.run(job, step["run"], **step["env"] | given))
        for run in (machines.folder / job).glob("reports/runs/*-*"):  # the path of the artifact
            shutil.copytree(run, shards / job / run.name)
    assert jobs["merge"]["needs"] == ["plan", "sweep"]
    assert jobs["merge"]["if"] == "(!cancelled())"
    return codes, machines.run("merge", step_of(jobs["merge"]["steps"], "Merge")["run"])


def sweep_on_gitlab(machines: Machines, pipeline: ShardPipeline) -> tuple[list[int], int]:
    """The exit codes of the jobs of shards, and of the last job."""
    document = parse(render_shard_workflow("gitlab", pipeline))
    common, plan, steps, job, merge = document.values()
    variables = common["variables"] | job["variables"]
    assert machines.run("plan", "\n".join(plan["script"]), **variables) == 0
    variables |= machines.read("plan", "harness-shards.env")
    shards = machines.folder / "merge" / "harness-shards"
    codes = []
    for number in range(1, job["parallel"] + 1):
        name, index = f"shard-{number}", {"CI_NODE_INDEX": str(number)}
        codes.append(machines.run(name, "\n".join(steps["script"]), **variables, **index))
        machines.run(name, "\n".join(steps["after_script"]), **variables, **index)
        shutil.copytree(machines.folder / name / "harness-shards", shards, dirs_exist_ok=True)
    assert merge["dependencies"] == [name for name in document if "parallel" in document[name]]
    assert merge["rules"][0]["when"] == "always"
    return codes, machines.run("merge", "\n".join(merge["script"]))


@pytest.mark.parametrize("forge", FORGES)
@pytest.mark.parametrize("lost", [(), (2,), (1, 2)])
def test_the_last_job_judges_all_shards_and_a_missing_one_is_inconclusive(
    forge: Forge, lost: tuple[int, ...], left: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = shutil.copytree(left, tmp_path / "left", symlinks=True)
    for number in lost:
        shutil.rmtree(there / str(number))
    machines = Machines(tmp_path, there)
    pipeline = ShardPipeline(matrix="compat", install="x", shards=4)
    found, last = (sweep_on_github if forge == "github" else sweep_on_gitlab)(machines, pipeline)
    idle = 2 if forge == "gitlab" else 0  # GitLab makes all jobs before it knows the number of shards
    assert found == [137 if number in lost else 0 for number in (1, 2)] + [0] * idle
    told = machines.told.read_text().splitlines()
    expected = [
        "cells --matrix compat --count-shards 4",
        *(f"sweep --matrix compat --shard {number}/2 --python-downloads --plain" for number in (1, 2)),
    ]
    if last == 99:  # what the harness says itself
        asked = told.pop().split()
        monkeypatch.chdir(tmp_path / "merge")
        last = command(monkeypatch, *asked)
    assert (told, last) == (expected, 4 if lost else 0)


def test_more_shards_than_a_matrix_may_have_are_divided(tmp_path: Path) -> None:
    """GitHub allows 256 jobs of a matrix, GitLab 200 of a name; a job without a shard does not exist."""
    jobs = parse(render_shard_workflow("github", SWEEP_ODD))["jobs"]
    machines = Machines(tmp_path, tmp_path, count=301)
    machines.run("plan", step_of(jobs["plan"]["steps"], "Count the shards")["run"])
    outputs = machines.read("plan", "GITHUB_OUTPUT")
    first, second = (f"[{','.join(map(str, numbers))}]" for numbers in (range(1, 201), range(201, 302)))
    assert outputs == {"count": "301", "sweep-1": first, "sweep-2": second, "sweep-3": "[]"}
    assert {name: job.get("if") for name, job in jobs.items() if name.startswith("sweep")} == {
        "sweep-1": None,
        **{f"sweep-{number}": f"needs.plan.outputs.sweep-{number} != '[]'" for number in (2, 3)},
    }
    assert jobs["merge"]["needs"] == ["plan", "sweep-1", "sweep-2", "sweep-3"]
    document = parse(render_shard_workflow("gitlab", SWEEP_ODD))
    parallel = [job for job in document.values() if "parallel" in job]
    found = [(int(job["variables"]["SWEEP_BEFORE"]), job["parallel"]) for job in parallel]
    assert found == [(0, 200), (200, 200), (400, 200)]


def test_a_sweep_may_only_read_and_gets_the_variables_of_its_matrix() -> None:
    document = parse(render_shard_workflow("github", SWEEP_ODD))
    allowed = {name: job["permissions"] for name, job in document["jobs"].items()}
    read = {"contents": "read"}
    assert allowed == {**dict.fromkeys(("plan", "sweep-1", "sweep-2", "sweep-3"), read), "merge": {}}
    steps = [step for job in document["jobs"].values() for step in job["steps"]]
    assert {step.get("name") for step in steps if "secrets." in str(step)} == {"Sweep"}
    env = step_of(document["jobs"]["sweep-3"]["steps"], "Sweep")["env"]
    assert {name for name, value in env.items() if "secrets." in value} == {
        "TEAM_TOKEN",
        "NO",
        "GITHUB_TOKEN",
        "CI_JOB_TOKEN",
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("--file", "a.txt", "--inline"),
            "--shards prints the pipeline of a sweep; leave out --file, --inline",
        ),
        (("--install", "$(x)"), "--install '$(x)': expected a requirement"),
    ],
)
def test_what_a_sweep_does_not_have_is_refused(
    arguments: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_matrix(tmp_path / "matrices", PLAIN)
    monkeypatch.chdir(tmp_path)
    asked = ("workflow", "gitlab", "--shards", "8")
    done = CliRunner().invoke(cli, (*asked, "--install", "x"))
    own = ShardPipeline(matrix="matrices/mine.toml", install="x", shards=8)
    assert done.output == render_shard_workflow("gitlab", own)
    refused = CliRunner().invoke(cli, (*asked, "--install", "x", *arguments))
    assert isinstance(refused.exception, UsageError)
    assert said in str(refused.exception)
