"""The faults that are planted: enough of them, each once, and each in the module of its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kill.folders import FOLDERS
from kill.registry import CORRECT, MACHINES, Planted, list_correct, list_faults, list_planted

HERE = Path(__file__).parent


def test_there_are_as_many_as_the_matrix_is_for() -> None:
    kinds = {(each.place, each.kind) for each in list_faults()}
    assert (len(list_faults()) >= 150, len(kinds) >= 60, len(list_correct()) >= 25) == (True, True, True)


def test_each_has_a_name_of_its_own() -> None:
    names = [each.id for each in list_planted()]
    assert sorted(names) == sorted(set(names))


def find_name(planted: Planted, source: str) -> bool:
    """Whether a module makes a name, also as ``_vary(Base, "limit", "limit", {"64": 64})`` does."""
    if re.search(
        rf"^(?:def|class) {planted.name}\b|^[\w, ]*\b{planted.name}\b[\w, ]* = ", source, re.MULTILINE
    ):
        return True
    prefix, key = planted.name.rsplit("_", 1)
    while prefix:
        if re.search(rf'"{prefix}"', source) and re.search(rf'"{key}"|in \(.*\b{key}\b', source, re.DOTALL):
            return True
        prefix, _, more = prefix.rpartition("_")
        key = f"{more}_{key}"
    return planted.name.startswith("half_") and f'"{planted.name[5:]}"' in source


@pytest.mark.parametrize("place", ["normalizer", "embedder", "reference"])
def test_each_is_in_the_module_of_its_place(place: str) -> None:
    source = (HERE / f"{place}s.py").read_text("utf-8")
    assert [each.id for each in list_planted() if each.place == place and not find_name(each, source)] == []


def test_each_folder_can_be_made() -> None:
    assert {each.name for each in list_faults() if each.place == "model"} == set(FOLDERS)


def test_correct_variants_are_marked() -> None:
    names = {name for kinds in CORRECT.values() for members in kinds.values() for name in members}
    assert {each.name for each in list_correct()} == names | set(MACHINES)
