"""Expensive fixtures of the suite: the corpus, the subject and the reference, each made once."""

from __future__ import annotations

import importlib
import os
import platform
from typing import Any, Dict, List, Optional, Tuple

import pytest

from harness.cell import facts
from harness.cell.channel import Channel
from harness.cell.interface import CellSpec
from harness.cell.record import clean
from harness.cell.subject import SubjectError, call_first, make_subject

pytest_plugins = ["harness.cell.embedded"]  # embeddings of the corpus by subject and reference


@pytest.fixture(scope="session")
def corpus(spec: CellSpec) -> List[Any]:
    """Return the sentences of the corpus (``harness.cell.corpus.Sentence``: text and kind)."""
    module = importlib.import_module("harness.cell.corpus")
    sentences: List[Any] = module.load_corpus(spec.corpus)
    return sentences


def start_subject(spec: CellSpec, channel: Channel, role: str = "") -> Tuple[Any, Optional[str]]:
    """Make the subject and call it once; return it with the form of what it returned, None if it raised.

    A subject that is not what the matrix says ends the cell.
    """
    try:
        subject = make_subject(spec, role)
        form = call_first(subject, spec, role)
    except SubjectError as error:
        channel.send("subject-refused", message=clean(str(error)))
        pytest.exit(str(error), returncode=1)
    if form is not None:
        facts = {f"subject.{role or 'texts'}": form}
        if hasattr(subject, "variant"):
            facts["subject.served"] = "float32 float16"  # it can return either
        channel.send("facts", facts=facts)
    return subject, form


@pytest.fixture(scope="session")
def started(spec: CellSpec, channel: Channel) -> Tuple[Any, Optional[str]]:
    """Return the subject with the form of its first result; None if its first call raised."""
    return start_subject(spec, channel)


@pytest.fixture(scope="session")
def subject(started: Tuple[Any, Optional[str]]) -> Any:
    """Return the embedder or service under test; for a service with queries that of documents."""
    return started[0]


@pytest.fixture(scope="session")
def query_subject(spec: CellSpec, channel: Channel, subject: Any) -> Any:
    """Return what embeds queries: the subject itself unless the matrix names another."""
    return start_subject(spec, channel, "query")[0] if spec.query else subject


@pytest.fixture(scope="session")
def loaded_reference(spec: CellSpec) -> Any:
    """Return the SentenceTransformer of the same model, in the dtype in which the release loads it."""
    return importlib.import_module("harness.cell.reference").load_reference(spec.model_dir)


@pytest.fixture(scope="session")
def reference_model(spec: CellSpec, loaded_reference: Any) -> Any:
    """Return the SentenceTransformer of the same model, in float32."""
    return importlib.import_module("harness.cell.reference").in_float32(loaded_reference, spec.model_dir)


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
