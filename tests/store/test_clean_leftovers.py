"""What kill -9 leaves is gone after the next command; what a living process uses is not touched."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from planted.command import Harness
from support.fake_cells import Lab
from support.stores import store_fixture  # noqa: F401 - fixtures

from harness.held import claim, is_held, making_folder, mark, temporary_folder, writing_file
from harness.runs.folder import remove_leftovers_of_runs
from harness.store.clean import remove_leftovers
from harness.store.store import Store

SWEEP = """
import contextlib, sys
from pathlib import Path
from harness.held import making_folder, writing_file
from support.fake_cells import Lab, make_plan, plan_cell

lab = Lab(Path(sys.argv[1]))
lab.store.claim()
entry = lab.store.models / ("tiny-1.0-" + sys.argv[2])
entry.mkdir(parents=True)
with contextlib.ExitStack() as stack:
    stack.enter_context(lab.store.using(entry))
    for folder in (lab.store.environments, lab.store.suites):
        made = stack.enter_context(making_folder(folder))
        (made / "half.py").touch()
    for folder in (lab.store.results / ("3" * 64) / "latency-1", lab.folder / "runs" / "old"):
        folder.mkdir(parents=True, exist_ok=True)
        stack.enter_context(writing_file(folder))
    lab.run(make_plan(plan_cell("orphaning"), run=sys.argv[2]))
"""


def wait_for(there: Callable[[], bool]) -> None:
    """Wait until something is there; never is a failure."""
    deadline = time.monotonic() + 60
    while not there():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@contextlib.contextmanager
def start(code: str, folder: Path, root: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A harness in a process of its own, whose temporary files lie in ``folder``."""
    env = {**os.environ, "PYTHONPATH": f"{root}:{root / 'tests'}", "TMPDIR": str(folder / "tmp")}
    process = subprocess.Popen([sys.executable, "-c", code, str(folder), *arguments], env=env)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def kill(process: subprocess.Popen[Any]) -> list[psutil.Process]:
    """SIGKILL a harness; the processes that it had started."""
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return children


def tidy(folder: Path, root: Path) -> None:
    """The next command that uses the store, and the next run."""
    env = {**os.environ, "PYTHONPATH": str(root), "TMPDIR": str(folder / "tmp")}
    arguments = ("clean", "--store", str(folder / "store"), "--max-size", "100GiB")
    subprocess.run([sys.executable, "-m", "harness", *arguments], env=env, check=True, capture_output=True)
    remove_leftovers_of_runs(folder / "runs")


def held_names(folder: Path) -> list[str]:
    """Everything that has a name of something held, and every mark."""
    found = [*folder.rglob("*held-*"), *folder.glob("store/*/*.in-use/*"), *folder.glob("store/unfinished/*")]
    return sorted(str(path.relative_to(folder)) for path in found)


