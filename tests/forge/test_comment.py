"""The comment of a gate: attempts, redirects, links, and the command that posts it."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.fake_forge import MARKER, TOKEN, FakeForge, Trouble, forge_fixture  # noqa: F401 - fixtures

from harness.cli.main import cli
from harness.errors import MachineError, UsageError
from harness.forge import comment
from harness.forge.comment import LIMIT, LOST, CommentError, find_forge, keep_comment, marker

TEXT = f"**PASS**: fine\n\n{MARKER}"
KINDS = ("github", "gitlab")
both = pytest.mark.parametrize("kind", KINDS)
UPDATE = {"github": "PATCH", "gitlab": "PUT"}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def variables_of(kind: str, address: str, **more: str) -> dict[str, str]:
    """What a job for a pull request has in its environment."""
    return {
        "github": {
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": address,
            "GITHUB_REF": "refs/pull/12/merge",
            "GITHUB_REPOSITORY": "team/service",
            "GITHUB_TOKEN": TOKEN,
        },
        "gitlab": {
            "GITLAB_CI": "true",
            "CI_API_V4_URL": address,
            "CI_MERGE_REQUEST_IID": "12",
            "CI_MERGE_REQUEST_PROJECT_ID": "3",
            "GATE_TOKEN": TOKEN,
        },
    }[kind] | more


def post(kind: str, forge: FakeForge, **more: str) -> list[float]:
    """Keep the comment, and return the waits in between."""
    waits: list[float] = []
    found = find_forge(variables_of(kind, forge.address, **more), Path("harness-gate"))
    assert found is not None
    keep_comment(found, TEXT, MARKER, waits.append)
    return waits


def test_it_needs_python_alone() -> None:
    """A job with write access runs it without an installation."""
    tree = ast.parse(Path(comment.__file__).read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) == set()


def test_the_matrix_of_a_project_has_one_marker() -> None:
    """A gate that uses the only matrix of its project has no path in its command."""
    assert marker("matrices/service.toml", "a.txt") == marker("service", "a.txt")
    paths = ("service", "other/service.toml", "matrices/a/service.toml", "matrices/service", "service.toml")
    assert len({marker(each, "a.txt") for each in paths}) == 5


@both
@pytest.mark.parametrize("status", [0, 429, 502, 503])
def test_a_failure_that_passes_is_tried_again(kind: str, status: int, forge: FakeForge) -> None:
    forge.troubles = [Trouble("GET", status), Trouble("POST", status)]
    assert post(kind, forge) == [2, 10]
    assert forge.bodies == [TEXT]


@both
def test_a_comment_whose_answer_is_lost_is_not_made_twice(kind: str, forge: FakeForge) -> None:
    forge.troubles = [Trouble("POST", 0, done=True)]
    assert post(kind, forge) == [2]
    assert forge.bodies == [TEXT]
    assert forge.asked[-1].split(" ")[0] == UPDATE[kind]


@both
def test_the_forge_says_how_long_to_wait(kind: str, forge: FakeForge) -> None:
    forge.troubles = [
        Trouble("GET", 403, {"Retry-After": "7"}),  # a limit of requests on GitHub
        Trouble("GET", 429, {"Retry-After": "4000"}),
    ]
    assert post(kind, forge) == [7, 60]


@both
@pytest.mark.parametrize(("status", "said"), [(0, "GET had no answer (RemoteDisconnected)"), (503, "503")])
def test_a_failure_that_lasts_is_told(kind: str, status: int, said: str, forge: FakeForge) -> None:
    forge.troubles = [Trouble("GET", status)] * 3
    with pytest.raises(CommentError, match=r"^the comment was not written: GET") as error:
        post(kind, forge)
    assert said in str(error.value)
    assert (len(forge.asked), forge.bodies) == (3, [])


@both
@pytest.mark.parametrize("status", [401, 404, 422])
def test_a_refusal_is_final(kind: str, status: int, forge: FakeForge) -> None:
    forge.refuse = status
    with pytest.raises(CommentError, match=f"GET returned {status}$"):
        post(kind, forge)
    assert len(forge.asked) == 1


@both
def test_no_redirect_is_followed(kind: str, forge: FakeForge) -> None:
    """The page it leads to would be sent the token."""
    forge.troubles = [Trouble("GET", 302, {"Location": f"{forge.address}/elsewhere"})]
    with pytest.raises(CommentError, match=r"GET returned 302$"):
        post(kind, forge)
    assert len(forge.asked) == 1


@both
@pytest.mark.parametrize("text", [b"<html>log in</html>", b'{"message": "no"}', b"[1]", b'"x"', b"\xff"])
def test_what_is_no_list_of_comments_is_told(kind: str, text: bytes, forge: FakeForge) -> None:
    forge.text = text
    with pytest.raises(CommentError, match=r"GET returned something else than (JSON|comments)"):
        post(kind, forge)
    assert forge.bodies == []


@both
@pytest.mark.parametrize("token", ["se\ncret", "se\x00cret", "secrét"])
def test_what_cannot_be_a_token_is_not_repeated(kind: str, token: str, forge: FakeForge) -> None:
    name = {"github": "GITHUB_TOKEN", "gitlab": "GATE_TOKEN"}[kind]
    with pytest.raises(CommentError, match=f"{name} is not set, or is no token$"):
        post(kind, forge, **{name: token})
    assert forge.asked == []


@both
def test_the_record_of_a_forge_hides_the_token(kind: str) -> None:
    assert TOKEN not in repr(find_forge(variables_of(kind, "https://forge.example"), Path()))


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("github", "GITHUB_API_URL", "file:///etc"),
        ("github", "GITHUB_API_URL", "https://a@b"),
        ("github", "GITHUB_REF", "refs/heads/main"),
        ("github", "GITHUB_REPOSITORY", "team/service/../x"),
        ("github", "GITHUB_TOKEN", ""),
        ("gitlab", "CI_MERGE_REQUEST_PROJECT_ID", ""),
        ("gitlab", "CI_API_V4_URL", ""),
    ],
)
def test_an_odd_variable_is_named(kind: str, name: str, value: str, forge: FakeForge) -> None:
    with pytest.raises(CommentError, match=f"^the comment was not written: {name} is "):
        post(kind, forge, **{name: value})
    assert forge.asked == []


# Links

GITHUB = {"GITHUB_SERVER_URL": "https://forge.example", "GITHUB_RUN_ID": "5"}
GITLAB = {
    "CI_SERVER_URL": "https://forge.example",
    "CI_PIPELINE_URL": "https://forge.example/team/service/-/pipelines/5",
    "CI_PROJECT_URL": "https://forge.example/team/service",
}
RUN = "https://forge.example/team/service/actions/runs/5"
JOB = "https://forge.example/team/service/-/jobs/77"


def links_of(kind: str, folder: Path, **more: str) -> tuple[tuple[str, str], ...]:
    given = {"github": GITHUB, "gitlab": GITLAB}[kind] | more
    found = find_forge(variables_of(kind, "https://api.example", **given), folder)
    assert found is not None
    return found.links


def test_the_links_lead_to_the_run_its_files_and_the_page(tmp_path: Path) -> None:
    folder = tmp_path / "harness-gate"
    folder.mkdir()
    assert links_of("github", folder) == (("run", RUN), ("report and its files", f"{RUN}#artifacts"))
    assert links_of("gitlab", folder) == (("pipeline", GITLAB["CI_PIPELINE_URL"]),)
    (folder / "job").write_text("77\n")
    (folder / "index.html").touch()
    for place in (folder, folder / "gate.md"):
        assert links_of("gitlab", place)[1:] == (
            ("job", JOB),
            ("report and its files", f"{JOB}/artifacts/browse"),
            ("page", f"{JOB}/artifacts/file/harness-gate/index.html"),
        )


@pytest.mark.parametrize("job", ["", "7/../../x", "-7", "7)[x](", "9" * 40, "7\nx", "\u0667"])
def test_a_report_names_no_other_place(job: str, tmp_path: Path) -> None:
    """The file was within reach of the code of packages."""
    (tmp_path / "job").write_text(job, encoding="utf-8")
    assert [name for name, _ in links_of("gitlab", tmp_path)] == ["pipeline"]


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("github", {"GITHUB_RUN_ID": "5)"}),
        ("github", {"GITHUB_SERVER_URL": ""}),
        ("github", {"GITHUB_SERVER_URL": "javascript:x"}),
        ("gitlab", {"CI_PIPELINE_URL": "https://forge.example.evil/a"}),
        ("gitlab", {"CI_SERVER_URL": ""}),
    ],
)
def test_a_link_stays_on_the_host_of_the_forge(kind: str, more: dict[str, str], tmp_path: Path) -> None:
    assert links_of(kind, tmp_path, **more) == ()


def test_the_links_are_one_line_before_the_marker() -> None:
    links = (("run", RUN), ("report", f"{RUN}#artifacts"))
    line = f"[run]({RUN}) · [report]({RUN}#artifacts)"
    assert comment.add_links(TEXT, links) == f"**PASS**: fine\n\n{line}\n\n{MARKER}"
    assert comment.add_links(TEXT, ()) == TEXT
    longest = f"{'x' * (LIMIT - len(MARKER) - 2)}\n\n{MARKER}"
    assert comment.add_links(longest, links) == longest


# The command


def run(*arguments: str | Path, **variables: str) -> Result:
    return CliRunner().invoke(cli, ["comment", *map(str, arguments)], env=variables)


ASKED = ("--matrix", "compat", "--file", "requirements.txt")


@both
def test_the_command_posts_a_report(kind: str, forge: FakeForge, tmp_path: Path) -> None:
    (tmp_path / "gate.md").write_text(f"{TEXT}\n", encoding="utf-8")
    more = {"github": GITHUB, "gitlab": GITLAB}[kind]
    variables = dict.fromkeys(("GITHUB_ACTIONS", "GITLAB_CI"), "") | variables_of(kind, forge.address, **more)
    assert run(tmp_path, *ASKED, **variables).output == "the comment was created\n"
    assert run(tmp_path / "gate.md", **variables).output == "the comment was updated\n"  # its own marker
    (body,) = forge.bodies
    assert body.splitlines()[-3].startswith("[run](" if kind == "github" else "[pipeline](")
    assert run(tmp_path / "none", *ASKED, **variables).exit_code == 0
    assert forge.bodies[0].startswith(LOST)
    assert forge.bodies[0].endswith(f"\n\n{MARKER}")


def test_the_command_says_what_is_wrong(forge: FakeForge, tmp_path: Path) -> None:
    variables = variables_of("github", forge.address) | {"GITLAB_CI": ""}
    (tmp_path / "gate.md").write_text("fine\n", encoding="utf-8")
    for arguments, kind, said in (
        ((tmp_path,), MachineError, "gate.md is not the marker of a gate"),
        ((tmp_path / "none",), MachineError, "gate.md, and no --matrix that says which"),
        ((tmp_path, "--file", "a.txt"), UsageError, "go with --matrix; add it"),
    ):
        done = run(*arguments, **variables)
        assert isinstance(done.exception, kind)
        assert said in str(done.exception)
    done = run(tmp_path, **dict.fromkeys(variables, ""))
    assert str(done.exception).endswith("this is no job of GitHub Actions or GitLab CI")
    assert forge.asked == []
