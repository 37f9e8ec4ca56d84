"""What a pipeline hands to the gate from the outside: the choice from a lock, and variables of a cell."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from support.pipelines import FORGES, ODD, USUAL, parse, scripts
from support.plan_texts import PLAIN, put_matrix

from harness.cli.main import cli
from harness.errors import UsageError
from harness.report.pipelines import Forge
from harness.report.workflows import render_workflow

LOCK = """\
version = 1
[[package]]
name = "service"
version = "0"
source = { virtual = "." }
dependencies = [{ name = "flask" }]
[package.optional-dependencies]
embedding = [{ name = "numpy" }]
[package.dev-dependencies]
local = [{ name = "flask" }]
[[package]]
name = "flask"
version = "3.0"
source = { registry = "an-index" }
[[package]]
name = "numpy"
version = "2.0.2"
source = { registry = "an-index" }
"""
OPTIONS = ("--install", USUAL.install)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a matrix, and a lock that has what is under test in an extra and a group."""
    put_matrix(tmp_path / "matrices", PLAIN)
    (tmp_path / "uv.lock").write_text(LOCK, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ask(forge: Forge, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ("workflow", forge, *OPTIONS, *arguments))


def gate_line(forge: Forge, text: str) -> str:
    (script,) = (each for each in scripts(forge, parse(text)) if "harness gate --base" in each)
    return script.strip().splitlines()[-1]


def gate_step(text: str) -> dict[str, Any]:
    (step,) = (each for each in parse(text)["jobs"]["gate"]["steps"] if each.get("name") == "Gate")
    return dict(step)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("forge", FORGES)
def test_the_gate_gets_the_choice_from_the_lock(forge: Forge) -> None:
    done = ask(forge, "--extra", "Embedding", "--extra", "embedding")
    assert (done.exit_code, done.stderr) == (0, "")
    assert " --extra embedding --" in gate_line(forge, done.stdout)
    assert " --extra " not in render_workflow(forge, USUAL)


@pytest.mark.parametrize("forge", FORGES)
def test_what_the_matrix_chooses_is_no_option_of_the_gate(forge: Forge, project: Path) -> None:
    put_matrix(project / "matrices", f'{PLAIN}\n[gate]\nextras = ["embedding"]\n')
    done = ask(forge)
    assert (done.exit_code, done.stderr) == (0, "")
    assert " --extra " not in done.stdout
    assert " --group local --" in gate_line(forge, ask(forge, "--group", "local").stdout)
    put_matrix(project / "matrices", f'{PLAIN}\n[gate]\nextras = ["embeding"]\n')
    assert "uv.lock: no extra 'embeding' (did you mean 'embedding'?)" in str(ask(forge).exception)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            (),
            "uv.lock: numpy is under test, but not in what was chosen from this lock; choose it with --extra",
        ),
        (("--extra", "embeding"), "uv.lock: no extra 'embeding' (did you mean 'embedding'?); there are: "),
        (("--extra", "embedding", "--group", "x"), "uv.lock: no group 'x'; there are: local"),
        (("--extra", "a;b"), "--extra 'a;b': expected a name such as embedding"),
    ],
)
def test_a_choice_that_the_gate_refuses_is_refused(arguments: tuple[str, ...], said: str) -> None:
    done = ask("github", *arguments)
    assert isinstance(done.exception, UsageError)
    assert said in str(done.exception)
    assert done.output == ""


def test_a_package_under_test_that_is_on_no_index_is_refused(project: Path) -> None:
    lock, numpy = LOCK.rsplit("[[package]]", 1)
    local = numpy.replace("registry", "directory")
    (project / "uv.lock").write_text(f"{lock}[[package]]{local}", encoding="utf-8")
    done = ask("github", "--extra", "embedding")
    assert "numpy: it comes from directory, not from an index" in str(done.exception)


