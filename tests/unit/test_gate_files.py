"""Files that describe an environment: what is read from each kind, and what cannot be meant."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from harness.errors import MachineError, UsageError
from harness.plan.environment_file import EnvironmentFile, read_environment_file

UV_LOCK = """\
version = 1
revision = 3
requires-python = ">=3.9"

[[package]]
name = "app"
version = "0"
source = { editable = "." }

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


def read(folder: Path, name: str, text: str | None = None) -> EnvironmentFile:
    if text is not None:
        (folder / name).write_text(text, encoding="utf-8")
    return asyncio.run(read_environment_file(name, "3.11", folder))


def requirements(found: EnvironmentFile) -> list[str]:
    return [package.requirement for package in found.packages.values()]


def test_requirements_with_all_that_they_can_hold(tmp_path: Path) -> None:
    (tmp_path / "base.txt").write_text("-r requirements.txt\nTokenizers<1\n", encoding="utf-8")
    found = read(
        tmp_path,
        "requirements.txt",
        "# comment\n"
        "--extra-index-url https://a.example/simple\n"
        "-r base.txt\n"
        "numpy==1.26.2 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n"
        "sentence_transformers[openvino] >= 3, < 4  # why\n"
        "Sentence-Transformers!=3.1\n"
        "tomli; python_version < '3.11'\n"
        "./wheels/mine-1-py3-none-any.whl\n"
        "-e git+https://a.example/service#egg=service\n"
        "torch @ file:///wheels/torch.whl\n",
    )
    assert requirements(found) == [
        "numpy==1.26.2",
        "sentence-transformers[openvino]!=3.1,<4,>=3",
        "mine",
        "service",
        "torch",
        "tokenizers<1",
    ]
    assert found.packages["torch"].fault == "it comes from an address, not from an index"
    assert found.packages["numpy"].where == "requirements.txt:4"
    assert found.packages["tokenizers"].where == "base.txt:2"
    assert found.notes == ("requirements.txt:2: --extra-index-url is not followed: pip's settings count",)


def test_pip_freeze(tmp_path: Path) -> None:
    frozen = (
        "numpy==1.26.2\n# Editable install with no version control (service==1)\n-e /a/service\ntqdm==4\n"
    )
    found = read(tmp_path, "freeze.txt", frozen)
    assert requirements(found) == ["numpy==1.26.2", "service", "tqdm==4"]
    assert found.packages["service"].fault == "it comes from a path or an address, not from an index"


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("https://a.example/whl/cpu/torch-2.13.0%2Bcpu-cp311-cp311-linux_x86_64.whl#sha256=00", "torch"),
        ("./wheels/Sentence_Transformers-6.2.0.tar.gz", "sentence-transformers"),
        (
            "-e git+https://a.example/forks/repo@main#egg=sentence_transformers&subdirectory=x",
            "sentence-transformers",
        ),
        ("--editable=../numpy/", "numpy"),
        ("git+https://a.example/openvino.git@2026.4", "openvino"),
        ("-e .", ""),
    ],
)
def test_what_comes_from_a_path_or_an_address_is_known_by_its_name(
    line: str, name: str, tmp_path: Path
) -> None:
    found = read(tmp_path, "requirements.txt", f"tqdm\n{line}\n")
    assert [each for each in found.packages if each != "tqdm"] == [name] * bool(name)
    told = ("requirements.txt:2: a package from a path or an address is left out",)
    assert found.notes == (() if name else told)


