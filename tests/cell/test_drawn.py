"""Texts that the suite draws: different, of exact lengths, of every unusual kind."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest
from planted.cell_world import count_words

from harness.cell.corpus import load_corpus
from harness.cell.drawn import (
    LONGEST,
    UNBROKEN,
    draw_short_texts,
    list_ends,
    load_unusual,
    load_words,
    make_text_of,
)
from harness.cell.interface import load_checks


def count_letters(text: str) -> int:
    """A tokenizer that knows no word."""
    return len(text.replace(" ", "")) + 2


def count_double(text: str) -> int:
    return 2 * len(text.split()) + 2


def test_the_words_are_different_and_most_are_not_in_the_corpus() -> None:
    words = load_words()
    known = {word for sentence in load_corpus("") for word in sentence.text.lower().split()}
    assert len(set(words)) == len(words) > 300
    assert len(set(words) & known) < len(words) / 20


def test_drawn_texts_are_short_different_and_always_the_same() -> None:
    drawn = draw_short_texts(129, longest=5)
    assert drawn == draw_short_texts(129, longest=5)
    assert len({each.text for each in drawn}) == 129
    lengths = [len(each.text.split()) for each in drawn]
    assert set(lengths) == {1, 2, 3, 4, 5}
    assert lengths not in (sorted(lengths), sorted(lengths, reverse=True))


@pytest.mark.parametrize("length", [3, 8, 16, 20, 256, 513])
@pytest.mark.parametrize("count", [count_words, count_letters])
def test_a_text_has_exactly_as_many_tokens_as_asked(length: int, count: Callable[[str], int]) -> None:
    made = make_text_of(length, count)
    assert count(made.text) == length
    assert made.kind == f"{length} tokens"


def test_a_text_that_cannot_be_exact_says_how_long_it_is() -> None:
    assert make_text_of(9, count_double).kind == "8 tokens"


def test_no_text_is_as_long_as_a_very_large_limit() -> None:
    assert list_ends(256) == (256, 257, 512)
    assert list_ends(LONGEST + 1) == ()
    assert "at-limit" not in {each.kind for each in load_unusual(count_words, 8192)}


def test_unusual_texts_are_those_that_the_check_asks_for() -> None:
    (check,) = [each for each in load_checks() if each.id == "rt.texts"]
    asked = set(dict(check.values)["text"])
    kinds = {each.kind for each in load_unusual(count_words, 256)}
    assert kinds < asked
    assert not kinds & {each.kind for each in load_corpus("")}


def test_texts_end_at_the_limit_one_token_beyond_it_and_twice_as_far() -> None:
    ends = [each.text for each in load_unusual(count_words, 256) if each.kind == "at-limit"]
    assert [count_words(text) for text in ends] == [256, 257, 512]


def test_unusual_texts_are_unusual() -> None:
    texts = {
        kind: [each.text for each in load_unusual(count_words, 256) if each.kind == kind]
        for kind in ("full-width", "ligature", "superscript", "composed", "unbroken")
    }
    for kind in ("full-width", "ligature", "superscript"):
        assert all(unicodedata.normalize("NFKC", text) != text for text in texts[kind])
    one, other = texts["composed"][::2], texts["composed"][1::2]
    assert [unicodedata.normalize("NFD", text) for text in one] == [
        unicodedata.normalize("NFD", text) for text in other
    ]
    assert all(first != second for first, second in zip(one, other, strict=True))
    assert [(len(text), " " in text) for text in texts["unbroken"]] == [(UNBROKEN, False)] * 2
