"""The file of vectors that a cell leaves: those of the service and of the reference, with their texts."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Optional, Tuple

import numpy as np

from harness.cell.corpus import Sentence

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST = 1 << 30
"""Largest size of a file in bytes: 350,000 texts with 768 numbers each."""


@dataclass(frozen=True)
class Recorded:
    """Vectors of the texts of a corpus.

    Attributes:
        sentences: the texts, in the order of the rows.
        service: final vectors of the service (n, d), in the dtype that it returns.
        reference: those of the reference (n, d); None where it has none.
        queries: vectors of the same texts as queries (n, d); None where the service embeds these alike.
    """

    sentences: Tuple[Sentence, ...]
    service: NDArray
    reference: Optional[NDArray] = None
    queries: Optional[NDArray] = None

    @property
    def asked(self) -> NDArray:
        """The vectors of the texts as queries (n, d)."""
        return self.service if self.queries is None else self.queries

    @property
    def everything(self) -> NDArray:
        """All vectors of the service: those of documents, then those of queries where they differ."""
        return self.service if self.queries is None else np.concatenate([self.service, self.queries])

    def write(self, path: Path) -> None:
        """Write an uncompressed ``.npz`` without pickled objects."""
        texts = json.dumps([[each.text, each.kind] for each in self.sentences]).encode("ascii")
        arrays = {"texts": np.frombuffer(texts, np.uint8), "service": self.service}
        more = {"reference": self.reference, "queries": self.queries}
        arrays.update({name: rows for name, rows in more.items() if rows is not None})
        np.savez(str(path), **arrays)

    @classmethod
    def read(cls, path: Path) -> Recorded:
        """Read a file made by ``write``.

        Raises:
            FileNotFoundError: there is none.
            ValueError: it is damaged, too large, or its rows do not belong to its texts.
        """
        try:
            _refuse_large(path)
            with np.load(str(path), allow_pickle=False) as arrays:
                texts = json.loads(arrays["texts"].tobytes().decode("ascii"))
                sentences = tuple(Sentence(str(text), str(kind)) for text, kind in texts)
                more = {name: arrays[name] for name in ("reference", "queries") if name in arrays.files}
                recorded = cls(sentences, arrays["service"], **more)
        except FileNotFoundError:
            raise
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"{path}: the vectors cannot be read ({error})") from error
        for rows in (recorded.service, *more.values()):
            if rows.ndim != 2 or len(rows) != len(sentences) or rows.dtype.kind != "f":
                raise ValueError(
                    f"{path}: {rows.dtype} {rows.shape}, but should be floats with one row for each of "
                    f"{len(sentences)} texts"
                )
        return recorded


def _refuse_large(path: Path) -> None:
    """Refuse a file that would fill the memory when it is unpacked."""
    with zipfile.ZipFile(str(path)) as members:
        size = sum(each.file_size for each in members.infolist())
    if size > LARGEST:
        raise ValueError(f"{size} bytes, but at most {LARGEST} are read")
