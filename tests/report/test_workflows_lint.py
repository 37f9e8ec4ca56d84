"""The pipelines that `harness workflow` prints: linted, and each of their own rules with a planted fault."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.pipelines import FORGES, ODD, USUAL, parse, scripts

from harness.report.workflows import Forge, Pipeline, render_workflow

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


def write(folder: Path, text: str) -> Path:
    path = folder / ".github" / "workflows" / "gate.yml"  # where linters know what it is
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("linter", LINTERS)
@pytest.mark.parametrize("pipeline", [USUAL, ODD])
def test_the_github_workflow_is_clean(linter: str, pipeline: Pipeline, tmp_path: Path) -> None:
    found = run(*LINTERS[linter], write(tmp_path, render_workflow("github", pipeline)))
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("linter", LINTERS)
@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_our_own_workflows_are_clean(linter: str, path: Path) -> None:
    found = run(*LINTERS[linter], path)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize(
    ("linter", "old", "new"),
    [
        ("actionlint", "needs: gate", "needs: gaet"),
        ("actionlint", '[ -n "$found" ]', "[ -f $MARKER ]"),
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


def test_the_gitlab_pipeline_is_what_its_schema_says(tmp_path: Path) -> None:
    path = tmp_path / ".gitlab-ci.yml"
    check = (
        "check-jsonschema",
        "--builtin-schema",
        "vendor.gitlab-ci",
        "--data-transform",
        "gitlab-ci",
        path,
    )
    for pipeline in (USUAL, ODD):
        path.write_text(render_workflow("gitlab", pipeline), encoding="utf-8")
        found = run(*check)
        assert found.returncode == 0, found.stdout + found.stderr
    path.write_text(render_workflow("gitlab", USUAL).replace("when: always", "when: sometimes"))
    assert run(*check).returncode == 1


@pytest.mark.parametrize("forge", FORGES)
def test_shellcheck_finds_nothing(forge: Forge) -> None:
    texts = [render_workflow(forge, pipeline) for pipeline in (USUAL, ODD)]
    for script in (each for text in texts for each in scripts(forge, parse(text))):
        if "urllib" not in script:
            tool = shutil.which("shellcheck", path=str(Path(sys.executable).parent))
            if tool is None:
                pytest.skip("shellcheck is not installed beside Python")
            found = subprocess.run(
                [tool, "-s", "sh", "-"], input=script, capture_output=True, text=True, check=False
            )
            assert found.returncode == 0, found.stdout
