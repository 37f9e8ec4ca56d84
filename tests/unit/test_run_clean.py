"""What goes when the store is cleaned, and what stays."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from unit.stores import store_fixture  # noqa: F401 - fixtures

from harness import held
from harness.run.clean import Cleaned, clean_store
from harness.run.store import Store


def put(folder: Path, size: int, used: int) -> Path:
    folder.mkdir(parents=True)
    (folder / "file").write_bytes(b"x" * size)
    os.utime(folder, (used, used))
    return folder


def clean(store: Store, max_bytes: int | None = None) -> Cleaned:
    return asyncio.run(clean_store(store, max_bytes))


def test_least_recently_used_goes_first(store: Store) -> None:
    old = put(store.environments / "old", 40960, 1000)
    new = put(store.environments / "new", 40960, 2000)
    assert clean(store, 50_000) == Cleaned(1, 40960)
    assert (old.exists(), new.exists()) == (False, True)
    assert clean(store, 50_000) == Cleaned(0, 0)


def test_files_that_entries_share_count_once(store: Store) -> None:
    old = put(store.environments / "old", 40960, 1000)
    new = put(store.environments / "new", 4096, 2000)
    os.link(old / "file", new / "shared")
    os.utime(new, (2000, 2000))
    assert clean(store, 50_000) == Cleaned(0, 0)
    assert clean(store, 42_000) == Cleaned(2, 45056)


def test_what_is_in_use_stays(store: Store) -> None:
    entry = put(store.models / "model", 4096, 1000)
    put(store.suites / "suite", 4096, 1000)
    with store.using(entry):
        assert clean(store) == Cleaned(1, 4096)
        assert entry.exists()
    assert clean(store) == Cleaned(1, 4096)


def test_mark_of_a_dead_process_does_not_count(store: Store) -> None:
    put(store.environments / "a", 4096, 1000)
    marks = store.environments / "a.in-use"
    marks.mkdir()
    (marks / "of-a-killed-one").touch()
    assert clean(store) == Cleaned(1, 4096)
    assert list(store.environments.iterdir()) == []


def test_what_was_left_half_made_goes_after_a_day(store: Store) -> None:
    stale = put(store.environments / ".making-old", 4096, 1000)
    busy = store.environments / ".making-new"
    busy.mkdir()
    assert clean(store) == Cleaned(0, 0)
    assert (stale.exists(), busy.exists()) == (False, True)


def test_runs_that_are_still_running_stay_marked(store: Store) -> None:
    store.unfinished.mkdir(parents=True)
    over = store.unfinished / "over"
    over.touch()
    with held.mark(store.unfinished / "running"):
        os.utime(store.unfinished / "running", (0, 0))
        clean(store)
        assert [mark.name for mark in store.unfinished.iterdir()] == ["running"]


def test_empty_store_is_clean(store: Store) -> None:
    assert clean(store) == Cleaned(0, 0)
