"""The latency half of the gate over real environments: a release that is slower and leaks is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from planted.wheels import build_wheel

from harness.errors import ExitCode
from harness.gate.blocks import read_blocks
from harness.runs.documents import read_gate

if TYPE_CHECKING:
    from planted.bench import Bench

pytestmark = [pytest.mark.real, pytest.mark.timed]

RELEASES = {
    "1.0": "until, kept = begun, b''",
    "1.1": "until, kept = begun + 1.3 * (time.perf_counter() - begun), bytes(16384)",
}
"""The second spins for as long again as three tenths of the formula, and keeps 16 KiB of every call."""

NORMALIZER = """
import time

import numpy as np

LEAK = []


def normalize(embeddings):
    begun = time.perf_counter()
    norms = np.linalg.norm(embeddings.astype(np.float64), axis=1, keepdims=True)
    result = (embeddings / np.where(norms == 0, 1, norms)).astype(embeddings.dtype)
    {then}
    while time.perf_counter() < until:
        pass
    LEAK.append(kept)
    return result
"""

MATRIX = """
axes = { planted-normalizer = ["1.0", "1.1"], sentence-transformers = ["3.3.1"] }
baseline = { planted-normalizer = "1.0", sentence-transformers = "3.3.1" }
subject = { normalizer = "planted_normalizer:normalize" }
"""

SPIN, LEAK = "normalize.subject.float32.256", "memory.normalizer"


def test_a_release_that_is_slower_and_leaks_is_found(bench: Bench) -> None:
    for version, then in RELEASES.items():
        files = {"planted_normalizer.py": NORMALIZER.replace("{then}", then)}
        build_wheel(bench.folder / "links", "planted-normalizer", version, files, requires=("numpy",))
    matrix = bench.write_matrix("slower", MATRIX)
    places = ("--matrix", matrix, "--store", bench.store, "--reports", bench.reports, "--plain")
    asked = ("--quantities", SPIN, "--quantities", LEAK, "--checks", "l0.typical/subject/float32")

    done = bench.harness.run("gate", "planted-normalizer==1.1", *asked, "--no-culprit", *places)

    assert done.returncode == ExitCode.REGRESSED, done.stdout + done.stderr
    folder = max(bench.reports.glob("runs/*gate-slower*"), key=lambda path: path.stat().st_mtime_ns)
    gate = read_gate(folder / "gate.json")
    assert gate.judged == ("correctness", "latency", "memory")
    assert gate.speed is not None
    assert {each.quantity.id: each.outcome for each in gate.speed.quantities} == {
        SPIN: "regressed",
        LEAK: "regressed",
    }
    assert gate.decision.new == ()
    assert {block.group for block in read_blocks(folder)} == {"normalizer"}
    assert list(folder.glob("probes/*")) == [], "a block was invalid"
