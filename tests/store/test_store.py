"""Whole files, snapshots of the suite, logs, the machine, and who waits for whom."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from support.runs import make_plan, make_planned
from support.stores import (
    snapshot,
    store_fixture,  # noqa: F401 - fixtures
)

from harness.errors import UsageError
from harness.files import hash_tree, write_whole
from harness.records import CellResult, Plan
from harness.runs.folder import RunFolder, read_run
from harness.store.clean import clean_store
from harness.store.inputs import snapshot_suite
from harness.store.result_store import ResultStore
from harness.store.store import Store, is_in_use, marks_of, remove_marks
from harness.sweep.cell_process import read_tail


def test_full_disk_names_the_file_and_leaves_no_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=rf"No space left on device: '{re.escape(str(tmp_path))}/file'"):
        write_whole(tmp_path / "file", b"text")
    assert list(tmp_path.iterdir()) == []


def test_file_is_whole_or_not_there(tmp_path: Path) -> None:
    write_whole(tmp_path / "a" / "b", b"first")
    write_whole(tmp_path / "a" / "b", b"second")
    assert [(path.name, path.read_bytes()) for path in (tmp_path / "a").iterdir()] == [("b", b"second")]


def test_suite_is_a_snapshot_without_the_controller(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "cell"
    source.mkdir()
    (source / "start.py").write_text("1")
    first = snapshot(store, source)
    assert sorted(path.relative_to(first.folder).as_posix() for path in first.folder.rglob("*.py")) == [
        "harness/__init__.py",
        "harness/cell/start.py",
    ]
    (source / "start.py").write_text("2")
    second = snapshot(store, source)
    assert second.digest != first.digest
    assert (first.folder / "harness/cell/start.py").read_text() == "1"


def test_damaged_snapshot_is_made_anew(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "cell"
    source.mkdir()
    (source / "start.py").write_text("1")
    file = snapshot(store, source).folder / "harness/cell/start.py"
    file.write_text("damaged")
    assert (snapshot(store, source).folder / "harness/cell/start.py").read_text() == "1"


def test_digest_of_a_folder_is_of_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    plain = hash_tree(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("bytecode")
    assert hash_tree(tmp_path) == plain
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert hash_tree(tmp_path) != plain


def test_log_tail_is_fit_to_be_shown(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_bytes(
        b"\n".join(b"%d" % number for number in range(30)) + b"\n\x1b[1;31mred\x1b[0m\x07 10%\r 20%\n\n\xff\n"
    )
    assert read_tail(log) == (*(str(number) for number in range(13, 30)), " 20%", "\ufffd")[-19:]
    assert read_tail(tmp_path / "none") == ()


def test_waiting_for_another_process_is_reported_and_the_lock_released(tmp_path: Path) -> None:
    store, said = Store(tmp_path), list[str]()

    async def hold_and_wait() -> None:
        async def wait() -> None:
            async with store.lock("latency", lambda: said.append("waiting")):
                said.append("mine")

        async with store.lock("latency"):
            waiting = asyncio.create_task(wait())
            while not said:  # noqa: ASYNC110 - what is waited for is the word, not an event
                await asyncio.sleep(0.02)
            said.append("over")
        await waiting
        async with store.lock("latency", lambda: said.append("never released")):
            pass

    asyncio.run(hold_and_wait())
    assert said == ["waiting", "over", "mine"]


@pytest.mark.parametrize("what", ["file", "folder", "link"])
def test_latest_is_a_link_of_the_harness_or_stays(tmp_path: Path, what: str) -> None:
    latest = tmp_path / "latest"
    if what == "file":
        latest.write_text("mine")
    elif what == "folder":
        (latest / "mine").mkdir(parents=True)
    else:
        latest.symlink_to("run-of-yesterday")
    folder = RunFolder.create(tmp_path, plan("run-1"))
    folder.finish()
    assert latest.is_symlink() is (what == "link")
    assert latest.resolve() == (folder.path if what == "link" else latest)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latest", "run-1"]


def plan(run: str, *cells: str) -> Plan:
    return msgspec.structs.replace(make_plan(*map(make_planned, cells)), run=run)


@pytest.mark.parametrize("name", ["../../victim", "{here}/victim", "link", ".."])
def test_id_in_a_file_is_never_a_path(tmp_path: Path, store: Store, name: str) -> None:
    def results() -> ResultStore:
        return ResultStore(store, pytest.fail)

    name, victim = name.format(here=tmp_path), tmp_path / "victim"
    write_whole(victim / "result.json", b"mine")
    folder = RunFolder.create(tmp_path / "runs", plan("run-1"))
    for root in (tmp_path / "runs", folder.path / "cells", store.results, store.unfinished):
        root.mkdir(parents=True, exist_ok=True)
        (root / "link").symlink_to(victim)
    written = msgspec.json.encode(plan("run-1", "the-cell"))
    write_whole(folder.path / "plan.json", written.replace(b'"the-cell"', msgspec.json.encode(name)))

    def result() -> CellResult:
        return CellResult(cell=name, key=name, run=name, status="ok")

    for attempt in (
        lambda: RunFolder.create(tmp_path / "runs", plan(name)),
        lambda: read_run(folder.path),
        lambda: folder.write_result(result()),
        lambda: results().begin(name),
        lambda: results().finish([name]),
        lambda: results().store_checks(result(), tmp_path),
        lambda: results().store_latency(result(), "0" * 16, tmp_path),
    ):
        with pytest.raises(
            (UsageError, ValueError), match=r"leads out of|leaves the folder|is a(n absolute)? path"
        ):
            attempt()
    assert [path.name for path in victim.iterdir()] == ["result.json"]
    assert (victim / "result.json").read_bytes() == b"mine"


USE = """
import sys
from pathlib import Path
from harness.store.store import Store