def test_files_that_name_each_other_in_a_circle_are_read_once(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.txt").write_text("-r ../sub/../a.txt\nnumpy\n", encoding="utf-8")
    assert requirements(read(tmp_path, "a.txt", "-r sub/b.txt\ntqdm\n")) == ["tqdm", "numpy"]


def test_requirements_that_are_called_a_lock(tmp_path: Path) -> None:
    assert requirements(read(tmp_path, "requirements.lock", "numpy==2.4.6\n-e file:.\n")) == ["numpy==2.4.6"]


def test_uv_lock_of_this_python(tmp_path: Path) -> None:
    found = read(tmp_path, "uv.lock", UV_LOCK)
    assert requirements(found) == ["numpy==2.4.6", "torch==2.13.0"]
    assert found.packages["torch"].fault == "it comes from git, not from an index"


def test_pylock_with_its_default_groups(tmp_path: Path) -> None:
    assert requirements(read(tmp_path, "pylock.toml", PYLOCK)) == ["numpy==2.4.6"]


def test_a_pin_twice_is_a_fault_of_that_package_only(tmp_path: Path) -> None:
    found = read(tmp_path, "both.txt", "numpy==1\nnumpy==2\ntqdm\n")
    assert found.packages["numpy"].fault == "it is pinned to ==1 and ==2"


@pytest.mark.parametrize(
    ("pins", "requirement"),
    [
        ("numpy==2.4.6\nnumpy==2.*", "numpy==2.*,==2.4.6"),
        ("numpy==2.4\nnumpy==2.4.0", "numpy==2.4"),
        ("torch==2.13.0+cpu\ntorch==2.13.0+cu126\ntorch>=2", "torch==2.13.0,>=2"),
    ],
)
def test_pins_that_agree_are_no_fault(pins: str, requirement: str, tmp_path: Path) -> None:
    found = read(tmp_path, "both.txt", pins)
    assert (requirements(found), found.packages[requirement.partition("=")[0]].fault) == ([requirement], "")


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
            "a.yaml: of an unknown kind (.yaml); a requirements file, the output of pip freeze",
        ),
        ("pyproject.toml", "[project]\n", "pyproject.toml: of an unknown kind; a requirements file"),
        ("poetry.lock", "[metadata]\nlock-version = '2'\n", "poetry.lock: of an unknown kind"),
        ("a.txt", "tqdm\n\nnumpy=>2\n", "a.txt:3: 'numpy=>2' is not a requirement: "),
        ("a.txt", "-r gone.txt\n", "gone.txt: no such file"),
        ("a.txt", "# nothing\n", "a.txt: names no package for Python 3.11 on this platform"),
        ("uv.lock", "version = 1\n[[package", "uv.lock: not TOML: "),
        ("uv.lock", "version = 2\n", "uv.lock: version 2 of the format of uv.lock; 1 is known"),
        (
            "uv.lock",
            "version = 1\n[[package]]\nname = 3\n",
            "uv.lock: not a uv.lock: Expected `str`, got `int`",
        ),
        ("pylock.toml", 'lock-version = "1.0"\npackages = []\n', "pylock.toml: not a pylock file: "),
        (
            "a.txt",
            "tqdm\nnumpy==1.2; sys_platform ~= 'linux'\n",
            "a.txt:2: marker 'sys_platform ~= \"linux\"' compares what cannot be compared so",
        ),
        (
            "a.txt",
            "numpy; 'dev' in dependency_groups\n",
            "a.txt:1: marker '\"dev\" in dependency_groups' speaks of 'dependency_groups', which has",
        ),
        ("uv.lock", make_uv_lock(version="abc"), "uv.lock: package 'numpy': 'abc' is no version"),
        ("uv.lock", make_uv_lock(name="a b"), "uv.lock: 'a b' is no name of a package"),
        (
            "uv.lock",
            make_uv_lock(marker="sys_platform ~= 'linux'"),
            "uv.lock: package 'numpy': marker 'sys_platform ~= 'linux'' compares what",
        ),
        (
            "uv.lock",
            make_uv_lock(marker="'dev' in dependency_groups"),
            "uv.lock: package 'numpy': marker ''dev' in dependency_groups' speaks of",
        ),
        (
            "uv.lock",
            make_uv_lock(marker="linux"),
            "uv.lock: package 'numpy': 'linux' is no marker: ",
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
def test_what_cannot_be_meant(name: str, text: str | None, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as told:
        read(tmp_path, name, text)
    assert str(told.value).startswith(said)


def test_other_encodings_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("numpy==1".encode("utf-16"))
    with pytest.raises(UsageError, match=r"^a\.txt: not UTF-8 text: "):
        read(tmp_path, "a.txt")


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=someone", "-c", "user.email=someone@a.example")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def test_a_repository_that_git_refuses_is_told(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / ".git" / "config").write_text("[core", encoding="utf-8")
    with pytest.raises(MachineError, match=r"^main:a\.txt: git cannot say: .*bad config"):
        read(tmp_path, "main:a.txt")


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
