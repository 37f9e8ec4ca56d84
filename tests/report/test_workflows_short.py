"""The short pipelines, and the actions and the file of this repository that they use."""

from __future__ import annotations

import os
import re
import subprocess
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from support.pipelines import (
    ACTIONS,
    FORGES,
    GITLAB_FILE,
    HOME,
    ODD,
    SHORT,
    SHORT_ODD,
    USUAL,
    include_gitlab,
    parse,
    read_action,
    scripts,
    step_of,
)
from support.plan_texts import PLAIN, put_matrix
from support.repositories import git

from harness.cli.main import cli
from harness.forge import comment
from harness.report.pipelines import Forge
from harness.report.workflows import Home, Pipeline, find_home, render_workflow

BOTH = pytest.mark.parametrize("pipeline", [SHORT, SHORT_ODD])


def jobs_of(pipeline: Pipeline) -> Any:
    return parse(render_workflow("github", pipeline))["jobs"]


# What the short form promises as the long one does


@BOTH
def test_the_workflow_differs_in_its_steps_alone(pipeline: Pipeline) -> None:
    short, long = (
        parse(render_workflow("github", each)) for each in (pipeline, replace(pipeline, home=None))
    )
    own = {name: [job.pop("steps"), job.pop("env", {})] for name, job in short["jobs"].items()}
    assert all(long["jobs"][name].pop("steps") for name in own)
    long["jobs"]["gate"].pop("env")
    assert short == long
    assert [step["uses"] for step in own["comment"][0]] == [
        f"team/harness/.github/actions/comment@{HOME.ref}"
    ]


def test_a_job_has_few_lines() -> None:
    github = render_workflow("github", SHORT).partition("\njobs:\n")[2].strip().split("\n\n")
    assert [len(job.splitlines()) for job in github] == [16, 13]
    (gitlab,) = render_workflow("gitlab", SHORT).partition("\ninclude:\n")[2].strip().split("\n\n")
    assert len(gitlab.splitlines()) == 8


@BOTH
def test_each_job_gives_the_inputs_of_its_action(pipeline: Pipeline) -> None:
    for name, job in jobs_of(pipeline).items():
        inputs, given = read_action(name)["inputs"], job["steps"][-1]["with"]
        assert set(given) <= set(inputs)
        assert {each for each, about in inputs.items() if about.get("required")} <= set(given)
        defaults = {each: about.get("default") for each, about in inputs.items()}
        assert [each for each, value in given.items() if value == defaults[each]] == []


def test_what_is_left_out_is_the_default() -> None:
    """Each setting at the default of the action, and one beside it."""
    usual = jobs_of(SHORT)["gate"]["steps"][-1]["with"]
    assert set(usual) == {"file", "matrix"}
    inputs = read_action("gate")["inputs"]
    defaults = {name: about["default"] for name, about in inputs.items() if "default" in about}
    explicit = replace(
        SHORT,
        python=defaults["python"],
        culprit_budget=defaults["culprit-budget"],
        matrix_budget="10m",
    )
    assert render_workflow("github", explicit) == render_workflow("github", SHORT)
    assert jobs_of(replace(SHORT, matrix_budget="11m"))["gate"]["steps"][-1]["with"]["minutes"] == "56"
    long = parse(render_workflow("github", USUAL))["jobs"]["gate"]
    assert str(step_of(long["steps"], "Gate")["timeout-minutes"]) == defaults["minutes"]


def test_secrets_reach_the_gate_alone() -> None:
    job = jobs_of(SHORT_ODD)["gate"]
    names = ["TEAM_TOKEN", "NO", "GITHUB_TOKEN", "CI_JOB_TOKEN"]
    assert job["steps"][-1]["env"] == {name: f"${{{{ secrets.{name} }}}}" for name in names}
    assert job["steps"][-1]["with"]["pass-env"].split() == names
    assert "secrets." not in str(jobs_of(SHORT_ODD)["comment"])
    assert "secrets." not in render_workflow("github", SHORT)


# The actions


def test_the_actions_take_the_steps_of_the_long_form() -> None:
    long = parse(render_workflow("github", USUAL))["jobs"]
    for name, job in long.items():
        steps = read_action(name)["runs"]["steps"]
        assert [each["uses"] for each in steps if "uses" in each] == [
            each["uses"] for each in job["steps"] if "uses" in each and "checkout" not in each["uses"]
        ]
        assert [each.get("if") for each in steps] == [
            each.get("if") for each in job["steps"] if "checkout" not in each.get("uses", "")
        ]
    ours, theirs = read_action("gate")["runs"]["steps"], long["gate"]["steps"]
    assert step_of(ours, "Collect the report")["run"] == step_of(theirs, "Collect the report")["run"]
    for at in (1, -1):  # the cache
        assert ours[at]["with"]["path"] == theirs[at if at < 0 else at + 1]["with"]["path"]
    assert comment.LOST in step_of(ours, "Collect the report")["run"]


