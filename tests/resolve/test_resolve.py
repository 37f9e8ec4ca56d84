"""Resolving through uv itself, from wheels that the test makes; no network."""

from __future__ import annotations

import asyncio
import datetime
import hashlib
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from packaging.tags import Tag
from planted.disks import mount_small_disk
from planted.indexes import Planted, Reply, refuse, serve
from planted.wheels import build_wheel
from support.plan_texts import PLAIN, make_matrix

from harness.errors import MachineError, UsageError
from harness.matrix.schema import Matrix, Resolve
from harness.records import Cell, Distribution, Lock, Progress
from harness.resolve.lockfile import (
    distributions_of,
    inputs_digest,
    lock_digest,
    make_lock,
    platform_tag,
    wheel_tags,
)
from harness.resolve.pip_settings import IndexSettings
from harness.resolve.resolve import compile_arguments, install_arguments, resolve, resolve_all
from harness.resolve.uv import NoSolution, read_no_solution

UNDATED = PLAIN.replace('exclude-newer = "2026-11-01"', "")
NEW_LINUX = ("manylinux_2_35_x86_64", "manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "linux_x86_64")


def cell_asking(*requirements: str, source: tuple[str, ...] = ()) -> Cell:
    return Cell(id="some-cell", axes={}, requirements=requirements, python="3.11", source=source)


@pytest.fixture
def matrix(tmp_path: Path) -> Matrix:
    return make_matrix(tmp_path / "matrices", UNDATED)


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    build_wheel(folder, "numpy", "1.26.2", {"numpy.py": ""})
    build_wheel(folder, "numpy", "2.4.6", {"numpy.py": ""})
    build_wheel(folder, "Service_Code", "1.0+local", {"service.py": ""}, requires=["numpy<2"])
    build_wheel(folder, "needs-lost", "1.0", {"needs.py": ""}, requires=["lost"])
    return folder


@pytest.fixture
def settings(wheels: Path) -> IndexSettings:
    return IndexSettings(find_links=(str(wheels),), no_index=True)


def test_whole_lock(matrix: Matrix, settings: IndexSettings, wheels: Path) -> None:
    cell = cell_asking("service-code==1.0+local")
    lock = asyncio.run(resolve(cell, matrix, settings))
    found = tuple(
        Distribution(
            name=name, version=version, sha256=(hashlib.sha256((wheels / file).read_bytes()).hexdigest(),)
        )
        for name, version, file in (
            ("numpy", "1.26.2", "numpy-1.26.2-py3-none-any.whl"),
            ("service-code", "1.0+local", "service_code-1.0+local-py3-none-any.whl"),
        )
    )
    assert lock == Lock(
        cell="some-cell",
        platform=platform_tag(),
        python="3.11",
        inputs=inputs_digest(cell, matrix.resolve, platform_tag()),
        origin="resolved",
        digest=lock_digest(platform_tag(), "3.11", found),
        distributions=found,
    )


def test_no_solution_is_the_fate_of_the_cell(matrix: Matrix, settings: IndexSettings) -> None:
    told: list[Progress] = []
    asked = [cell_asking("service-code", "numpy==2.4.6"), cell_asking("needs-lost"), cell_asking("numpy==9")]
    locks = asyncio.run(resolve_all(asked, matrix, settings, jobs=1, notify=told.append))
    # The words are uv's own and change with it; what they name does not.
    for lock, named in zip(
        locks,
        (("service-code", "numpy<2", "numpy==2.4.6"), ("needs-lost", "lost was not found"), ("numpy==9",)),
        strict=True,
    ):
        assert lock.reason.startswith("Because ")
        assert [word for word in (*named, "unsatisfiable") if word not in lock.reason] == []
        assert lock.distributions == ()
    assert [progress.stage for progress in told] == ["resolving", "unsatisfiable"] * 3


def test_an_unknown_package_is_a_fault_of_the_matrix(matrix: Matrix, settings: IndexSettings) -> None:
    with pytest.raises(UsageError) as told:
        asyncio.run(resolve_all([cell_asking("sentence-transformers==3.3.1")], matrix, settings))
    assert str(told.value) == (
        f"{matrix.path}: axes.sentence-transformers: no index has a package 'sentence-transformers'; "
        "correct the name"
    )


@pytest.mark.parametrize("used", [False, True], ids=["new cache", "cache in use"])
def test_a_full_disk_is_not_the_fate_of_the_cell(
    matrix: Matrix, settings: IndexSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, used: bool
) -> None:
    """uv exits with 2 or, as where there is no solution, with 1."""
    with mount_small_disk(tmp_path / "disk", "1m") as disk:
        monkeypatch.setenv("UV_CACHE_DIR", str(disk.folder / "cache"))
        if used:
            assert asyncio.run(resolve(cell_asking("numpy==1.26.2"), matrix, settings)).reason == ""
        disk.fill()
        with pytest.raises(MachineError, match=rf"^no space left on device: {disk.folder}/cache"):
            asyncio.run(resolve(cell_asking("service-code"), matrix, settings))


def test_an_index_that_cannot_be_reached_is_not_the_fate_of_the_cell(matrix: Matrix, tmp_path: Path) -> None:
    nowhere = IndexSettings(index=(tmp_path / "no-index").as_uri(), find_links=(str(tmp_path / "no-folder"),))
    with pytest.raises(
        MachineError, match=r"^uv could not resolve some-cell \(network, index or uv itself\): "
    ):
        asyncio.run(resolve(cell_asking("numpy"), matrix, nowhere))


@pytest.mark.parametrize(
    ("planted", "said"),
    [
        (serve(lambda _: Reply(status=401)), "could not be queried .*401 Unauthorized"),  # uv exits 1
        (serve(lambda _: Reply(status=403)), "returned a 403 Forbidden"),  # 1
        (serve(lambda _: Reply(b"hi", content_type="text/plain")), "Unsupported `Content-Type`"),  # 1
        (serve(lambda _: Reply(status=500)), "500 Internal Server Error"),  # 2
        (refuse(), "Connection refused"),  # 2
    ],
)
def test_an_index_that_does_not_answer_says_nothing_of_a_package(
    planted: AbstractContextManager[Planted], said: str, matrix: Matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with planted as index:
        asked = IndexSettings(index=index.with_user("user:hunter2"))
        with pytest.raises(MachineError, match=said) as told:
            asyncio.run(resolve(cell_asking("numpy==2.4.6"), matrix, asked))
    assert (index.host in str(told.value), "hunter2" in str(told.value)) == (True, False)


def test_offline_nothing_is_known_of_a_package(
    matrix: Matrix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    with pytest.raises(
        MachineError,
        match=r"^uv could not resolve some-cell offline",
    ):
        asyncio.run(resolve(cell_asking("numpy==2.4.6"), matrix, IndexSettings()))


def test_an_index_without_upload_times_is_named(tmp_path: Path, wheels: Path) -> None:
    page = tmp_path / "simple" / "numpy" / "index.html"
    page.parent.mkdir(parents=True)
    file = wheels / "numpy-2.4.6-py3-none-any.whl"
    page.write_text(f'<!DOCTYPE html><a href="{file.as_uri()}">{file.name}</a>', encoding="utf-8")
    mirror = IndexSettings(index=(tmp_path / "simple").as_uri())
    cell = cell_asking("numpy==2.4.6")
    with pytest.raises(
        MachineError, match="gives no upload times for numpy, so exclude-newer excludes all its files"
    ):
        asyncio.run(resolve(cell, make_matrix(tmp_path / "dated"), mirror))
    exempt = make_matrix(tmp_path / "exempt", PLAIN.replace("[resolve]", '[resolve]\nundated = ["numpy"]'))
    assert asyncio.run(resolve(cell, exempt, mirror)).reason == ""


def test_arguments_say_the_day_in_utc_and_exempt_torch() -> None:
    asked = Resolve(exclude_newer=datetime.date(2026, 10, 31), undated=("mine",), torch="pypi")
    assert compile_arguments(cell_asking(source=("old",)), asked, IndexSettings())[5:] == (
        *("--python-version", "3.11", "--only-binary", ":all:", "--no-binary", "old"),
        *("--exclude-newer", "2026-11-01T00:00:00Z"),
        *("--exclude-newer-package", "torch=false", "--exclude-newer-package", "mine=false"),
    )


@pytest.fixture
def _on_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("UV_TORCH_BACKEND", "cu128")  # the matrix says which torch


@pytest.mark.usefixtures("_on_linux")
def test_torch_is_resolved_from_the_find_links_or_the_cpu_index(tmp_path: Path) -> None:
    cell = cell_asking("torch==2.13.0")
    links = IndexSettings(find_links=(str(tmp_path),))
    assert compile_arguments(cell, Resolve(), links)[-2:] == ("--torch-backend", "cpu")
    build_wheel(tmp_path, "torch", "2.13.0+cpu", {"torch.py": ""})
    assert "--torch-backend" not in compile_arguments(cell, Resolve(), links)
    assert compile_arguments(cell_asking("torch==2.12.0"), Resolve(), links)[-2:] == (
        "--torch-backend",
        "cpu",
    )


@pytest.mark.usefixtures("_on_linux")
def test_torch_is_installed_from_where_its_lock_says(tmp_path: Path) -> None:
    def locked(version: str) -> Lock:
        torch = Distribution(name="torch", version=version, sha256=("a" * 64,))
        return make_lock(cell_asking(), platform_tag(), "", distributions=(torch,))

    links = IndexSettings(find_links=(str(tmp_path),))
    assert install_arguments(locked("2.13.0+cpu"), links) == ("--torch-backend", "cpu")
    assert install_arguments(locked("2.13.0"), links) == ()
    build_wheel(tmp_path, "torch", "2.13.0+cpu", {"torch.py": ""})
    assert install_arguments(locked("2.13.0+cpu"), links) == ()
    assert install_arguments(locked("2.12.0+cpu"), links) == ("--torch-backend", "cpu")
    assert install_arguments(make_lock(cell_asking(), platform_tag(), "", reason="Because."), links) == ()


def wheel(filename: str) -> dict[str, object]:
    return {"url": f"https://a.example/files/{filename}", "hashes": {"sha256": f"hash of {filename}"}}


def pylock(**package: object) -> dict[str, object]:
    return {
        "lock-version": "1.0",
        "created-by": "uv",
        "packages": [{"name": "a", "version": "1", **package}],
    }


@pytest.mark.parametrize(
    ("files", "chosen"),
    [
        (["a-1-py3-none-any.whl", "a-1-cp311-cp311-manylinux_2_17_x86_64.whl"], 1),
        (["a-1-cp311-cp311-manylinux_2_35_x86_64.whl", "a-1-cp311-cp311-manylinux_2_28_x86_64.whl"], 1),
        (["a-1-7-cp311-cp311-manylinux_2_28_x86_64.whl", "a-1-12-cp311-cp311-manylinux_2_28_x86_64.whl"], 1),
        (["a-1-cp312-cp312-manylinux_2_28_x86_64.whl", "a-1-cp38-abi3-manylinux_2_17_x86_64.whl"], 1),
    ],
    ids=["most-specific", "not-newer-than-glibc-2.28", "highest-build", "this-python"],
)
def test_the_wheel_that_this_python_installs(files: list[str], chosen: int) -> None:
    document = pylock(wheels=[wheel(file) for file in files])
    assert distributions_of(document, wheel_tags("3.11", NEW_LINUX), "3.11") == (
        Distribution(name="a", version="1", sha256=(f"hash of {files[chosen]}",)),
    )


def test_a_source_archive_counts_where_no_wheel_does() -> None:
    other = wheel("a-1-cp312-cp312-win_amd64.whl")
    document = pylock(sdist=wheel("a-1.tar.gz"), wheels=[other])
    tags = (Tag("py3", "none", "any"),)
    assert distributions_of(document, tags, "3.11")[0].sha256 == ("hash of a-1.tar.gz",)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (pylock(wheels=[wheel("a-1-cp312-cp312-win_amd64.whl")]), "without a file for this platform: No wh"),
        (
            pylock(sdist={"name": "a-1.tar.gz", "url": "https://a.example/a", "hashes": {"md5": "0"}}),
            "hashed",
        ),
        (pylock(), "unexpected pylock file: .*; is uv too old or too new"),
        ({"packages": []}, "unexpected pylock file: .*lock-version"),
    ],
)
def test_a_pylock_without_a_file_for_this_python_is_refused(document: dict[str, Any], message: str) -> None:
    with pytest.raises(MachineError, match=message):
        distributions_of(document, (Tag("py3", "none", "any"),), "3.11")


def test_words_of_the_resolver_are_tidied() -> None:
    said = (
        "\x1b[1mwarning\x1b[0m: `b-1-py3-none-any.whl` is missing an upload date, but user provided: 2026\n"
        "  x No solution found when resolving dependencies:\n"
        "  ╰─▶ Because a==1 from file:///home/someone/wheels/a-1.whl depends on b and there\n"
        "      are no versions of b, we can conclude that /home/someone/a cannot be used.\n"
        "\nhint: read more\n"
    )
    assert read_no_solution(said) == NoSolution(
        "Because a==1 from <path> depends on b and there are no versions of b, we can conclude that <path> "
        "cannot be used.",
        undated=("b",),
    )
    assert read_no_solution("It cannot be done, for b is not there") == NoSolution(
        "It cannot be done, for b is not there"
    )
    built = "error: Failed to build `a==1` from https://user:word@a.example/simple/a-1.tar.gz"
    assert read_no_solution(built).unasked == "error: Failed to build `a==1` from a.example"
