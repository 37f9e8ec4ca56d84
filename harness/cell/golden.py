"""Golden embeddings: embeddings of the corpus by the reference, stored to detect drift.

``python -m harness.cell.golden spec.json out.json`` writes them, in the environment of the baseline cell.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Dict, List, Optional, Sequence

import numpy as np

from harness.cell.corpus import Sentence, hash_corpus, load_corpus
from harness.cell.interface import CellSpec
from harness.cell.model_folder import find_transformer

if TYPE_CHECKING:
    from numpy.typing import NDArray


SCHEMA = 1
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
TOKENIZER = ("tokenizer.json", "vocab.txt", "sentencepiece.bpe.model", "spiece.model")
SETTINGS = (
    "modules.json",
    "config.json",
    "config_sentence_transformers.json",
    "sentence_*_config.json",
    "*/config.json",
)
"""Files that say what becomes of weights and tokens, such as pooling, prompts and the length limit."""
MADE_WITH = ("numpy", "torch", "transformers", "tokenizers", "sentence-transformers")
AGAIN = "run 'harness golden' and review the change"


class GoldenError(ValueError):
    """The golden file does not match; with the differing key and the remedy."""


@dataclass(frozen=True)
class Key:
    """Identity of golden embeddings: sha256 of weights, tokenizer, corpus and settings of the model folder.

    ``settings`` is empty in files of earlier versions, and then not compared.
    """

    weights: str
    tokenizer: str
    corpus: str
    settings: str = ""

    @property
    def name(self) -> str:
        """File name, with the beginnings of the first three hashes."""
        return f"{self.weights[:12]}-{self.tokenizer[:12]}-{self.corpus[:12]}.json"

    def count_equal(self, other: Key) -> int:
        """How many parts of another key are the same."""
        return len(vars(self)) - len(self.list_different(other))

    def list_different(self, other: Key) -> List[str]:
        """The parts in which another key differs."""
        known = [part for part in vars(self) if part != "settings" or (self.settings and other.settings)]
        return [part for part in known if vars(self)[part] != vars(other)[part]]


@dataclass(frozen=True)
class Golden:
    """Golden embeddings (n, d), float32, normalized, with their key and the versions of the packages."""

    key: Key
    made_with: Dict[str, str]
    embeddings: NDArray

    def write(self, path: Path) -> None:
        """Write JSON with one row of little-endian base64 per line, so a diff shows the sentence."""
        rows = [base64.b64encode(row.astype("<f4").tobytes()).decode("ascii") for row in self.embeddings]
        text = {"schema": SCHEMA, "key": vars(self.key), "made_with": self.made_with, "embeddings": rows}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(text, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Golden:
        """Read a file made by ``write``.

        Raises:
            GoldenError: the file is missing, damaged or of another schema.
        """
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            rows = [np.frombuffer(base64.b64decode(row), dtype="<f4") for row in raw["embeddings"]]
            golden = cls(Key(**raw["key"]), raw["made_with"], np.stack(rows))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise GoldenError(
                f"{path.name} cannot be read ({type(error).__name__}: {error}); {AGAIN}"
            ) from error
        if raw.get("schema") != SCHEMA:
            raise GoldenError(f"{path.name}: schema {raw.get('schema')}, but should be {SCHEMA}; {AGAIN}")
        return golden

    def hold_to(self, key: Key) -> None:
        """Check that the file belongs to this model and corpus.

        Raises:
            GoldenError: the key differs; with the differing parts.
        """
        if parts := self.key.list_different(key):
            differ = ", ".join(
                f"{part} {vars(self.key)[part][:12]} there, {vars(key)[part][:12]} here" for part in parts
            )
            raise GoldenError(f"golden embeddings of another key: {differ}; {AGAIN}")


def find_golden(path: Path, key: Key, *, required: bool = False) -> Optional[Golden]:
    """The golden embeddings of a model and corpus: a file, or one of the files of a folder.

    A folder may hold files of several models; None where it holds none of this model and corpus.

    Raises:
        GoldenError: the named file has another key, or the folder holds no file although one is required.
    """
    if not path.is_dir():
        named = Golden.read(path)
        named.hold_to(key)
        return named
    if (path / key.name).is_file():
        found = Golden.read(path / key.name)
        if not required and found.key.list_different(key):
            return None  # the same weights, used in another way
        found.hold_to(key)
        return found
    if required:
        kept = [Golden.read(file) for file in sorted(path.glob("*.json"))]
        if not kept:
            raise GoldenError(f"{path.name}: the folder holds no golden embeddings; {AGAIN}")
        max(kept, key=lambda golden: golden.key.count_equal(key)).hold_to(key)
    return None


def read_golden(spec: CellSpec, corpus: List[Sentence]) -> Optional[Golden]:
    """The golden embeddings of this model and corpus; None where a team's own have none.

    Raises:
        GoldenError: those of the shipped model and corpus, or of the file that was named, have another key.
    """
    if spec.golden is None:
        if spec.golden_required:
            raise GoldenError(f"the golden embeddings of the shipped model and corpus are missing; {AGAIN}")
        return None
    path = Path(spec.golden)
    try:
        key = compute_key(Path(spec.model_dir), corpus)
    except GoldenError:
        if spec.golden_required or not path.is_dir():
            raise
        return None  # weights under a name of their own: no file of the folder can be of this model
    return find_golden(path, key, required=spec.golden_required)


def compute_key(model_dir: Path, corpus: List[Sentence]) -> Key:
    """Compute the key of a model folder and a corpus.

    Raises:
        GoldenError: the folder has no weights or no tokenizer under a known name.
    """
    folder = find_transformer(model_dir)
    weights, tokenizer = _hash_files(folder, WEIGHTS), _hash_files(folder, TOKENIZER)
    return Key(weights, tokenizer, hash_corpus(corpus), _hash_settings(model_dir))


def make_golden(spec: CellSpec) -> Golden:
    """Embed the corpus with the reference of this process: ``encode(normalize_embeddings=True)``, float32."""
    from harness.cell.embedded import embed_in_slices  # noqa: PLC0415 # pytest
    from harness.cell.reference import encode, in_float32, load_reference  # noqa: PLC0415 # torch

    corpus = load_corpus(spec.corpus)
    model = in_float32(load_reference(spec.model_dir), spec.model_dir)
    texts = [sentence.text for sentence in corpus]
    role = "document" if spec.query else ""
    embeddings = embed_in_slices(lambda part: encode(model, part, normalize=True, role=role), texts)
    return Golden(compute_key(Path(spec.model_dir), corpus), _versions(), embeddings.astype(np.float32))


def _hash_files(folder: Path, names: Sequence[str]) -> str:
    found = [folder / name for name in names if (folder / name).is_file()]
    if not found:
        raise GoldenError(
            f"no {' or '.join(names)} in the model folder, which the key of golden embeddings needs"
        )
    digest = hashlib.sha256()
    with found[0].open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _hash_settings(model_dir: Path) -> str:
    found = {
        path.relative_to(model_dir).as_posix(): path for glob in SETTINGS for path in model_dir.glob(glob)
    }
    digest = hashlib.sha256()
    for name, path in sorted(found.items()):
        digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def _versions() -> Dict[str, str]:
    from importlib.metadata import version  # noqa: PLC0415 # only here

    return {name: version(name) for name in MADE_WITH}


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Read the command line, compute the golden embeddings, and write them."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.cell.golden", description="Make golden embeddings."
    )
    parser.add_argument("spec", type=Path, help="a cell's spec file: model, corpus, threads")
    parser.add_argument("out", type=Path, help="the file to write, or a folder that names it by its key")
    options = parser.parse_args(argv)
    spec = CellSpec.read(options.spec)
    from harness.cell.start import settle  # noqa: PLC0415 # sets the environment before torch is imported

    settle(spec)
    golden = make_golden(spec)
    golden.write(options.out / golden.key.name if options.out.is_dir() else options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