def test_the_action_that_may_write_installs_nothing() -> None:
    download, post = read_action("comment")["runs"]["steps"]
    assert download["continue-on-error"] is True
    assert "pip" not in str(post)
    path = re.findall(r'python3 -I "\$GITHUB_ACTION_PATH/([^"]*)"', post["run"])
    assert [(ACTIONS["comment"].parent / each).resolve() for each in path] == [Path(comment.__file__)]
    steps = read_action("gate")["runs"]["steps"]
    assert [step["name"] for step in steps if "token" in str(step).lower()] == ["Read what people accepted"]


@pytest.mark.parametrize("name", ACTIONS)
def test_no_input_stands_in_a_script_of_an_action(name: str) -> None:
    assert [each for each in read_action(name)["runs"]["steps"] if "${{" in each.get("run", "")] == []


def test_the_harness_is_installed_from_the_repository_of_the_action() -> None:
    run = step_of(read_action("gate")["runs"]["steps"], "Install the harness")["run"]
    (path,) = re.findall(r'pip install "\$GITHUB_ACTION_PATH/([^"]*)"', run)
    assert ((ACTIONS["gate"].parent / path).resolve() / "pyproject.toml").is_file()


# The command of the gate, as each form gives it


def told(script: str, folder: Path, **variables: str) -> list[str]:
    """The arguments that a script gives to the harness, and the value of TEAM_TOKEN there."""
    front = folder / "bin"
    front.mkdir(exist_ok=True)
    (front / "harness").write_text('#!/bin/sh\nprintf "%s\\n" "$@" "${TEAM_TOKEN-unset}"\n')
    (front / "harness").chmod(0o755)
    found = subprocess.run(
        ("bash", "-eo", "pipefail", "-c", script),
        cwd=folder,
        env={"PATH": f"{front}:{os.environ['PATH']}", **variables},
        check=True,
        capture_output=True,
        text=True,
    )
    return found.stdout.splitlines()


def github_variables(pipeline: Pipeline) -> dict[str, str]:
    """The variables of the step of the action, from the inputs of a short workflow."""
    action = read_action("gate")
    values = {name: about.get("default", "") for name, about in action["inputs"].items()}
    values |= jobs_of(pipeline)["gate"]["steps"][-1]["with"]
    env = step_of(action["runs"]["steps"], "Gate")["env"]
    return {name: values[re.fullmatch(r"\$\{\{ inputs\.(.*) \}\}", each)[1]] for name, each in env.items()}  # type: ignore[index]


@BOTH
@pytest.mark.parametrize("forge", FORGES)
def test_both_forms_give_the_same_command(forge: Forge, pipeline: Pipeline, tmp_path: Path) -> None:
    long = parse(render_workflow(forge, replace(pipeline, home=None)))
    (inline,) = (each for each in scripts(forge, long) if "harness gate --base" in each)
    base = {"CI_MERGE_REQUEST_DIFF_BASE_SHA": "left", "TEAM_TOKEN": "", "NO": "", "GITHUB_TOKEN": ""}
    if forge == "github":
        script = step_of(read_action("gate")["runs"]["steps"], "Gate")["run"]
        variables = github_variables(pipeline)
        own = long["jobs"]["gate"]
        theirs = own["env"] | step_of(own["steps"], "Gate").get("env", {})
    else:
        jobs = include_gitlab(render_workflow("gitlab", pipeline))
        (script,) = (each for each in scripts("gitlab", jobs) if "harness gate --base" in each)
        variables = {k: v for job in jobs.values() for k, v in job.get("variables", {}).items()}
        theirs = {k: v for job in long.values() for k, v in job.get("variables", {}).items()}
    short = told(script, tmp_path, **variables | base)
    assert short == told(inline, tmp_path, **theirs | base)
    known = {name for each in cli.commands["gate"].params for name in each.opts}
    assert {each for each in short if re.fullmatch("--[a-z-]+", each)} <= known
    assert pipeline.file in short


@pytest.mark.parametrize(("token", "seen"), [("", "unset"), ("s3cret", "s3cret")])
def test_a_secret_that_does_not_exist_is_not_set(token: str, seen: str, tmp_path: Path) -> None:
    script = step_of(read_action("gate")["runs"]["steps"], "Gate")["run"]
    variables = github_variables(replace(SHORT, pass_env=("TEAM_TOKEN",))) | {"TEAM_TOKEN": token}
    assert told(script, tmp_path, **variables)[-1] == seen


def test_a_step_of_the_action_has_a_limit(tmp_path: Path) -> None:
    """It has no `timeout-minutes`, and what is known after an interruption is to be collected."""
    front = tmp_path / "bin"
    front.mkdir()
    (front / "timeout").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (front / "timeout").chmod(0o755)
    script = step_of(read_action("gate")["runs"]["steps"], "Gate")["run"]
    words = told(script, tmp_path, **github_variables(replace(SHORT, matrix_budget="11m")))
    expected = ["--foreground", "--signal=INT", "--kill-after=2m", "56m", "harness", "gate"]
    assert words[: len(expected)] == expected


# GitLab


