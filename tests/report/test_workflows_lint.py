"""The pipelines that `harness workflow` prints: linted, and each of their own rules with a planted fault."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.pipelines import (
    ACTIONS,
    AUDIT,
    AUDIT_ODD,
    FORGES,
    GITLAB_FILE,
    HOME,
    ODD,
    SHORT,
    SHORT_ODD,
    SWEEP,
    SWEEP_ODD,
    USUAL,
    include_gitlab,
    parse,
    read_action,
    scripts,
    step_of,
)

from harness.report.audit_workflows import render_audit_workflow
from harness.report.pipelines import Forge
from harness.report.shard_workflows import render_shard_workflow
from harness.report.workflows import Pipeline, render_workflow

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a tool of the environment that this test runs in."""
    tool = shutil.which(str(words[0]), path=str(Path(sys.executable).parent))
    if tool is None:
        pytest.skip(f"{words[0]} is not installed beside Python")
    shellcheck = ("-shellcheck", str(Path(tool).with_name("shellcheck"))) if words[0] == "actionlint" else ()
    command = [tool, *shellcheck, *map(str, words[1:])]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


LINTERS: dict[str, tuple[str, ...]] = {
    "actionlint": ("actionlint", "-no-color"),
    "zizmor": ("zizmor", "--offline", "--no-progress", "--persona", "auditor", "--min-severity", "low"),
    "schema": ("check-jsonschema", "--builtin-schema", "vendor.github-workflows"),
}


SCHEMA_OF_ACTIONS = ("check-jsonschema", "--builtin-schema", "vendor.github-actions")


def write(folder: Path, text: str) -> Path:
    path = folder / ".github" / "workflows" / "gate.yml"  # where linters know what it is
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return path


def write_local(folder: Path, text: str) -> Path:
    """A short workflow beside the actions, which it uses from its own repository: linters read them there."""
    path = write(folder, re.sub(rf"team/harness/(\S+)@{HOME.ref}", r"./\1", text))
    for name, action in ACTIONS.items():
        place = folder / ".github" / "actions" / name
        place.mkdir(parents=True)
        shutil.copy(action, place)
    (folder / ".git").mkdir()  # the root of a repository
    return path


@pytest.mark.parametrize("linter", LINTERS)
def test_every_github_workflow_is_clean(linter: str, tmp_path: Path) -> None:
    """Those of a gate, written out and short, of a sweep, of an audit; a linter takes a second to start."""
    place = write_local if linter == "actionlint" else write
    texts = [render_workflow("github", each) for each in (USUAL, ODD, SHORT, SHORT_ODD)]
    texts += [render_shard_workflow("github", each) for each in (SWEEP, SWEEP_ODD)]
    texts += [render_audit_workflow("github", each) for each in (AUDIT, AUDIT_ODD)]
    paths = [place(tmp_path / str(number), text) for number, text in enumerate(texts)]
    found = run(*LINTERS[linter], *paths)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("name", ACTIONS)
def test_the_actions_are_clean(name: str) -> None:
    for words in (LINTERS["zizmor"], SCHEMA_OF_ACTIONS):
        found = run(*words, ACTIONS[name])
        assert found.returncode == 0, found.stdout + found.stderr
    scripts_of_it = [step["run"] for step in read_action(name)["runs"]["steps"] if "run" in step]
    assert [check_shell("bash", each) for each in scripts_of_it] == [""] * len(scripts_of_it)


@pytest.mark.parametrize(
    ("linter", "old", "new"),
    [
        ("zizmor", '"$GITHUB_ACTION_PATH/../../.."', "${{ inputs.artifact }}"),
        ("zizmor", "upload-artifact@b7c566a772e6b6bfb58ed0dc250532a479d7789f", "upload-artifact@v6"),
        ("schema", "using: composite", "using: composit"),
        ("schema", "      shell: bash\n      run: python", "      run: python"),
        ("shellcheck", '"${GATE_MINUTES}m"', "${GATE_MINUTES}m"),
    ],
)
def test_the_linters_see_a_fault_in_an_action(linter: str, old: str, new: str, tmp_path: Path) -> None:
    text = ACTIONS["gate"].read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "action.yml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    if linter == "shellcheck":
        steps = parse(path.read_text(encoding="utf-8"))["runs"]["steps"]
        assert check_shell("bash", step_of(steps, "Gate")["run"])
    else:
        found = run(*(LINTERS["zizmor"] if linter == "zizmor" else SCHEMA_OF_ACTIONS), path)
        assert found.returncode not in {0, 2}, found.stdout + found.stderr


@pytest.mark.parametrize(("old", "new"), [("file:", "fiel:"), ("          matrix:", "          # matrix:")])
def test_an_input_that_an_action_does_not_have_is_seen(old: str, new: str, tmp_path: Path) -> None:
    text = render_workflow("github", SHORT)
    assert old in text
    assert run(*LINTERS["actionlint"], write_local(tmp_path, text.replace(old, new))).returncode == 1


@pytest.mark.parametrize("linter", LINTERS)
def test_our_own_workflows_are_clean(linter: str) -> None:
    found = run(*LINTERS[linter], *WORKFLOWS)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize(
    ("linter", "old", "new"),
    [
        ("actionlint", "needs: gate", "needs: gaet"),
        ("actionlint", '[ -n "$found" ]', "[ -f $MATRIX ]"),
        ("zizmor", "  pull_request:\n", "  pull_request_target:\n"),
        ("zizmor", 'pip install "$HARNESS"', "pip install ${{ github.head_ref }}"),
        ("zizmor", "persist-credentials: false", "persist-credentials: true"),
        ("zizmor", "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd", "actions/checkout@v6"),
        ("schema", "runs-on: ubuntu-24.04", "run-on: ubuntu-24.04"),
    ],
)
def test_the_linters_see_a_fault(linter: str, old: str, new: str, tmp_path: Path) -> None:
    text = render_workflow("github", USUAL)
    assert old in text
    found = run(*LINTERS[linter], write(tmp_path, text.replace(old, new)))
    assert found.returncode not in {0, 2}, found.stdout + found.stderr


