"""The second process of a cell, as a real process with services of NumPy alone."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from harness.cell import fresh_process
from harness.cell.fresh_process import FreshProcessError, embed_in_fresh_process
from harness.cell.interface import CellSpec, load_checks
from harness.cell.probe import HEAD_FILE, MODEL_FILE

TEXTS = ["red houses", "red cars", "a blue boat"]

TEAM = """
import os, zlib
import numpy as np

kept, started = {}, []

def draw(text):
    return np.random.RandomState(zlib.crc32(text.encode())).standard_normal(8).astype(np.float32)

def right(texts: list):
    return np.array([draw(text) for text in texts])

def cached(texts: list):
    return np.array([kept.setdefault(text[:4], draw(text)) for text in texts])

def in_the_order_of_a_set(texts: list):
    return np.array([draw("".join(set(text.split()))) for text in texts])

def needs_setup(texts: list):
    return right(texts) if started else 1 / 0

def dying(texts: list):
    os._exit(7)

def hanging(texts: list):
    import time
    time.sleep(600)

def start():
    started.append(1)

def start_once():
    raise OSError("the port 8000 is taken")
"""


@pytest.fixture
def make_spec(tmp_path: Path) -> Callable[..., CellSpec]:
    (tmp_path / "team.py").write_text(TEAM)

    def make(service: str, setup: str = "") -> CellSpec:
        return CellSpec(
            *("x", ("contract",), {}, "the folder", str(tmp_path / "work")),
            service=f"team:{service}",
            setup=setup and f"team:{setup}",
            search_path=(str(tmp_path),),
        )

    return make


def embed_here(name: str, texts: list[str]) -> np.ndarray:
    made: dict[str, Callable[[list[str]], np.ndarray]] = {}
    exec(TEAM, made)  # noqa: S102 - the text above
    return made[name](texts)


@pytest.mark.parametrize(
    ("service", "setup", "same"),
    [
        ("right", "", True),
        ("needs_setup", "start", True),
        ("cached", "", False),
    ],
)
def test_another_process_embeds_in_another_order(
    make_spec: Callable[..., CellSpec], service: str, setup: str, *, same: bool
) -> None:
    afresh = embed_in_fresh_process(make_spec(service, setup), TEXTS[::-1])[::-1]

    here = embed_here("cached" if service == "cached" else "right", TEXTS)
    assert afresh.shape == here.shape
    assert np.array_equal(afresh, here) is same


def test_it_has_another_hash_seed(
    make_spec: Callable[..., CellSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["one two three four five", "six seven eight nine ten", "a b c d e f g h"]
    monkeypatch.setenv("PYTHONHASHSEED", "0")  # as in a cell
    other = embed_in_fresh_process(make_spec("in_the_order_of_a_set"), texts)
    monkeypatch.setattr(fresh_process, "HASH_SEED", "0")
    same = embed_in_fresh_process(make_spec("in_the_order_of_a_set"), texts)
    again = embed_in_fresh_process(make_spec("in_the_order_of_a_set"), texts)

    assert np.array_equal(same, again)
    assert not np.array_equal(same, other)


@pytest.mark.parametrize(
    ("service", "setup", "told"),
    [
        ("right", "start_once", "a second process did not answer: OSError: the port 8000 is taken"),
        ("needs_setup", "", "a second process did not answer: ZeroDivisionError: division by zero"),
        ("dying", "", "a second process did not answer: it ended with code 7"),
        ("hanging", "", "a second process did not answer within 1 s"),
    ],
)
def test_a_service_that_runs_only_once_is_told_and_skipped(
    make_spec: Callable[..., CellSpec],
    monkeypatch: pytest.MonkeyPatch,
    service: str,
    setup: str,
    told: str,
) -> None:
    monkeypatch.setattr(fresh_process, "LEAST_SECONDS", 1.0 if service == "hanging" else 60.0)
    monkeypatch.setattr(fresh_process, "PATIENCE", 0)
    spec = make_spec(service, setup)

    with pytest.raises(FreshProcessError) as raised:
        embed_in_fresh_process(spec, TEXTS)
    assert str(raised.value) == told
    (check,) = (each for each in load_checks() if each.id == "rt.fresh-process")
    assert check.declares_skip(told)
    assert "team" not in sys.modules


def test_the_embedder_of_the_harness_hands_its_converted_models_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without them the second process could not start, and the check would be skipped in every cell."""
    saved: dict[str, str] = {}
    vino = ModuleType("openvino")
    vars(vino)["save_model"] = lambda model, path, *, compress_to_fp16: saved.update(
        {Path(path).name: f"{model}, float16: {compress_to_fp16}"}
    )
    started: list[CellSpec] = []

    def start(argv: list[str], **_: object) -> SimpleNamespace:
        started.append(CellSpec.read(Path(argv[3])))
        np.save(argv[5], np.zeros((1, 8), np.float32))
        return SimpleNamespace(returncode=0)

    monkeypatch.setitem(sys.modules, "openvino", vino)
    monkeypatch.setattr("harness.cell.fresh_process.subprocess.run", start)
    spec = CellSpec("x", ("contract",), {}, "the folder", str(tmp_path))
    embed_in_fresh_process(spec, TEXTS[:1], SimpleNamespace(model="the model", head="the head"))
    assert saved == {MODEL_FILE: "the model, float16: False", HEAD_FILE: "the head, float16: False"}
    assert started[0].converted == started[0].workdir

    embed_in_fresh_process(replace(spec, embedder="team:Embedder"), TEXTS[:1], SimpleNamespace())
    assert started[1].converted is None
