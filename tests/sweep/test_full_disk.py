"""A disk that is really full: it is named wherever it shows, and no result is kept that only says so."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from planted.disks import SmallDisk, mount_small_disk
from support.earlier_histories import write_earlier
from support.fake_cells import Lab, make_plan, plan_cell
from support.histories import read
from support.pasts import latency, past

from harness.errors import MachineError
from harness.files import describe_os_error, find_no_space, write_whole
from harness.gate.blocks import append_block
from harness.records import InvalidBlock
from harness.runs.database import HistoryError, open_history, transaction
from harness.seals import load_sealer


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with mount_small_disk(tmp_path / "disk", "2m") as mounted:
        yield mounted


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (
            "error: Failed\n  cause: cannot write to file `/t/env/CACHEDIR.TAG`: No space left (os error 28)",
            "no space left on device: /t/env/CACHEDIR.TAG",
        ),
        (
            "cause: failed to copy file from /c/big/m46.py to /t/env/big/.tmpRx: No space left (os error 28)",
            "no space left on device: /t/env/big/.tmpRx",
        ),
        ("error: disco llena (os error 28)", "no space left on device"),
        ("OSError: [Errno 28] No space left on device: '/t/a file'", "no space left on device: /t/a file"),
        ("OSError: [Errno 122] Disk quota exceeded", "no space left on device"),
        ("error: Permission denied (os error 13)", ""),
        ("error: 28 packages have no wheel", ""),
        ("os error 281", ""),
    ],
)
def test_a_program_says_that_the_disk_is_full(told: str, words: str) -> None:
    assert find_no_space(told) == words


def test_another_error_keeps_its_words(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        (tmp_path / "none").read_bytes()
    assert describe_os_error(caught.value) == str(caught.value)


@pytest.mark.parametrize(
    ("does", "reason"),
    [
        ("filling", r"no space left on device: {disk}/harness-cell-\S+: it exited with code 1 before .*"),
        ("choking", r"no space left on device: {disk}/harness-cell-\S+: it exited with code 9 before .*"),
        (
            "erring",
            "no space left on device: /somewhere/file; 1 of 2 cases did not pass, the first is l0.two",
        ),
        ("unreadable", r"bytecode is damaged \(EOFError: marshal data too short\), when importing torch"),
    ],
)
def test_a_cell_that_the_machine_failed_is_no_result(
    does: str, reason: str, disk: SmallDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(disk.folder))
    lab = Lab(tmp_path / "lab")
    result = lab.run_one(does)
    assert result.status == "install-error"
    assert_matches(rf"{reason.format(disk=disk.folder)}( \(stage contract\))?$", result.reason)
    assert not list(lab.store.results.glob("*/*"))


def assert_matches(pattern: str, text: str) -> None:
    assert re.match(pattern, text), text


def test_a_result_that_an_earlier_harness_has_kept_is_not_used(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.run_one("importing")
    (kept,) = lab.store.results.glob("*/contract.json")
    kept.write_bytes(kept.read_bytes().replace(b"ImportError: no", b"EOFError: marshal data too short"))
    load_sealer().seal(kept, kept.relative_to(lab.store.root).as_posix())
    lab.said.clear()
    again = lab.run(make_plan(plan_cell("importing"), run="run-2")).results[0]
    assert again.reason == "importing torch failed: ImportError: no"
    assert "reused" not in {progress.stage for progress in lab.said}
    assert lab.complaints == []


def test_the_folder_of_a_run_that_cannot_be_written(disk: SmallDisk, tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    (tmp_path / "runs").symlink_to(disk.folder)
    lab.wait_environment = lambda _: str(disk.fill() and sys.executable)
    with pytest.raises(MachineError) as caught:
        lab.run(make_plan(plan_cell("passing")))
    assert_matches(
        rf"I/O error: no space left on device: {tmp_path}/runs/run-1/\S+$",
        str(caught.value),
    )


def test_a_file_that_cannot_be_written_is_named(disk: SmallDisk) -> None:
    disk.fill(leave=8192)
    file, blocks = disk.folder / "file", disk.folder / "blocks.jsonl"
    with pytest.raises(OSError, match="No space left") as caught:
        write_whole(file, bytes(100_000))
    assert describe_os_error(caught.value) == f"no space left on device: {file}"
    with pytest.raises(OSError, match="No space left") as caught:
        append_block(disk.folder, BLOCK)
    assert describe_os_error(caught.value) == f"no space left on device: {blocks}"


BLOCK = InvalidBlock(group="embedding", number=1, slots=(), arms=(), void="x" * 100_000)


def test_a_history_that_cannot_be_written(disk: SmallDisk) -> None:
    path = disk.folder / "history.sqlite3"

    def write() -> None:
        with open_history(path, print) as connection, transaction(connection):
            connection.execute("CREATE TABLE large (data BLOB)")
            connection.execute("INSERT INTO large VALUES (zeroblob(4000000))")

    with pytest.raises(HistoryError) as caught:
        write()
    assert str(caught.value) == f"no space left on device: {path}"
    with open_history(path, print) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'large'").fetchone() == (
            0,
        )


def test_a_history_of_an_earlier_version_without_room_to_bring_it_up_to_date(disk: SmallDisk) -> None:
    path, run = disk.folder / "history.sqlite3", past("run-1", latency=(latency(),) * 2000)
    write_earlier(path, 3, run)
    disk.fill()
    before = path.read_bytes()
    with pytest.raises(HistoryError, match=f"^no space left on device: {path}$"):
        read(path, "run-1")
    assert path.read_bytes() == before
    (disk.folder / "filler").unlink()
    assert read(path, "run-1") == run


MODULE = "X = [" + ",".join(f"'text {number}'" for number in range(20_000)) + "]\n"


@pytest.mark.parametrize(
    ("guard", "written", "again"),
    [("pass", True, "EOFError"), ("write_bytecode_whole()", False, "")],
    ids=["planted fault", "as a cell does"],
)
def test_bytecode_is_whole_or_not_there(
    guard: str, again: str, disk: SmallDisk, root: Path, *, written: bool
) -> None:
    (disk.folder / "module.py").write_text(MODULE)
    disk.fill(leave=65_536)
    first = run_python(
        f"from harness.cell.start import write_bytecode_whole; {guard}; import module", disk.folder, root
    )
    assert first.returncode == 0, first.stderr
    assert bool(list(disk.folder.glob("__pycache__/*"))) is written
    (disk.folder / "filler").unlink()
    second = run_python("import module", disk.folder, root)
    assert again in second.stderr
    assert bool(second.returncode) is written


def run_python(code: str, folder: Path, root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(root)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