@pytest.mark.parametrize(
    ("linter", "old", "new"),
    [
        ("actionlint", "needs.plan.outputs.sweep-2 !=", "needs.plan.outputs.sweep-4 !="),
        ("actionlint", '"$SWEEP_SHARD/$SWEEP_SHARDS"', "$SWEEP_SHARD/$SWEEP_SHARDS"),
        ("zizmor", '--shard "$SWEEP_SHARD/', '--shard "${{ matrix.shard }}/'),
        ("schema", "- cron:", "- crom:"),
    ],
)
def test_the_linters_see_a_fault_of_a_sweep(linter: str, old: str, new: str, tmp_path: Path) -> None:
    text = render_shard_workflow("github", SWEEP_ODD)
    assert old in text
    found = run(*LINTERS[linter], write(tmp_path, text.replace(old, new)))
    assert found.returncode not in {0, 2}, found.stdout + found.stderr


@pytest.mark.parametrize(
    ("linter", "old", "new"),
    [
        ("actionlint", '"$AUDIT_PATH" --sarif', "$AUDIT_PATH --sarif"),
        ("zizmor", "upload-sarif@45cbd0c69e560cd9e7cd7f8c32362050c9b7ded2", "upload-sarif@v4"),
        ("zizmor", "permissions:\n  contents: read\n", "permissions: write-all\n"),
        ("schema", "security-events: write", "security-event: write"),
    ],
)
def test_the_linters_see_a_fault_of_an_audit(linter: str, old: str, new: str, tmp_path: Path) -> None:
    text = render_audit_workflow("github", AUDIT)
    assert old in text
    found = run(*LINTERS[linter], write(tmp_path, text.replace(old, new)))
    assert found.returncode not in {0, 2}, found.stdout + found.stderr


GITLAB = ("check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci")


def find_invalid(folder: Path, texts: dict[str, str]) -> set[str]:
    """The names of texts that are no pipelines of GitLab, by its schema: that takes a second to load."""
    for name, text in texts.items():
        (folder / f"{name}.yml").write_text(text, encoding="utf-8")
    done = run(*GITLAB, "--output-format", "json", *(folder / f"{name}.yml" for name in texts))
    found = json.loads(done.stdout)
    assert found.get("parse_errors", []) == []
    return {Path(each["filename"]).stem for each in found.get("errors", [])}


def test_the_gitlab_pipelines_are_what_their_schema_says(tmp_path: Path) -> None:
    texts = {
        str(number): render_workflow("gitlab", each)
        for number, each in enumerate((USUAL, ODD, SHORT, SHORT_ODD))
    }
    sweeps = {
        f"sweep-{number}": render_shard_workflow("gitlab", each)
        for number, each in enumerate((SWEEP, SWEEP_ODD))
    }
    audits = {
        f"audit-{number}": render_audit_workflow("gitlab", each)
        for number, each in enumerate((AUDIT, AUDIT_ODD))
    }
    wrong = {
        "report": audits["audit-0"].replace("codequality:", "codequalities:"),
        "when": texts["0"].replace("when: always", "when: sometimes"),
        "inputs": texts["2"].replace("inputs:", "input:"),
    }
    assert find_invalid(tmp_path, texts | sweeps | audits | wrong) == set(wrong)


@pytest.mark.parametrize("pipeline", [SHORT, SHORT_ODD])
def test_the_file_of_gitlab_is_what_its_schema_says(pipeline: Pipeline, tmp_path: Path) -> None:
    """Its head, and its body with the inputs of a pipeline."""
    jobs = include_gitlab(render_workflow("gitlab", pipeline))
    head = parse(GITLAB_FILE.read_text(encoding="utf-8").split("\n---\n")[0])
    wrong = {
        "input": {"spec": {"inputs": {"file": {"type": "text"}}}},
        "job": jobs | {"gate": {"script": ["true"], "environment": {"name": "gate-note", "action": "acces"}}},
    }
    texts = {name: json.dumps(each) for name, each in {"head": head, "jobs": jobs, **wrong}.items()}
    assert find_invalid(tmp_path, texts) == set(wrong)
    known = {"description", "default", "regex"}  # the schema lets others pass
    assert [name for name, each in head["spec"]["inputs"].items() if set(each) - known] == []
    assert [check_shell("sh", each) for each in scripts("gitlab", jobs)] == [""] * 7


def check_shell(shell: str, script: str) -> str:
    """What shellcheck says about a script."""
    tool = shutil.which("shellcheck", path=str(Path(sys.executable).parent))
    if tool is None:
        pytest.skip("shellcheck is not installed beside Python")
    command = [tool, "-s", shell, "-"]
    return subprocess.run(command, input=script, capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize("forge", FORGES)
def test_shellcheck_finds_nothing(forge: Forge) -> None:
    texts = [render_workflow(forge, pipeline) for pipeline in (USUAL, ODD)]
    texts += [render_shard_workflow(forge, sweep) for sweep in (SWEEP, SWEEP_ODD)]
    texts += [render_audit_workflow(forge, audit) for audit in (AUDIT, AUDIT_ODD)]
    for script in (each for text in texts for each in scripts(forge, parse(text))):
        assert check_shell("sh", script) == ""
