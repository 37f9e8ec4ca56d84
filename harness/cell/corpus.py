"""The corpus: texts of every kind that a service receives, each with its kind."""

from __future__ import annotations

import codecs
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, List

try:
    import tomllib
except ImportError:  # Python < 3.11: pytest brings tomli there
    import tomli as tomllib  # type: ignore[no-redef, unused-ignore]

SHIPPED = Path(__file__).with_name("corpus.toml")
SHOWN = 48


@dataclass(frozen=True)
class Sentence:
    """One text of the corpus and its kind."""

    text: str
    kind: str

    @property
    def shown(self) -> str:
        """The text for a message: one line, escaped and shortened."""
        visible = json.dumps(self.text) if not self.text.isprintable() or not self.text.strip() else self.text
        return visible if len(visible) <= SHOWN else f"{visible[: SHOWN - 1]}…"


class CorpusError(ValueError):
    """The corpus file is invalid; with the entry and the reason."""


def load_corpus(path: str) -> List[Sentence]:
    """Read a corpus; an empty path is the shipped corpus.

    A TOML file holds ``[[group]]`` tables: ``kind``, ``texts``, and an optional ``repeat`` (default 1), which
    repeats a text separated by blanks. Any other file has one text per line, in ``.jsonl`` as a JSON string
    or as ``text`` of an object; the controller has validated it (``harness.matrix.corpus_file``).

    Raises:
        CorpusError: an unknown key, an empty corpus, or a duplicate text.
    """
    file = Path(path) if path else SHIPPED
    if file.suffix != ".toml":
        return _read_lines(file)
    with file.open("rb") as opened:
        groups = tomllib.load(opened).get("group", [])
    sentences = [sentence for group in groups for sentence in _read_group(group, file)]
    texts = [sentence.text for sentence in sentences]
    twice = [sentence for sentence in sentences if texts.count(sentence.text) > 1]
    if not sentences:
        raise CorpusError(f"{file}: no [[group]] with texts")
    if twice:
        raise CorpusError(
            f"{file}: {twice[0].shown!r} is a duplicate; retrieval cannot distinguish equal texts"
        )
    return sentences


def hash_corpus(sentences: Iterable[Sentence]) -> str:
    """The sha256 of the texts in their order, without kinds."""
    text = json.dumps([sentence.text for sentence in sentences])
    return hashlib.sha256(text.encode("ascii")).hexdigest()


KINDS = ((40, "short text"), (200, "text"), (1000, "long text"))
"""Kinds of a team's own texts: below this number of characters; the rest are very long."""


def _read_lines(file: Path) -> List[Sentence]:
    data = file.read_bytes()
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    lines = data.decode("utf-16" if wide else "utf-8-sig").split("\n")
    texts = [line.rstrip("\r") for line in lines if line.strip()]
    if file.suffix != ".txt":
        found = [json.loads(line) for line in texts]
        texts = [entry["text"] if isinstance(entry, dict) else entry for entry in found]
    return [Sentence(text, _kind_of(text)) for text in texts]


def _kind_of(text: str) -> str:
    return next((kind for length, kind in KINDS if len(text) < length), "very long text")


def _read_group(group: Dict[str, Any], file: Path) -> List[Sentence]:
    unknown = sorted(set(group) - {"kind", "texts", "repeat"})
    if unknown or "kind" not in group or not group.get("texts"):
        raise CorpusError(
            f"{file}: a [[group]] has kind, texts and repeat, but here: {', '.join(sorted(group))}"
        )
    times = int(group.get("repeat", 1))
    return [Sentence(" ".join([text] * times), str(group["kind"])) for text in group["texts"]]
