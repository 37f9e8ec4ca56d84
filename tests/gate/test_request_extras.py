"""Extras of the two environments: upgrades keep them, and their requirements are included."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support.gate_world import MATRIX, make_world
from support.plan_texts import make_matrix
from support.upgrades import World, ask, moves, world_fixture  # noqa: F401 - fixtures

from harness.errors import UsageError
from harness.gate.request import Comparison, UpgradeRequest, compare
from harness.gate.sides import versions_of
from harness.resolve.packages import Choice


def test_an_upgrade_keeps_extras(world: World, tmp_path: Path) -> None:
    changes = ("sentence-transformers[train]>=6", "numpy==2.0.2")
    found = ask(world, tmp_path, *changes, from_file="sentence-transformers[openvino]==3.3.1")
    assert found.candidate.tested["sentence-transformers"] == "sentence-transformers[openvino,train]>=6"


SERVICE = "numpy==1.26.2 sentence-transformers==3.3.1 transformers[torch]==4.57.6 accelerate==0.34"


def test_an_upgrade_keeps_extras_of_other_pins(world: World, tmp_path: Path) -> None:
    """transformers is not under test, but its extra is part of the environment."""
    found = ask(world, tmp_path, "numpy==2.0.2", from_file=SERVICE)
    assert moves(found) == {"!numpy": "1.26.2 2.0.2"}
    assert versions_of(found.before)["accelerate"] == "0.34"
    assert found.candidate.held == {"transformers": "transformers[torch]"}
    found = ask(world, tmp_path, "transformers==4.57.6", "numpy==2.0.2", from_file=SERVICE)
    assert moves(found) == {"!numpy": "1.26.2 2.0.2"}


LOCK = """\
version = 1
[[package]]
name = "service"
version = "0"
source = { virtual = "." }
dependencies = [{ name = "sentence-transformers" }]
[package.optional-dependencies]
new = [{ name = "numpy", version = "2.0.2" }]
old = [{ name = "numpy", version = "1.26.2" }]
[[package]]
name = "sentence-transformers"
version = "3.3.1"
source = { registry = "an-index" }
[[package]]
name = "numpy"
version = "1.26.2"
source = { registry = "an-index" }
[[package]]
name = "numpy"
version = "2.0.2"
source = { registry = "an-index" }
"""


def test_a_package_under_test_in_an_extra_has_to_be_chosen(world: World, tmp_path: Path) -> None:
    (tmp_path / "uv.lock").write_text(LOCK, encoding="utf-8")
    matrix, settings = world

    def ask_for(*extras: str) -> Comparison:
        upgrade = UpgradeRequest(to_file="uv.lock", choice=Choice(extras=extras))
        return asyncio.run(compare(upgrade, matrix, settings, tmp_path))

    with pytest.raises(UsageError) as told:
        ask_for()
    assert str(told.value) == (
        "uv.lock: numpy is under test, but not in what was chosen from this lock; choose it with --extra new"
    )
    assert moves(ask_for("new")) == {"!numpy": "1.26.2 2.0.2"}


def test_the_faults_of_both_files_are_told_at_once(world: World, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as told:
        ask(world, tmp_path, from_file="numpy=1.26.2", to_file="numpy=2.0.2 torch=2.13")
    assert str(told.value).splitlines() == [
        "from_file.txt:1: 'numpy=1.26.2' is not a requirement: did you mean numpy==1.26.2?",
        "to_file.txt:1: 'numpy=2.0.2' is not a requirement: did you mean numpy==2.0.2?",
        "to_file.txt:2: 'torch=2.13' is not a requirement: did you mean torch==2.13?",
    ]


def test_requirements_of_an_extra_are_required(world: World, tmp_path: Path) -> None:
    found = ask(world, tmp_path, from_file=SERVICE, to_file=SERVICE.replace("0.34", "1.1"))
    assert moves(found) == {"!accelerate": "0.34 1.1"}
    assert (found.baseline.left_out, found.candidate.left_out) == ((), ())
    path = SERVICE.replace("accelerate==0.34", "./accelerate-1.1.tar.gz")
    with pytest.raises(UsageError, match=r"to_file.txt:4: accelerate: it comes from a path .*"):
        ask(world, tmp_path, from_file=SERVICE, to_file=path)


@pytest.mark.parametrize("both", [False, True])
def test_a_file_keeps_the_extras_of_the_subject(tmp_path: Path, *, both: bool) -> None:
    """The output of pip freeze has no extras."""
    settings = make_world(tmp_path)[1]
    requires = '[subject]\nembedder = "service:Embedder"\nrequires = ["Sentence_Transformers[openvino]>=3"]\n'
    matrix = make_matrix(tmp_path / "extra", f"{MATRIX}\n{requires}")
    old = "numpy==2.0.2 sentence-transformers==3.3.1 optimum==2.1"
    new = f"{old.replace('3.3.1', '6.2.0')} transformers==5.1 tokenizers==1.0 hub==2.0"
    found = ask((matrix, settings), tmp_path, to_file=new, **({"from_file": old} if both else {}))
    for lock in (found.before, found.after):
        assert "optimum" in {each.name for each in lock.distributions}
    assert found.candidate.left_out == ()