def is_over(process: psutil.Process) -> bool:
    """Whether a process has ended; nobody may be there to take its exit code."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def orphan(folder: Path) -> psutil.Process:
    """A process that a cell has started in a session of its own."""
    wait_for((folder / "orphan").exists)
    return psutil.Process(int((folder / "orphan").read_text()))


def test_kill_leaves_nothing_after_the_next_command(tmp_path: Path, root: Path) -> None:
    (tmp_path / "tmp").mkdir()
    with start(SWEEP, tmp_path, root, "killed") as killed:
        lost = orphan(tmp_path)
        (tmp_path / "orphan").unlink()
        left = held_names(tmp_path)
        with start(SWEEP, tmp_path, root, "living") as living:
            kept = orphan(tmp_path)
            both = held_names(tmp_path)
            children = kill(killed)
            assert lost in children
            assert not any(map(is_over, children))
            assert set(held_names(tmp_path)) >= set(left)

            tidy(tmp_path, root)
            wait_for(lambda: all(map(is_over, children)))
            assert held_names(tmp_path) == sorted(set(both) - set(left))
            assert living.poll() is None
            assert not is_over(kept)
            assert (tmp_path / "store/models/tiny-1.0-living").exists()
            kill(living)
    tidy(tmp_path, root)
    assert held_names(tmp_path) == []
    wait_for(lambda: is_over(kept))


def test_uv_of_a_killed_sweep_is_ended(tmp_path: Path, root: Path) -> None:
    """The real command, killed while uv waits for an index that never answers."""
    (tmp_path / "tmp").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as index, contextlib.ExitStack() as stack:
        harness = Harness(
            {
                **{name: str(tmp_path) for name in ("HOME", "XDG_CACHE_HOME", "UV_CACHE_DIR")},
                "PIP_CONFIG_FILE": os.devnull,
                "PIP_FIND_LINKS": "",
                "PIP_EXTRA_INDEX_URL": "",
                "PIP_INDEX_URL": f"http://127.0.0.1:{index.getsockname()[1]}/simple",
                "TMPDIR": str(tmp_path / "tmp"),
            }
        )
        places = ("--store", tmp_path / "store", "--reports", tmp_path / "reports")
        killed = harness.start("sweep", "--matrix", "smoke", "--plain", *places)
        stack.callback(killed.communicate)
        stack.callback(killed.kill)
        stack.enter_context(index.accept()[0])  # and never answers
        children = kill(killed)
        assert [child.name() for child in children] == ["uv"]
        assert held_names(tmp_path) != []
        tidy(tmp_path, root)
        wait_for(lambda: all(map(is_over, children)))
    assert held_names(tmp_path) == []


def test_a_run_that_was_cut_off_stays_marked_as_long_as_it_has_results(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.store.claim()
    lab.run_one("passing")
    for name in ("run-1", "without-results"):
        with mark(lab.store.unfinished / name, keep=True):
            remove_leftovers(lab.store)
    remove_leftovers(lab.store)
    assert [path.name for path in lab.store.unfinished.iterdir()] == ["run-1"]


def test_the_log_of_a_run_is_redacted_once_it_was_cut_off(
    tmp_path: Path,
) -> None:
    said = "https://user:s3cret@host/simple"
    for run in ("gone", "here"):
        log = tmp_path / run / "cells" / "a" / "log.txt"
        log.parent.mkdir(parents=True)
        log.write_text(said)
        (tmp_path / run / "unfinished").touch()
    with mark(tmp_path / "here" / "unfinished", keep=True):
        remove_leftovers_of_runs(tmp_path)
    logs = [(tmp_path / run / "cells" / "a" / "log.txt").read_text() for run in ("gone", "here")]
    assert logs == ["https://redacted@host/simple", said]


@pytest.mark.parametrize("kind", ["folder", "file", "mark"])
def test_what_is_held_is_seen_by_others_and_free_at_the_end(kind: str, tmp_path: Path) -> None:
    holders = {
        "folder": making_folder(tmp_path),
        "file": writing_file(tmp_path),
        "mark": mark(tmp_path / "mark", keep=True),
    }
    with holders[kind]:
        (path,) = tmp_path.iterdir()
        assert is_held(path)
        with claim(path) as free:
            assert not free
    assert not is_held(path)
    assert path.exists() is (kind == "mark")


def test_what_is_tidied_up_while_it_is_made_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may take a folder for a leftover between its making and its locking."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    opened, taken = os.open, list[str]()

    def take_first(path: str, *arguments: int) -> int:
        descriptor = opened(path, *arguments)
        if not taken:
            taken.append(path)
            Path(path).rmdir()
        return descriptor

    monkeypatch.setattr(os, "open", take_first)
    with temporary_folder("cell") as folder:
        assert folder.is_dir()
        assert [str(folder)] != taken
    assert len(taken) == 1


def test_files_of_others_stay(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store.claim()
    no_store = Store(tmp_path / "projects")
    others = [
        *(tmp_path / name for name in ("harness-cell-abcdefgh", "harness-held", "harness-cell-held-abc")),
        *(store.environments / ".making-abcdefgh", store.aside / "mine", store.results / ".writing-held-me"),
        *(no_store.environments / ".making-held-abcdefgh", no_store.unfinished / "draft"),
    ]
    for path in others:
        path.mkdir(parents=True)
    (store.root / "suite").symlink_to(no_store.environments)
    files = [
        *(no_store.unfinished / "empty", no_store.locks / "latency.lock"),
        *(store.results / "mine/.writing-held-abcdefgh", store.models / "llama.in-use/0123456789abcdef"),
        *(store.models / "tiny-1.0-model.in-use/notes", store.unfinished / ".empty"),
    ]
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (store.unfinished / "draft").write_text("of a novel")
    remove_leftovers(store)
    remove_leftovers(no_store)
    assert all(path.exists() for path in (*others, *files, store.unfinished / "draft"))


CONTROL = """
import asyncio, os, sys
from pathlib import Path
from harness import processes

BUSY = "import os, time\\nfrom harness.cell.channel import Channel\\nchannel = Channel.inherited()\\n"
BUSY += "channel.send('hello')\\nwhile True: time.sleep(1)"

async def control():
    env = {"PYTHONPATH": sys.argv[2]}
    argv = (sys.executable, "-c", BUSY)
    log = Path(sys.argv[1], "log")
    cell = await processes.start(argv, env=env, cwd=log.parent, log=log, channel="HARNESS_CHANNEL_FD")
    await cell.reader.readline()
    Path(sys.argv[1], "ready").touch()
    await asyncio.sleep(600)

asyncio.run(control())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_a_busy_cell_ends_with_its_controller(tmp_path: Path, root: Path) -> None:
    with start(CONTROL, tmp_path, root, str(root)) as killed:
        wait_for((tmp_path / "ready").exists)
        (cell,) = kill(killed)
        wait_for(lambda: is_over(cell))
