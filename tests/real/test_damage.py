"""Things that were whole once: an environment, a stored result, a lock. Damage is noticed, never used."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from planted.faults import RELEASE, version_of

from harness.errors import ExitCode

if TYPE_CHECKING:
    from planted.bench import Bench, Sweep
    from planted.command import Harness

pytestmark = pytest.mark.real

QUICK = version_of("misses")
"""A cell that is over in seconds, and whose files nobody else's environment is linked to."""


@pytest.fixture(scope="module")
def quick(bench: Bench) -> Path:
    matrix = bench.write_matrix("quick", f'[axes]\nsentence-transformers = ["{QUICK}"]\n')
    assert bench.sweep(matrix).verdict(QUICK).status == "import-error"
    return matrix


def planted_file(bench: Bench, name: str) -> Path:
    """A file of the planted package in the store's environment of the quick cell."""
    (found,) = [
        path
        for path in bench.store.glob(f"envs/*/lib/python*/site-packages/sentence_transformers/{name}")
        if "a_module_that_nobody_wrote" in (path.parent / "__init__.py").read_text(encoding="utf-8")
    ]
    return found


def check_healed(again: Sweep) -> None:
    assert "rebuilt" in again.output
    assert again.verdict(QUICK).status == "import-error"
    assert again.run.reused == ()


def test_a_finished_cell_is_not_run_again(bench: Bench, quick: Path) -> None:
    again = bench.sweep(quick)

    assert again.run.reused == (again.cell(QUICK),)
    assert again.exit_code == ExitCode.ERROR  # what is reused is judged all the same: no case of it passes


def test_a_truncated_file_of_an_environment(bench: Bench, quick: Path) -> None:
    damaged = planted_file(bench, "util.py")
    before = damaged.read_bytes()
    damaged.write_bytes(before[:100])

    check_healed(bench.sweep(quick, "--rerun"))

    assert planted_file(bench, "util.py").read_bytes() == before


def test_an_environment_that_was_cut_off_while_it_was_made(bench: Bench, quick: Path) -> None:
    environment = planted_file(bench, "util.py").parents[4]
    for marker in environment.glob("harness-*.json"):
        marker.unlink()

    check_healed(bench.sweep(quick, "--rerun"))


def test_a_truncated_stored_result_is_run_again(bench: Bench, quick: Path) -> None:
    key = bench.sweep(quick).result(QUICK).key
    stored = bench.store / "results" / key / "contract.json"
    stored.write_bytes(stored.read_bytes()[:-40])

    again = bench.sweep(quick)

    assert "run again" in again.output
    assert again.run.reused == ()
    assert again.verdict(QUICK).status == "import-error"


def test_a_stale_lock_is_seen_and_not_used(bench: Bench, root: Path, harness: Harness) -> None:
    folder = bench.folder / "stale"
    shutil.copytree(root / "matrices", folder)
    matrix = folder / "compat.toml"
    text = matrix.read_text(encoding="utf-8")
    assert harness.run("lock", "--check", "--matrix", matrix).returncode == ExitCode.PASS

    matrix.write_text(text.replace(f'"{RELEASE}", ', '"3.4.1", ').replace(f'"{RELEASE}"', '"3.4.1"'), "utf-8")
    moved = harness.run("lock", "--check", "--matrix", matrix)
    matrix.write_text(text.replace('version = "2026.4.1"', 'version = "2026.1.0"'), "utf-8")
    pinned = harness.run("lock", "--check", "--matrix", matrix)
    swept = harness.run(*bench.arguments(matrix))

    assert moved.returncode == ExitCode.REGRESSED, moved.stdout
    assert "has no lock" in moved.stdout
    assert "has no cell of this id" in moved.stdout
    assert pinned.returncode == ExitCode.REGRESSED, pinned.stdout
    assert "has changed since" in pinned.stdout
    assert swept.returncode == ExitCode.USAGE, swept.stdout
    assert "nox -s lock" in swept.stderr