store, entry = Store(Path(sys.argv[1])), Path(sys.argv[2])
failed = []
for _ in range(int(sys.argv[3])):
    try:
        with store.using(entry):
            pass
    except OSError as error:
        failed.append(repr(error))
print(failed)
"""


def test_processes_that_use_one_entry_and_remove_its_marks_do_not_disturb_each_other(
    store: Store, root: Path
) -> None:
    """With one attempt to mark and the lock of the folder all pass; without that lock some fail."""
    entry = store.environments / ("a" * 20)
    entry.mkdir(parents=True)
    argv = [sys.executable, "-c", USE, str(store.root), str(entry), "1000"]
    users = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=root) for _ in range(2)]
    while any(user.poll() is None for user in users):
        remove_marks(entry)
    assert [user.communicate()[0] for user in users] == ["[]\n", "[]\n"]


def test_a_folder_of_marks_that_is_removed_while_it_is_made_is_made_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process ends its use between the two steps of ``Path.mkdir``."""
    entry = store.environments / ("a" * 20)
    entry.mkdir(parents=True)
    marks_of(entry).mkdir()
    made = os.mkdir

    def mkdir(path: str, mode: int = 0o777) -> None:
        try:
            made(path, mode)
        except FileExistsError:
            marks_of(entry).rmdir()
            raise

    monkeypatch.setattr(os, "mkdir", mkdir)
    with store.using(entry):
        assert is_in_use(entry)
    assert not marks_of(entry).exists()


def test_a_suite_in_use_is_left_by_clean_from_its_making_on(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "cell"
    source.mkdir()
    (source / "start.py").write_text("1")

    async def make_and_clean() -> tuple[bool, int]:
        async with contextlib.AsyncExitStack() as stack:
            suite = await snapshot_suite(store, stack, source)
            await clean_store(store)
            there = suite.folder.is_dir()
        return there, (await clean_store(store)).entries

    store.claim()
    assert asyncio.run(make_and_clean()) == (True, 1)


def test_a_result_that_is_cleaned_while_it_is_read_is_used(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = ResultStore(store, lambda _: None)
    kept = CellResult(cell="a", key="3" * 64, run="r", status="ok")
    results.store_checks(kept, tmp_path)
    touch = os.utime

    def clean_first(path: Path, *arguments: object) -> None:
        shutil.rmtree(store.results / kept.key, ignore_errors=True)
        touch(path, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "utime", clean_first)
    assert results.read_checks(kept.key) == kept
    assert results.read_checks(kept.key) is None
