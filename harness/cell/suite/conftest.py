"""Expensive fixtures of the suite: the corpus, the subject and the reference, each made once."""

from __future__ import annotations

import importlib
import os
import platform
from typing import Any, Dict, List

import pytest

from harness.cell import facts
from harness.cell.interface import DEFAULT_EMBEDDER, CellSpec, load_dotted

pytest_plugins = ["harness.cell.answers"]  # embeddings of the corpus by subject and reference


@pytest.fixture(scope="session")
def corpus(spec: CellSpec) -> List[Any]:
    """Return the sentences of the corpus (``harness.cell.corpus.Sentence``: text and kind)."""
    module = importlib.import_module("harness.cell.corpus")
    sentences: List[Any] = module.load_corpus(spec.corpus)
    return sentences


@pytest.fixture(scope="session")
def subject(spec: CellSpec) -> Any:
    """Return the embedder under test."""
    own = {"threads": spec.threads} if spec.embedder == DEFAULT_EMBEDDER else {}
    return load_dotted(spec.embedder)(spec.model_dir, **own)


@pytest.fixture(scope="session")
def reference_model(spec: CellSpec) -> Any:
    """Return the SentenceTransformer of the same model."""
    return importlib.import_module("harness.cell.reference").load_reference(spec.model_dir)


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_generate_machine_info() -> Dict[str, Any]:
    """Describe the machine from known facts; pytest-benchmark would start processes for it."""
    known = facts.cpu_facts()
    return {
        "node": platform.node(),
        "machine": platform.machine(),
        "system": platform.system(),
        "release": platform.release(),
        "python_implementation": platform.python_implementation(),
        "python_version": platform.python_version(),
        "cpu": {
            "brand_raw": known["cpu.model"],
            "flags": known["cpu.flags"].split(),
            "count": os.cpu_count(),
        },
    }


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_generate_commit_info() -> Dict[str, Any]:
    """Return no commit, because installed packages are timed."""
    return {
        "id": "unversioned",
        "time": None,
        "author_time": None,
        "dirty": False,
        "project": "",
        "branch": "",
    }
