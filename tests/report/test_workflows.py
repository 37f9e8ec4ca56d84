"""The pipelines that `harness workflow` prints: whom they trust, when they run and what they collect."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support.pipelines import FORGES, ODD, USUAL, parse, scripts
from support.plan_texts import PLAIN, put_matrix

from harness.cli import workflow
from harness.cli.main import cli
from harness.errors import UsageError
from harness.forge.comment import LOST, marker
from harness.report.pipelines import Forge
from harness.report.workflows import Pipeline, render_workflow
from harness.store.store import Store

GATE = "gate-compat-" + hashlib.sha256(b"compat\0requirements.txt").hexdigest()[:8]
"""The job of the usual pipeline."""


@pytest.mark.parametrize("forge", FORGES)
@pytest.mark.parametrize("pipeline", [USUAL, ODD])
def test_no_value_stands_in_a_script(forge: Forge, pipeline: Pipeline) -> None:
    for script in scripts(forge, parse(render_workflow(forge, pipeline))):
        assert "${{" not in script
        for value in (
            pipeline.file,
            pipeline.install,
            marker("compat", "requirements.txt"),
            marker("matrices/My service.toml", "app one/locked.txt", ODD.choice),
        ):
            assert value not in script


def test_github_gives_away_as_little_as_it_can() -> None:
    document = parse(render_workflow("github", USUAL))
    assert list(document["on"]) == ["pull_request"]
    assert document["permissions"] == {"contents": "read"}
    jobs = document["jobs"]
    assert {name: job.get("permissions") for name, job in jobs.items()} == {
        "gate": {"contents": "read", "pull-requests": "read"},
        "comment": {"pull-requests": "write"},
    }
    # The token may read alone, and reaches neither the step that runs code of packages nor any other.
    given = {step.get("name"): step.get("env", {}) for step in jobs["gate"]["steps"]}
    assert [name for name, env in given.items() if "token" in str(env).lower()] == [
        "Read what people accepted"
    ]
    assert document["concurrency"]["cancel-in-progress"] is True
    used = [step["uses"] for job in jobs.values() for step in job["steps"] if "uses" in step]
    assert [each for each in used if not re.fullmatch(r"actions/[a-z/-]+@[0-9a-f]{40}", each)] == []
    # The job that may write checks nothing out and installs nothing: no import from the working folder.
    assert [step.get("uses", "").split("@")[0] for step in jobs["comment"]["steps"]] == [
        "actions/download-artifact",
        "",
    ]
    assert jobs["comment"]["steps"][1]["run"].startswith("python3 -I - harness-gate --matrix ")
    assert "pip" not in jobs["comment"]["steps"][1]["run"].split("<<'END'")[0]
    # Where the gate left no artifact the script says so, instead of leaving an older verdict there.
    assert jobs["comment"]["steps"][0]["continue-on-error"] is True
    assert "head.repo.full_name == github.repository" in jobs["comment"]["if"]


def test_gitlab_gives_the_token_to_nobody_else() -> None:
    document = parse(render_workflow("gitlab", USUAL))
    note = document[f"{GATE}-note"]
    environments = {name: job.get("environment") for name, job in document.items()}
    assert environments == {
        f".{GATE}": None,
        GATE: None,
        f"{GATE}-note": {"name": "gate-note", "action": "access"},
    }
    # A variable with an environment scope is not there yet when rules are read.
    assert [name for name, job in document.items() if "GATE_TOKEN" in str(job.get("rules"))] == []
    assert note["variables"] == {"GIT_STRATEGY": "none"}
    # Neither on a merge request from a fork, nor in the fork on one of the project that it is a fork of.
    for each in ("SOURCE_PROJECT_ID", "PROJECT_ID"):
        assert f"$CI_MERGE_REQUEST_{each} == $CI_PROJECT_ID" in note["rules"][0]["if"].split(" && ")
    assert [line.split(" --")[0] for line in note["script"][0].splitlines() if line.endswith("<<'END'")] == [
        "python3 -I - harness-gate"
    ]
    assert document[GATE]["artifacts"]["reports"] == {"junit": "harness-gate/junit.xml"}


@pytest.mark.parametrize(("token", "code"), [("secret", 2), ("", 0)])
def test_a_token_that_reaches_the_gate_stops_it(token: str, code: int) -> None:
    first = parse(render_workflow("gitlab", USUAL))[GATE]["script"][0]
    found = subprocess.run(
        ["sh", "-eu", "-c", first], env={"GATE_TOKEN": token}, capture_output=True, text=True, check=False
    )
    assert (found.returncode, "environment scope gate-note" in found.stderr) == (code, bool(code))
    assert "secret" not in found.stdout + found.stderr


def test_a_gate_takes_the_place_of_its_own_earlier_run_alone() -> None:
    changes = ({"file": "locked.txt"}, {"matrix": "matrices/My service.toml"}, {"extras": ("cpu",)})
    pipelines = (USUAL, *(replace(USUAL, **change) for change in changes))
    groups = [parse(render_workflow("github", each))["concurrency"]["group"] for each in pipelines]
    number = "-${{ github.event.pull_request.number }}"
    assert len(set(groups)) == 4
    assert len({name for each in pipelines for name in parse(render_workflow("gitlab", each))}) == 12
    assert all(re.fullmatch(r"gate-[A-Za-z0-9_.-]+" + re.escape(number), group) for group in groups)


@pytest.mark.parametrize("forge", FORGES)
def test_it_runs_when_a_dependency_changes(forge: Forge) -> None:
    document = parse(render_workflow(forge, ODD))
    if forge == "github":
        paths = document["on"]["pull_request"]["paths"]
    else:
        gate, note = (job for job in document.values() if "rules" in job)
        paths = gate["rules"][0]["changes"]
        assert note["rules"][0]["changes"] == paths
    assert paths[:-1] == [
        "app one/locked.txt",
        "**/requirements*.txt",
        "**/requirements*.in",
        "**/requirements/*.txt",
        "**/requirements/*.in",
        "**/constraints*.txt",
        "**/uv.lock",
        "**/pylock*.toml",
        "**/pyproject.toml",
        "matrices/My service.toml",
        "matrices/*.toml",
    ]
    assert paths[-1] == {"github": ".github/workflows/gate.yml", "gitlab": ".gitlab-ci.yml"}[forge]


@pytest.mark.parametrize("forge", FORGES)
def test_the_command_knows_its_options(forge: Forge) -> None:
    (line,) = (
        line
        for script in scripts(forge, parse(render_workflow(forge, ODD)))
        for line in script.splitlines()
        if line.strip().startswith("harness gate")
    )
    known = {name for each in cli.commands["gate"].params for name in each.opts}
    asked = re.findall(r" (--[a-z-]+)", line)
    assert asked == [
        *("--base", "--to", "--matrix", "--extra", "--extra", "--group", "--budget", "--culprit-budget"),
        *("--acknowledged", "--allow-equal", "--plain", "--reports"),
    ]
    assert set(asked) <= known


def test_what_is_kept_is_what_the_store_has() -> None:
    store = Store.default()
    kept = {f"{path.parent.name}/{path.name}" for path in (store.models, store.converted)}
    github = parse(render_workflow("github", USUAL))["jobs"]["gate"]["steps"]
    for step in (each for each in github if "actions/cache" in each.get("uses", "")):
        paths = {str(Path(path).relative_to("~/.cache")) for path in step["with"]["path"].split()}
        assert paths == {"uv", *kept}
    gitlab = parse(render_workflow("gitlab", USUAL))[GATE]["cache"]["paths"]
    assert {path.rpartition("/")[2] for path in gitlab} == {"uv", store.models.name, store.converted.name}


@pytest.mark.parametrize("forge", FORGES)
@pytest.mark.parametrize("there", ["whole", "cut off", "nothing"])
def test_what_the_gate_leaves_is_collected(forge: Forge, there: str, tmp_path: Path) -> None:
    (script,) = (each for each in scripts(forge, parse(render_workflow(forge, USUAL))) if "mkdir" in each)
    whole = there != "nothing"
    if whole:
        run_folder = tmp_path / ".harness-gate" / "runs" / "20261127-101500-gate-compat-0a1b"
        run_folder.mkdir(parents=True)
        (run_folder / "gate.md").write_text("**PASS**: fine\n")
    if there == "whole":
        run_folder.with_name("latest").symlink_to(run_folder.name)
        run_folder.with_name("20261127-111500-gate-compat-0a1b").mkdir()  # without a word
    shell = [shutil.which("bash") or "bash", "-eo", "pipefail", "-c", script]
    variables = {
        "PATH": "/usr/bin:/bin",
        "CI_JOB_ID": "77",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
    }
    subprocess.run(shell, cwd=tmp_path, env=variables, check=True, timeout=60)
    left = tmp_path / "harness-gate"
    assert {path.name: path.read_text() for path in left.iterdir()} == {
        **({"gate.md": "**PASS**: fine\n"} if whole else {}),  # without one the comment says so
        **({"job": "77\n"} if forge == "gitlab" else {}),
    }
    if forge == "github":
        told = "**PASS**: fine\n" if whole else f"{LOST}\n"
        assert (tmp_path / "summary").read_text() == told


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"file": "../a.txt"}, "--file '../a.txt': expected a path inside"),
        ({"file": "/a.txt"}, "--file '/a.txt': expected a path inside"),
        ({"file": "-r.txt"}, "--file '-r.txt': expected a path inside"),
        ({"file": "${{ x }}.txt"}, "a path inside"),
        ({"file": "a\n.txt"}, "a path inside"),
        ({"file": "a'.txt"}, "a path inside"),
        ({"file": "*.txt"}, "a path inside"),
        ({"matrix": "$(x).toml"}, "--matrix "),
        ({"install": "--index-url=x"}, "--install "),
        ({"install": "${{ secrets.x }}"}, "--install "),
        ({"install": "a\nb"}, "--install "),
        ({"install": ""}, "--install "),
        ({"budget": "1h"}, "--budget '1h': expected a time such as 10m or 600s"),
        ({"culprit_budget": "1 h"}, "--culprit-budget '1 h': expected a time such as 20m or 600s"),
        ({"python": "3.x"}, "--python '3.x': expected a version such as 3.11"),
        ({"extras": ("a", "$(x)")}, "--extra '$(x)': expected a name such as embedding, of letters"),
        ({"extras": ("-x",)}, "--extra '-x': expected a name"),
        ({"extras": ("a\n",)}, "--extra 'a\\n': expected a name"),
        ({"groups": ("a b",)}, "--group 'a b': expected a name"),
        ({"groups": ("",)}, "--group '': expected a name"),
        ({"pass_env": ("A", "B }}")}, "subject.pass-env: 'B }}': expected the name of a variable"),
    ],
)
def test_what_would_mean_something_else_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        render_workflow("github", replace(Pipeline(file="a.txt", matrix="compat", install="x"), **changes))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a dependency file and no matrix."""
    (tmp_path / "requirements.txt").write_text("numpy==2.4.6\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


ASKED = ("workflow", "github", "--install", USUAL.install)


def refused(*arguments: str) -> str:
    done = CliRunner().invoke(cli, arguments)
    assert isinstance(done.exception, UsageError)
    assert done.output == ""
    return str(done.exception)


def test_the_command_prints_it(project: Path) -> None:
    asked = (*ASKED, "--matrix", "compat", "--file", "requirements.txt")
    assert CliRunner().invoke(cli, asked).output == render_workflow("github", USUAL)
    assert CliRunner().invoke(cli, ["workflow", "else"]).exit_code == 2
    put_matrix(project / "matrices", PLAIN)
    own = replace(USUAL, matrix="matrices/mine.toml", matrix_budget="600s")
    assert CliRunner().invoke(cli, ASKED).output == render_workflow("github", own)


def test_it_refuses_what_the_gate_refuses(project: Path) -> None:
    assert "has no matrix in matrices/; `harness init` writes one" in refused(*ASKED)
    put_matrix(project / "matrices", PLAIN)
    assert "this project has a matrix of its own" in refused(*ASKED, "--matrix", "compat")
    assert refused(*ASKED, "--file", "gone.txt") == "gone.txt: no such file"
    (project / "requirements.txt").write_text("numpy=2.4.6\n", encoding="utf-8")
    assert refused(*ASKED).startswith("requirements.txt:1: ")
    (project / "requirements.txt").unlink()
    assert "has no dependency file; name one, such as --file deploy/requirements.txt" in refused(*ASKED)


def test_the_harness_is_installed_as_it_was_here(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_matrix(project / "matrices", PLAIN)
    monkeypatch.setattr(workflow, "describe_installation", lambda: USUAL.install)
    own = replace(USUAL, matrix="matrices/mine.toml", matrix_budget="600s")
    assert CliRunner().invoke(cli, ASKED[:2]).output == render_workflow("github", own)
    monkeypatch.setattr(workflow, "describe_installation", lambda: "")
    assert "installed from a local folder, which a CI does not have; name what pip" in refused(*ASKED[:2])
