"""A cell in which every check of the suite passes, without torch or OpenVINO: one fault is planted at a time.

The functions of the suite are called as pytest would call them; what they ask for comes from a ``World``.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
import zlib
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.cell import interface, normalization
from harness.cell.channel import Channel
from harness.cell.comparison import unit_rows
from harness.cell.corpus import Sentence, load_corpus
from harness.cell.drawn import load_unusual
from harness.cell.golden import Golden, Key
from harness.cell.interface import CellSpec
from harness.cell.normalizers import stable
from harness.cell.record import Record
from harness.cell.recorded import Recorded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

SUITE = Path(interface.__file__).with_name("suite")
WIDTH = 16
PREFERRED = {
    "normalizer": "subject",
    "dtype": "float32",
    "other": "max-eps",
    "feature": "convert_to_numpy",
    "source": "float32",
}
"""Values of an axis that need no torch, or where a right normalizer equals a right reference."""


class Tensor(np.ndarray):  # type: ignore[misc] # numpy is not followed where mypy runs
    """An array that says it is a tensor."""


class Compiled:
    """A compiled model that executes in one precision."""

    def __init__(self, precision: str) -> None:
        self._precision = precision

    def get_property(self, name: str) -> Any:
        return ["CPU"] if name == "EXECUTION_DEVICES" else self._precision

    def get_runtime_model(self) -> Any:
        layer = SimpleNamespace(get_rt_info=lambda: {"runtimePrecision": self._precision})
        return SimpleNamespace(get_ops=lambda: [layer])


class Embedder:
    """Embeds a text as numbers drawn from its hash: no text depends on another."""

    def __init__(self, precision: str = "f32") -> None:
        self.compiled = Compiled(precision)

    def __call__(self, texts: Any) -> Any:
        texts = list(texts)
        drawn = [np.random.RandomState(zlib.crc32(text.encode())).standard_normal(WIDTH) for text in texts]
        return np.array(drawn, np.float32).reshape(len(texts), WIDTH)

    def hidden(self, texts: list[str]) -> Any:
        return self(texts)[:, None, :], np.ones((len(texts), 1), np.int64)

    def tokenize(self, texts: list[str]) -> Any:
        rows = [[1, *(zlib.crc32(word.encode()) % 9999 for word in text.split()), 2] for text in texts]
        longest = max(map(len, rows))
        mask = np.array([[1] * len(row) + [0] * (longest - len(row)) for row in rows], np.int64)
        ids = np.array([row + [0] * (longest - len(row)) for row in rows], np.int64)
        return {"input_ids": ids, "attention_mask": mask}

    def infer(self, tokens: Any) -> Any:
        states = np.sin(tokens["input_ids"][:, :, None] * np.arange(1, WIDTH + 1)).astype(np.float32)
        return states * tokens["attention_mask"][:, :, None]

    def recompile(self, settings: Any) -> Any:
        return type(self)() if settings else self

    def release_memory(self) -> bool:
        return True


class Controls:
    """Really different models."""

    apart_by = 0.5

    def __init__(self, sentences: list[Sentence]) -> None:
        self.sentences = sentences

    def choose(self, fault: str) -> str:
        return fault

    def measure_embeddings(self, fault: str) -> float:
        assert fault
        return self.apart_by

    measure_states = measure_embeddings

    def observe(self, fault: str, allowed: float, output: str = "float32", *, states: bool = False) -> Any:
        """Observe what the real ones do."""
        assert states in {True, False}
        assert output in {"float32", "float16"}
        least = {"bound": "min", "allowed": 3 * allowed, "unit": "distance"}
        return {"value": self.apart_by, **least} if self.choose(fault) else None

    def embeddings(self, fault: str = "") -> Any:
        right = unit_rows(Embedder()([sentence.text for sentence in self.sentences]))
        return right[::-1] if fault else right


def make_reference(dtype: str, encode: Callable[..., Any] | None = None) -> Any:
    """Make a SentenceTransformer that computes in a dtype."""
    weights = SimpleNamespace(dtype=f"torch.{dtype}", is_floating_point=lambda: True)
    usual = lambda texts, **_: unit_rows(Embedder()(texts)).astype(np.float32)  # noqa: E731 - of one use
    return SimpleNamespace(encode=encode or usual, parameters=lambda: iter([weights]))


def count_words(text: str) -> int:
    """The tokens of a text: its words, and two special ones."""
    return len(text.split()) + 2


def reject(embeddings: Any) -> Any:
    """Do what the utility does: right on tensors of floats, an exception on the rest."""
    if not isinstance(embeddings, Tensor):
        raise AttributeError("object has no attribute 'norm'")  # noqa: TRY004 - as the utility does
    return stable(np.asarray(embeddings)).view(Tensor)


_ASIDE: dict[str, ModuleType] = {}
"""Modules that have imported the made ones: the next test gets them again, because imports take its time."""


@functools.cache
def make_modules() -> dict[str, ModuleType]:
    """Make what the suite imports of the packages under test, as little as it takes."""
    contents: dict[str, dict[str, Any]] = {
        "torch": {
            "float16": "float16",
            "bfloat16": "bfloat16",
            "Tensor": Tensor,
            "from_numpy": lambda rows: rows.view(Tensor),
            "get_num_threads": lambda: 1,
            "get_num_interop_threads": lambda: 1,
            "__config__": SimpleNamespace(show=lambda: "BLAS_INFO=mkl"),
            "backends": SimpleNamespace(cpu=SimpleNamespace(get_cpu_capability=lambda: "AVX2")),
        },
        "openvino": {"CompiledModel": Compiled},
        "sentence_transformers": {},
        "sentence_transformers.util": {"normalize_embeddings": reject},
        "huggingface_hub": {"constants": SimpleNamespace(HF_HUB_OFFLINE=True), "get_token": lambda: None},
        "openvino_telemetry.utils.opt_in_checker": {
            "ConsentCheckResult": SimpleNamespace(DECLINED=SimpleNamespace(name="DECLINED")),
        },
    }
    made = {name: ModuleType(name) for name in contents}
    for name, module in made.items():
        vars(module).update(contents[name])
    declined = contents["openvino_telemetry.utils.opt_in_checker"]["ConsentCheckResult"].DECLINED
    checker = SimpleNamespace(check=lambda **_: declined)
    vars(made["openvino_telemetry.utils.opt_in_checker"])["OptInChecker"] = lambda: checker
    return made


@functools.cache
def load_suite() -> dict[str, Callable[..., None]]:
    """Find the test function of each check."""
    found: dict[str, Callable[..., None]] = {}
    for file in sorted(SUITE.glob("test_*.py")):
        module = importlib.import_module(f"harness.cell.suite.{file.stem}")
        for function in vars(module).values():
            for mark in getattr(function, "pytestmark", ()):
                if mark.name == "check":
                    found[mark.args[0]] = function
    return found


def enter(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the made modules in the place of the packages, and put aside afterwards who has seen them."""
    before = dict(sys.modules)
    for name, module in make_modules().items():
        patch.setitem(sys.modules, name, module)
    sys.modules.update(_ASIDE)
    patch.setattr(normalization, "reference", stable)
    patch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    yield
    for name in set(sys.modules) - set(before):
        if name.startswith("harness.cell."):
            _ASIDE[name] = sys.modules.pop(name)


