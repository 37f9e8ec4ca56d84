"""Which changes of the code make gates that were run before prove nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import harness
from harness.proof.code import MEASURING, digest_code


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
        ("judge/sampling.py", "ALPHA = 0.01", "ALPHA = 0.02"),
        ("judge/discord.py", "GROSS = 6", "GROSS = 7"),
        ("plan/quantities.py", "0.025)", "0.04)"),
        ("cell/turns.py", "65_536, 16, 4096", "65_536, 32, 4096"),
        ("run/probing/effects.py", "BESIDE = 1", "BESIDE = 2"),
    ],
)
def test_another_number_is_other_code(copy: Path, name: str, old: str, new: str) -> None:
    before = digest_code(copy)
    assert before == digest_code()
    edit(copy / name, old, new)
    assert digest_code(copy) != before


def test_words_about_it_are_not(copy: Path) -> None:
    before = digest_code(copy)
    edit(copy / "judge/sampling.py", '"""When the gate looks', '"""Whenever the gate looks')
    edit(copy / "judge/sampling.py", '"""Of each quantity', '"""Of every quantity')
    edit(copy / "judge/sampling.py", "def share_of", "# why it is so\ndef share_of")
    assert digest_code(copy) == before


def test_a_file_that_is_gone_is_told(copy: Path) -> None:
    (copy / "judge/void.py").unlink()
    with pytest.raises(ValueError, match=r"judge/void.py: no such file, but gates are measured or decided"):
        digest_code(copy)
    assert len(set(MEASURING)) == len(MEASURING)
