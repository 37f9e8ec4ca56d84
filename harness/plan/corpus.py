"""Check the corpus of a matrix before a cell reads it: a fault would be an error in every cell."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import msgspec

from harness.errors import UsageError
from harness.plan.schema import Matrix, Reason, Table
from harness.plan.toml_file import convert, read_toml

MOST_REPEATS = 10_000

Texts = Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
Repeats = Annotated[int, msgspec.Meta(ge=1, le=MOST_REPEATS)]


class Group(Table, frozen=True, kw_only=True):
    """Texts of one ``kind``, each written ``repeat`` times; ``harness.cell.corpus`` is what reads them."""

    kind: Reason
    texts: Texts
    repeat: Repeats = 1


class CorpusFile(Table, frozen=True, kw_only=True):
    """The file: ``[[group]]`` tables."""

    group: Annotated[tuple[Group, ...], msgspec.Meta(min_length=1)]


def check_corpus(matrix: Matrix) -> None:
    """See that the corpus of a matrix, if it has its own, is one that its cells can read.

    Raises:
        UsageError: a wrong key or value, no text at all, or one text twice.
    """
    path = matrix.corpus_path
    if path is None:
        return
    groups = convert(read_toml(path), CorpusFile, path).group
    counts = Counter((text, group.repeat) for group in groups for text in group.texts)
    twice = next((text for (text, _), count in counts.items() if count > 1), None)
    if twice is not None:
        raise UsageError(
            f"{path}: group: {twice[:80]!r} is there twice; delete one, for retrieval cannot tell them apart"
        )
