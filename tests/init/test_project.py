"""What a project says about its Python, its models and its forge."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support.repositories import git

from harness.errors import UsageError
from harness.init.project import (
    RUNNING,
    Chosen,
    WheelModel,
    find_forge,
    find_installed_models,
    find_model_folders,
    find_python,
)
from harness.init.writing import NewFile, ignore_runs, refuse_existing

REQUIRES = '[project]\nname = "a"\nrequires-python = "{}"\n'


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({}, Chosen(RUNNING, "the Python that runs `harness init`")),
        (
            {".python-version": "3.10.4\n", "pyproject.toml": REQUIRES.format(">=3.12")},
            Chosen("3.10", ".python-version"),
        ),
        ({".python-version": "cpython-3.12"}, Chosen("3.12", ".python-version")),
        (
            {"pyproject.toml": REQUIRES.format(">=3.9")},
            Chosen(RUNNING, "pyproject.toml: requires-python >=3.9"),
        ),
        (
            {"pyproject.toml": REQUIRES.format("==3.10.*")},
            Chosen("3.10", "pyproject.toml: requires-python ==3.10.*"),
        ),
        (
            {"uv.lock": 'version = 1\nrequires-python = "<3.11"\n'},
            Chosen("3.9", "uv.lock: requires-python <3.11"),
        ),
    ],
)
def test_the_python(tmp_path: Path, files: dict[str, str], found: Chosen) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert find_python(tmp_path, tmp_path / "uv.lock") == found


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (".python-version", "pypy3.10\n", "is not a Python such as 3.11; name it with --python"),
        ("pyproject.toml", REQUIRES.format("three"), "'three' is no specifier such as >=3.11"),
        ("pyproject.toml", REQUIRES.format("<3.8"), "'<3.8' allows no Python from 3.9 on"),
    ],
)
def test_a_python_that_no_cell_has_is_refused(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=said):
        find_python(tmp_path, tmp_path / "requirements.txt")


def make_model(folder: Path, *files: str) -> Path:
    for name in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def test_model_folders(tmp_path: Path) -> None:
    bare = make_model(tmp_path / "bare", "config.json", "pytorch_model.bin")
    make_model(tmp_path / "settings", "config.json")
    make_model(tmp_path / ".venv" / "model", "modules.json", "model.safetensors")
    assert find_model_folders(tmp_path) == (bare,)
    files = ("modules.json", "0_Transformer/config.json", "0_Transformer/pytorch_model.bin")
    whole = make_model(tmp_path / "models" / "mine", *files)
    assert find_model_folders(tmp_path) == (whole,)


def test_a_package_may_hold_the_model(tmp_path: Path) -> None:
    files = ["tiny/model/modules.json", "tiny/model/model.safetensors", "tiny/other/modules.json"]
    make_model(tmp_path, *files)
    info = tmp_path / "Tiny_Model-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: Tiny_Model\nVersion: 1.0\n")
    (info / "RECORD").write_text("".join(f"{name},,\n" for name in files), encoding="utf-8")
    assert find_installed_models(tmp_path) == (
        WheelModel(distribution="tiny-model==1.0", folder="tiny/model"),
    )


@pytest.mark.parametrize(
    ("remote", "folder", "forge"),
    [
        ("git@github.com:owner/name.git", "", "github"),
        ("https://gitlab.example.org/owner/name", ".github/workflows", "gitlab"),
        ("https://git.example.org/owner/name", ".github/workflows", "github"),
        ("https://git.example.org/owner/name", "", None),
        ("", ".github", "github"),
    ],
)
def test_the_forge(tmp_path: Path, remote: str, folder: str, forge: str | None) -> None:
    if remote:
        git(tmp_path, "init", "--quiet")
        git(tmp_path, "remote", "add", "origin", remote)
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    assert asyncio.run(find_forge(tmp_path)) == forge


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, "reports/runs/\n"),
        ("*.pyc", "*.pyc\nreports/runs/\n"),
        ("/reports/\n", None),
        ("reports/runs\n", None),
    ],
)
def test_runs_are_ignored(tmp_path: Path, before: str | None, after: str | None) -> None:
    path = tmp_path / ".gitignore"
    if before is not None:
        path.write_text(before, encoding="utf-8")
    assert ignore_runs(tmp_path) == (None if after is None else NewFile(path=path, text=after))


def test_a_file_of_a_person_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    planned = [tmp_path / "a", tmp_path / "b"]
    refuse_existing(planned, tmp_path, force=True)
    with pytest.raises(UsageError, match="a exists; --force writes it again; nothing was changed"):
        refuse_existing(planned, tmp_path, force=False)
