"""Golden embeddings that are not this model's: the check is red, and says what differs."""

from __future__ import annotations

import base64
import json
import struct
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from planted.faults import RELEASE

from harness.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from planted.bench import Bench, Sweep

pytestmark = pytest.mark.real


def say_other_weights(golden: dict[str, Any]) -> None:
    golden["key"]["weights"] = "0" * 64


def move_one_sentence(golden: dict[str, Any]) -> None:
    row = base64.b64decode(golden["embeddings"][7])
    values = struct.unpack(f"<{len(row) // 4}f", row)
    moved = struct.pack(f"<{len(values)}f", *values[1:], values[0])
    golden["embeddings"][7] = base64.b64encode(moved).decode()


CHANGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "other": say_other_weights,
    "moved": move_one_sentence,
}


@pytest.fixture(scope="module")
def sweeps(bench: Bench, root: Path) -> dict[str, Sweep]:
    """One cell against two golden files: that of another model, and one in which a sentence moved."""
    (committed,) = (root / "reports" / "golden").glob("*.json")

    def sweep(name: str) -> Sweep:
        golden = json.loads(committed.read_text(encoding="utf-8"))
        CHANGES[name](golden)
        path = bench.folder / f"golden-{name}.json"
        path.write_text(json.dumps(golden), encoding="utf-8")
        matrix = bench.write_matrix(f"golden-{name}", f'[axes]\nsentence-transformers = ["{RELEASE}"]\n')
        return bench.sweep(matrix, "--checks", "gold.*", "--checks", "env.versions", "--golden", str(path))

    with ThreadPoolExecutor() as pool:
        return dict(zip(CHANGES, pool.map(sweep, CHANGES), strict=True))


def test_a_golden_file_of_another_model_names_the_key_that_differs(sweeps: dict[str, Sweep]) -> None:
    red = sweeps["other"].red(RELEASE)

    assert {finding.layer for finding in red.values()} == {"GOLD"}
    for finding in red.values():
        assert "weights 000000000000 there, 53aa51172d14 here" in finding.message
        assert "tokenizer" not in finding.message.split("; ")[0]


def test_a_sentence_that_moved_is_named(sweeps: dict[str, Sweep]) -> None:
    red = sweeps["moved"].red(RELEASE)

    assert set(red) == {"gold.drift/float32", "gold.drift/float16"}  # the embedder returns either
    for finding in red.values():
        assert finding.observation is not None
        assert finding.observation.worst[0] == 7


def test_the_rest_of_the_cell_is_untouched(sweeps: dict[str, Sweep]) -> None:
    for sweep in sweeps.values():
        assert sweep.verdict(RELEASE).status == "failed"
    # A file of another model answers nothing; a sentence that moved is an answer.
    codes = {name: sweep.exit_code for name, sweep in sweeps.items()}
    assert codes == {"other": ExitCode.INCONCLUSIVE, "moved": ExitCode.REGRESSED}
