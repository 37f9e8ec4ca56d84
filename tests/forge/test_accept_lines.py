"""Which lines of a comment are acknowledgements: those that a forge shows as plain text of their own."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from harness.forge.accept_lines import MAX_LINE, MAX_TEXT, AcceptLine, find_accept_lines, find_similar_lines

LINE = "harness: accept cost numpy because we saw it"
FORM = "it is not of the form harness: accept QUESTION PACKAGE because REASON"
CODE, QUOTED, LIST, HTML = "it stands in code", "it is quoted", "it stands in a list", "it stands in HTML"
BEHIND, BESIDE = "it stands behind HTML", "it stands beside HTML"
FOUND = AcceptLine(LINE, "cost", "numpy", "we saw it")


@pytest.mark.parametrize(
    "text",
    [
        LINE,
        f"I looked at it.\n{LINE}\nSo merge it.",
        f"   {LINE}  ",
        f"> a quotation\n\n{LINE}",
        f"```\ncode\n```\n{LINE}",
        f"<!-- a template\n{LINE}\n-->\n\n{LINE}",  # what nobody sees is not told either
        f"<!-- {LINE} -->\n\n{LINE}",
        f"- a list\n\n{LINE}",
        f"---\r\n{LINE}\r\n",
        f"`code` and ~~more~~\n{LINE}",
    ],
)
def test_a_line_of_its_own_counts(text: str) -> None:
    assert list(find_accept_lines(text)) == [FOUND]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"> {LINE}", QUOTED),
        (f"> a quotation\n{LINE}", QUOTED),  # goes on, as Markdown has it
        (f">> {LINE}", QUOTED),
        (f"- > {LINE}", LIST),
        (f"```\n{LINE}\n```", CODE),
        (f"```\n{LINE}", CODE),  # to the end of the text
        (f"~~~ text\n{LINE}\n~~~", CODE),
        (f"````\n```\n{LINE}\n```\n````", CODE),
        (f"    {LINE}", CODE),
        (f"\t{LINE}", CODE),
        (f"`a\n{LINE}\nb`", CODE),
        (f"- {LINE}", LIST),
        (f"- a list\n{LINE}", LIST),
        (f"1. a list\n\n   {LINE}", LIST),
        (f"# {LINE}", "it stands in a heading"),
        (f"{LINE}\n===", "it stands in a heading"),
        (f"a | b\n--|--\n{LINE}", "it stands in a table"),
        (f"~~no\n{LINE}\nno~~", "it is formatted"),
        (f"**yes\n{LINE}\nyes**", "it is formatted"),
        (f"[a\n{LINE}\nb](https://a.example)", "it is formatted"),
        (f"<pre>\n{LINE}\n</pre>", HTML),
        (f"<details>\n{LINE}\n</details>", HTML),
        (f"<details><summary>release notes</summary>\n\n{LINE}\n\n</details>", BEHIND),
        (f"<blockquote>\n\nx\n\n</blockquote>\n\n{LINE}", BEHIND),
        (f"one <del>two\n{LINE}", BESIDE),
        (f"{LINE} <b>", BESIDE),
        ("harness: accept <question> <package|scenario> because <reason>", BESIDE),
        (f"`{LINE}`", FORM),
        (f"**{LINE}**", FORM),
        (f"| {LINE} |", FORM),
        ("harness: accept numpy because we saw it", FORM),
        ("harness: accept cost numpy", FORM),
        ("harness: accept cost numpy because", FORM),
        ("harness: accept cost numpy because\nwe saw it", FORM),
        ("harness: accept cost $(id) because x", FORM),
        ("harness: accept cost ../../x because x", FORM),
        ("harness: accept cost numpy --accepted because x", FORM),
        (f"{LINE} {'x' * MAX_LINE}", f"it has more than {MAX_LINE} characters"),
        (f"{LINE}\n\n{'x' * MAX_TEXT}", "the comment is too long"),
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
        f"\\{LINE}",
        f"&gt; {LINE}",
        f"\u200b{LINE}",
        f"<!-- {LINE} -->",
        f"<!--\n{LINE}",  # hidden to the end
        f"/{LINE}",
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
    text = f"{LINE}\n> {LINE}\n\n{LINE}\n\n```\n{LINE}\n```"
    assert [each.why for each in find_accept_lines(text)] == ["", QUOTED, "", CODE]
    assert find_similar_lines(text) == [LINE, f"> {LINE}", LINE, LINE]


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
            text = f"{before}\n{more}\n{LINE}"
            html = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)
            shown = any(
                LINE in part.partition("</p>")[0].split("\n") for part in html.split("\n<p>")[1:]
            ) or LINE in html.removeprefix("<p>").partition("</p>")[0].split("\n") * html.startswith("<p>")
            counted = [each for each in find_accept_lines(text) if not each.why]
            assert not counted or shown, text
