"""A ``uv.lock`` with extras, groups, conflicts and a workspace, as uv itself exports it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import uv
from support.environment_files import read, requirements

from harness.errors import UsageError
from harness.resolve.packages import Choice

FILES = Path(__file__).parent / "files"

CHOICES = {
    "uv-extras": [
        Choice(),
        Choice(extras=("old",)),
        Choice(extras=("new",)),
        Choice(extras=("fast", "old")),
        Choice(groups=("dev",)),
        Choice(extras=("new",), groups=("test",)),
    ],
    "uv-groups": [Choice(), Choice(groups=("a",)), Choice(groups=("b",)), Choice(extras=("empty",))],
    "uv-workspace": [Choice(), Choice(groups=("ops",)), Choice(extras=("fast",))],
}
CASES = [(folder, choice) for folder, choices in CHOICES.items() for choice in choices]


def export(folder: Path, choice: Choice) -> str:
    options = " ".join(choice.options).split()
    asked = (
        "export",
        "--frozen",
        "--offline",
        "--no-default-groups",
        "--no-hashes",
        "--no-header",
        "--no-annotate",
    )
    command = [uv.find_uv_bin(), *asked, "--no-emit-workspace", "--project", str(folder), *options]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(("folder", "choice"), CASES, ids=[f"{f} {' '.join(c.options)}" for f, c in CASES])
def test_what_uv_exports(folder: str, choice: Choice, tmp_path: Path) -> None:
    exported = read(tmp_path, "exported.txt", export(FILES / folder, choice))
    found = read(FILES / folder, "uv.lock", choice=choice)
    own = {package.requirement for package in found.packages.values() if not package.fault}
    assert own == set(requirements(exported))


def test_the_lock_of_a_script() -> None:
    assert requirements(read(FILES / "uv-script", "script.py.lock")) == ["idna==3.20", "colorama", "tqdm"]


def test_what_is_not_chosen_is_named_with_its_option() -> None:
    found = read(FILES / "uv-extras", "uv.lock", choice=Choice(extras=("old",)))
    options = {name: found.unchosen[name] for name in ("orjson", "iniconfig", "pluggy", "ipywidgets")}
    assert options == {
        "orjson": "--extra fast",
        "iniconfig": "--group dev",
        "pluggy": "--group dev",
        "ipywidgets": "--extra fast",
    }
    assert "numpy" not in found.unchosen
    assert read(FILES / "uv-extras", "uv.lock").unchosen["numpy"] == "--extra new"


UNKNOWN = (
    "uv.lock: no extra 'fats' (did you mean 'fast'?); there are: fast, new, old\n"
    "uv.lock: no group 'prod'; there are: dev, test"
)


@pytest.mark.parametrize(
    ("folder", "choice", "said"),
    [
        (
            "uv-extras",
            Choice(extras=("new", "old")),
            "uv.lock: the extra 'new' of app and the extra 'old' of app conflict; choose one of them",
        ),
        (
            "uv-groups",
            Choice(groups=("a", "b")),
            "uv.lock: the group 'a' of my-app and the group 'b' of my-app conflict; choose one of them",
        ),
        (
            "uv-extras",
            Choice(extras=("fats",), groups=("prod",)),
            UNKNOWN,
        ),
    ],
)
def test_a_choice_that_a_lock_cannot_meet_is_refused(folder: str, choice: Choice, said: str) -> None:
    with pytest.raises(UsageError) as told:
        read(FILES / folder, "uv.lock", choice=choice)
    assert str(told.value) == said


def test_a_lock_with_nothing_but_extras_names_them(tmp_path: Path) -> None:
    text = (FILES / "uv-groups" / "uv.lock").read_text("utf-8").replace('{ name = "idna" },', "")
    with pytest.raises(UsageError) as told:
        read(tmp_path, "uv.lock", text)
    assert str(told.value) == (
        "uv.lock: names no package for Python 3.11 on this platform; it has packages for --group a"
    )


def test_a_lock_for_another_python_is_refused(tmp_path: Path) -> None:
    text = (FILES / "uv-groups" / "uv.lock").read_text("utf-8").replace('">=3.11"', '">=3.12"')
    with pytest.raises(UsageError, match="requires-python is '>=3"):
        read(tmp_path, "uv.lock", text)


def test_all_faults_of_a_lock_are_told_at_once(tmp_path: Path) -> None:
    text = (FILES / "uv-groups" / "uv.lock").read_text("utf-8")
    text = text.replace('version = "3.20"', 'version = "new"').replace('"sha256:', '"md4:', 1)
    text = text.replace('version = "2.1.0"\nsource', 'version = "?"\nsource', 1)
    with pytest.raises(UsageError) as told:
        read(tmp_path, "uv.lock", text)
    assert [re.sub(r"known: .*|, found .*", "", line) for line in str(told.value).splitlines()] == [
        "uv.lock: package 'idna': expected a version",
        "uv.lock: package 'idna': unknown hash algorithm 'md4'; ",
        "uv.lock: package 'iniconfig': expected a version",
    ]
