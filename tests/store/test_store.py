"""Whole files, snapshots of the suite, logs, the machine, and who waits for whom."""

from __future__ import annotations

import asyncio
import errno
import os
import re
from pathlib import Path

import msgspec
import pytest
from support.runs import make_plan, make_planned
from support.stores import store_fixture  # noqa: F401 - fixtures

from harness.errors import UsageError
from harness.files import hash_tree, write_whole
from harness.records import CellResult, Plan
from harness.runs.folder import RunFolder, read_run
from harness.store.inputs import snapshot_suite
from harness.store.result_store import ResultStore
from harness.store.store import Store
from harness.sweep.cell_process import read_tail
from harness.sweep.limits import classify_machine, read_machine


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
    first = snapshot_suite(store, source)
    assert sorted(path.relative_to(first.folder).as_posix() for path in first.folder.rglob("*.py")) == [
        "harness/__init__.py",
        "harness/cell/start.py",
    ]
    (source / "start.py").write_text("2")
    second = snapshot_suite(store, source)
    assert second.digest != first.digest
    assert (first.folder / "harness/cell/start.py").read_text() == "1"


def test_damaged_snapshot_is_made_anew(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "cell"
    source.mkdir()
    (source / "start.py").write_text("1")
    file = snapshot_suite(store, source).folder / "harness/cell/start.py"
    file.write_text("damaged")
    assert (snapshot_suite(store, source).folder / "harness/cell/start.py").read_text() == "1"


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


def test_class_of_a_machine_leaves_kernel_and_memory_out() -> None:
    facts = read_machine()
    assert classify_machine({**facts, "release": "9", "memory_bytes": "1"}) == facts["class"]
    assert classify_machine({**facts, "cpu": "another"}) != facts["class"]


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
