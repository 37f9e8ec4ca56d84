"""Reading what a person names: files, pipes that are handed over, and neither FIFOs nor devices."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from planted.command import ROOT
from support.command_line import command as run_command
from support.plan_texts import put_matrix

from harness.errors import ExitCode, UsageError
from harness.files import hash_tree
from harness.input_files import MAX_TEXT, input_fault, read_input

HARNESS = (sys.executable, "-m", "harness")


def test_a_large_file_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.toml"
    with path.open("wb") as file:
        file.truncate(MAX_TEXT + 1)
    monkeypatch.setattr(os, "read", pytest.fail)
    with pytest.raises(UsageError, match=r"m\.toml: larger than the limit of 16 MiB"):
        read_input(path)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("fifo", "a named pipe (FIFO), but a file was expected"),
        ("folder", "a folder, but a file was expected"),
        ("socket", "a socket, but a file was expected"),
        ("device", "a device, but a file was expected"),
        ("missing", "no such file"),
        ("below a file", "cannot be read: not a directory"),
        ("loop", "cannot be read: too many levels of symbolic links"),
        ("long", "cannot be read: file name too long"),
        ("nul", "cannot be read: embedded null byte"),
        ("large", "larger than the limit of 16 MiB"),
    ],
)
def test_what_is_no_file_is_refused(kind: str, said: str, tmp_path: Path) -> None:
    path = make(kind, tmp_path)
    with pytest.raises(UsageError) as told:
        read_input(path)
    assert str(told.value) == f"{path}: {said}"
    assert input_fault(path, "file") == ("" if kind == "large" else str(told.value))


def make(kind: str, folder: Path) -> Path:
    path = folder / "named"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(path))
    elif kind == "large":
        with path.open("wb") as file:
            file.truncate(MAX_TEXT + 1)
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "below a file":
        path.touch()
        path = path / "x"
    others = {"device": Path("/dev/zero"), "long": folder / ("x" * 300), "nul": folder / "a\0b"}
    return others.get(kind, path)


def test_a_fifo_in_a_folder_does_not_stop_its_digest(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n", encoding="utf-8")
    before = hash_tree(tmp_path)
    os.mkfifo(tmp_path / "b.py")
    assert hash_tree(tmp_path) == before


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe: the end that reads and the end that writes, which the test closes."""
    reads, writes = os.pipe()
    yield reads, writes
    os.close(reads)


HEEDING_SIGNALS = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell without job control has its background jobs ignore it
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def fill(arguments: Sequence[str], reads: int) -> list[str]:
    """The arguments with a pipe in place of PIPE, as process substitution hands it over."""
    return [f"/dev/fd/{reads}" if each == "PIPE" else each for each in arguments]


def start(arguments: Sequence[str], reads: int, cwd: Path) -> subprocess.Popen[str]:
    """The harness in a process of its own, which inherits the pipe."""
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            HEEDING_SIGNALS,
            *HARNESS[1:],
            *fill(arguments, reads),
        ],
        cwd=cwd,
        pass_fds=[reads],
        env=os.environ | {"PYTHONPATH": str(ROOT), "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


UV_LOCK = "version = 1\nrequires-python = '>=3.12'\n[[package]]\nname = 'numpy'\n"

COMMANDS = {
    "matrix": ("cells", "--matrix", "PIPE"),
    "from": ("gate", "--matrix", "mine.toml", "--plain", "numpy==2.4.6", "--from", "PIPE"),
    "compare": ("compare", "PIPE", "PIPE"),
    "golden": ("sweep", "--matrix", "mine.toml", "--golden", "PIPE"),
}


@pytest.mark.parametrize(
    ("command", "number"),
    [
        ("matrix", signal.SIGINT),
        ("from", signal.SIGINT),  # this one is read within the event loop
        ("from", signal.SIGTERM),
        ("compare", signal.SIGTERM),
        ("golden", signal.SIGINT),
    ],
)
def test_a_pipe_that_stays_silent_does_not_keep_a_signal_from_ending_a_command(
    command: str, number: signal.Signals, pipe: tuple[int, int], tmp_path: Path
) -> None:
    put_matrix(tmp_path)
    reads, writes = pipe
    child = start(COMMANDS[command], reads, tmp_path)
    os.write(writes, b"# half a line")
    while child.poll() is None and select.select([reads], [], [], 0.05)[0]:
        time.sleep(0.01)  # it has not read that yet; then it waits for more
    child.send_signal(number)
    try:
        said, _ = child.communicate(timeout=60)
    finally:
        os.close(writes)
        child.kill()
    assert child.returncode in {130, -signal.SIGTERM}, said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("command", "text", "said"),
    [
        ("from", "numpy==9.9.9 --hash=md5:00\n", ":1: unknown hash algorithm 'md5'"),
        ("from", "-r nowhere.txt\n", ":1: -r nowhere.txt: nowhere.txt: no such file"),
        ("from", UV_LOCK, "requires-python is '>=3.12', but the cells have Python 3.11"),
        ("matrix", "schema = 1\n", "this key is required"),
        ("compare", '{"schema": 9}', "expected schema version 1, found 9"),
    ],
)
def test_process_substitution_is_read(  # noqa: PLR0917 - one parameter a column, and fixtures
    command: str,
    text: str,
    said: str,
    pipe: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    put_matrix(tmp_path)
    reads, writes = pipe
    os.write(writes, text.encode())
    os.close(writes)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    assert run_command(monkeypatch, *fill(COMMANDS[command], reads)) != ExitCode.PASS
    assert said in capsys.readouterr().err
