"""Texts beside the corpus: drawn from a list of words, with a number of tokens, of unusual characters."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, List, Tuple

import numpy as np

from harness.cell.corpus import Sentence, load_corpus

WORDS, UNUSUAL = (Path(__file__).with_name(name) for name in ("words.txt", "unusual.toml"))
SEED = 20261129
FILLER = "a"
"""A word of one token in every usual vocabulary, with which a text is filled up to its length."""

LONGEST = 512
"""Largest limit of a model, in tokens, whose whole length is embedded: attention grows with its square."""

LONGEST_WORD = 16
"""Tokens of a word of the list at most, which are missing where the next one does not fit."""

UNBROKEN = 10_000
"""Characters of a text without a blank; word tokenizers take more than a hundred for one unknown word."""


def load_words() -> List[str]:
    """The words of the list, in its order; a line that begins with ``#`` is a comment."""
    lines = WORDS.read_text(encoding="utf-8").splitlines()
    return [word for line in lines if not line.startswith("#") for word in line.split()]


def draw_short_texts(number: int, longest: int = 7) -> List[Sentence]:
    """Different texts of 1 to ``longest`` words in mixed order; not more than there are words.

    Every text begins with another word.
    """
    words = load_words()
    random = np.random.default_rng(SEED)
    firsts = random.permutation(len(words))[:number]
    texts = [
        " ".join([words[first], *(words[row] for row in random.permutation(len(words))[: at % longest])])
        for at, first in enumerate(firsts)
    ]
    return [Sentence(texts[row], "drawn") for row in random.permutation(number)]


def make_text_of(length: int, count: Callable[[str], int]) -> Sentence:
    """A text with exactly ``length`` tokens, or with one or two less where words cannot make it exact.

    Args:
        length: in tokens, special ones included.
        count: the tokens of a text, without a limit.
    """
    words = load_words()
    fits, beyond = 0, length + 1  # words, of which each has a token at least
    while beyond - fits > 1:
        middle = (fits + beyond) // 2
        if count(_join(words, middle)) <= length:
            fits = middle
        else:
            beyond = middle
    text = _join(words, fits)
    for _ in range(LONGEST_WORD):
        longer = f"{text} {FILLER}".strip()
        text = longer if count(longer) <= length else text
    return Sentence(text, f"{count(text)} tokens")


def _join(words: List[str], number: int) -> str:
    return " ".join(words[at % len(words)] for at in range(number))


def list_ends(limit: int) -> Tuple[int, ...]:
    """The limit of a model, one token more, and twice as many; none if the limit is very large."""
    return (limit, limit + 1, 2 * limit) if limit <= LONGEST else ()


WORDS_OF_A_TEXT = 16


def load_unusual(count: Callable[[str], int], limit: int) -> List[Sentence]:
    """Texts of further kinds than those of the corpus, which golden embeddings do not cover.

    Beside those of ``unusual.toml``: the whole list of words; texts without a blank, one of them in a script
    that needs none; and texts that end at the limit of the model or beyond it.
    """
    words = load_words()
    parts = [words[at : at + WORDS_OF_A_TEXT] for at in range(0, len(words), WORDS_OF_A_TEXT)]
    return [
        *load_corpus(str(UNUSUAL)),
        *(Sentence(" ".join(part), "words") for part in parts),
        *(
            Sentence((text * (UNBROKEN // len(text) + 1))[:UNBROKEN], "unbroken")
            for text in ("".join(words), "図書館は午後閉館")
        ),
        *(Sentence(make_text_of(length, count).text, "at-limit") for length in list_ends(limit)),
    ]
