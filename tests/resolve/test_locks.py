"""Lock files: one way to write each, and a damaged, stale, missing or orphaned one is found."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from planted.wheels import build_wheel
from support.plan_texts import PLAIN, put_matrix

from harness.errors import MachineError, UsageError
from harness.matrix.cells import cells_of, suite_requirements
from harness.matrix.read import describe_lock, read_matrix
from harness.records import Cell, Distribution, Lock
from harness.resolve import locks as locking
from harness.resolve.lockfile import (
    inputs_digest,
    lock_digest,
    locks_folder,
    make_lock,
    platform_tag,
    read_lock,
    write_lock,
)
from harness.resolve.pip_settings import IndexSettings

FOUND = (
    Distribution(name="numpy", version="1.26.2", sha256=("a" * 64,)),
    Distribution(name="torch", version="2.13.0+cpu", sha256=("b" * 64, "c" * 64)),
)
CELL = Cell(id="numpy-1.26.2", axes={"numpy": "1.26.2"}, requirements=("numpy==1.26.2",), python="3.11")
REASON = "Because a needs b and there is none, we can conclude that your requirements are unsatisfiable."
TEXT = f"""\
# Every distribution of one cell, pinned and hashed, or why there is no such set. Made by `harness lock`
# (uv pip compile, wheels of this platform only); don't edit: change the matrix and lock it again.
# schema: 1
# cell: numpy-1.26.2
# platform: linux-x86_64
# python: 3.11
# inputs: {"d" * 64}
# digest: {lock_digest("linux-x86_64", "3.11", FOUND)}

numpy==1.26.2 \\
    --hash=sha256:{"a" * 64}
torch==2.13.0+cpu \\
    --hash=sha256:{"b" * 64} \\
    --hash=sha256:{"c" * 64}
"""


def some_lock() -> Lock:
    return make_lock(CELL, "linux-x86_64", "d" * 64, distributions=FOUND)


def test_text_of_a_lock(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "numpy-1.26.2.txt"
    write_lock(some_lock(), path)
    assert path.read_text(encoding="utf-8") == TEXT
    assert read_lock(path) == msgspec.structs.replace(some_lock(), origin="committed")
    assert {each.name: each.version for each in read_lock(path).distributions} == {
        "numpy": "1.26.2",
        "torch": "2.13.0+cpu",
    }
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_an_unsatisfiable_cell_is_only_its_reason(tmp_path: Path) -> None:
    lock = make_lock(CELL, "linux-x86_64", "d" * 64, reason=REASON)
    write_lock(lock, tmp_path / "lock.txt")
    assert read_lock(tmp_path / "lock.txt") == msgspec.structs.replace(lock, origin="committed")
    assert (tmp_path / "lock.txt").read_text(encoding="utf-8").endswith(f"\n# unsatisfiable: {REASON}\n")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: text.replace("==1.26.2", "==1.26.3"), "damaged or edited by hand"),
        (lambda text: text.replace("a" * 64, "e" * 64), "damaged or edited by hand"),
        (lambda text: text[:-30], "damaged or edited by hand"),
        (lambda text: text + "scipy==1.0\n", "damaged or edited by hand"),
        (lambda text: text.replace("# schema: 1", "# schema: 2"), "expected lock schema 1, found 2"),
        (lambda _: "", "no schema in its header"),
    ],
    ids=["version", "hash", "cut-off", "added", "schema", "empty"],
)
def test_a_damaged_lock_is_refused(tmp_path: Path, damage: Callable[[str], str], said: str) -> None:
    path = tmp_path / "lock.txt"
    path.write_text(damage(TEXT), encoding="utf-8")
    with pytest.raises(UsageError, match=said) as told:
        read_lock(path)
    assert str(told.value).startswith(f"{path}: ")
    assert str(told.value).endswith(f"run `{describe_lock(tmp_path.parents[2] / f'{tmp_path.name}.toml')}`")


def test_inputs_tell_what_was_asked_for(tmp_path: Path) -> None:
    matrix = read_matrix(put_matrix(tmp_path))
    cell = cells_of(matrix)[0]
    asked = matrix.resolve
    changed = [
        (msgspec.structs.replace(cell, python="3.12"), asked, "linux-x86_64"),
        (msgspec.structs.replace(cell, requirements=cell.requirements[1:]), asked, "linux-x86_64"),
        (msgspec.structs.replace(cell, source=("numpy",)), asked, "linux-x86_64"),
        (cell, msgspec.structs.replace(asked, exclude_newer=None), "linux-x86_64"),
        (cell, msgspec.structs.replace(asked, undated=("numpy",)), "linux-x86_64"),
        (cell, msgspec.structs.replace(asked, torch="pypi"), "linux-x86_64"),
        (cell, asked, "darwin-arm64"),
    ]
    digests = {inputs_digest(*each) for each in changed} | {inputs_digest(cell, asked, "linux-x86_64")}
    assert len(digests) == len(changed) + 1


@pytest.fixture
def settings(tmp_path: Path) -> IndexSettings:
    """Wheels for everything that the cells of the plain matrix ask for, the suite's needs included."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    reference = "sentence-transformers"
    asked = [("numpy", "1.26.2"), ("numpy", "2.4.6"), ("openvino", "99"), ("torch", "2.13.0")]
    for name, version in [*asked, *((text.partition(">")[0], "99") for text in suite_requirements())]:
        build_wheel(folder, name, version, {f"{name.replace('-', '_')}.py": ""})
    build_wheel(folder, reference, "3.3.1", {"reference.py": ""}, requires=["openvino"])
    build_wheel(folder, reference, "6.2.0", {"reference.py": ""}, requires=["openvino", "numpy>=2"])
    return IndexSettings(find_links=(str(folder),), no_index=True)


