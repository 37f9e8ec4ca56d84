"""The model that is converted before the embedding is timed."""

from __future__ import annotations

import pytest
from support.fake_probes import say_probes
from support.lean_front import ALL, EMBEDDINGS, ask, find, lean_fixture, outcomes  # noqa: F401 - fixtures
from support.suite_front import Front, front_fixture, world_fixture  # noqa: F401 - fixtures

Say = pytest.CaptureFixture[str]


def test_a_model_that_cannot_be_converted_leaves_the_embedding_unmeasured(lean: Front) -> None:
    say_probes(lean.folder, convert="failing")
    assert ask(lean) == 4
    assert outcomes(lean) == dict.fromkeys(ALL, "passed") | dict.fromkeys(
        (*EMBEDDINGS, "memory.embedding"), "unmeasured"
    )
    because = find(lean, EMBEDDINGS[0]).because
    assert because == "baseline: the model cannot be converted: the model was not converted: no"


def test_the_model_is_converted_once_for_each_environment(lean: Front, capsys: Say) -> None:
    converted = lean.folder / "converted.txt"
    asked = ("--quantities", "memory.embedding")
    assert ask(lean, *asked) == ask(lean, *asked) == 0
    assert sorted(converted.read_text().split()) == ["baseline", "candidate"]
    models = sorted((lean.folder / "store" / "converted").glob("*/model/openvino_model.xml"))
    assert len(models) == 2
    used = {line.split()[3] for line in (lean.folder / "probes.txt").read_text().splitlines()}
    assert used == {str(model.parent) for model in models}
    models[0].write_text("damaged")
    capsys.readouterr()
    assert ask(lean, *asked) == 0
    assert len(converted.read_text().split()) == 3
    assert "has changed since its creation; it is converted again" in capsys.readouterr().out
    assert lean.command("clean", "--store", str(lean.folder / "store")) == 0
    assert list((lean.folder / "store" / "converted").iterdir()) == []


def test_a_subject_that_converts_by_itself_is_given_nothing(lean: Front) -> None:
    say_probes(lean.folder, convert="nothing")
    assert ask(lean, "--quantities", "memory.embedding") == 0
    used = {line.split()[3] for line in (lean.folder / "probes.txt").read_text().splitlines()}
    assert used == {"None"}
