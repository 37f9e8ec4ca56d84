"""What a matrix may name as its subject, what is made of it, and what is said of one that cannot work."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from harness.cell.channel import Channel
from harness.cell.interface import CellSpec, load_checks, load_normalizer
from harness.cell.subject import SubjectError, call_first, describe_form, make_subject, run_step

SPEC = CellSpec("x", ("contract",), {}, "the folder", "")


def vectors(texts: list[str]) -> np.ndarray:
    return np.ones((len(texts), 4), np.float32)


class Service:
    """A class that makes the callable; it says which folder it was given."""

    def __init__(self, model_dir: str = "its own") -> None:
        self.folder = model_dir

    def __call__(self, texts: list[str]) -> Any:
        return [[float(len(text))] for text in texts]


class Closed:
    """A class without parameters."""

    folder = "none"

    def __call__(self, texts: list[str]) -> Any:
        return vectors(texts)


def by_name(model_dir):  # type: ignore[no-untyped-def]
    return Service(model_dir)


def by_annotation(place: Path) -> Service:
    return Service(str(place))


def by_result(settings):  # type: ignore[no-untyped-def]
    return Service(str(settings))


def strict(settings):  # type: ignore[no-untyped-def]
    return Service(str(Path(settings)))  # raises for a list of texts


def without_parameters() -> Service:
    return Service("none")


def raising(texts: list[str]) -> Any:
    raise KeyError(texts[0])


async def later(texts: list[str]) -> Any:
    return vectors(texts)


def nothing(_: list[str]) -> None:
    return


def two(model_dir: str, threads: int) -> Any:
    return model_dir, threads


@pytest.fixture(autouse=True)
def team(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("team_service")
    vars(module).update({name: value for name, value in globals().items() if callable(value)})
    vars(module).update(instance=Service("made before"), number=7)
    monkeypatch.setitem(sys.modules, "team_service", module)


def serve(name: str, **more: Any) -> CellSpec:
    return replace(SPEC, service=f"team_service:{name}", **more)


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("Service", "the folder"),
        ("Closed", "none"),
        ("by_name", "the folder"),
        ("by_annotation", "the folder"),
        ("by_result", "the folder"),
        ("strict", "the folder"),
        ("without_parameters", "none"),
        ("instance", "made before"),
    ],
)
def test_a_service_is_made_from_what_the_matrix_names(name: str, folder: str) -> None:
    assert make_subject(serve(name)).folder == folder


@pytest.mark.parametrize("function", [vectors, raising, later])
def test_a_function_of_texts_is_the_service_itself(function: Callable[..., Any]) -> None:
    assert make_subject(serve(function.__name__)) is function


def test_queries_have_a_function_of_their_own() -> None:
    spec = serve("vectors", query="team_service:Service")
    assert (make_subject(spec), type(make_subject(spec, "query"))) == (vectors, Service)
    assert spec.paths == ("team_service:vectors", "team_service:Service")


PARAMETERS = (
    "cannot be called with the model folder as its only argument; give its other parameters a default"
)
FIX = "embedder names a factory (model_dir) -> callable, and service a function from texts to final vectors"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            replace(SPEC, embedder="team_service:vectors"),
            f"subject.embedder: team_service:vectors returns an ndarray for the model folder; {FIX}",
        ),
        (
            replace(SPEC, embedder="team_service:dict"),
            f"subject.embedder: team_service:dict takes texts; {FIX}",
        ),
        (
            replace(SPEC, embedder="team_service:number"),
            "subject.embedder: team_service:number is an int, but should be a class or a function",
        ),
        (
            replace(SPEC, embedder="team_service:two"),
            f"subject.embedder: team_service:two {PARAMETERS}",
        ),
        (
            serve("two"),
            f"subject.service: team_service:two {PARAMETERS}",
        ),
        (
            serve("number"),
            "subject.service: team_service:number is an int, but should be a function or a class",
        ),
    ],
)
def test_a_subject_that_cannot_work_is_refused(
    monkeypatch: pytest.MonkeyPatch, spec: CellSpec, said: str
) -> None:
    def takes_a_list(texts: Any) -> Any:
        return {"a": 1}[texts] if isinstance(texts, str) else vectors(texts)

    monkeypatch.setattr(sys.modules["team_service"], "dict", takes_a_list, raising=False)
    with pytest.raises(SubjectError) as raised:
        make_subject(spec)
    assert str(raised.value) == said


def test_what_a_factory_raises_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> Any:
        raise OSError("conversion failed")

    monkeypatch.setattr(sys.modules["team_service"], "by_name", fail)
    with pytest.raises(OSError, match="conversion failed"):
        make_subject(replace(SPEC, embedder="team_service:by_name"))


@pytest.mark.parametrize(
    ("name", "form"), [("vectors", "float32"), ("instance", "list of lists of floats"), ("raising", None)]
)
def test_the_first_call_shows_what_is_returned(name: str, form: str | None) -> None:
    assert call_first(make_subject(serve(name)), serve(name)) == form


@pytest.mark.parametrize(("name", "what"), [("later", "a coroutine"), ("nothing", "None")])
def test_a_first_call_without_vectors_is_refused(name: str, what: str) -> None:
    with pytest.raises(SubjectError) as raised:
        call_first(make_subject(serve(name)), serve(name))
    assert str(raised.value) == (
        f"subject.service: team_service:{name} returns {what} for 3 texts, but should return an array or a "
        "list with one vector per text"
    )


@pytest.mark.parametrize(
    ("returned", "form"),
    [
        (np.zeros((2, 3), np.float16), "float16"),
        ([np.zeros(3, np.float32)] * 2, "float32"),
        ([[0.5], [1.0]], "list of lists of floats"),
        (([0.5], [1.0]), "tuple of lists of floats"),
        ([np.zeros(3, np.float32), np.zeros(3)], "different types"),
        ([0.5, 1.0], "list of floats"),
    ],
)
def test_the_form_of_vectors(returned: Any, form: str) -> None:
    assert describe_form(returned) == form


def test_vectors_of_a_service_are_final_unless_it_does_not_normalize() -> None:
    rows = np.array([[3.0, 4.0], [0.0, 0.0]], np.float32)
    assert load_normalizer(serve("vectors"), "subject")(rows) is rows
    scaled = load_normalizer(serve("vectors", normalized=False), "subject")(rows)
    assert np.array_equal(scaled, np.array([[0.6, 0.8], [0, 0]], np.float32))
    assert scaled.dtype == np.float32


def test_a_service_is_asked_no_checks_of_its_parts() -> None:
    cases = serve("vectors").list_cases(load_checks())
    checks = {case.split("/", maxsplit=1)[0] for case in cases}
    assert {check for check in checks if check.startswith(("l0.", "l1."))} | {"rt.memory"} & checks == set()
    assert {"l2.parity", "l2.unit-length", "l2.dtype", "l3.top10", "rt.threads", "gold.drift"} <= checks
    assert {case for case in cases if case.startswith("l2.parity")} == {
        "l2.parity/subject/float32",
        "l2.parity/subject/float16",
    }
    raw = serve("vectors", normalized=False).list_cases(load_checks())
    assert {case.split("/", maxsplit=1)[0] for case in set(cases) - set(raw)} == {"l2.unit-length"}


def test_latency_is_that_of_the_batch_in_production() -> None:
    assert list(serve("vectors", batch=6).list_scenarios()) == [
        "embed.openvino.float32.6",
        "embed.sentence-transformers.float32.6",
    ]
    assert {each.batch for each in replace(SPEC, batch=6).list_scenarios().values()} == {6}


@pytest.mark.parametrize("name", ["", "team_service:Closed"])
def test_a_step_that_works_says_nothing(name: str) -> None:
    assert run_step("setup", name, Channel(None))


def test_a_step_that_raises_is_told() -> None:
    said: list[dict[str, Any]] = []
    channel = Channel(None)
    channel.send = lambda event, **fields: said.append({"event": event, **fields})  # type: ignore[method-assign]
    assert not run_step("close", "team_service:raising", channel)
    message = "TypeError: raising() missing 1 required positional argument: 'texts'"
    step = {"step": "close", "path": "team_service:raising", "message": message}
    assert said == [{"event": "step-failed", **step}]
