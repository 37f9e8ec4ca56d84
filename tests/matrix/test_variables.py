"""The environment of a cell: what every cell has, what a matrix adds, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.plan_texts import PLAIN, make_matrix

from harness.errors import UsageError
from harness.matrix.variables import find_variables, is_reserved, make_cell_environment

TABLE = '\n[subject]\nenv = { SIZE = "small" }\npass-env = ["TEAM_TOKEN", "TEAM_URL"]\n'


def test_variables_have_the_value_of_the_matrix_or_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEAM_TOKEN", "t")
    monkeypatch.setenv("TEAM_URL", "")
    found = find_variables(make_matrix(tmp_path, PLAIN + TABLE))
    assert found == {"SIZE": "small", "TEAM_TOKEN": "t", "TEAM_URL": ""}


def test_every_variable_that_is_not_set_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEAM_TOKEN", raising=False)
    monkeypatch.delenv("TEAM_URL", raising=False)
    matrix = make_matrix(tmp_path, PLAIN + TABLE)
    with pytest.raises(UsageError) as raised:
        find_variables(matrix)
    assert str(raised.value) == (
        f"{matrix.path}: subject.pass-env: TEAM_TOKEN, TEAM_URL are not set in the environment of this "
        "command; export them, or give them values in env"
    )


def test_a_matrix_cannot_change_what_every_cell_has(tmp_path: Path) -> None:
    plain = make_cell_environment(Path("/e/bin/python"), tmp_path, tmp_path, 2)
    added = {"SIZE": "small", **dict.fromkeys(plain, "changed")}
    assert make_cell_environment(Path("/e/bin/python"), tmp_path, tmp_path, 2, added) == {
        "SIZE": "small",
        **plain,
    }
    assert [name for name in plain if not is_reserved(name)] == []
    assert [name for name in ("SIZE", "LD_LIBRARY_PATH", "HF_TOKEN") if is_reserved(name)] == []
