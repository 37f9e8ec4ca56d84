"""How long a gate may take in a pipeline, and who says so."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.pipelines import USUAL, parse
from support.plan_texts import PLAIN, make_matrix

from harness.cli.main import cli
from harness.errors import UsageError
from harness.report.workflows import render_workflow


@pytest.mark.parametrize(
    ("budget", "culprit_budget", "minutes"),
    [("", "20m", 55), ("10m", "20m", 55), ("90s", "20m", 47), ("10m", "61s", 37)],
)
def test_a_gate_has_the_time_of_all_its_parts(budget: str, culprit_budget: str, minutes: int) -> None:
    pipeline = replace(USUAL, budget=budget, culprit_budget=culprit_budget)
    job = parse(render_workflow("github", pipeline))["jobs"]["gate"]
    (step,) = (each for each in job["steps"] if each.get("name") == "Gate")
    assert (step["timeout-minutes"], job["timeout-minutes"]) == (minutes, minutes + 15)
    (job,) = (each for each in parse(render_workflow("gitlab", pipeline)).values() if "after_script" in each)
    assert job["timeout"] == f"{minutes + 15} minutes"
    limits = [job["variables"][f"RUNNER_{part}_TIMEOUT"] for part in ("SCRIPT", "AFTER_SCRIPT")]
    assert limits == [f"{minutes + 5}m", "5m"]  # so that what it knows by then is collected


def test_the_budget_is_that_of_the_matrix_unless_one_is_given(tmp_path: Path) -> None:
    """A pipeline that overrules the matrix would leave a gate inconclusive that has more time there."""
    path = make_matrix(tmp_path, f"{PLAIN}\n[gate]\nbudget-seconds = 1790.5\n").path
    (tmp_path / "requirements.txt").write_text("numpy==2.4.6\n", encoding="utf-8")
    asked = ["workflow", "github", "--install", "x", "--matrix"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path.parent)
        of_matrix = CliRunner().invoke(cli, [*asked, path.name]).output
        given = CliRunner().invoke(cli, [*asked, path.name, "--budget", "90s"]).output
    assert [" --budget " in each for each in (of_matrix, given)] == [False, True]
    minutes = [int(re.findall(r" {8}timeout-minutes: (\d+)", each)[0]) for each in (of_matrix, given)]
    assert minutes == [75, 47]


@pytest.mark.parametrize("matrix", ["another.toml", "nope"])
def test_a_matrix_that_the_gate_would_refuse_is_refused(matrix: str, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        done = CliRunner().invoke(cli, ["workflow", "github", "--install", "x", "--matrix", matrix])
    assert isinstance(done.exception, UsageError)
    assert "no such matrix" in str(done.exception)