def test_a_matrix_is_locked_whole(tmp_path: Path, settings: IndexSettings) -> None:
    path = put_matrix(tmp_path)
    matrix = read_matrix(path)
    folder = locks_folder(matrix, platform_tag())
    assert folder == tmp_path / "locks" / platform_tag() / "mine"
    assert {found.kind for found in locking.check_locks(matrix)} == {"missing"}

    changes = asyncio.run(locking.lock_matrix(matrix, settings))
    ids = [cell.id for cell in cells_of(matrix)]
    assert [(change.kind, change.path) for change in changes] == [
        ("added", folder / f"{cell}.txt") for cell in ids
    ]
    assert [change.path.stem for change in changes if change.note] == [
        "numpy-1.26.2_sentence-transformers-6.2.0"
    ]
    assert locking.check_locks(matrix) == ()
    assert {change.kind for change in asyncio.run(locking.lock_matrix(matrix, settings))} == {"unchanged"}
    assert asyncio.run(locking.check_locks_by_resolving(matrix, settings)) == ()

    # One cell fewer, and another torch: the rest is stale until it is locked again.
    text = PLAIN.replace('"2.4.6"]', '"2.4.6"]\n').replace('">=2.6"', '"==2.13.0"')
    excluded = '\n[[exclude]]\nnumpy = "2.4.6"\nsentence-transformers = "3.3.1"\nreason = "nobody runs it"\n'
    path.write_text(text + excluded, encoding="utf-8")
    changed = read_matrix(path)
    assert [(finding.kind, finding.path.stem) for finding in locking.check_locks(changed)] == [
        ("orphaned", ids[2]),
        ("stale", ids[0]),
        ("stale", ids[1]),
        ("stale", ids[3]),
    ]
    again = asyncio.run(locking.lock_matrix(changed, settings))
    assert [(change.kind, change.path.stem) for change in again] == [
        ("changed", ids[0]),
        ("changed", ids[1]),
        ("changed", ids[3]),
        ("removed", ids[2]),
    ]
    assert again[0].note == "other requirements, same distributions"
    assert locking.check_locks(changed) == ()


