"""A team's own texts: which files are read, and what is said about each fault, with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.plan_texts import PLAIN, make_matrix

from harness.cell.corpus import load_corpus
from harness.errors import UsageError
from harness.matrix.corpus_file import FEWEST_TEXTS, MOST_TEXTS, READERS, check_corpus

TEXTS = [f"text number {number} of the team" for number in range(FEWEST_TEXTS)]
OBJECTS = [json.dumps({"id": number, "text": text}) for number, text in enumerate(TEXTS)]


def write(folder: Path, name: str, *lines: str) -> Path:
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("texts.txt", TEXTS),
        ("texts.jsonl", [json.dumps(text) for text in TEXTS]),
        ("texts.ndjson", OBJECTS),
        ("spaced.txt", ["", *TEXTS, "  "]),
        ("windows.txt", [f"{text}\r" for text in TEXTS]),
    ],
)
def test_the_texts_of_a_team_are_read_as_they_are_validated(
    tmp_path: Path, name: str, lines: list[str]
) -> None:
    path = write(tmp_path, name, *lines)
    READERS[path.suffix](path)
    assert [sentence.text for sentence in load_corpus(str(path))] == TEXTS


def test_utf_16_as_powershell_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("\r\n".join(TEXTS), encoding="utf-16")
    READERS[".txt"](path)
    assert [sentence.text for sentence in load_corpus(str(path))] == TEXTS


def test_kinds_are_by_length(tmp_path: Path) -> None:
    path = write(tmp_path, "texts.txt", "short", "x" * 40, "x" * 200, "x" * 1000)
    kinds = [sentence.kind for sentence in load_corpus(str(path))]
    assert kinds == ["short text", "text", "long text", "very long text"]


WANTED = "but a text or an object with the key text was expected"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("not quoted", "not JSON: JSON is malformed: "),
        ('{"id": 7, "body": "x"}', "an object without the key text; its keys: id, body"),
        ('{"text": 7}', "text: a number, but a text was expected"),
        ("[1]", f"a list, {WANTED}"),
        ("null", f"null, {WANTED}"),
        (OBJECTS[1], f"duplicate text {TEXTS[1]!r}, as in line 2; delete one: "),
    ],
)
def test_a_fault_is_told_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    path = write(tmp_path, "texts.jsonl", *OBJECTS, line)
    with pytest.raises(UsageError) as raised:
        READERS[path.suffix](path)
    assert str(raised.value).startswith(f"{path}: line {len(OBJECTS) + 1}: {said}")


def test_too_few_texts_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "texts.txt", *TEXTS[:3])
    with pytest.raises(UsageError) as raised:
        READERS[".txt"](path)
    wanted = "3 texts; at least 12 are needed, so that each has ten others to rank"
    assert str(raised.value) == f"{path}: {wanted}"


def test_an_ending_that_is_not_known_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "texts.csv", *TEXTS)
    matrix = make_matrix(tmp_path, 'corpus = "texts.csv"\n' + PLAIN)
    with pytest.raises(UsageError) as raised:
        check_corpus(matrix)
    wanted = "should end in .txt (one text per line), .jsonl (JSON lines) or .toml (groups of texts)"
    assert str(raised.value) == f"{matrix.path}: corpus: 'texts.csv' {wanted}"


def test_too_many_texts_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "texts.txt", *map(str, range(MOST_TEXTS + 1)))
    with pytest.raises(UsageError, match="2001 texts; at most 2000 are read: take a sample of them"):
        READERS[".txt"](path)
