"""How a published table names its commit."""

from __future__ import annotations

import pytest
from support.provenance import name_commit


@pytest.mark.parametrize(
    ("revision", "words"),
    [
        ("0123456789abcdef", "commit 0123456789"),
        ("0123456789abcdef+changes", "commit 0123456789 and changes of it"),
        ("", "an unknown commit"),
    ],
)
def test_a_commit_in_words(revision: str, words: str) -> None:
    assert name_commit(revision) == words
