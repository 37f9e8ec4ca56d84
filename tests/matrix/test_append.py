"""Expectations that are appended to a file: nothing that is in it is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.plan_texts import PLAIN, make_matrix, put_matrix

from harness.errors import UsageError
from harness.matrix.append import Entry, append_expectations, find_file, scope_of
from harness.matrix.expected import read_expected
from harness.matrix.read import read_matrix, shipped_matrices
from harness.records import Expectation

OLD = '''\
# A comment of somebody else.
schema = 1
[[expected]]  # and one here
check = "l0.zero/*"
reason = "old"'''

NEW = Entry(
    Expectation(
        check=("l2.parity/stable/float32", "l2.parity/stable/float16"),
        outcome="error",
        where={"numpy": ">=2.0.2,<=2.4.6", "python": "==3.11"},
        matrix=("mine",),
        reason='it says "no"\nand \\ more',
        link="https://a.example/1",
    ),
    "Run 1: 2 cases;\nworst: 9 ULP\x1b[31m of https://user:S3cret@a.example",
)

ADDED = """
# Run 1: 2 cases; worst: 9 ULP [31m of https://redacted@a.example
[[expected]]
check = ["l2.parity/stable/float32", "l2.parity/stable/float16"]
outcome = "error"
where = { numpy = ">=2.0.2,<=2.4.6", python = "==3.11" }
matrix = ["mine"]
reason = "it says \\"no\\"\\nand \\\\ more"
link = "https://a.example/1"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    put_matrix(tmp_path)
    return tmp_path / "expected.toml"


def test_a_file_is_made_and_extended(path: Path) -> None:
    append_expectations(path, [NEW])
    assert path.read_text("utf-8") == f"# Known divergences, each with its reason.\nschema = 1\n{ADDED}"
    assert read_expected(path) == (NEW.expectation,)


@pytest.mark.parametrize(
    ("encoding", "newline"), [("utf-8", "\n"), ("utf-8", "\r\n"), ("utf-8-sig", "\n"), ("utf-16", "\r\n")]
)
def test_what_is_in_a_file_stays_byte_by_byte(encoding: str, newline: str, path: Path) -> None:
    old = OLD.replace("\n", newline).encode(encoding)
    target = path.with_name("shared") / "known.toml"
    target.parent.mkdir()
    target.write_bytes(old)
    target.chmod(0o640)
    path.symlink_to(target)
    entry = Entry(Expectation(status="crashed", where={"numpy": "==2.4.6"}, reason="new"), "Run 1")
    append_expectations(path, [entry])
    assert target.read_bytes().startswith(old)
    assert (path.is_symlink(), target.stat().st_mode & 0o777) == (True, 0o640)
    assert [each.reason for each in read_expected(path)] == ["old", "new"]
    assert (
        target.read_bytes().decode(encoding)[len(OLD.replace("\n", newline)) :].count("\n")
        == len(newline * 3) / len(newline) + 4
    )


@pytest.mark.parametrize("text", ['expected = [{ check = "l0.zero/*", reason = "old" }]\n', "a = 1\n", "["])
def test_a_file_that_cannot_be_extended_is_refused_unchanged(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"expected\.toml: "):
        append_expectations(path, [NEW])
    assert path.read_text("utf-8") == text


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("", "expected.toml"),
        ('expected = "known.toml"', "known.toml"),
        ('expected = ["shipped", "first.toml", "known.toml"]', "known.toml"),
    ],
)
def test_the_file_of_a_matrix(line: str, name: str, tmp_path: Path) -> None:
    for each in ("first.toml", "known.toml"):
        (tmp_path / each).touch()
    matrix = make_matrix(tmp_path, PLAIN.replace("\n[axes]", f"{line}\n\n[axes]"))
    assert find_file(matrix) == tmp_path / name


def test_a_matrix_without_a_file_of_its_own_is_refused(tmp_path: Path) -> None:
    matrix = make_matrix(tmp_path, PLAIN.replace("\n[axes]", '\nexpected = "shipped"\n[axes]'))
    with pytest.raises(UsageError, match=r'write expected = \["shipped", "expected\.toml"\]'):
        find_file(matrix)


def test_a_matrix_of_the_installed_harness_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.matrix.append.PACKAGE", tmp_path)
    monkeypatch.setattr("harness.matrix.append.shipped_matrices", lambda: tmp_path / "data")
    with pytest.raises(UsageError, match="a matrix of the installed harness; copy it"):
        find_file(make_matrix(tmp_path / "data"))
    own = read_matrix(shipped_matrices() / "smoke.toml")
    assert find_file(own) == shipped_matrices() / "expected.toml"


def test_the_key_matrix_is_there_where_a_folder_has_several(tmp_path: Path) -> None:
    matrix = make_matrix(tmp_path)
    assert scope_of(matrix, tmp_path / "expected.toml") == ()
    put_matrix(tmp_path, name="other.toml")
    assert scope_of(matrix, tmp_path / "expected.toml") == ("mine",)
    assert scope_of(matrix, tmp_path / "shared" / "expected.toml") == ()
