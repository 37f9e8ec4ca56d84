"""Locks that describe an environment, git revisions of files, and what cannot be meant."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from support.environment_files import read, requirements

from harness.errors import MachineError, UsageError
from harness.resolve.packages import Choice

UV_LOCK = """\
version = 1
revision = 3
requires-python = ">=3.9"

[[package]]
name = "app"
version = "0"
source = { editable = "." }
dependencies = [
    { name = "numpy", version = "2.0.2", marker = "python_full_version < '3.10'" },
    { name = "numpy", version = "2.4.6", marker = "python_full_version >= '3.10'" },
    { name = "torch" },
]

[[package]]
name = "numpy"
version = "2.0.2"
source = { registry = "an-index" }
resolution-markers = ["python_full_version < '3.10'"]

[[package]]
name = "numpy"
version = "2.4.6"
source = { registry = "an-index" }
resolution-markers = ["python_full_version >= '3.10'"]

[[package]]
name = "torch"
version = "2.13.0"
source = { git = "somewhere" }
"""

PYLOCK = """\
lock-version = "1.0"
created-by = "a tool"
default-groups = ["main"]

[[packages]]
name = "numpy"
version = "2.4.6"
wheels = [{ path = "numpy-2.4.6-py3-none-any.whl", hashes = { sha256 = "00" } }]

