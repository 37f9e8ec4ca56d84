"""The corpus: texts of every kind that a service meets, each with the kind it stands for."""

from __future__ import annotations

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
    """One text of the corpus and the kind it stands for."""

    text: str
    kind: str

    @property
    def shown(self) -> str:
        """The text as a message shows it: one line, escaped where it cannot be read, cut where it is long."""
        visible = json.dumps(self.text) if not self.text.isprintable() or not self.text.strip() else self.text
        return visible if len(visible) <= SHOWN else f"{visible[: SHOWN - 1]}…"


class CorpusError(ValueError):
    """The corpus file cannot be meant; says which entry and why."""


def load_corpus(path: str) -> List[Sentence]:
    """Read a corpus; an empty path is the corpus that is shipped.

    The file holds ``[[group]]`` tables: ``kind``, ``texts``, and an optional ``repeat`` (default 1) that
    writes a text out that many times with blanks between, for long texts without a page of TOML.

    Raises:
        CorpusError: an unknown key, an empty corpus, or one text twice.
    """
    file = Path(path) if path else SHIPPED
    with file.open("rb") as opened:
        groups = tomllib.load(opened).get("group", [])
    sentences = [sentence for group in groups for sentence in _read_group(group, file)]
    texts = [sentence.text for sentence in sentences]
    twice = [sentence for sentence in sentences if texts.count(sentence.text) > 1]
    if not sentences:
        raise CorpusError(f"{file}: no [[group]] with texts")
    if twice:
        raise CorpusError(
            f"{file}: {twice[0].shown!r} is there twice; retrieval could not tell the two apart"
        )
    return sentences


def hash_corpus(sentences: Iterable[Sentence]) -> str:
    """The sha256 of the texts in their order; kinds don't count."""
    text = json.dumps([sentence.text for sentence in sentences])
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _read_group(group: Dict[str, Any], file: Path) -> List[Sentence]:
    unknown = sorted(set(group) - {"kind", "texts", "repeat"})
    if unknown or "kind" not in group or not group.get("texts"):
        raise CorpusError(
            f"{file}: a [[group]] has kind, texts and repeat, but here: {', '.join(sorted(group))}"
        )
    times = int(group.get("repeat", 1))
    return [Sentence(" ".join([text] * times), str(group["kind"])) for text in group["texts"]]
