"""What is tried of the library around a service, with a library that is made up."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.cell import library
from harness.cell.comparison import unit_rows
from harness.cell.interface import FEATURE, LIBRARY_CHECK, load_checks
from harness.cell.library import FEATURES, DifferentError


def test_the_catalogue_names_what_is_tried() -> None:
    (check,) = (each for each in load_checks() if each.id == LIBRARY_CHECK)
    assert dict(check.values)[FEATURE] == tuple(FEATURES)
    assert (check.severity, check.on) == ("notes", "library")


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put functions into the place of those of the library."""

    def plant(**functions: Any) -> None:
        util, torch = ModuleType("sentence_transformers.util"), ModuleType("torch")
        vars(util).update(functions)
        vars(torch).update(from_numpy=lambda rows: rows)
        package = ModuleType("sentence_transformers")
        vars(package).update(util=util)
        for name, module in (
            ("torch", torch),
            ("sentence_transformers", package),
            ("sentence_transformers.util", util),
        ):
            monkeypatch.setitem(sys.modules, name, module)

    return plant


def try_feature(name: str, model: Any = None) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    FEATURES[name](model, facts)
    return facts


def test_right_scores_are_as_documented_and_other_dtypes_are_facts(plant: Callable[..., None]) -> None:
    plant(cos_sim=lambda left, right: unit_rows(left) @ unit_rows(right).T)
    assert try_feature("cos_sim") == {"float16 arrays": "right", "int8 arrays": "right"}


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (lambda left, right: left @ right.T * 1.0001, r"float32 arrays: off by \S+, where 1e-05 is rounding"),
        (lambda left, _: left, r"float32 arrays: shape \(5, 64\), but should be \(5, 5\)"),
    ],
)
def test_other_scores_are_told(plant: Callable[..., None], function: Any, told: str) -> None:
    plant(cos_sim=function)
    with pytest.raises(DifferentError, match=told):
        try_feature("cos_sim")


def test_a_function_that_is_missing_is_told(plant: Callable[..., None]) -> None:
    plant()
    with pytest.raises(DifferentError, match=r"this release has no util\.dot_score"):
        try_feature("dot_score")
    with pytest.raises(DifferentError, match=r"this release has no SentenceTransformer\.similarity"):
        try_feature("similarity", SimpleNamespace())


def test_overflow_of_int8_is_a_fact(plant: Callable[..., None]) -> None:
    plant(dot_score=lambda left, right: left @ right.T)  # in int8, as NumPy and torch do
    facts = try_feature("dot_score")
    assert facts["float16 arrays"] == "right"
    assert facts["int8 arrays"].startswith("off by ")


class Model:
    """Encodes texts as rows of their length; prompts and truncation as documented."""

    truncate_dim: int | None = None

    def encode(self, texts: Any, *, prompt: str = "", normalize_embeddings: bool = False, **_: Any) -> Any:
        several = [texts] if isinstance(texts, str) else texts
        rows = np.array([[len(prompt + text), 1.0, 2.0, 3.0] for text in several])
        rows = rows[:, : self.truncate_dim]
        rows = unit_rows(rows) if normalize_embeddings else rows
        return rows[0] if isinstance(texts, str) else rows

    def truncate_sentence_embeddings(self, truncate_dim: int) -> Any:
        model = self

        class Context:
            def __enter__(self) -> None:
                model.truncate_dim = truncate_dim

            def __exit__(self, *_: object) -> None:
                model.truncate_dim = None

        return Context()


def test_a_cut_vector_needs_a_second_normalization_where_it_is_cut_last() -> None:
    assert try_feature("truncate_dim", Model()) == {
        "lengths after normalize_embeddings=True": "1.000 to 1.000"
    }

    class CutLast(Model):
        def encode(self, texts: Any, **options: Any) -> Any:
            cut, self.truncate_dim = self.truncate_dim, None
            rows = super().encode(texts, **options)
            self.truncate_dim = cut
            return rows[:, :cut]

    with pytest.raises(DifferentError, match=r"comes before the cut: lengths .*; normalize again"):
        try_feature("truncate_dim", CutLast())


@pytest.mark.parametrize("feature", ["prompt", "encode-one-text", "convert_to_tensor", "convert_to_numpy"])
def test_encode_is_as_documented_or_told(feature: str) -> None:
    if feature != "convert_to_tensor":
        try_feature(feature, Model())

    class Other(Model):
        def encode(self, texts: Any, *, prompt: str = "", **options: Any) -> Any:
            moved = {"convert_to_numpy", "convert_to_tensor"} & set(options)
            rows = super().encode(texts, **options)
            return rows + 1 if moved or prompt or isinstance(texts, str) else rows

    with pytest.raises((DifferentError, AttributeError)):
        try_feature(feature, Other())


def test_quantization_is_exact_to_a_step() -> None:
    rows = np.array([[0.0, -1.0], [0.5, 0.0], [1.0, 1.0]])
    ranges = np.array([[0.0, -1.0], [1.0, 1.0]])
    assert library._quantize_exactly(rows, ranges, "uint8").tolist() == [[0, 0], [127, 127], [255, 255]]
    assert library._quantize_exactly(rows, ranges, "int8").tolist() == [[-128, -128], [0, 0], [127, 127]]
    assert library._quantize_exactly(rows, ranges, "ubinary").tolist() == [[0], [128], [192]]