def test_a_choice_from_a_file_without_extras_is_noted_beside_the_text(project: Path) -> None:
    (project / "requirements.txt").write_text("numpy==2.4.6\n", encoding="utf-8")
    done = ask("github", "--file", "requirements.txt", "--extra", "cpu")
    assert (
        done.stderr
        == "note: requirements.txt: a requirements file has no extras or groups: --extra cpu is ignored\n"
    )
    assert parse(done.stdout)["name"] == "Gate"


def test_the_gate_step_alone_gets_the_variables_of_the_matrix(project: Path) -> None:
    put_matrix(project / "matrices", f'{PLAIN}\n[subject]\npass-env = ["TEAM_TOKEN", "TEAM_URL"]\n')
    text = ask("github", "--extra", "embedding").stdout
    handed = {name: f"${{{{ secrets.{name} }}}}" for name in ("TEAM_TOKEN", "TEAM_URL")}
    step = gate_step(text)
    assert {name: value for name, value in step["env"].items() if name in handed} == handed
    assert text.count("secrets.") == text.count("${{ secrets.") == 2
    assert "# TEAM_TOKEN, TEAM_URL\n" in text
    assert "Pull requests from forks have no secrets" in text
    gitlab = ask("gitlab", "--extra", "embedding").stdout
    assert "# TEAM_TOKEN, TEAM_URL\n" in gitlab
    assert "TEAM_TOKEN" not in str(parse(gitlab))  # variables of the project are there by themselves
    assert "pass-env" not in render_workflow("github", USUAL) + render_workflow("gitlab", USUAL)


def test_what_the_forge_sets_by_itself_is_not_asked_for() -> None:
    assert set(gate_step(render_workflow("github", ODD))["env"]) == {
        *("BUDGET", "CULPRIT_BUDGET", "TEAM_TOKEN", "NO", "GITHUB_TOKEN", "CI_JOB_TOKEN"),
    }
    assert "# TEAM_TOKEN, NO, GITHUB_TOKEN, GITHUB_SHA\n" in render_workflow("gitlab", ODD)
    own = replace(ODD, pass_env=("GITHUB_SHA",))
    assert render_workflow("github", own) == render_workflow("github", replace(ODD, pass_env=()))


@pytest.mark.parametrize(("token", "seen"), [("", "unset"), ("s3cret", "s3cret")])
def test_a_secret_that_does_not_exist_is_not_set(token: str, seen: str) -> None:
    """GitHub makes it an empty text, which the service would be given as its value."""
    script = gate_step(render_workflow("github", replace(USUAL, pass_env=("TEAM_TOKEN",))))["run"]
    front = 'harness() { printf "%s" "${TEAM_TOKEN-unset}"; }'
    variables = {"PATH": os.environ["PATH"], "TEAM_TOKEN": token, "FILE": "a", "MATRIX": "b"}
    found = subprocess.run(
        ("bash", "-e", "-c", f"{front}\n{script}"), env=variables, check=True, capture_output=True, text=True
    )
    assert found.stdout == seen


def own_variables(forge: Forge) -> set[str]:
    """The variables of the gate job in a pipeline with every setting."""
    document = parse(render_workflow(forge, replace(ODD, pass_env=())))
    if forge == "github":
        job = document["jobs"]["gate"]
        own = {name for each in (job, *job["steps"]) for name in each.get("env", ())}
        return own - {"GITHUB_TOKEN"}  # of another step than the gate, which may get one
    return {name for job in document.values() for name in job.get("variables", ())} - {"GIT_STRATEGY"}


@pytest.mark.parametrize("forge", FORGES)
def test_a_variable_of_the_pipeline_itself_is_refused(forge: Forge) -> None:
    names = own_variables(forge) | ({"GATE_TOKEN", "GATE_READ_TOKEN"} if forge == "gitlab" else set())
    assert len(names) >= 5
    for name in names - {"HARNESS_STORE"}:  # no matrix can name it
        with pytest.raises(UsageError, match=f"{name} is a variable of the pipeline itself"):
            render_workflow(forge, replace(USUAL, pass_env=(name,)))