@functools.cache
def make_batch() -> Any:
    """Make rows of more than 32 MB: smaller arrays may lie in memory that was freed and still counts."""
    tile = np.random.RandomState(7).standard_normal((2**10, 64)).astype(np.float32)
    batch = np.tile(tile, (130, 1))
    batch.flags.writeable = False
    return batch


@functools.cache
def load_texts() -> tuple[tuple[Sentence, ...], tuple[Sentence, ...]]:
    """Load the shipped corpus and the unusual texts once: hundreds of worlds have both."""
    return tuple(load_corpus("")), tuple(load_unusual(count_words, 256))


class World(dict[str, Any]):
    """Fixture or axis -> what a test function gets for it."""

    @classmethod
    def of(cls, check: interface.Check) -> World:
        """Make a world in which the check passes, with the axes of its first usual case."""
        cases = [dict(zip(check.over, values, strict=True)) for values in check.combinations(("subject",))]
        usual = [
            case
            for case in cases
            if all(case[axis] == value for axis, value in PREFERRED.items() if axis in case)
        ]
        shipped, unusual = map(list, load_texts())
        corpus = shipped[:24]
        embedder = Embedder()
        embeddings = embedder([sentence.text for sentence in corpus])
        units = unit_rows(embeddings).astype(np.float32)
        answers = SimpleNamespace(
            embeddings=embeddings.astype, returned=embeddings.copy, form=str, subject=embedder
        )
        world = cls(
            {"normalizer": "subject", **usual[0]},
            normalize=stable,
            spec=CellSpec("x", ("contract",), {}, "", ""),
            channel=Channel(None),
            corpus=corpus,
            few=corpus,
            shipped=shipped,
            unusual=unusual,
            count_tokens=count_words,
            limit=256,
            ordinary_error=0.0,
            subject=embedder,
            started=(embedder, "float32"),
            alone=embeddings,
            embed_afresh=Embedder(),
            answers=answers,
            expected=units,
            expected_queries=units,
            golden=Golden(Key("a", "b", "c"), {}, units),
            stored=Recorded(tuple(corpus), units),
            embedded=embeddings,
            controls=Controls(corpus),
            reference_model=make_reference("float32"),
            loaded_reference=make_reference("float32"),
            tolerance=lambda _: 1e-6,
            compiled_again=embedder,
            batch=make_batch(),
            reference=1.0,
        )
        asked = lambda name: world["answers"] if name == "answers" else units  # noqa: E731 - of one use
        world["request"] = SimpleNamespace(getfixturevalue=asked)
        return world

    def run(self, function: Callable[..., None]) -> dict[str, Any]:
        """Call a test with what it asks for; what it observed.

        Raises:
            CheckFailedError: the check is red.
        """
        record = Record()
        asked = inspect.signature(function).parameters
        function(**{name: record if name == "record" else self[name] for name in asked})
        assert record.observation is not None
        return record.observation
