"""The conversion of the model before the embedding is timed."""

from __future__ import annotations

import pytest
from support.fake_probes import set_probes
from support.speed_front import ALL, EMBEDDINGS, ask, find, outcomes, speed_front_fixture  # noqa: F401 - fixtures
from support.suite_front import Front, front_fixture, world_fixture  # noqa: F401 - fixtures

Say = pytest.CaptureFixture[str]


def test_a_model_that_cannot_be_converted_leaves_the_embedding_unmeasured(speed_front: Front) -> None:
    set_probes(speed_front.folder, convert="failing")
    assert ask(speed_front) == 4
    assert outcomes(speed_front) == dict.fromkeys(ALL, "passed") | dict.fromkeys(
        (*EMBEDDINGS, "memory.embedding"), "unmeasured"
    )
    because = find(speed_front, EMBEDDINGS[0]).because
    assert because == "baseline: the model cannot be converted: the model was not converted: no"


def test_the_model_is_converted_once_for_each_environment(speed_front: Front, capsys: Say) -> None:
    converted = speed_front.folder / "converted.txt"
    asked = ("--quantities", "memory.embedding")
    assert ask(speed_front, *asked) == ask(speed_front, *asked) == 0
    assert sorted(converted.read_text().split()) == ["baseline", "candidate"]
    models = sorted((speed_front.folder / "store" / "converted").glob("*/model/openvino_model.xml"))
    assert len(models) == 2
    used = {line.split()[3] for line in (speed_front.folder / "probes.txt").read_text().splitlines()}
    assert used == {str(model.parent) for model in models}
    models[0].write_text("damaged")
    capsys.readouterr()
    assert ask(speed_front, *asked) == 0
    assert len(converted.read_text().split()) == 3
    assert "has changed since its creation; it is converted again" in capsys.readouterr().out
    assert speed_front.command("clean", "--store", str(speed_front.folder / "store")) == 0
    assert list((speed_front.folder / "store" / "converted").iterdir()) == []


def test_a_subject_that_converts_its_own_model_gets_no_converted_model(speed_front: Front) -> None:
    set_probes(speed_front.folder, convert="nothing")
    assert ask(speed_front, "--quantities", "memory.embedding") == 0
    used = {line.split()[3] for line in (speed_front.folder / "probes.txt").read_text().splitlines()}
    assert used == {"None"}