[[packages]]
name = "ruff"
version = "1.0"
marker = "'dev' in dependency_groups"
wheels = [{ path = "ruff-1.0-py3-none-any.whl", hashes = { sha256 = "00" } }]
"""


def make_uv_lock(name: str = "numpy", version: str = "1", marker: str = "") -> str:
    package = f'name = "{name}"\nversion = "{version}"\nsource = {{ registry = "an-index" }}\n'
    return f"version = 1\n[[package]]\n{package}" + (f'resolution-markers = ["{marker}"]\n' if marker else "")


def test_uv_lock_of_this_python(tmp_path: Path) -> None:
    found = read(tmp_path, "uv.lock", UV_LOCK)
    assert requirements(found) == ["numpy==2.4.6", "torch==2.13.0"]
    assert found.packages["torch"].fault == "it comes from git, not from an index"


def test_pylock_with_its_default_groups(tmp_path: Path) -> None:
    assert requirements(read(tmp_path, "pylock.toml", PYLOCK)) == ["numpy==2.4.6"]


def test_pylock_with_a_group_of_choice(tmp_path: Path) -> None:
    text = PYLOCK.replace("default-groups", 'dependency-groups = ["dev", "main"]\ndefault-groups')
    assert read(tmp_path, "pylock.toml", text).unchosen == {"ruff": "--group dev"}
    found = read(tmp_path, "pylock.toml", text, Choice(groups=("dev",)))
    assert requirements(found) == ["numpy==2.4.6", "ruff==1.0"]
    with pytest.raises(UsageError, match="no extra 'fast'; there are: none"):
        read(tmp_path, "pylock.toml", text, Choice(extras=("fast",)))


def test_a_uv_lock_with_nothing_for_this_environment_has_a_fault_there(tmp_path: Path) -> None:
    found = read(tmp_path, "uv.lock", make_uv_lock(marker="python_full_version < '3.10'"))
    assert found.packages["numpy"].fault == "none of its entries is for this environment"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("gone.txt", None, "gone.txt: no such file"),
        ("gone.yaml", None, "gone.yaml: no such file"),
        (
            "a.yaml",
            "x: 1",
            "a.yaml: unknown kind of file (.yaml); a requirements file, the output of pip freeze",
        ),
        ("my.toml", "[project]\n", "my.toml: unknown kind of file; a requirements file"),
        ("a.txt", "tqdm\n\nnumpy=>2\n", "a.txt:3: 'numpy=>2' is not a requirement: "),
        ("a.txt", "-r gone.txt\n", "a.txt:1: -r gone.txt: gone.txt: no such file"),
        ("a.txt", "# nothing\n", "a.txt: names no package for Python 3.11 on this platform"),
        ("uv.lock", "version = 1\n[[package", "uv.lock: not TOML: "),
        ("uv.lock", "version = 2\n", "uv.lock: expected version 1 of the uv.lock format, found 2"),
        (
            "uv.lock",
            "version = 1\n[[package]]\nname = 3\n",
            "uv.lock: not a uv.lock: Expected `str`, got `int`",
        ),
        ("pylock.toml", 'lock-version = "1.0"\npackages = []\n', "pylock.toml: not a pylock file: "),
        (
            "a.txt",
            "tqdm\nnumpy==1.2; sys_platform ~= 'linux'\n",
            "a.txt:2: marker 'sys_platform ~= \"linux\"' contains an undefined comparison",
        ),
        (
            "a.txt",
            "numpy; 'dev' in dependency_groups\n",
            "a.txt:1: marker '\"dev\" in dependency_groups' uses 'dependency_groups', which is",
        ),
        ("uv.lock", make_uv_lock(version="abc"), "uv.lock: package 'numpy': expected a version, found 'abc'"),
        ("uv.lock", make_uv_lock(name="a b"), "uv.lock: 'a b' is not the name of a package"),
        (
            "uv.lock",
            make_uv_lock(marker="sys_platform ~= 'linux'"),
            "uv.lock: package 'numpy': marker 'sys_platform ~= 'linux'' contains an undefined",
        ),
        (
            "uv.lock",
            make_uv_lock(marker="'dev' in dependency_groups"),
            "uv.lock: package 'numpy': marker ''dev' in dependency_groups' uses",
        ),
        (
            "uv.lock",
            make_uv_lock(marker="linux"),
            "uv.lock: package 'numpy': invalid marker 'linux': ",
        ),
        (
            "pylock.toml",
            PYLOCK.replace("'dev' in dependency_groups", "sys_platform ~= 'linux'"),
            "pylock.toml: package 'ruff': marker 'sys_platform ~= ",
        ),
        ("pylock.toml", PYLOCK.replace("2.4.6", "abc"), "pylock.toml: not a pylock file: Invalid version"),
        ("nobody:a.txt", None, "nobody:a.txt: no such file, and "),
    ],
)
def test_an_invalid_file_is_refused(name: str, text: str | None, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as told:
        read(tmp_path, name, text)
    assert str(told.value).startswith(said)


def test_other_encodings_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("numpy==1".encode("latin-1") + b"\xe4")
    with pytest.raises(UsageError, match=r"^a\.txt: not UTF-8 text: unexpected end of data at byte 8"):
        read(tmp_path, "a.txt")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])  # the latter as PowerShell redirects
def test_a_byte_order_mark_is_read(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("numpy==1\r\ntqdm==2\r\n".encode(encoding))
    assert requirements(read(tmp_path, "a.txt")) == ["numpy==1", "tqdm==2"]


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=someone", "-c", "user.email=someone@a.example")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def test_a_repository_that_git_refuses_is_told(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / ".git" / "config").write_text("[core", encoding="utf-8")
    with pytest.raises(MachineError, match=r"^main:a\.txt: git failed: .*bad config"):
        read(tmp_path, "main:a.txt")


def test_git_is_understood_whatever_its_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    speaker = tmp_path / "bin" / "git"
    speaker.parent.mkdir()
    words = '[ "$LC_ALL" = C ] && said="not a git repository" || said="kein Git-Repository"'
    speaker.write_text(f'#!/bin/sh\n{words}\necho "fatal: $said" >&2\nexit 128\n')
    speaker.chmod(0o755)
    monkeypatch.setenv("PATH", str(speaker.parent), prepend=os.pathsep)
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    with pytest.raises(UsageError, match="is in no git repository"):
        read(tmp_path, "main:a.txt")


def test_a_git_revision_in_utf_16_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("numpy==1\r\ntqdm==2\r\n".encode("utf-16"))
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    assert requirements(read(tmp_path, "main:a.txt")) == ["numpy==1", "tqdm==2"]


def test_a_symbolic_link_in_a_git_revision_is_followed(tmp_path: Path) -> None:
    (tmp_path / "deps").mkdir()
    (tmp_path / "deps" / "base.txt").write_text("openvino==2026.4.1\n", encoding="utf-8")
    (tmp_path / "requirements.txt").symlink_to("deps/all.txt")
    (tmp_path / "deps" / "all.txt").symlink_to("base.txt")
    (tmp_path / "round.txt").symlink_to("round.txt")
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    assert requirements(read(tmp_path, "main:requirements.txt")) == ["openvino==2026.4.1"]
    with pytest.raises(UsageError, match=r"^main:round\.txt: a symbolic link that leads to more than 8"):
        read(tmp_path, "main:round.txt")


def test_a_git_revision(tmp_path: Path) -> None:
    (tmp_path / "deps").mkdir()
    (tmp_path / "deps" / "base.txt").write_text("openvino==2026.4.1\n", encoding="utf-8")
    (tmp_path / "deps" / "all.txt").write_text("-r base.txt\nnumpy==1.26.2\n", encoding="utf-8")
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    (tmp_path / "deps" / "base.txt").unlink()
    (tmp_path / "deps" / "all.txt").write_text("numpy==2.4.6\n", encoding="utf-8")
    assert requirements(read(tmp_path, "main:deps/all.txt")) == ["numpy==1.26.2", "openvino==2026.4.1"]
    assert requirements(read(tmp_path, "deps/all.txt")) == ["numpy==2.4.6"]
    for wrong, said in (
        ("maine:deps/all.txt", "maine:deps/all.txt: no such file, and no git revision 'maine' here"),
        ("--all:deps/all.txt", "--all:deps/all.txt: no such file, and no git revision '--all' here"),
        ("main:all.txt", "main:all.txt: git revision 'main' has no file 'all.txt'"),
    ):
        with pytest.raises(UsageError) as told:
            read(tmp_path, wrong)
        assert str(told.value).startswith(said)


def test_a_path_of_a_revision_may_begin_in_the_folder_of_the_caller(tmp_path: Path) -> None:
    """As git has it: ``main:./a`` is beside the caller, ``main:a`` is in the root."""
    here = tmp_path / "services" / "embed"
    here.mkdir(parents=True)
    (tmp_path / "base.txt").write_text("openvino==2025.4\n", encoding="utf-8")
    (here / "base.txt").write_text("openvino==2026.4.1\n", encoding="utf-8")
    (here / "all.txt").write_text("-r base.txt\n-r ../more.txt\n", encoding="utf-8")
    (here.parent / "more.txt").write_text("numpy==2.4.6\n", encoding="utf-8")
    (here / "link.txt").symlink_to("base.txt")
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    assert requirements(read(here, "main:./all.txt")) == ["openvino==2026.4.1", "numpy==2.4.6"]
    assert requirements(read(here, "main:services/embed/all.txt")) == ["openvino==2026.4.1", "numpy==2.4.6"]
    assert requirements(read(here, "main:./link.txt")) == ["openvino==2026.4.1"]
    assert requirements(read(here, "main:../more.txt")) == ["numpy==2.4.6"]
    assert requirements(read(here, "main:base.txt")) == ["openvino==2025.4"]
