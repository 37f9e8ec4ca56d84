"""``harness matrix check`` and ``update`` over an index on this machine: what they say, write and leave."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from planted.indexes import Planted, list_wheels, refuse, serve
from planted.wheels import build_wheel
from support.command_line import command
from support.plan_texts import PLAIN, put_matrix

from harness.matrix.cells import cells_of, suite_requirements
from harness.matrix.read import read_matrix
from harness.resolve.lockfile import platform_tag
from harness.resolve.locks import check_locks

Say = pytest.CaptureFixture[str]

CALM = PLAIN.replace("[resolve]", '[resolve]\ntorch = "pypi"')
"""Nothing comes from the index of CPU wheels."""
RULED = CALM.replace('["1.26.2", "2.4.6"]', '["1.26.2", "2.0.1", "2.0.2", "2.1.0"]  # by rule').replace(
    "[baseline]",
    """\
[select.numpy]  # with the reasons of the team
select = "minors"
since   = "1.26"

[baseline]""",
)
UPDATED = RULED.replace('"2.0.1", "2.0.2", "2.1.0"]', '"1.26.4", "2.0.2", "2.4.6"]')
UPLOADED = {"2.4.6": "2026-03-01", "2.5.0": "2026-11-20"}
YANKED = {"numpy-2.1.0-py3-none-any.whl": "wrong metadata"}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the matrix asks for, and what the suite needs."""
    folder = tmp_path_factory.mktemp("wheels")
    asked = {"numpy": "1.26.2 1.26.4 2.0.1 2.0.2 2.1.0 2.4.6 2.5.0", "torch": "2.13.0"}
    asked |= {"sentence-transformers": "3.3.1 6.2.0"}
    asked |= dict.fromkeys(("openvino", *(text.partition(">")[0] for text in suite_requirements())), "99")
    for name, version in ((name, version) for name, text in asked.items() for version in text.split()):
        requires = ["openvino"] if name == "sentence-transformers" else []
        build_wheel(folder, name, version, {f"{name.replace('-', '_')}.py": ""}, requires=requires)
    return folder


