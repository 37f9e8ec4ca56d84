"""Paths that may not leave a folder, output that a person names, and what is no plain file."""

from __future__ import annotations

import os
import re
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from unittest import mock

import pytest
from support.command_line import command
from support.histories import make_world

from harness.errors import UsageError
from harness.files import copy_whole, inside, walk_files, write_output, write_whole
from harness.held import temporary_folder

RUN = "20261122-100000-compat-bbbb"


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("HARNESS_HISTORY", raising=False)
    return make_world(tmp_path)[0]


@pytest.mark.parametrize("name", ["a", "a/b", "link/a", "..a", "a..", "a b", "\\"])
def test_path_below_a_folder_stays_as_it_is(tmp_path: Path, name: str) -> None:
    (tmp_path / "root" / "a").mkdir(parents=True)
    (tmp_path / "root" / "link").symlink_to("a")
    (tmp_path / "root link").symlink_to("root")
    for root in (tmp_path / "root", tmp_path / "root link"):
        assert inside(root, name, "plan.json: run") == root / name


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("", "names the folder itself"),
        (" ", "names the folder itself"),
        (".", "names the folder itself"),
        ("..", "leaves the folder by '..'"),
        ("a/../../b", "leaves the folder by '..'"),
        ("a/..", "leaves the folder by '..'"),
        ("/etc", "is an absolute path"),
        ("a\0b", "holds a NUL character"),
        ("out/b", "leads out of {root}, to {target}/b"),
        ("out", "leads out of {root}, to {target}"),
        ("a/up/b", "leads out of {root}, to {target}/b"),
    ],
)
def test_path_that_leaves_the_folder_is_refused(tmp_path: Path, name: str, fault: str) -> None:
    root, target = tmp_path / "root", tmp_path / "root.beside"  # a prefix of its name, but not of its path
    (root / "a").mkdir(parents=True)
    target.mkdir()
    (root / "out").symlink_to(target)
    (root / "a" / "up").symlink_to("../../root.beside")
    told = f"plan.json: run: {name!r} {fault.format(root=root, target=target)}"
    with pytest.raises(
        UsageError, match=rf"^{re.escape(told)}(; a path below {re.escape(str(root))} is expected)?$"
    ):
        inside(root, name, "plan.json: run")


def test_export_writes_through_links_and_pipes_and_keeps_modes(
    reports: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def export(out: Path | str) -> str:
        assert command(monkeypatch, "export", RUN, "--reports", str(reports), "--out", str(out)) == 0
        return capsys.readouterr().out

    text = export("-")
    assert text == (reports / "runs" / RUN / "measurements.csv").read_text("utf-8")
    target, link, dangling = tmp_path / "there.csv", tmp_path / "link.csv", tmp_path / "dangling.csv"
    target.write_text("before")
    target.chmod(0o600)
    link.symlink_to("there.csv")
    dangling.symlink_to("new.csv")
    for out, file in ((link, target), (dangling, tmp_path / "new.csv"), (tmp_path / "plain.csv",) * 2):
        assert (export(out), file.read_text("utf-8")) == ("", text)
    assert (link.is_symlink(), dangling.is_symlink()) == (True, True)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    fifo, read = tmp_path / "pipe", list[str]()
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: read.append(fifo.read_text("utf-8")))
    reader.start()
    export(fifo)
    reader.join()
    assert (read, fifo.is_fifo()) == ([text], True)
    export("/dev/null")
    assert Path("/dev/null").is_char_device()


def test_output_that_is_open_already_is_written_through(reports: Path, tmp_path: Path) -> None:
    whole = (reports / "runs" / RUN / "measurements.csv").read_text("utf-8")
    out = tmp_path / "all.csv"
    out.write_text("first\n")
    argv = (sys.executable, "-m", "harness", "export", RUN, "--reports", str(reports), "--out")
    with out.open("ab") as appended:
        subprocess.run([*argv, "/dev/stdout"], stdout=appended, check=True)
        passed = appended.fileno()
        subprocess.run([*argv, f"/dev/fd/{passed}"], pass_fds=[passed], check=True)
    assert out.read_text("utf-8") == f"first\n{whole}{whole}"


@pytest.mark.parametrize("kind", ["socket", "folder", "descriptor"])
def test_output_that_cannot_hold_text_is_refused_and_stays(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "out"
    with socket.socket(socket.AF_UNIX) as listening:
        if kind == "socket":
            listening.bind(str(place))
        elif kind == "folder":
            place.mkdir()
        else:
            place.symlink_to("/dev/fd/987654")
        before = place.lstat()
        with pytest.raises(UsageError, match=rf"^{re.escape(str(place))}: (expected a file|this process)"):
            write_output(place, b"text")
    assert os.path.samestat(place.lstat(), before)
    assert list(tmp_path.iterdir()) == [place]


@pytest.mark.parametrize("kind", ["fifo", "link", "folder", "nothing"])
def test_only_a_plain_file_is_copied(tmp_path: Path, kind: str) -> None:
    source, secret = tmp_path / "benchmark.json", tmp_path / "secret"
    secret.write_text("secret")
    if kind == "fifo":
        os.mkfifo(source)
    elif kind == "link":
        source.symlink_to(secret)
    elif kind == "folder":
        source.mkdir()
    assert copy_whole(source, tmp_path / "copy") is False
    assert not (tmp_path / "copy").exists()
    assert copy_whole(secret, tmp_path / "copy") is True


def test_temporary_folders_of_the_harness_are_no_part_of_a_folder(tmp_path: Path) -> None:
    """The temporary folder of a machine may lie below the search path of a subject."""
    write_whole(tmp_path / "service.py", b"")
    write_whole(tmp_path / "harness-cellar" / "wine.py", b"")
    with mock.patch.object(tempfile, "tempdir", str(tmp_path)), temporary_folder("cell") as folder:
        write_whole(folder / "harness" / "cell" / "start.py", b"")
        assert [name for name, _ in walk_files(tmp_path)] == ["service.py", "harness-cellar/wine.py"]


def test_a_virtual_environment_is_no_part_of_a_folder(tmp_path: Path) -> None:
    """The search path of a service is often the root of its project, with the environment in it."""
    for name in ("service.py", ".venv/lib/module.py", ".venv/pyvenv.cfg", "inner/module.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [name for name, _ in walk_files(tmp_path)] == ["service.py", "inner/module.py"]
    assert [name for name, _ in walk_files(tmp_path / ".venv")] == ["pyvenv.cfg", "lib/module.py"]