def test_faults_of_committed_locks_are_found(tmp_path: Path, settings: IndexSettings) -> None:
    matrix = read_matrix(put_matrix(tmp_path))
    asyncio.run(locking.lock_matrix(matrix, settings))
    folder = locks_folder(matrix, platform_tag())
    first, second, third, fourth = (folder / f"{cell.id}.txt" for cell in cells_of(matrix))
    first.write_text(
        first.read_text(encoding="utf-8").replace("numpy==1.26.2", "numpy==1.26.4"), encoding="utf-8"
    )
    left_over = folder / "left-over.txt"
    second.rename(left_over)
    third.write_bytes(fourth.read_bytes())
    theirs = [folder / "README.md", folder / "notes.txt", folder / ".DS_Store"]
    for path in theirs:
        path.write_text("mine", encoding="utf-8")
    (folder / "old.txt").mkdir()
    (folder / "link.txt").symlink_to(left_over)
    assert [(finding.kind, finding.path) for finding in locking.check_locks(matrix)] == [
        ("orphaned", left_over),
        ("damaged", first),
        ("missing", second),
        ("stale", third),
    ]
    for finding in locking.check_locks(matrix):
        assert finding.message.startswith(f"{finding.path}: ")
        assert finding.message.endswith(f"run `{describe_lock(matrix.path)}`")
    changes = asyncio.run(locking.lock_matrix(matrix, settings))
    assert [change.path for change in changes if change.kind == "removed"] == [left_over]
    assert [path.read_text("utf-8") for path in theirs] == ["mine"] * 3
    assert (folder / "old.txt").is_dir()
    assert (folder / "link.txt").is_symlink()


def test_locks_of_another_platform_are_checked_too(tmp_path: Path, settings: IndexSettings) -> None:
    matrix = read_matrix(put_matrix(tmp_path))
    asyncio.run(locking.lock_matrix(matrix, settings))
    mine = locks_folder(matrix, platform_tag())
    other = locks_folder(matrix, "other-machine")
    other.parent.mkdir()
    mine.rename(other)
    assert {(finding.kind, finding.path.parent) for finding in locking.check_locks(matrix)} == {
        ("stale", other)
    }


def test_a_release_since_is_told_by_resolving_again(tmp_path: Path, settings: IndexSettings) -> None:
    matrix = read_matrix(put_matrix(tmp_path))
    asyncio.run(locking.lock_matrix(matrix, settings))
    build_wheel(Path(settings.find_links[0]), "torch", "2.14.0", {"torch.py": ""})
    findings = asyncio.run(locking.check_locks_by_resolving(matrix, settings))
    assert {(finding.kind, finding.message.removeprefix(f"{finding.path}: ")) for finding in findings} == {
        ("outdated", "resolving again gives another lock: torch 2.13.0 -> 2.14.0")
    }
    assert len(findings) == 3  # the unsatisfiable cell stays what it was
    assert locking.check_locks(matrix) == ()


def test_nothing_is_written_when_one_cell_cannot_be_resolved(tmp_path: Path, settings: IndexSettings) -> None:
    matrix = read_matrix(put_matrix(tmp_path))
    asyncio.run(locking.lock_matrix(matrix, settings))
    before = {file: file.read_bytes() for file in tmp_path.rglob("*.txt")}
    nowhere = IndexSettings(find_links=(str(tmp_path / "gone"),), no_index=True)
    with pytest.raises(MachineError):
        asyncio.run(locking.lock_matrix(matrix, nowhere))
    assert {file: file.read_bytes() for file in tmp_path.rglob("*.txt")} == before


@pytest.mark.parametrize(
    ("tags", "ending"),
    [
        (["manylinux_2_28_x86_64", "linux_x86_64"], ""),
        (["musllinux_1_2_x86_64", "linux_x86_64"], "-musl"),
    ],
)
def test_musl_and_glibc_have_locks_of_their_own(
    tags: list[str], ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wheels for glibc do not run on Alpine; committed locks keep their name."""
    monkeypatch.setattr("harness.resolve.lockfile.platform_tags", lambda: iter(tags))
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert platform_tag() == f"linux-x86_64{ending}"
