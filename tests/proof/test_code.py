"""Which changes of the code make gates that were run before prove nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import harness
from proof.code import ROOTS, digest_code, find_closure


@pytest.fixture(name="copy")
def copy_fixture(tmp_path: Path) -> Path:
    return Path(shutil.copytree(Path(harness.__file__).parent, tmp_path / "harness"))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("judge/alpha_spending.py", "ALPHA = 0.01", "ALPHA = 0.02"),
        ("judge/quantity_decision.py", "OUTLIER_FACTOR = 6", "OUTLIER_FACTOR = 7"),
        ("gate/quantities.py", "0.025)", "0.04)"),
        ("cell/turns.py", "65_536, 16, 4096", "65_536, 32, 4096"),
        ("gate/blocks.py", "MAX_ROUND_OFFSET = 1", "MAX_ROUND_OFFSET = 2"),
    ],
)
def test_another_number_is_other_code(copy: Path, name: str, old: str, new: str) -> None:
    before = digest_code({"harness": copy})
    assert before == digest_code()
    edit(copy / name, old, new)
    assert digest_code({"harness": copy}) != before


def test_words_about_it_are_not(copy: Path) -> None:
    before = digest_code({"harness": copy})
    edit(copy / "judge/alpha_spending.py", '"""Plan the interim analyses', '"""Plan all interim analyses')
    edit(copy / "judge/alpha_spending.py", '"""Of each quantity', '"""Of every quantity')
    edit(copy / "judge/alpha_spending.py", "def spend_alpha", "# why it is so\ndef spend_alpha")
    assert digest_code({"harness": copy}) == before


def test_what_is_imported_counts_and_what_is_not_does_not(copy: Path) -> None:
    closure = find_closure([each for each in ROOTS if each.startswith("harness")], {"harness": copy})
    assert {"harness.judge.intervals", "harness.processes", "harness.cell.turns"} <= closure.keys()
    assert "harness.judge.claims" not in find_closure(["harness.judge.alpha_spending"], {"harness": copy})


def test_a_root_that_is_gone_is_an_error(copy: Path) -> None:
    (copy / "cell/probe.py").unlink()
    with pytest.raises(ValueError, match=r"harness.cell.probe: no such module, but gates are measured"):
        digest_code({"harness": copy})
