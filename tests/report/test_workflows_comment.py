"""The step that keeps one comment up to date, run against a server that plays the forge."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from support.fake_forge import MARKER, THEM, TOKEN, US, FakeForge, forge_fixture  # noqa: F401 - fixtures
from support.pipelines import ACTIONS, HOME, USUAL, include_gitlab, parse, read_action, scripts

from harness.forge.comment import LOST, marker
from harness.report.pipelines import Forge
from harness.report.workflows import Pipeline, render_workflow

OLD, NEW = f"**PASS**: before\n\n{MARKER}", f"**REGRESSED**: now\n\n{MARKER}"
Form = Literal["inline", "short"]


def script_of(kind: Forge, form: Form, pipeline: Pipeline) -> str:
    """The script that posts: in the printed pipeline, or in what the short one uses."""
    if form == "short" and kind == "github":
        return str(read_action("comment")["runs"]["steps"][-1]["run"])
    text = render_workflow(kind, replace(pipeline, home=HOME if form == "short" else None))
    (found,) = (
        each
        for each in scripts(kind, include_gitlab(text) if form == "short" else parse(text))
        if "urllib" in each
    )
    return found


def variables_of(kind: Forge, address: str) -> dict[str, str]:
    """What the forge sets in a job for a pull request, and the pipeline in this step."""
    own = {"FILE": "requirements.txt", "MATRIX": "compat"}
    return {f"GATE_{name}": value for name, value in own.items()} | {
        "github": {
            **own,
            "GATE_AUTHOR": "github-actions[bot]",
            "GITHUB_ACTION_PATH": str(ACTIONS["comment"].parent),
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": address,
            "GITHUB_REF": "refs/pull/12/merge",
            "GITHUB_REPOSITORY": "team/service",
            "GITHUB_TOKEN": TOKEN,
        },
        "gitlab": {
            "CI_API_V4_URL": address,
            "CI_MERGE_REQUEST_PROJECT_ID": "3",
            "CI_MERGE_REQUEST_IID": "12",
            "GATE_TOKEN": TOKEN,
            "GITLAB_CI": "true",
        },
    }[kind]


def keep_comment(  # noqa: PLR0917 - what the tests change, in the order of how often
    kind: Forge,
    forge: FakeForge,
    folder: Path,
    body: str | None = NEW,
    form: Form = "inline",
    pipeline: Pipeline = USUAL,
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    report = folder / "harness-gate" / "gate.md"
    report.parent.mkdir(exist_ok=True)
    if body is not None:
        report.write_text(f"{body}\n", encoding="utf-8")
    for place in (folder, report.parent):  # what an artifact might bring along
        (place / "json.py").write_text("raise SystemExit('hijacked')")
    return subprocess.run(
        ["bash", "-e", "-c", script_of(kind, form, pipeline)],
        cwd=folder,
        env={
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "no_proxy": "127.0.0.1",
            **variables_of(kind, forge.address),
            **variables,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


KINDS: list[Forge] = ["github", "gitlab"]
PLACES = {"github": "/repos/team/service/issues/12/comments", "gitlab": "/projects/3/merge_requests/12/notes"}
both = pytest.mark.parametrize("kind", KINDS)


both_forms = pytest.mark.parametrize("form", ["inline", "short"])


@both
@both_forms
def test_the_first_comment_is_made(kind: Forge, form: Form, forge: FakeForge, tmp_path: Path) -> None:
    found = keep_comment(kind, forge, tmp_path, form=form)
    assert (found.returncode, found.stdout, found.stderr) == (0, "the comment was created\n", "")
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
def test_somebody_elses_comments_stay(kind: Forge, forge: FakeForge, tmp_path: Path) -> None:
    others: tuple[tuple[str | None, int], ...] = (
        (f"> {MARKER}\n\nwhat does this mean?", THEM),
        (f"look:\n{MARKER}", THEM),
        (f"quoted {MARKER} in the middle\n\nby the bot for something else", US),
        (f"**PASS**: of another matrix\n\n{marker('openvino', 'requirements.txt')}", US),
        ("", US),
        (None, US),
    )
    for body, author in others:
        forge.add(body, author)
    assert keep_comment(kind, forge, tmp_path).returncode == 0
    assert forge.bodies == [*(body for body, _ in others), NEW]


def test_a_comment_of_an_account_that_is_gone_stays(forge: FakeForge, tmp_path: Path) -> None:
    forge.add(OLD)
    forge.comments[0]["user"] = None
    assert keep_comment("github", forge, tmp_path).returncode == 0
    assert forge.bodies == [OLD, NEW]


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        ("gitlab", "**PASS**: fine", "the last line of "),
        ("github", f"{MARKER}\n\n**PASS**: fine", "the last line of "),
        ("github", f"**PASS**: fine\n\n{marker('openvino')}", "the last line of "),
        ("github", "", "the last line of "),
        ("github", f"{'x' * 65_536}\n{MARKER}", "has more than 65536 bytes"),
        ("gitlab", f"{'é' * 32_768}\n{MARKER}", "has more than 65536 bytes"),
    ],
)
def test_a_report_that_no_gate_writes_is_refused(
    kind: Forge, body: str, said: str, forge: FakeForge, tmp_path: Path
) -> None:
    found = keep_comment(kind, forge, tmp_path, body)
    assert (found.returncode, said in found.stderr) == (1, True)
    assert found.stderr.count("\n") == 1
    assert (forge.bodies, forge.asked) == ([], [])


@both
@both_forms
def test_another_choice_from_a_lock_is_another_comment(
    kind: Forge, form: Form, forge: FakeForge, tmp_path: Path
) -> None:
    chosen = replace(USUAL, extras=("cpu", "new-2"), groups=("serve",))
    body = f"fine\n\n{marker(chosen.matrix, chosen.file, chosen.choice)}"
    names = {"GATE_EXTRAS": "cpu new-2", "GATE_GROUPS": "serve"}
    assert keep_comment(kind, forge, tmp_path, body, form).returncode == 1
    assert keep_comment(kind, forge, tmp_path, body, form, chosen, **names).returncode == 0
    assert forge.bodies == [body]


@both
@both_forms
def test_a_gate_that_left_nothing_leaves_no_older_verdict(
    kind: Forge, form: Form, forge: FakeForge, tmp_path: Path
) -> None:
    """A runner that dies, or a limit: the verdict that stands there is of another commit."""
    forge.add(OLD)
    assert keep_comment(kind, forge, tmp_path, None, form).returncode == 0
    assert forge.bodies == [f"{LOST}\n\n{MARKER}"]


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
    name, value = {
        "github": ("GITHUB_REF", "refs/pull/1/../2/merge"),
        "gitlab": ("CI_MERGE_REQUEST_IID", "1/../2"),
    }[kind]
    assert keep_comment(kind, forge, tmp_path, NEW, "inline", USUAL, **{name: value}).returncode == 1
    assert forge.asked == []
