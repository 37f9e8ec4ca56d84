"""The ``record`` fixture for measurements of checks, and the message of a broken bound.

Standard library only; numpy scalars are converted through the protocols of Python numbers.
"""

from __future__ import annotations

import math
import re
from typing import Any, Dict, Mapping, Optional, Sequence, Union

MESSAGE_LIMIT = 2000
"""Largest length of a message, in characters; an exception can quote a whole model."""

FactValue = Union[str, float, int, bool, None]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_UNITS = {"ulp": "ULP"}
_PARTS = {"queries": "queries", "texts": "texts", "distance": "rows"}
"""Unit -> what a share counts, if not elements."""


class CheckFailedError(AssertionError):
    """The measured value breaks its bound."""


def clean(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """One line without control characters or lone surrogates, at most ``limit`` characters."""
    line = re.sub(r" {2,}", " ", _CONTROL.sub(" ", text)).strip()
    return line if len(line) <= limit else line[: limit - 1] + "…"


def number(value: Any) -> Optional[float]:
    """Convert any scalar to a Python float; None if it is not finite (JSON has no such number)."""
    if value is None:
        return None
    converted = float(value)
    return converted if math.isfinite(converted) else None


def fact(value: Any) -> FactValue:
    """Convert a fact for JSON: numpy scalars become Python scalars, other objects text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean(value)
    plain = value.item() if hasattr(value, "item") else value
    if isinstance(plain, (bool, int)):
        return plain
    return number(plain) if isinstance(plain, float) else clean(str(plain))


def within(value: Optional[float], bound: str, allowed: Optional[float]) -> bool:
    """Whether a value is within its bound; a value that is not finite is within ``none`` only.

    Raises:
        ValueError: the bound is unknown, or has no finite value to compare with.
    """
    if bound == "none":
        return True
    if bound not in ("max", "min", "equal"):
        raise ValueError(f"bound is {bound!r}, but should be max, min, equal or none")
    if allowed is None:
        raise ValueError(f"bound {bound!r} needs a finite 'allowed'")
    if value is None:
        return False
    return {"max": value <= allowed, "min": value >= allowed, "equal": value == allowed}[bound]


def sentence(observation: Mapping[str, Any]) -> str:
    """Describe a failure: worst value, place, tolerance, share of mismatches, sample, cause by the oracle."""
    value, unit, worst = observation["value"], observation["unit"], observation["worst"]
    if observation["bound"] == "equal" and observation["allowed"] == 1 and value == 0:
        return _with_context(f"{unit}: no, but should be yes", observation)
    where = f" at ({', '.join(str(index) for index in worst)})" if worst else ""
    measured = "not finite" if value is None else f"{value:.6g} {_UNITS.get(unit, unit)}".rstrip()
    what = "worst error " if worst or unit == "ulp" else ""
    should = {"max": "at most ", "min": "at least ", "equal": ""}[observation["bound"]]
    text = f"{what}{measured}{where}, but should be {should}{observation['allowed']:.6g}"
    return _with_context(text, observation)


def _with_context(text: str, observation: Mapping[str, Any]) -> str:
    """Append the share of mismatches, the sample, and the result of the oracle."""
    if observation["share"] is not None:
        what = _PARTS.get(observation["unit"], "elements")
        text += f"; {100 * observation['share']:.3g}% of {what} beyond"
    if observation["sample"]:
        text += f"; sample: {observation['sample']}"
    if observation["blame"]:
        text += f"; wrong by the oracle: {observation['blame']}"
    return clean(text)


class Record:
    """The ``record`` fixture: called once per case, it stores the measurement and asserts its bound."""

    def __init__(self) -> None:
        self.observation: Optional[Dict[str, Any]] = None

    def __call__(  # noqa: PLR0913 - the fields of an observation, by keyword only
        self,
        *,
        value: Any,
        unit: str,
        bound: str = "none",
        allowed: Any = None,
        worst: Sequence[Any] = (),
        share: Any = None,
        sample: str = "",
        control: Any = None,
        blame: str = "",
        facts: Optional[Mapping[str, Any]] = None,
    ) -> None:
        """Store an observation (fields of ``harness.records.Observation``) and compare it with its bound.

        Raises:
            CheckFailedError: the value breaks its bound; with the whole description.
            RuntimeError: a second call in one case.
        """
        if self.observation is not None:
            raise RuntimeError("recorded twice: a case measures one thing")
        measured, limit = number(value), number(allowed)
        observation: Dict[str, Any] = {
            "value": measured,
            "unit": unit,
            "bound": bound,
            "allowed": limit,
            "worst": [int(index) for index in worst],
            "share": number(share),
            "sample": clean(sample, 300),
            "control": number(control),
            "blame": blame,
            "facts": {str(key): fact(entry) for key, entry in (facts or {}).items()},
        }
        kept = within(measured, bound, limit)
        self.observation = observation
        if not kept:
            raise CheckFailedError(sentence(observation))