@BOTH
def test_the_file_of_gitlab_makes_the_long_pipeline(pipeline: Pipeline) -> None:
    """All but the scripts, and variables that the long form has in its text."""
    short = include_gitlab(render_workflow("gitlab", pipeline))
    long = parse(render_workflow("gitlab", replace(pipeline, home=None)))
    assert list(short) == list(long)
    inputs = {"GATE_EXTRAS", "GATE_GROUPS", "GATE_BUDGET"}
    for name, job in short.items():
        for each in (job, long[name]):
            each["variables"] = {k: v for k, v in each["variables"].items() if k not in inputs}
            steps = each.pop("script", [])
            assert [step for step in steps if "pip" in step and "urllib" not in step] == (
                ['python -m pip install "$GATE_HARNESS"'] if "after_script" in each else []
            )
            for rule in each.get("rules", ()):
                rule["changes"] = set(rule["changes"]) - {"matrices/*.toml", "compat"}
        assert job == long[name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("file", "../a b'.txt"),
        ("file", "-r.txt"),
        ("harness", "--index-url=x"),
        ("harness", "x $(y)"),
        ("extras", "a;b"),
        ("budget", "1h"),
        ("job", "a b"),
        ("python", "latest"),
    ],
)
def test_gitlab_refuses_what_would_mean_something_else(name: str, value: str) -> None:
    head = parse(GITLAB_FILE.read_text(encoding="utf-8").split("\n---\n")[0])
    assert re.fullmatch(head["spec"]["inputs"][name]["regex"], value) is None


def test_the_file_of_gitlab_has_the_text_of_the_module() -> None:
    """To write it again: put the module between the lines with END, indented by six spaces."""
    text = GITLAB_FILE.read_text(encoding="utf-8").partition("<<'END'\n")[2].removesuffix("\n      END\n")
    assert textwrap.dedent(text) == Path(comment.__file__).read_text(encoding="utf-8").rstrip()


# Which form is printed


@pytest.mark.parametrize(
    ("forge", "install", "home"),
    [
        ("github", "git+https://github.com/a/b@main", Home(host="github.com", path="a/b", ref="main")),
        (
            "github",
            "x @ git+https://github.com/a/b.git@v1/2",
            Home(host="github.com", path="a/b", ref="v1/2"),
        ),
        ("gitlab", "git+https://g.org:8443/a/b/c@1f", Home(host="g.org:8443", path="a/b/c", ref="1f")),
        ("github", "git+https://github.com/a/b/c@1f", None),
        ("github", "git+https://github.com/a/b", None),  # no commit
        ("github", "git+https://github.com/a/b@1f#subdirectory=c", None),
        ("github", "git+https://github.com/a/b@1..f", None),
        ("github", "git+https://user@github.com/a/b@1f", None),
        ("github", "git+ssh://git@github.com/a/b@1f", None),
        ("github", "git+https://github.com/a/../b@1f", None),
        ("github", "embedding-parity-harness==1.0", None),
        ("gitlab", "git+https://g.org/x@1f", None),
    ],
)
def test_where_the_harness_lives(forge: Forge, install: str, home: Home | None) -> None:
    assert find_home(forge, install) == home


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a matrix and a dependency file."""
    put_matrix(tmp_path / "matrices", PLAIN)
    (tmp_path / "requirements.txt").write_text("numpy==2.4.6\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ask(forge: Forge, install: str, *more: str) -> Result:
    done = CliRunner().invoke(cli, ["workflow", forge, "--install", install, *more])
    assert done.exit_code == 0, done.output
    return done


ON_GITHUB = f"git+https://github.com/team/harness@{HOME.ref}"


def test_the_short_form_is_printed_where_it_can_work(project: Path) -> None:
    done = ask("github", ON_GITHUB)
    assert f"team/harness/.github/actions/gate@{HOME.ref}" in done.stdout
    assert done.stderr == ""
    inline = ask("github", ON_GITHUB, "--inline")
    assert "actions/gate@" not in inline.stdout
    assert inline.stderr == ""
    assert "actions/gate@" not in ask("github", "embedding-parity-harness==1.0").stdout
    git(project, "init", "--quiet")
    git(project, "remote", "add", "origin", "git@code.example.org:team/service.git")
    there = ask("github", ON_GITHUB)
    assert there.stdout == inline.stdout
    assert there.stderr.replace("\n", " ").startswith(
        "note: every step is printed, because the harness is on "
    )
    assert "include:" in ask("gitlab", "git+https://code.example.org:8443/team/harness@1f").stdout


def test_odd_settings_stay_what_they_are() -> None:
    """The values of the long form, through YAML and back."""
    (include,) = parse(render_workflow("gitlab", SHORT_ODD))["include"]
    assert include["inputs"]["file"] == ODD.file
    assert include["inputs"]["harness"] == SHORT_ODD.install
    assert include["ref"] == HOME.ref
    assert jobs_of(SHORT_ODD)["gate"]["steps"][-1]["with"]["matrix"] == ODD.matrix
