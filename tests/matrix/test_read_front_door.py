"""A message names a command that works where it is read: in a checkout, and where only `harness` is there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support.plan_texts import make_matrix, put_matrix

from harness.cli.earlier import open_runs
from harness.errors import UsageError
from harness.matrix.cells import cells_of
from harness.matrix.read import describe_lock, describe_sweep
from harness.resolve.lockfile import locks_folder, platform_tag, read_lock
from harness.resolve.locks import check_locks
from harness.resolve.pip_settings import IndexSettings
from harness.sweep.planning import build_plan


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Somebody's repository, with a noxfile of their own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "noxfile.py").touch()
    return tmp_path


@pytest.fixture
def checkout(project: Path) -> Path:
    """A checkout of the harness."""
    (project / "harness").mkdir()
    return project


def test_with_the_command_alone(project: Path) -> None:
    assert describe_sweep() == "harness sweep"
    assert describe_lock(project / "matrices" / "mine.toml") == "harness lock --matrix matrices/mine.toml"
    assert describe_lock(project / "other place" / "a.toml") == "harness lock --matrix 'other place/a.toml'"
    assert describe_lock(Path("/else/where.toml")) == "harness lock --matrix /else/where.toml"


def test_in_a_checkout(checkout: Path) -> None:
    assert describe_sweep() == "nox -s compat"
    assert describe_lock(checkout / "matrices" / "compat.toml") == "nox -s lock"
    assert describe_lock(checkout / "some" / "mine.toml") == "nox -s lock -- --matrix some/mine.toml"
    assert describe_lock(Path("/else/where.toml")) == "nox -s lock -- --matrix /else/where.toml"


@pytest.mark.usefixtures("project")
def test_every_fault_of_a_lock_names_it(project: Path, root: Path) -> None:
    matrix = make_matrix(project / "matrices")
    folder = locks_folder(matrix, platform_tag())
    folder.mkdir(parents=True)
    (some, *_) = sorted((root / "matrices" / "locks").glob("*/smoke/*.txt"))
    (folder / "gone.txt").write_bytes(some.read_bytes())
    path = folder / f"{cells_of(matrix)[0].id}.txt"
    path.write_text("half a lock", encoding="utf-8")
    advice = "; run `harness lock --matrix matrices/mine.toml`"
    kinds = {found.kind: found.message for found in check_locks(matrix)}
    assert set(kinds) == {"orphaned", "damaged", "missing"}
    assert [message for message in kinds.values() if not message.endswith(advice)] == []
    with pytest.raises(UsageError, match=f"{advice}$"):
        read_lock(folder / "nothing.txt")


@pytest.mark.usefixtures("project")
def test_a_stale_lock_names_it_too(project: Path, root: Path) -> None:
    matrix = make_matrix(project / "matrices")
    folder = locks_folder(matrix, platform_tag())
    folder.mkdir(parents=True)
    (some, *_) = sorted((root / "matrices" / "locks").glob("*/smoke/*.txt"))
    (folder / f"{cells_of(matrix)[0].id}.txt").write_bytes(some.read_bytes())
    with pytest.raises(UsageError, match=r"; run `harness lock --matrix matrices/mine.toml`$"):
        asyncio.run(build_plan(matrix, IndexSettings(no_index=True), machine={}))


def test_a_project_without_runs_is_told_how_to_make_one(project: Path) -> None:
    put_matrix(project)
    with pytest.raises(UsageError, match=r"no complete run in .*; run `harness sweep` first$"):
        open_runs(project / "reports").find_folder("latest")
