"""Expectations and tolerances that cannot be meant are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.plan_texts import PLAIN, make_matrix, put_matrix

from harness.errors import UsageError
from harness.matrix.expected import (
    Tolerance,
    allowed_values,
    borrowed_for,
    every_case,
    expectations_for,
    expected_files,
    read_expected,
    read_tolerances,
    tolerances_of,
)
from harness.matrix.read import read_matrix, shipped_matrices
from harness.records import Expectation

CASE = every_case()[0]
CHECK = f'check = "{CASE}"'
GOOD = f"""\
[[expected]]
check = "{CASE}"
where = {{ sentence-transformers = ">=2.3", python = "==3.11" }}
matrix = ["mine"]
reason = "the reference differs"
link = "https://a.example/issue"

[[expected]]
status = "import-error"
where = {{ sentence-transformers = "==2.2.2" }}
reason = "needs something that is gone"
"""


def put_expected(folder: Path, text: str) -> Path:
    put_matrix(folder)
    path = folder / "expected.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_whole_file(tmp_path: Path) -> None:
    found = read_expected(put_expected(tmp_path, GOOD))
    assert found == (
        Expectation(
            check=CASE,
            where={"sentence-transformers": ">=2.3", "python": "==3.11"},
            matrix=("mine",),
            reason="the reference differs",
            link="https://a.example/issue",
        ),
        Expectation(
            status="import-error",
            where={"sentence-transformers": "==2.2.2"},
            reason="needs something that is gone",
        ),
    )
    assert expectations_for(read_matrix(tmp_path / "mine.toml")) == found
    assert expectations_for(read_matrix(put_matrix(tmp_path, name="other.toml"))) == found[1:]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (CHECK, "", "check: expected either check (a glob over case ids) or status (of the whole cell)"),
        (
            CHECK,
            f'check = "{CASE}"\nstatus = "failed"',
            "check: expected either check (a glob over case ids) or status (of the whole cell)",
        ),
        (CASE, f"{CASE}x", f"check: '{CASE}x' matches no case (did you mean '{CASE}'?)"),
        (CHECK, f'check = ["{CASE}", "l9.*"]', "check: 'l9.*' matches no case"),
        (CHECK, f'check = ["{CASE}", "{CASE}"]', f"check: '{CASE}' is listed twice; delete one"),
        (CHECK, "check = []", "check: empty; name a glob over case ids"),
        (
            CHECK,
            f'check = ["{CASE}"]\nstatus = "failed"',
            "check: expected either check (a glob over case ids) or status (of the whole cell)",
        ),
        (
            ">=2.3",
            "2.3",
            (
                'where.sentence-transformers: expected a version specifier such as ">=2.3" or "==3.3.1", '
                "found '2.3'"
            ),
        ),
        ("python =", "Python =", "where.Python: expected the normalized name 'python'"),
        (
            '["mine"]',
            '["mime"]',
            "matrix: there is no matrix 'mime' in the folder of this file (did you mean 'mine'?)",
        ),
        (
            '"the reference differs"',
            '" "',
            "reason: expected a text that is not blank; state why the divergence is expected",
        ),
        ('reason = "the reference differs"', "", "reason: this key is required"),
        (CHECK, 'status = "ok"', "status: 'ok' is no divergence"),
        (
            CHECK,
            f'{CHECK}\noutcome = "eror"',
            "outcome: 'eror' is not one of error, fail (did you mean 'error'?)",
        ),
        (
            CHECK,
            'status = "crashed"\noutcome = "error"',
            "outcome: this key is valid with check only; delete it",
        ),
        (
            CHECK,
            'status = "import-eror"',
            (
                "status: 'import-eror' is not one of crashed, failed, import-error, install-error, missing, "
                "ok, timed-out, unsatisfiable (did you mean 'import-error'?)"
            ),
        ),
        (
            "check =",
            "chek =",
            (
                "chek: unknown key (did you mean 'check'?); known here: reason, check, status, "
                "outcome, where, matrix, link"
            ),
        ),
    ],
)
def test_an_invalid_file_is_refused(tmp_path: Path, before: str, after: str, said: str) -> None:
    path = put_expected(tmp_path, GOOD.replace(before, after, 1))
    with pytest.raises(UsageError) as told:
        read_expected(path)
    assert str(told.value) == f"{path}: expected[0].{said}"


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (f'"{CASE}"', "duplicate of expected[0]; delete one"),
        (f'["l0.*", "{CASE}"]', f"{CASE!r} is in expected[0] too; delete one"),
    ],
)
def test_one_check_is_expected_once(tmp_path: Path, check: str, said: str) -> None:
    again = GOOD.split("\n\n", maxsplit=1)[0].replace(f'"{CASE}"', check)
    path = put_expected(tmp_path, f"{GOOD}\n{again}\n")
    with pytest.raises(UsageError) as told:
        read_expected(path)
    assert str(told.value) == f"{path}: expected[2].check: {said}"


def test_several_checks_have_one_reason(tmp_path: Path) -> None:
    found = read_expected(put_expected(tmp_path, GOOD.replace(CHECK, f'check = ["{CASE}", "l0.*"]')))
    assert (found[0].check, found[0].checks) == ((CASE, "l0.*"), (CASE, "l0.*"))


def test_files_of_a_matrix(tmp_path: Path, root: Path) -> None:
    assert expected_files(make_matrix(tmp_path)) == ()
    named = 'expected = ["shipped", "mine-expected.toml"]\n'
    (tmp_path / "mine-expected.toml").touch()
    assert expected_files(make_matrix(tmp_path, named + PLAIN)) == (
        root / "matrices" / "expected.toml",
        tmp_path / "mine-expected.toml",
    )


def test_tolerances_beside_a_matrix_go_over_the_shipped(tmp_path: Path) -> None:
    own = '[tolerance."l2.float32"]\nallowed = 1e-3\nunit = "abs"\nwhy = "another model"\n'
    shipped = tolerances_of(make_matrix(tmp_path))
    (tmp_path / "tolerances.toml").write_text(own, encoding="utf-8")
    mine = tolerances_of(make_matrix(tmp_path))
    assert mine == shipped | {"l2.float32": Tolerance(allowed=1e-3, unit="abs", why="another model")}
    assert allowed_values(mine)["l2.float32"] == 1e-3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[tolerance."a.b"]\nallowed = 0\nunit = "abs"\nwhy = "x"\n',
            "tolerance.a.b.allowed: expected a number above 0 and at most 1, such as 2e-6, found 0",
        ),
        ('[tolerance."a.b"]\nallowed = 1\nunit = "abs"\n', "tolerance.a.b.why: this key is required"),
        ("[tolerances]\n", "tolerances: unknown key (did you mean 'tolerance'?); known here: tolerance"),
    ],
)
def test_invalid_tolerances_are_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "tolerances.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as told:
        read_tolerances(path)
    assert str(told.value) == f"{path}: {said}"


def test_a_matrix_of_a_user_includes_the_shipped_expectations(tmp_path: Path) -> None:
    mine = make_matrix(tmp_path, 'expected = "shipped"\n' + PLAIN)
    compat = read_matrix(shipped_matrices() / "compat.toml")
    # All that is shipped belongs to a shipped matrix: a service's own faults are not excused by it.
    assert (bool(expectations_for(mine)), bool(borrowed_for(mine))) == (False, False)
    assert (bool(expectations_for(compat)), bool(borrowed_for(compat))) == (True, False)
