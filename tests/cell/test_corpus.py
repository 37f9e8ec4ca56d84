"""The corpus: what is shipped, and what a user's own file may say."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from harness.cell.corpus import CorpusError, Sentence, hash_corpus, load_corpus


def write(folder: Path, text: str) -> str:
    path = folder / "corpus.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_shipped_corpus_is_large_and_of_every_kind() -> None:
    kinds = Counter(sentence.kind for sentence in load_corpus(""))

    assert sum(kinds.values()) >= 64
    assert {"script", "emoji", "combining", "control", "whitespace", "empty", "long", "too-long"} <= set(
        kinds
    )
    assert kinds["near-duplicate"] >= 10


def test_a_group_is_written_out(tmp_path: Path) -> None:
    path = write(tmp_path, '[[group]]\nkind = "a"\ntexts = ["x", "y"]\nrepeat = 3\n')

    assert load_corpus(path) == [Sentence("x x x", "a"), Sentence("y y y", "a")]


def test_the_hash_is_of_texts_in_their_order() -> None:
    first, second = Sentence("x", "a"), Sentence("y", "a")

    assert hash_corpus([first, second]) == hash_corpus([Sentence("x", "b"), second])
    assert hash_corpus([first, second]) != hash_corpus([second, first])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no [[group]] with texts"),
        (
            '[[group]]\nkind = "a"\ntexts = []\n',
            "a [[group]] has kind, texts and repeat, but here: kind, texts",
        ),
        (
            '[[group]]\nkind = "a"\ntexts = ["x"]\ntimes = 2\n',
            "a [[group]] has kind, texts and repeat, but here: kind, texts, times",
        ),
        (
            '[[group]]\nkind = "a"\ntexts = ["x", "x"]\n',
            "'x' is a duplicate; retrieval cannot distinguish equal texts",
        ),
    ],
)
def test_a_corpus_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path, text)

    with pytest.raises(CorpusError) as raised:
        load_corpus(path)

    assert str(raised.value) == f"{path}: {said}"


def test_a_message_shows_a_text_on_one_line() -> None:
    shown = [Sentence(text, "a").shown for text in ("plain", "two\nlines", " ", "x" * 60)]

    assert shown == ["plain", '"two\\nlines"', '" "', "x" * 47 + "…"]
