"""Fixtures of the suite that cost something: the corpus, the subject and the reference, each made once."""

from __future__ import annotations

import importlib
from typing import Any, List

import pytest

from harness.cell.spec import CellSpec
from harness.cell.subject import load_dotted


@pytest.fixture(scope="session")
def corpus(spec: CellSpec) -> List[Any]:
    """Return the sentences of the corpus (``harness.cell.corpus.Sentence``: text and kind)."""
    module = importlib.import_module("harness.cell.corpus")
    sentences: List[Any] = module.load_corpus(spec.corpus)
    return sentences


@pytest.fixture(scope="session")
def subject(spec: CellSpec) -> Any:
    """Return the embedder under test."""
    return load_dotted(spec.embedder)(spec.model_dir)


@pytest.fixture(scope="session")
def reference_model(spec: CellSpec) -> Any:
    """Return the SentenceTransformer of the same model."""
    return importlib.import_module("harness.cell.reference").load_reference(spec.model_dir)