@pytest.fixture(scope="module")
def index(wheels: Path) -> Iterator[Planted]:
    """An index that says when its files were uploaded."""
    uploaded: Mapping[str, str] = defaultdict(lambda: "2026-01-01", UPLOADED)
    with serve(list_wheels(wheels, uploaded, YANKED)) as planted:
        yield planted


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: Planted) -> Path:
    """A project with this index alone; its matrix is ``matrices/mine.toml``."""
    for name in os.environ:
        if name.startswith(("PIP_", "UV_", "HARNESS_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "project"
    (folder / "matrices").mkdir(parents=True)
    put_matrix(folder / "matrices", RULED)
    monkeypatch.chdir(folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


CHANGES = """\
numpy (minors since 1.26)
    1.26.2  the baseline
  + 1.26.4  the newest of 1.26
  - 2.0.1   2.0.2 is the newest of 2.0
    2.0.2   the newest of 2.0
  - 2.1.0   yanked: wrong metadata
  + 2.4.6   the newest of 2.4
  resolve.exclude-newer hides 2.5.0 (2026-11-20)
"""


def test_check_says_what_is_out_of_date_and_writes_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    before = contents(project)
    assert command(monkeypatch, "matrix", "check") == 1
    said = capsys.readouterr()
    head, _, rest = said.out.partition("\n")
    assert head.startswith("mine: releases of 20")
    assert rest == (
        f"\n{CHANGES}\nsentence-transformers (by hand): 3.3.1, 6.2.0\n"
        "\nout of date: numpy; run `harness matrix update --matrix matrices/mine.toml`\n"
    )
    assert said.err == ""
    assert contents(project) == before


def test_update_changes_the_versions_and_nothing_else(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    before = contents(project)
    assert command(monkeypatch, "matrix", "update") == 0
    said = capsys.readouterr().out
    assert CHANGES in said
    assert said.endswith(
        "\n--- mine.toml before\n+++ mine.toml\n@@ -5 +5 @@\n"
        '-numpy = ["1.26.2", "2.0.1", "2.0.2", "2.1.0"]  # by rule\n'
        '+numpy = ["1.26.2", "1.26.4", "2.0.2", "2.4.6"]  # by rule\n'
        "no locks here; `harness lock --matrix matrices/mine.toml` makes them\n"
    )
    assert contents(project) == before | {"matrices/mine.toml": UPDATED.encode()}
    # After an update nothing is out of date, and a second one has nothing to do.
    assert command(monkeypatch, "matrix", "check") == 0
    assert "\nevery rule selects the written versions\n" in capsys.readouterr().out
    assert command(monkeypatch, "matrix", "update", "--matrix", "mine") == 0
    assert "\nevery rule selects the written versions\n" in capsys.readouterr().out
    assert contents(project) == before | {"matrices/mine.toml": UPDATED.encode()}


def test_update_locks_new_cells_and_keeps_the_locks_of_the_others(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    path = project / "matrices" / "mine.toml"
    path.write_text(RULED.replace(', "2.1.0"', ""), encoding="utf-8")  # a yanked one has no solution
    assert command(monkeypatch, "lock") == 0
    folder = path.parent / "locks" / platform_tag() / "mine"
    (path.parent / "locks" / "other-machine" / "mine").mkdir(parents=True)
    stays = folder / "numpy-2.0.2_sentence-transformers-6.2.0.txt"
    stamp = stays.stat().st_mtime_ns
    capsys.readouterr()
    assert command(monkeypatch, "matrix", "update") == 0
    said = capsys.readouterr()
    assert "resolving numpy-2.0.2" not in said.err
    assert "mine: 6 locks, 4 added, 0 changed, 2 removed, 0 unchanged" in said.out
    assert said.out.endswith(
        "locks of other-machine: run `harness lock --matrix matrices/mine.toml` on that platform\n"
    )
    matrix = read_matrix(path)
    assert path.read_text(encoding="utf-8") == UPDATED
    assert {file.stem for file in folder.iterdir()} == {cell.id for cell in cells_of(matrix)}
    assert stays.stat().st_mtime_ns == stamp
    assert [found for found in check_locks(matrix) if found.path.parent == folder] == []


def test_a_nightly_release_is_locked_from_its_index(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = CALM.replace('["1.26.2", "2.4.6"]', '["1.26.2"]').replace('["3.3.1", "6.2.0"]', '["3.3.1"]')
    text = text.replace("[resolve]", '[resolve]\nundated = ["numpy"]')
    path = put_matrix(project / "matrices", f"{text}\n[select]\nnumpy = {{ nightly = true }}\n")
    folder = path.parent / "locks" / platform_tag() / "mine"
    folder.mkdir(parents=True)
    nightly = tmp_path / "nightly"
    nightly.mkdir()
    build_wheel(nightly, "numpy", "2.6.0.dev1+g2", {"numpy.py": ""})
    build_wheel(nightly, "torch", "3.0.dev1", {"torch.py": ""})
    with serve(list_wheels(nightly)) as index:
        monkeypatch.setenv("HARNESS_NIGHTLY_INDEX", index.url)
        assert command(monkeypatch, "matrix", "update") == 0
        first = {file.name: file.read_bytes() for file in folder.iterdir()}
        build_wheel(nightly, "numpy", "2.6.0.dev1+g2", {"numpy.py": "new = True"})  # as every night
        assert command(monkeypatch, "matrix", "update") == 0
    assert 'numpy = ["1.26.2", "2.6.0.dev1+g2"]' in path.read_text(encoding="utf-8")
    (lock,) = folder.glob("numpy-2.6.0*.txt")
    text = lock.read_text(encoding="utf-8")
    assert [line for line in ("numpy==2.6.0.dev1+g2 ", "torch==2.13.0 ") if line not in text] == []
    changed = [file.name for file in folder.iterdir() if file.read_bytes() != first[file.name]]
    assert changed == [lock.name]


def test_nothing_is_written_where_a_lock_fails(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    path = project / "matrices" / "mine.toml"
    path.write_text(
        RULED.replace("[pins]", "[pins]\nlost = { version = '1.0', reason = 'x' }"),
        encoding="utf-8",
    )
    (path.parent / "locks" / platform_tag() / "mine").mkdir(parents=True)
    before = contents(project)
    assert command(monkeypatch, "matrix", "update") == 2
    assert contents(project) == before
    assert "pins.lost: " in capsys.readouterr().err


def test_an_update_that_gives_no_valid_matrix_is_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    path = project / "matrices" / "mine.toml"
    text = f'{RULED}\n[[exclude]]\nnumpy = "2.0.1"\nreason = "slow"\n'
    path.write_text(text, encoding="utf-8")
    assert command(monkeypatch, "matrix", "update") == 2
    assert capsys.readouterr().err == (
        "harness: matrices/mine.toml: exclude[0] (numpy = '2.0.1') matches no cell; correct or delete it\n"
        "nothing was written; the rules select: numpy 1.26.2, 1.26.4, 2.0.2, 2.4.6\n"
    )
    assert path.read_text(encoding="utf-8") == text


def test_a_matrix_without_rules_has_notes(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    text = CALM.replace('"2.4.6"]', '"2.0.1", "2.1.0", "2.2.0"]').replace('">=2.6"', '"2.12.0"')
    path = put_matrix(project / "matrices", text)
    assert command(monkeypatch, "matrix", "check") == 0
    assert capsys.readouterr().out.partition("\n")[2] == (
        "\nnumpy (by hand): 1.26.2, 2.0.1, 2.1.0, 2.2.0\n"
        "  2.1.0: yanked: wrong metadata\n"
        "  2.2.0: no index has it\n"
        "  1.26.2 has a newer patch: 1.26.4\n"
        "  2.0.1 has a newer patch: 2.0.2\n"
        "  2.4.6 is the newest release (2026-03-01)\n"
        "  resolve.exclude-newer hides 2.5.0 (2026-11-20)\n"
        "\nsentence-transformers (by hand): 3.3.1, 6.2.0\n"
        "\ntorch (pin): 2.12.0\n"
        "  2.12.0: no index has it\n"
        "  2.13.0 is the newest release (2026-01-01)\n"
        "\nno rules; the versions are chosen by hand\n"
    )
    assert command(monkeypatch, "matrix", "update") == 0
    assert capsys.readouterr().out == (
        "mine: no rules; write [select] into mine.toml to have its versions selected\n"
    )
    assert path.read_text(encoding="utf-8") == text


def test_encoding_permissions_and_links_stay(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = project / "matrices" / "mine.toml"
    target = link.rename(project / "kept")
    link.symlink_to(target)
    target.write_bytes(RULED.replace("\n", "\r\n").encode("utf-8-sig"))
    target.chmod(0o640)
    assert command(monkeypatch, "matrix", "update") == 0
    assert link.is_symlink()
    assert target.read_bytes() == UPDATED.replace("\n", "\r\n").encode("utf-8-sig")
    assert target.stat().st_mode & 0o777 == 0o640


def test_an_index_that_cannot_be_used_ends_with_5(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    before = contents(project)
    with refuse() as gone:
        monkeypatch.setenv("PIP_INDEX_URL", gone.with_user("user:hunter2"))
        for name in ("check", "update"):
            assert command(monkeypatch, "matrix", name) == 5
            said = capsys.readouterr().err
            # on a slow machine the command has told before that it waits
            assert f"\nharness: the package index {gone.host} cannot be used: " in f"\n{said}"
            assert "hunter2" not in said
    assert contents(project) == before


def test_no_matrix_is_bad_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(monkeypatch, "matrix", "check") == 2
    assert capsys.readouterr().err.endswith("no matrix there; name one with --matrix FILE\n")
