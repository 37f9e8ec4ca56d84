"""What goes when the store is cleaned, and what stays."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from support.command_line import command
from support.stores import store_fixture  # noqa: F401 - fixtures

from harness import held
from harness.errors import StoreError, UsageError
from harness.store.clean import Cleaned, clean_store
from harness.store.store import MARKER, Store

OLD, NEW = "0" * 20, "1" * 20
MODEL, SUITE, RESULT = "tiny-1.0-tiny-model", "2" * 16, "3" * 64
FULL = {
    f"envs/{OLD}/bin/python",
    f"envs/{OLD}.in-use/{2**22 + 1}-2",
    "envs/.making-abcdefgh/pyvenv.cfg",
    f"models/{MODEL}/w.bin",
    "models/checked-0123456789abcdef.json",
    f"suite/{SUITE}/harness/__init__.py",
    f"results/{RESULT}/contract.json",
    f"converted/{NEW}/model.sha256",
    "unfinished/20261128-101112-compat-ab12",
    f"locks/suite-{SUITE}.lock",
    "locks/latency.lock",
    f"aside/{OLD}-12-34/pyvenv.cfg",
}
"""One file of everything that a store of before there were markers can hold."""


def put(folder: Path, size: int, used: int) -> Path:
    folder.mkdir(parents=True)
    (folder / "file").write_bytes(b"x" * size)
    os.utime(folder, (used, used))
    return folder


def clean(store: Store, max_bytes: int | None = None) -> Cleaned:
    return asyncio.run(clean_store(store, max_bytes))


def test_least_recently_used_goes_first(store: Store) -> None:
    old = put(store.environments / OLD, 40960, 1000)
    new = put(store.environments / NEW, 40960, 2000)
    assert clean(store, 50_000) == Cleaned(1, 40960)
    assert (old.exists(), new.exists()) == (False, True)
    assert clean(store, 50_000) == Cleaned(0, 0)


def test_files_that_entries_share_count_once(store: Store) -> None:
    old = put(store.environments / OLD, 40960, 1000)
    new = put(store.environments / NEW, 4096, 2000)
    os.link(old / "file", new / "shared")
    os.utime(new, (2000, 2000))
    assert clean(store, 50_000) == Cleaned(0, 0)
    assert clean(store, 42_000) == Cleaned(2, 45056)


def test_what_is_in_use_stays(store: Store) -> None:
    entry = put(store.models / MODEL, 4096, 1000)
    put(store.suites / SUITE, 4096, 1000)
    with store.using(entry):
        assert clean(store) == Cleaned(1, 4096)
        assert entry.exists()
    assert clean(store) == Cleaned(1, 4096)


def test_mark_of_a_dead_process_does_not_count(store: Store) -> None:
    put(store.environments / OLD, 4096, 1000)
    marks = store.environments / f"{OLD}.in-use"
    marks.mkdir()
    (marks / "0123456789abcdef").touch()
    assert clean(store) == Cleaned(1, 4096)
    assert list(store.environments.iterdir()) == []


def test_what_was_left_half_made_goes_after_a_day(store: Store) -> None:
    store.claim()
    stale = put(store.environments / ".making-oldoldol", 4096, 1000)
    busy = store.environments / ".making-newnewne"
    busy.mkdir()
    assert clean(store) == Cleaned(0, 0)
    assert (stale.exists(), busy.exists()) == (False, True)


def test_runs_that_are_still_running_stay_marked(store: Store) -> None:
    store.claim()
    store.unfinished.mkdir(parents=True)
    over = store.unfinished / "over"
    over.touch()
    with held.mark(store.unfinished / "running"):
        os.utime(store.unfinished / "running", (0, 0))
        clean(store)
        assert [mark.name for mark in store.unfinished.iterdir()] == ["running"]


def test_empty_store_is_clean(store: Store) -> None:
    assert clean(store) == Cleaned(0, 0)
    assert not store.root.exists()


def fill(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")


def look(root: Path) -> set[str]:
    return {
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }


@pytest.mark.parametrize(
    "names",
    [
        FULL,
        *(
            [name]
            for name in FULL
            if not name.startswith(("models/tiny", "unfin", "aside", f"envs/{OLD}.in"))
        ),
    ],
)
def test_store_of_before_there_were_markers_is_recognized_once(store: Store, names: list[str]) -> None:
    fill(store.root, *names, ".DS_Store", "envs/.DS_Store", f"envs/{OLD}.in-use/.DS_Store")
    store.claim()
    assert look(store.root) >= {*names, MARKER}
    fill(store.root, "models/mine")
    clean(store)
    left = {name for name in look(store.root) if not name.endswith((".DS_Store", ".lock"))}
    kept = {"unfinished/20261128-101112-compat-ab12", "envs/.making-abcdefgh/pyvenv.cfg"} & set(names)
    assert left == {MARKER, "models/mine", *kept}  # what is kept is not a day old


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["models/llama/w.bin"], "models/llama"),
        (["results/2025/run.csv"], "results/2025"),
        ([*FULL, "thesis.tex"], "thesis.tex"),
        ([f"results/{64 * 'a'}/thesis.txt"], "results/" + 64 * "a"),
        ([MARKER, "models/mine-1.0-x/thesis.txt"], MARKER),
        ([*FULL, "envs/mine/pyvenv.cfg"], "envs/mine"),
        ([*FULL, "models/notes.md"], "models/notes.md"),
        ([*FULL, f"results/{'3' * 65}/contract.json"], f"results/{'3' * 65}"),
        ([*FULL, "unfinished/.git/HEAD"], "unfinished/.git"),
        (["unfinished/novel.txt", "aside/photos-2024-12/a.jpg"], "aside"),
    ],
)
def test_a_foreign_folder_is_refused_before_anything_changes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    names: list[str],
    told: str,
) -> None:
    fill(tmp_path, *names)
    for arguments in (
        ("clean", "--max-size", "0GiB"),
        ("clean",),
        ("golden",),
        ("sweep",),
        ("gate", "numpy==2.4.6"),
    ):
        assert command(monkeypatch, *arguments, "--store", str(tmp_path)) == 2
        assert (
            f"not a store of embedding-parity-harness: it holds {told}, a foreign file"
            in capsys.readouterr().err
        )
    assert look(tmp_path) == set(names)


def test_what_the_harness_has_not_made_stays(store: Store, tmp_path: Path) -> None:
    store.claim()
    theirs = {
        "models/llama/w.bin",
        f"results/{RESULT}.bak/contract.json",
        "aside/photos/a.jpg",
        "unfinished/novel.txt",
        "models/checked-notes.json",
        f"envs/{OLD}.in-use/notes.txt",
        "envs/.DS_Store",
    }
    fill(store.root, *theirs, f"envs/{OLD}/bin/python")
    os.utime(store.root / "unfinished/novel.txt", (0, 0))
    fill(tmp_path / "disk", f"{SUITE}/a.py", "w.bin")
    (store.root / "suite").symlink_to(tmp_path / "disk")
    (store.root / "models" / MODEL).symlink_to(tmp_path / "disk")
    assert clean(store) == Cleaned(1, 4096)
    assert {name for name in look(store.root) if not name.startswith("locks/")} == {
        *theirs,
        MARKER,
        "suite",
        f"models/{MODEL}",
    }
    assert look(tmp_path / "disk") == {f"{SUITE}/a.py", "w.bin"}
    for entry in (store.models / "llama", store.models / MODEL, store.suites / SUITE, tmp_path / "disk"):
        with pytest.raises(StoreError, match="not created by the harness, so it is not removed"):
            store.remove_entry(entry)


def test_marker_is_a_file_of_a_store(store: Store) -> None:
    (store.root / MARKER).mkdir(parents=True)
    with pytest.raises(UsageError, match=f"it holds {MARKER}, a foreign file"):
        store.claim()
