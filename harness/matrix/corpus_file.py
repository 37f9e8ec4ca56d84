"""Validate the corpus of a matrix before any cell reads it: a fault would be an error in every cell.

A team's own texts are a text file with one text per line, JSON lines, or TOML with their kinds.
``harness.cell.corpus`` reads the same files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec

from harness.errors import UsageError
from harness.input_files import decode_text, read_input
from harness.matrix.schema import Matrix, Reason, Table
from harness.matrix.toml_file import convert, read_toml, refuse

MOST_REPEATS = 10_000

FEWEST_TEXTS, MOST_TEXTS = 12, 2000
"""Number of texts in lines: with fewer, a text has no ten others to rank; more take minutes in each cell."""

MOST_CHARACTERS = 1_000_000
"""Characters of one text, far beyond the length limit of any model."""

Texts = Annotated[tuple[str, ...], msgspec.Meta(min_length=1, description="at least one text")]
Repeats = Annotated[int, msgspec.Meta(ge=1, le=MOST_REPEATS)]


class Group(Table, frozen=True, kw_only=True):
    """Texts of one ``kind``, each repeated ``repeat`` times; read by ``harness.cell.corpus``."""

    kind: Reason
    texts: Texts
    repeat: Repeats = 1


class CorpusFile(Table, frozen=True, kw_only=True):
    """A corpus file: ``[[group]]`` tables."""

    group: Annotated[tuple[Group, ...], msgspec.Meta(min_length=1, description="at least one group")]


def check_corpus(matrix: Matrix) -> None:
    """Validate the corpus of a matrix, if it has its own.

    Raises:
        UsageError: its name has no known ending, a line or value is invalid, there is no text, or a text is a
            duplicate; every fault is listed, with its line.
    """
    path = matrix.corpus_path
    if path is None:
        return
    if path.suffix not in READERS:
        raise UsageError(
            f"{matrix.path}: corpus: {path.name!r} should end in .txt (one text per line), "
            ".jsonl (JSON lines) or .toml (groups of texts)"
        )
    READERS[path.suffix](path)


def _check_groups(path: Path) -> None:
    groups = convert(read_toml(path), CorpusFile, path).group
    found = [
        (f"group[{at}]", (text, group.repeat)) for at, group in enumerate(groups) for text in group.texts
    ]
    refuse(path, _find_duplicates(found))


def _check_lines(path: Path) -> None:
    lines = _read_lines(path)
    refuse(path, (*_find_duplicates(lines), *_find_long(lines), *_find_wrong_count(lines)))


def _check_json_lines(path: Path) -> None:
    texts: list[tuple[str, str]] = []
    faults: list[str] = []
    for where, line in _read_lines(path):
        fault, text = _read_json(line)
        texts += [] if fault else [(where, text)]
        faults += [f"{where}: {fault}"] if fault else []
    if not faults:
        faults += [*_find_duplicates(texts), *_find_long(texts), *_find_wrong_count(texts)]
    refuse(path, faults)


READERS: dict[str, Callable[[Path], None]] = {
    ".toml": _check_groups,
    ".txt": _check_lines,
    ".jsonl": _check_json_lines,
    ".ndjson": _check_json_lines,
}
"""Ending of a corpus file -> its validation."""


def _read_lines(path: Path) -> list[tuple[str, str]]:
    """The lines that are not blank, each with its number."""
    lines = decode_text(read_input(path), path).split("\n")
    return [(f"line {number}", text.rstrip("\r")) for number, text in enumerate(lines, 1) if text.strip()]


def _read_json(line: str) -> tuple[str, str]:
    """The fault of a line, or its text."""
    try:
        found: Any = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError) as error:
        return f"not JSON: {error}; write a text in quotes", ""
    text = found.get("text") if isinstance(found, dict) else found
    if isinstance(text, str):
        return "", text
    if not isinstance(found, dict):
        return f"{_KINDS[type(found)]}, but a text or an object with the key text was expected", ""
    if "text" not in found:
        keys = ", ".join(list(found)[:5]) or "none"
        return f"an object without the key text; its keys: {keys}", ""
    return f"text: {_KINDS[type(text)]}, but a text was expected", ""


_KINDS = {
    type(None): "null",
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "an object",
}


def _find_duplicates(texts: list[tuple[str, Any]]) -> Iterator[str]:
    first: dict[Any, str] = {}
    for where, text in texts:
        before = first.setdefault(text, where)
        if before is not where:
            shown = text if isinstance(text, str) else text[0]
            yield (
                f"{where}: duplicate text {shown[:80]!r}, as in {before}; delete one: retrieval cannot "
                "distinguish them"
            )


def _find_long(texts: list[tuple[str, str]]) -> Iterator[str]:
    for where, text in texts:
        if len(text) > MOST_CHARACTERS:
            yield f"{where}: a text of {len(text)} characters; at most {MOST_CHARACTERS} are read"


def _find_wrong_count(texts: list[tuple[str, str]]) -> Iterator[str]:
    if len(texts) < FEWEST_TEXTS:
        noun = "text" if len(texts) == 1 else "texts"
        yield f"{len(texts)} {noun}; at least {FEWEST_TEXTS} are needed, so that each has ten others to rank"
    if len(texts) > MOST_TEXTS:
        yield f"{len(texts)} texts; at most {MOST_TEXTS} are read: take a sample of them"
