"""The pipelines of an audit: when they run, what they show, and which exit code counts."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support.pipelines import AUDIT, AUDIT_ODD, FORGES, USUAL, parse, step_of

from harness.cli.main import cli
from harness.errors import UsageError
from harness.report.audit_workflows import AuditPipeline, render_audit_workflow
from harness.report.pipelines import Forge

GROUP = "audit-src-"
HARNESS = """\
#!/bin/sh
echo "$@" >> told
if [ "$3" = --sarif ]; then
  echo '{"runs": [{"results": [{"suppressions": [{}]}, {"ruleId": "open"}]}]}' > "$5"
elif [ "$3" = --code-quality ]; then
  echo '[]' > "$5"
fi
exit "$CODE"
"""


def jobs_of(pipeline: AuditPipeline) -> Any:
    return parse(render_audit_workflow("github", pipeline))["jobs"]


def test_github_gives_the_job_what_it_needs_to_show_findings() -> None:
    document = parse(render_audit_workflow("github", AUDIT))
    assert document["permissions"] == {"contents": "read"}
    assert {name: job["permissions"] for name, job in document["jobs"].items()} == {
        "audit": {"contents": "read", "security-events": "write"}
    }
    assert set(document["on"]) == {"pull_request", "push"}
    assert "github.event.repository.default_branch" in document["jobs"]["audit"]["if"]
    (upload,) = (step for step in jobs_of(AUDIT)["audit"]["steps"] if "upload-sarif@" in step.get("uses", ""))
    assert upload["with"] == {"sarif_file": "harness-audit.sarif", "category": "harness-audit"}


def test_gitlab_keeps_the_report_of_code_quality() -> None:
    (job,) = parse(render_audit_workflow("gitlab", AUDIT)).values()
    assert job["artifacts"]["reports"] == {"codequality": "harness-audit.json"}
    assert job["artifacts"]["when"] == "always"


@pytest.mark.parametrize(
    ("path", "pattern"),
    [(".", "**/*.py"), ("src", "src/**/*.py"), ("app one/", "app one/**/*.py"), ("a/b.py", "a/b.py")],
)
def test_it_runs_when_the_code_changes(path: str, pattern: str) -> None:
    pipeline = AuditPipeline(path=path, install="x")
    events = parse(render_audit_workflow("github", pipeline))["on"]
    expected = [pattern, ".github/workflows/audit.yml"]
    assert [event["paths"] for event in events.values()] == [expected] * 2
    (job,) = parse(render_audit_workflow("gitlab", pipeline)).values()
    assert job["rules"][0]["changes"] == [pattern, ".gitlab-ci.yml"]


def read_scripts(forge: Forge) -> tuple[list[str], dict[str, str]]:
    """The scripts after the installation, and their variables."""
    if forge == "gitlab":
        (job,) = parse(render_audit_workflow("gitlab", AUDIT_ODD)).values()
        return job["script"][2:], job["variables"]
    job = jobs_of(AUDIT_ODD)["audit"]
    return [step_of(job["steps"], name)["run"] for name in ("Write the findings", "Audit")], job["env"]


@pytest.mark.parametrize("forge", FORGES)
@pytest.mark.parametrize(("code", "codes"), [(0, [0, 0]), (1, [0, 1]), (5, [5, 5])])
def test_findings_are_written_and_the_last_command_decides(
    forge: Forge, code: int, codes: list[int], tmp_path: Path
) -> None:
    (tmp_path / "harness").write_text(HARNESS)
    (tmp_path / "harness").chmod(0o755)
    scripts, variables = read_scripts(forge)
    env = {**variables, "PATH": f"{tmp_path}:{os.environ['PATH']}", "CODE": str(code)}
    found = [
        subprocess.run(("bash", "-e", "-c", script), cwd=tmp_path, env=env, check=False).returncode
        for script in scripts
    ]
    assert found == codes
    first, last = (tmp_path / "told").read_text().splitlines()
    assert (first.split(" --")[0], last) == ("audit app one", "audit app one")
    if code < 5:
        left = json.loads(next(tmp_path.glob("harness-audit.*")).read_bytes())
        assert left == ([] if forge == "gitlab" else {"runs": [{"results": [{"ruleId": "open"}]}]})


@pytest.mark.parametrize("forge", FORGES)
def test_no_value_stands_in_a_script(forge: Forge) -> None:
    for script in read_scripts(forge)[0]:
        assert "app one" not in script
        assert "${{" not in script


def test_the_command_prints_it_and_refuses_what_is_of_a_gate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = ("workflow", "github", "--install", USUAL.install, "--audit", "src")
    assert CliRunner().invoke(cli, asked).output == render_audit_workflow("github", AUDIT)
    for more, said in {
        ("--matrix", "compat"): "--audit prints the pipeline of an audit; leave out --matrix",
        ("--shards", "4", "--inline"): "leave out --inline, --shards",
        ("--audit", "../src"): "--audit '../src': expected a path inside the repository",
        ("--audit", "$(x)"): "--audit '$(x)': expected a path",
        ("--audit", "https://a:b@c/d"): "--audit https://redacted@c/d: it holds credentials",
        ("--install", "$(x)"): "--install '$(x)': expected a requirement",
        ("--python", "3.x"): "--python '3.x': expected a version",
    }.items():
        refused = CliRunner().invoke(cli, (*asked, *more))
        assert isinstance(refused.exception, UsageError)
        assert said in str(refused.exception)
