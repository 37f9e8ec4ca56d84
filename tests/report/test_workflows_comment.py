"""The step that keeps one comment up to date, run against a server that plays the forge."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from support.fake_forge import MARKER, THEM, TOKEN, US, FakeForge, forge_fixture  # noqa: F401 - fixtures

from harness.report.gate.comment import marker
from harness.report.workflows import Forge, Pipeline, render_workflow

OLD, NEW = f"**PASS**: before\n\n{MARKER}", f"**REGRESSED**: now\n\n{MARKER}"
PIPELINE = Pipeline(file="requirements.txt", matrix="compat", install="x")


def script_of(kind: Forge) -> str:
    """The Python that the pipeline holds."""
    document = YAML(typ="safe").load(render_workflow(kind, PIPELINE))
    if kind == "github":
        return str(document["jobs"]["comment"]["steps"][-1]["run"])
    (note,) = (job for name, job in document.items() if name.endswith("-note"))
    found = re.fullmatch(r"python -I - <<'END'\n(.*\n)END\n?", note["script"][0], re.DOTALL)
    assert found is not None
    return found[1]


def keep_comment(
    kind: Forge, forge: FakeForge, folder: Path, body: str | None = NEW, **variables: str
) -> subprocess.CompletedProcess[str]:
    report = folder / ("gate.md" if kind == "github" else "harness-gate/gate.md")
    report.parent.mkdir(exist_ok=True)
    if body is not None:
        report.write_text(f"{body}\n", encoding="utf-8")
    (folder / "json.py").write_text("raise SystemExit('hijacked')")  # what an artifact might bring along
    values = {
        "github": {
            "GITHUB_API_URL": forge.address,
            "GITHUB_REPOSITORY": "team/service",
            "GITHUB_TOKEN": TOKEN,
            "MARKER": MARKER,
            "PULL_REQUEST": "12",
        },
        "gitlab": {
            "CI_API_V4_URL": forge.address,
            "CI_MERGE_REQUEST_PROJECT_ID": "3",
            "CI_MERGE_REQUEST_IID": "12",
            "GATE_MARKER": MARKER,
            "GATE_TOKEN": TOKEN,
        },
    }[kind]
    return subprocess.run(
        [sys.executable, "-I", "-"],
        input=script_of(kind),
        cwd=folder,
        env=values | {"no_proxy": "127.0.0.1"} | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


KINDS: list[Forge] = ["github", "gitlab"]
PLACES = {"github": "/repos/team/service/issues/12/comments", "gitlab": "/projects/3/merge_requests/12/notes"}
both = pytest.mark.parametrize("kind", KINDS)


@both
def test_the_first_comment_is_made(kind: Forge, forge: FakeForge, tmp_path: Path) -> None:
    found = keep_comment(kind, forge, tmp_path)
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")
    assert forge.bodies == [NEW]
    assert forge.asked[-1] == f"POST {PLACES[kind]}"


@both
def test_the_comment_that_is_there_is_brought_up_to_date(
    kind: Forge, forge: FakeForge, tmp_path: Path
) -> None:
    forge.add("hello", THEM)
    forge.add(OLD.replace("\n", "\r\n") + "\r\n")
    assert keep_comment(kind, forge, tmp_path).returncode == 0
    assert forge.bodies == ["hello", NEW]
    assert keep_comment(kind, forge, tmp_path, OLD).returncode == 0
    assert forge.bodies == ["hello", OLD]


@both
def test_a_comment_on_a_later_page_is_found(kind: Forge, forge: FakeForge, tmp_path: Path) -> None:
    for number in range(200):
        forge.add(f"{number}", THEM)
    forge.add(OLD)
    assert keep_comment(kind, forge, tmp_path).returncode == 0
    assert forge.bodies[-1] == NEW
    assert len(forge.comments) == 201


@both
@pytest.mark.parametrize(
    ("body", "author"),
    [
        (f"> {MARKER}\n\nwhat does this mean?", THEM),
        (f"look:\n{MARKER}", THEM),
        (f"quoted {MARKER} in the middle\n\nby the bot for something else", US),
        (f"**PASS**: of another matrix\n\n{marker('openvino')}", US),
        ("", US),
        (None, US),
    ],
)
def test_somebody_elses_comment_stays(
    kind: Forge, body: str | None, author: int, forge: FakeForge, tmp_path: Path
) -> None:
    forge.add(body, author)
    assert keep_comment(kind, forge, tmp_path).returncode == 0
    assert forge.bodies == [body, NEW]


def test_a_comment_of_an_account_that_is_gone_stays(forge: FakeForge, tmp_path: Path) -> None:
    forge.add(OLD)
    forge.comments[0]["user"] = None
    assert keep_comment("github", forge, tmp_path).returncode == 0
    assert forge.bodies == [OLD, NEW]


@both
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("**PASS**: fine", "the last line of "),
        (f"{MARKER}\n\n**PASS**: fine", "the last line of "),
        (f"**PASS**: fine\n\n{marker('openvino')}", "the last line of "),
        ("", "the last line of "),
        (f"{'x' * 65_536}\n{MARKER}", "has more than 65536 bytes"),
        (f"{'é' * 32_768}\n{MARKER}", "has more than 65536 bytes"),
    ],
)
def test_a_report_that_no_gate_writes_is_refused(
    kind: Forge, body: str, said: str, forge: FakeForge, tmp_path: Path
) -> None:
    found = keep_comment(kind, forge, tmp_path, body)
    assert (found.returncode, said in found.stderr) == (1, True)
    assert (forge.bodies, forge.asked) == ([], [])


@both
def test_a_gate_that_left_nothing_leaves_no_older_verdict(
    kind: Forge, forge: FakeForge, tmp_path: Path
) -> None:
    """A runner that dies, or a limit: the verdict that stands there is of another commit."""
    forge.add(OLD)
    assert keep_comment(kind, forge, tmp_path, None).returncode == 0
    (body,) = forge.bodies
    assert body is not None
    assert body.startswith("**ERROR**: the gate was interrupted and reached no verdict")
    assert body.endswith(f"\n\n{MARKER}")


@both
def test_the_largest_report_is_taken(kind: Forge, forge: FakeForge, tmp_path: Path) -> None:
    body = f"{'x' * (65_536 - len(MARKER) - 2)}\n{MARKER}"
    assert keep_comment(kind, forge, tmp_path, body).returncode == 0
    assert forge.bodies == [body]


def test_without_a_token_there_is_no_note_and_no_fault(forge: FakeForge, tmp_path: Path) -> None:
    found = keep_comment("gitlab", forge, tmp_path, GATE_TOKEN="")
    assert (found.returncode, forge.asked) == (0, [])
    assert found.stdout == "no note: no GATE_TOKEN with the environment scope gate-note\n"


@both
def test_a_refusal_is_said_and_tells_nothing_of_the_token(
    kind: Forge, forge: FakeForge, tmp_path: Path
) -> None:
    forge.refuse = 403
    found = keep_comment(kind, forge, tmp_path)
    assert found.returncode == 1
    assert "was not written: GET returned 403" in found.stderr
    assert TOKEN not in found.stderr
    assert forge.bodies == []


@both
def test_a_number_that_is_none_asks_nobody(kind: Forge, forge: FakeForge, tmp_path: Path) -> None:
    bad = {"github": {"PULL_REQUEST": "1/../2"}, "gitlab": {"CI_MERGE_REQUEST_IID": "1/../2"}}[kind]
    assert keep_comment(kind, forge, tmp_path, **bad).returncode == 1
    assert forge.asked == []
