"""Numbers and sentences of an observation."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.cell.record import CheckFailedError, Record, clean, fact, number, within


class Scalar:
    """Behaves as a NumPy scalar does."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __float__(self) -> float:
        return float(self.value)

    def __index__(self) -> int:
        return int(self.value)

    def item(self) -> float:
        return self.value


def test_an_observation_is_plain_json() -> None:
    record = Record()
    record(
        value=Scalar(1.5),
        unit="x",
        worst=(Scalar(3),),
        share=Scalar(0.5),
        control=Scalar(float("inf")),
        sample="two\nlines",
        facts={"count": Scalar(3), "nan": float("nan"), "kind": "a\x00b", "yes": True, "other": [1]},
    )
    assert record.observation == json.loads(json.dumps(record.observation, allow_nan=False))
    assert record.observation == {
        "value": 1.5,
        "unit": "x",
        "bound": "none",
        "allowed": None,
        "worst": [3],
        "share": 0.5,
        "sample": "two lines",
        "control": None,
        "blame": "",
        "facts": {"count": 3, "nan": None, "kind": "a b", "yes": True, "other": "[1]"},
    }


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"value": 1, "unit": "x", "bound": "min", "allowed": 2}, "1 x, but should be at least 2"),
        ({"value": 2, "unit": "faults", "bound": "equal", "allowed": 0}, "2 faults, but should be 0"),
        (
            {"value": False, "unit": "dtype kept", "bound": "equal", "allowed": 1, "sample": "float64"},
            "dtype kept: no, but should be yes; sample: float64",
        ),
        (
            {"value": None, "unit": "x", "bound": "max", "allowed": 2, "blame": "subject"},
            "not finite, but should be at most 2; wrong by the oracle: subject",
        ),
    ],
)
def test_a_broken_bound_is_one_sentence(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckFailedError) as caught:
        Record()(**fields)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("value", "bound", "allowed", "kept"),
    [
        (2, "max", 2, True),
        (2.1, "max", 2, False),
        (2, "min", 2, True),
        (1.9, "min", 2, False),
        (2, "equal", 2, True),
        (1, "equal", 2, False),
        (None, "none", None, True),
        (None, "min", 0, False),
    ],
)
def test_a_bound_binds(value: float | None, bound: str, allowed: float | None, kept: bool) -> None:  # noqa: FBT001 - a column of the table
    assert within(value, bound, allowed) is kept


def test_a_bound_without_a_limit_is_no_bound() -> None:
    with pytest.raises(ValueError, match="needs a finite 'allowed'"):
        within(1.0, "max", None)
    with pytest.raises(ValueError, match="should be max, min, equal or none"):
        within(1.0, "under", 2.0)


def test_numbers_that_are_not_finite_are_no_numbers() -> None:
    assert [number(value) for value in (float("nan"), float("inf"), None, True, 10**3)] == [
        None,
        None,
        None,
        1.0,
        1e3,
    ]
    assert fact(float("-inf")) is None


def test_a_message_is_one_short_line() -> None:
    assert clean("a\r\n\x1b[0m b\ud800", 100) == "a [0m b"
    assert clean("x" * 30, 10) == "xxxxxxxxx…"
