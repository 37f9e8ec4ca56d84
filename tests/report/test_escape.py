from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report.escape import (
    code_span,
    disarm_commands,
    escape_markdown,
    scrub,
    shorten,
    to_ascii,
    without_texts,
)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("plain\ttext\nof two lines", "plain\ttext\nof two lines"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]8;;https://example.org\x07link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;title without an end", ""),
        ("\x9b2Jgone", "gone"),
        ("nul\x00bell\x07del\x7f", "nul\ufffdbell\ufffddel\ufffd"),
        ("over\rwritten\r\n", "over\nwritten\n"),
        ("\u202eevil\u2066", "\ufffdevil\ufffd"),
        ("lone \ud800 surrogate, \uffff", "lone \ufffd surrogate, \ufffd"),
        ("naïve ✓ 日本語 🙂", "naïve ✓ 日本語 🙂"),
    ],
)
def test_scrub(text: str, clean: str) -> None:
    assert scrub(text) == clean


def test_shorten_keeps_one_line_of_a_length() -> None:
    assert shorten(" a \n b\t\tc ") == "a b c"
    assert shorten("x" * 301) == "x" * 299 + "…"
    assert shorten("abc", 3) == "abc"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script> & co", "&lt;script&gt;alert(1)&lt;/script&gt; &amp; co"),
        ("a | b\n# c", r"a \| b \# c"),
        ("`code` **bold** _it_ [x](y) ~s~ $m$", r"\`code\` \*\*bold\*\* \_it\_ \[x\](y) \~s\~ \$m\$"),
        ("back\\slash", r"back\\slash"),
    ],
)
def test_escape_markdown(text: str, shown: str) -> None:
    assert escape_markdown(text) == shown


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("", ""),
        ("@team <b> https://example.org", "`@team <b> https://example.org`"),
        ("a|b", r"`a\|b`"),
        ("two `` ticks", "```two `` ticks```"),
        ("`", "`` ` ``"),
        ("line\nbreak", "`line break`"),
    ],
)
def test_code_span(text: str, span: str) -> None:
    assert code_span(text) == span


def test_code_span_outside_of_a_table_leaves_pipes_alone() -> None:
    assert code_span("a|b", table=False) == "`a|b`"


@pytest.mark.parametrize(
    ("text", "disarmed"),
    [
        ("::set-output name=x::y", ": :set-output name=x::y"),
        ("fine\n  ::error::no", "fine\n  : :error::no"),
        ("\x1b[31m::warning::no", "\x1b[31m: :warning::no"),
        ("torch::jit is fine", "torch::jit is fine"),
        ("any ##[command] and ##vso[task]", "any ## [command] and ## vso[task]"),
    ],
)
def test_disarm_commands(text: str, disarmed: str) -> None:
    assert disarm_commands(text) == disarmed


def test_to_ascii() -> None:
    assert to_ascii("ok … ✓") == "ok ... \\u2713"


@given(st.text())
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    clean = scrub(text)
    assert all(char in "\t\n" or char.isprintable() or ord(char) > 0x9F for char in clean)
    assert scrub(clean) == clean
    assert "\n" not in shorten(text)
    span = code_span(text)
    assert not span or span.count("|") == span.count("\\|")


def test_a_failure_is_told_without_its_texts() -> None:
    nan = "l2.parity: worst error not finite at (41), but should be at most 1; 100% of rows; sample: a inf: x"
    assert without_texts(nan) == "l2.parity: not finite; 100% of rows"
    assert without_texts("l2.parity: 0.1 distance, but should be at most 1e-05; sample: a 0.1: x") == (
        "l2.parity: 0.1 distance, but should be at most 1e-05"
    )
