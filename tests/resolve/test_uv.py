"""uv gets listed variables and no configuration file, so that no setting of a user changes a lock."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from planted.indexes import list_wheels, serve
from planted.wheels import build_wheel
from support.plan_texts import PLAIN, make_matrix

from harness.errors import StoreError
from harness.gate.cause.trial_lock import find_requirers
from harness.gate.sides import side_of_matrix
from harness.processes import MARK_VARIABLE
from harness.records import Cell
from harness.resolve import uv
from harness.resolve.pip_settings import IndexSettings, settings_from
from harness.resolve.resolve import resolve
from harness.store.environments import Installer

UNDATED = PLAIN.replace('exclude-newer = "2026-11-01"', 'torch = "pypi"')
CELL = Cell(id="one", axes={}, requirements=("numpy>=1",), python="3.11")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("o'brien")  # pip takes an apostrophe as a part of a path
    for version in ("1.26.2", "2.4.6", "2.5.0rc1"):
        build_wheel(folder, "numpy", version, {"numpy.py": ""})
    return folder


@pytest.fixture
def settings(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[IndexSettings]:
    """An index that says when its files were uploaded, the newest release last."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    uploaded = {"1.26.2": "2026-01-01", "2.4.6": "2026-03-01", "2.5.0rc1": "2026-04-01"}
    with serve(list_wheels(wheels, uploaded)) as index:
        yield IndexSettings(index=index.url)


def test_find_links_are_paths_as_pip_reads_them(
    wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = settings_from({}, {"PIP_FIND_LINKS": str(wheels), "PIP_NO_INDEX": "1"})
    matrix = make_matrix(tmp_path, UNDATED)
    lock = asyncio.run(resolve(CELL, matrix, found))
    assert [each.version for each in lock.distributions] == ["2.4.6"]
    monkeypatch.chdir(wheels.parent)  # and a relative one begins here
    relative = settings_from({}, {"PIP_FIND_LINKS": wheels.name, "PIP_NO_INDEX": "1"})
    assert asyncio.run(resolve(CELL, matrix, relative)) == lock


@pytest.mark.parametrize(
    ("variables", "file"),
    [
        ({"UV_RESOLUTION": "lowest"}, ""),
        ({"UV_PRERELEASE": "allow"}, ""),
        ({"UV_EXCLUDE_NEWER": "2026-02-01T00:00:00Z"}, ""),
        ({"UV_CONSTRAINT": "{folder}/numpy.txt"}, ""),
        ({}, 'prerelease = "allow"\n[pip]\nresolution = "lowest"\n'),
        ({"UV_CONFIG_FILE": "{folder}/config/uv/uv.toml"}, 'exclude-newer = "2026-02-01T00:00:00Z"\n'),
    ],
    ids=["resolution", "prerelease", "exclude-newer", "constraint", "uv.toml", "config-file"],
)
def test_a_setting_of_the_user_changes_no_lock(
    variables: dict[str, str],
    file: str,
    settings: IndexSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    matrix = make_matrix(tmp_path, UNDATED)
    plain = asyncio.run(resolve(CELL, matrix, settings))
    assert [each.version for each in plain.distributions] == ["2.4.6"]
    (tmp_path / "numpy.txt").write_text("numpy==1.26.2\n", encoding="ascii")
    config = tmp_path / "config" / "uv" / "uv.toml"
    config.parent.mkdir(parents=True)
    config.write_text(file, encoding="utf-8")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(config.parent)  # the file of a project, too
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(folder=tmp_path))
    assert asyncio.run(resolve(CELL, matrix, settings)) == plain
    side = side_of_matrix(matrix)
    assert asyncio.run(find_requirers(plain, side, matrix, settings)) == {"numpy": frozenset()}


def test_the_variables_that_uv_gets() -> None:
    places = {
        "PATH": "/bin",
        "HOME": "/h",
        "XDG_CACHE_HOME": "/x",
        "UV_CACHE_DIR": "/c",
        "SSL_CERT_FILE": "a",
    }
    index = {"UV_INDEX": "corp=https://a.example/simple", "UV_INDEX_CORP_PASSWORD": "word", "no_proxy": "b"}
    left = {"GITHUB_TOKEN": "t", "UV_INDEX_CORP": "t", "UV_PUBLISH_TOKEN": "t", "UV_TORCH_BACKEND": "cpu"}
    left |= {"VIRTUAL_ENV": "/v", "PYTHONPATH": "/p", "UV_PRERELEASE": "allow", "UV_NO_BINARY": "1"}
    added = {"HTTPS_PROXY": "http://p.example"}
    assert uv.environment(added, places | index | left) == places | index | added


def plant_uv(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program in the place of uv."""
    program = folder / "uv"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
    program.chmod(0o755)
    monkeypatch.setattr("uv.find_uv_bin", lambda: str(program))


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        ("kill -9 $$", -9, "uv was ended by signal 9 (exit code -9): "),
        ("printf '\\033[31mpanicked\\033[0m' >&2; exit 101", 101, "uv crashed (exit code 101): panicked"),
    ],
)
def test_a_uv_that_comes_to_no_end_of_its_own_gives_no_answer(
    script: str, code: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant_uv(tmp_path, script, monkeypatch)
    with pytest.raises(uv.UvError) as told:
        asyncio.run(resolve(CELL, make_matrix(tmp_path, UNDATED), IndexSettings(no_index=True)))
    assert (str(told.value), told.value.returncode) == (said, code)


def test_a_uv_that_cannot_be_started_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uv.find_uv_bin", lambda: str(tmp_path))
    with pytest.raises(uv.UvError, match=r"^uv could not be started: "):
        asyncio.run(resolve(CELL, make_matrix(tmp_path, UNDATED), IndexSettings(no_index=True)))


def test_environments_are_made_through_the_same_door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant_uv(tmp_path, 'echo "$@"; env; exit 0', monkeypatch)
    monkeypatch.setenv("GITHUB_TOKEN", "hunter2")
    monkeypatch.setenv("UV_NO_BINARY", "1")
    said = asyncio.run(Installer(variables=(("UV_LINK_MODE", "copy"),)).run("cache", "dir"))
    assert said.splitlines()[0] == "cache dir --no-config --no-progress --color never"
    names = {line.partition("=")[0] for line in said.splitlines()[1:]}
    assert names & {"GITHUB_TOKEN", "UV_NO_BINARY", "UV_LINK_MODE"} == {"UV_LINK_MODE"}
    assert names <= {"UV_LINK_MODE", MARK_VARIABLE, "PWD", "SHLVL", "_", *os.environ}
    plant_uv(tmp_path, "echo no >&2; exit 2", monkeypatch)
    with pytest.raises(StoreError, match=r"^no$"):
        asyncio.run(Installer().run("cache", "dir"))
