"""Who may accept a red finding in a pull request, asked of a server that plays both forges, and how."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from markdown_it import MarkdownIt
from support.fake_change import LINE, FakeChange, change_fixture  # noqa: F401 - fixtures
from support.fake_forge import MARKER, TOKEN, Trouble

from harness.cli.main import cli
from harness.forge.acknowledged import (
    MAX_LINE,
    MAX_TEXT,
    MOST_DISREGARDED,
    AcceptLine,
    Lines,
    find_accept_lines,
    find_similar_lines,
    read_acknowledgements,
)
from harness.forge.comment import CommentError
from harness.forge.pull_request import find_pull_request

KINDS = ("github", "gitlab")
both = pytest.mark.parametrize("kind", KINDS)
PLACE = {
    "github": "https://forge.example/team/service/pull/12#issue-9",
    "gitlab": "https://forge.example/team/service/-/merge_requests/12",
}
NOTE = {
    "github": "https://forge.example/team/service/pull/12#issuecomment-",
    "gitlab": "https://forge.example/team/service/-/merge_requests/12#note_",
}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def variables_of(kind: str, address: str, **more: str) -> dict[str, str]:
    return {
        "github": {
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": address,
            "GITHUB_REF": "refs/pull/12/merge",
            "GITHUB_REPOSITORY": "team/service",
            "GITHUB_SERVER_URL": "https://forge.example",
            "GITHUB_TOKEN": TOKEN,
        },
        "gitlab": {
            "GITLAB_CI": "true",
            "CI_API_V4_URL": address,
            "CI_MERGE_REQUEST_IID": "12",
            "CI_MERGE_REQUEST_PROJECT_ID": "3",
            "CI_MERGE_REQUEST_PROJECT_URL": "https://forge.example/team/service",
            "GATE_READ_TOKEN": TOKEN,
        },
    }[kind] | more


def read(kind: str, change: FakeChange, **more: str) -> Lines:
    found = find_pull_request(variables_of(kind, change.address, **more))
    return read_acknowledgements(found, lambda _: None)


def counted(author: str, link: str) -> dict[str, str]:
    said = {"question": "cost", "subject": "numpy", "reason": "we serve batches"}
    return said | {"author": author, "link": link}


def whys(found: Lines) -> list[str]:
    return [each["why"] for each in found["disregarded"]]


@both
def test_lines_of_people_with_write_access_count(kind: str, change: FakeChange) -> None:
    change.body = f"An upgrade.\n\n{LINE}"
    change.notes = [("eve", "no"), ("mona", LINE)]
    assert read(kind, change) == {
        "counted": [counted("alice", PLACE[kind]), counted("mona", f"{NOTE[kind]}2")],
        "disregarded": [],
    }


@both
def test_a_reader_a_bot_and_a_quotation_accept_nothing(kind: str, change: FakeChange) -> None:
    change.notes = [("eve", LINE), ("robot", LINE), ("alice", f"> {LINE}"), ("eve", f"```\n{LINE}\n```")]
    found = read(kind, change)
    assert found["counted"] == []
    assert found["disregarded"] == [
        {"line": line, "why": why, "author": author, "link": f"{NOTE[kind]}{at}"}
        for at, (line, why, author) in enumerate(
            (
                (LINE, "eve has no write access", "eve"),
                (LINE, "it is written by a bot", "robot"),
                (f"> {LINE}", "it is quoted", "alice"),
                (LINE, "eve has no write access", "eve"),
            ),
            1,
        )
    ]


@both
def test_the_own_text_of_a_gate_accepts_nothing_whoever_wrote_it(kind: str, change: FakeChange) -> None:
    """It tells the lines to write, and the token may be that of a person."""
    change.notes = [("alice", f"### Do not merge\n\n{LINE}\n\n{MARKER}\n"), ("robot", f"{LINE}\n\n{MARKER}")]
    assert read(kind, change) == {"counted": [], "disregarded": []}


@both
def test_the_forge_is_asked_of_each_author_once_and_of_nobody_without_a_line(
    kind: str, change: FakeChange
) -> None:
    change.body, change.by = None, "bob"
    change.notes = [("mona", LINE), ("eve", "hello"), ("mona", LINE), ("bob", f"{LINE}\n{LINE}")]
    found = read(kind, change)
    assert (len(found["counted"]), len(found["disregarded"])) == (2, 2)
    people = [each for each in change.asked if "collaborators" in each or "members" in each]
    assert len(people) == 2
    assert {each.split(" ")[0] for each in change.asked} == {"GET"}


@both
def test_all_pages_are_read_and_the_newest_lines_without_effect_are_kept(
    kind: str, change: FakeChange
) -> None:
    change.notes = [("eve", f"{LINE} {at}") for at in range(250)] + [("alice", LINE)]
    found = read(kind, change)
    assert found["counted"] == [counted("alice", f"{NOTE[kind]}251")]
    assert [each["line"] for each in found["disregarded"]] == [
        f"{LINE} {at}" for at in range(250 - MOST_DISREGARDED, 250)
    ]


def test_reviews_count_unless_dismissed_and_apps_in_the_name_of_people_do_not(change: FakeChange) -> None:
    change.reviews = [("alice", LINE, "APPROVED"), ("mona", LINE, "DISMISSED")]
    change.notes = [("carl", LINE), ("ghost", LINE)]
    found = read("github", change)
    link = "https://forge.example/team/service/pull/12#pullrequestreview-50"
    assert found["counted"] == [counted("alice", link)]
    assert whys(found) == ["it is written by a bot", "ghost has no write access"]


def test_what_gitlab_itself_notes_is_no_line_and_an_account_that_is_no_member_may_not_write(
    change: FakeChange,
) -> None:
    change.notes = [("carl", LINE), ("ghost", LINE)]
    found = read("gitlab", change)
    assert (found["counted"], whys(found)) == ([], ["ghost has no write access"])


@both
@pytest.mark.parametrize("name", ["../alice", "a b", "alice/../mona", "", "a\nb", "a?b"])
def test_an_author_is_no_part_of_an_address(kind: str, name: str, change: FakeChange) -> None:
    change.notes = [(name, LINE)]
    with pytest.raises(CommentError, match="something else than comments"):
        read(kind, change)
    assert [each for each in change.asked if "permission" in each or "users" in each] == []


@both
@pytest.mark.parametrize(
    "text", [b"<html>log in</html>", b'{"message": "no"}', b"[1]", b'"x"', b"null", b'{"body": 3, "user": 4}']
)
def test_an_answer_of_something_else_accepts_nothing(kind: str, text: bytes, change: FakeChange) -> None:
    change.text = text
    with pytest.raises(CommentError, match=r"GET returned something else than (JSON|comments)"):
        read(kind, change)


@both
def test_a_failure_that_passes_is_tried_again(kind: str, change: FakeChange) -> None:
    change.body = LINE
    change.troubles = [Trouble("GET", 503), Trouble("GET", 0)]
    assert len(read(kind, change)["counted"]) == 1


@both
def test_a_permission_that_cannot_be_read_is_no_answer(kind: str, change: FakeChange) -> None:
    """Only what the forge does not know is one: nobody with this name may write."""
    change.body = LINE
    before = [Trouble("GET", 200, done=True)] * {"github": 1, "gitlab": 2}[kind]
    change.troubles = [*before, Trouble("GET", 403)]
    with pytest.raises(CommentError, match=r"GET returned 403$"):
        read(kind, change)


# The command


def run(kind: str, file: Path, address: str, **more: str) -> tuple[int, str, dict[str, object]]:
    variables = dict.fromkeys(("GITHUB_ACTIONS", "GITLAB_CI"), "") | variables_of(kind, address, **more)
    done = CliRunner().invoke(cli, ["acknowledged", str(file)], env=variables)
    return done.exit_code, done.output, json.loads(file.read_text(encoding="utf-8"))


@both
def test_the_command_writes_what_counts_over_a_file_that_was_there(
    kind: str, change: FakeChange, tmp_path: Path
) -> None:
    change.body, change.notes = LINE, [("eve", LINE)]
    file = tmp_path / "acknowledged.json"
    file.write_text('{"schema": 1, "counted": [{"planted": "by the pull request"}]}', encoding="utf-8")
    code, said, found = run(kind, file, change.address)
    assert (code, said) == (0, "counted: 1, without effect: 1\n")
    assert found["counted"] == [counted("alice", PLACE[kind])]


@both
@pytest.mark.parametrize("trouble", ["refused", "no token"])
def test_a_pull_request_that_cannot_be_read_accepts_nothing(
    kind: str, trouble: str, change: FakeChange, tmp_path: Path
) -> None:
    change.body = LINE
    change.refuse = 403 if trouble == "refused" else 0
    name = {"github": "GITHUB_TOKEN", "gitlab": "GATE_READ_TOKEN"}[kind]
    more = {} if trouble == "refused" else {name: ""}
    why = "GET returned 403" if trouble == "refused" else f"{name} is not set, or is no token"
    code, said, found = run(kind, tmp_path / "a.json", change.address, **more)
    assert (code, found["counted"]) == (0, [])
    assert found["disregarded"] == [{"line": "", "why": why, "author": "", "link": ""}]
    assert f"nothing counts, the pull request was not read: {why}" in said
    assert TOKEN not in said


# Lines that a forge shows as plain text of their own

OWN = "harness: accept cost numpy because we saw it"
FORM = "it is not of the form harness: accept QUESTION PACKAGE because REASON"
CODE, QUOTED, LISTED, HTML = "it stands in code", "it is quoted", "it stands in a list", "it stands in HTML"
BEHIND, BESIDE = "it stands behind HTML", "it stands beside HTML"
FOUND = AcceptLine(OWN, "cost", "numpy", "we saw it")


@pytest.mark.parametrize(
    "text",
    [
        OWN,
        f"I looked at it.\n{OWN}\nSo merge it.",
        f"   {OWN}  ",
        f"> a quotation\n\n{OWN}",
        f"```\ncode\n```\n{OWN}",
        f"<!-- a template\n{OWN}\n-->\n\n{OWN}",  # what nobody sees is not told either
        f"<!-- {OWN} -->\n\n{OWN}",
        f"- a list\n\n{OWN}",
        f"---\r\n{OWN}\r\n",
        f"`code` and ~~more~~\n{OWN}",
    ],
)
def test_a_line_of_its_own_counts(text: str) -> None:
    assert list(find_accept_lines(text)) == [FOUND]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"> {OWN}", QUOTED),
        (f"> a quotation\n{OWN}", QUOTED),  # goes on, as Markdown has it
        (f">> {OWN}", QUOTED),
        (f"- > {OWN}", LISTED),
        (f"```\n{OWN}\n```", CODE),
        (f"```\n{OWN}", CODE),  # to the end of the text
        (f"~~~ text\n{OWN}\n~~~", CODE),
        (f"````\n```\n{OWN}\n```\n````", CODE),
        (f"    {OWN}", CODE),
        (f"\t{OWN}", CODE),
        (f"`a\n{OWN}\nb`", CODE),
        (f"- {OWN}", LISTED),
        (f"- a list\n{OWN}", LISTED),
        (f"1. a list\n\n   {OWN}", LISTED),
        (f"# {OWN}", "it stands in a heading"),
        (f"{OWN}\n===", "it stands in a heading"),
        (f"a | b\n--|--\n{OWN}", "it stands in a table"),
        (f"~~no\n{OWN}\nno~~", "it is formatted"),
        (f"**yes\n{OWN}\nyes**", "it is formatted"),
        (f"[a\n{OWN}\nb](https://a.example)", "it is formatted"),
        (f"<pre>\n{OWN}\n</pre>", HTML),
        (f"<details>\n{OWN}\n</details>", HTML),
        (f"<details><summary>release notes</summary>\n\n{OWN}\n\n</details>", BEHIND),
        (f"<blockquote>\n\nx\n\n</blockquote>\n\n{OWN}", BEHIND),
        (f"one <del>two\n{OWN}", BESIDE),
        (f"{OWN} <b>", BESIDE),
        ("harness: accept <question> <package|scenario> because <reason>", BESIDE),
        (f"`{OWN}`", FORM),
        (f"**{OWN}**", FORM),
        (f"| {OWN} |", FORM),
        ("harness: accept numpy because we saw it", FORM),
        ("harness: accept cost numpy", FORM),
        ("harness: accept cost numpy because", FORM),
        ("harness: accept cost numpy because\nwe saw it", FORM),
        ("harness: accept cost $(id) because x", FORM),
        ("harness: accept cost ../../x because x", FORM),
        ("harness: accept cost numpy --accepted because x", FORM),
        (f"{OWN} {'x' * MAX_LINE}", f"it has more than {MAX_LINE} characters"),
        (f"{OWN}\n\n{'x' * MAX_TEXT}", "the comment is too long"),
    ],
)
def test_a_line_that_only_looks_like_one_is_told(text: str, why: str) -> None:
    (found,) = find_accept_lines(text)
    assert (found.why, found.question, found.subject, found.reason) == (why, "", "", "")
    assert "accept" in found.text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0",
        "the harness: accept cost numpy because",
        f"\\{OWN}",
        f"&gt; {OWN}",
        f"\u200b{OWN}",
        f"<!-- {OWN} -->",
        f"<!--\n{OWN}",  # hidden to the end
        f"/{OWN}",
    ],
)
def test_other_text_is_none(text: str) -> None:
    assert list(find_accept_lines(text)) == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("HARNESS: Accept Cost NumPy Because It is so", ("cost", "NumPy", "It is so")),
        (
            "harness:accept  vectors\tl0.zero/manual  because a | b `c` [d](e) @f ::set-output::g",
            ("vectors", "l0.zero/manual", "a | b `c` [d](e) @f ::set-output::g"),
        ),
        ("harness: accept a b because because because", ("a", "b", "because because")),
        ("harness: accept because because because x", ("because", "because", "x")),
    ],
)
def test_the_parts_of_a_line(line: str, found: tuple[str, str, str]) -> None:
    assert list(find_accept_lines(line)) == [AcceptLine(line, *found)]


def test_every_line_of_a_comment_is_read() -> None:
    text = f"{OWN}\n> {OWN}\n\n{OWN}\n\n```\n{OWN}\n```"
    assert [each.why for each in find_accept_lines(text)] == ["", QUOTED, "", CODE]
    assert find_similar_lines(text) == [OWN, f"> {OWN}", OWN, OWN]


def test_what_counts_is_what_a_forge_shows_as_a_line_of_text() -> None:
    """Asked of the HTML that Markdown becomes, for lines in every pair of surroundings."""
    around = (
        "",
        "> a",
        "- a",
        "a",
        "```",
        "    a",
        "`a",
        "<div>",
        "| a | b |\n|-|-|",
        "# a",
        "~~a",
        "\n",
        "[a]: b",
    )
    for before in around:
        for more in around:
            text = f"{before}\n{more}\n{OWN}"
            html = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)
            shown = any(
                OWN in part.partition("</p>")[0].split("\n") for part in html.split("\n<p>")[1:]
            ) or OWN in html.removeprefix("<p>").partition("</p>")[0].split("\n") * html.startswith("<p>")
            counted = [each for each in find_accept_lines(text) if not each.why]
            assert not counted or shown, text
