"""Observed versions against locked ones, and other facts that need no package under test."""

from __future__ import annotations

import importlib.metadata
import sys

import pytest

from harness.cell import facts
from harness.cell.facts import PeakMemory, PeakUnknownError, measure_growth, resident_bytes


@pytest.mark.parametrize(
    ("locked", "observed", "same"),
    [
        ("2.13.0+cpu", "2.13.0+cpu", True),
        ("2.13.0", "2.13.0+cpu", True),
        ("2.13.0+cpu", "2.13.0", False),
        ("2.13.0+cpu", "2.13.0+cu130", False),
        ("2.13", "2.13.0", True),
        ("1.26.2", "1.26.20", False),
        ("2024b", "2024b", True),
        ("2024b", "2024c", False),
        ("2026.4.1", "2026.4.1-22982-e213a147257", False),
    ],
)
def test_versions_are_compared_as_versions(locked: str, observed: str, same: bool) -> None:  # noqa: FBT001 - a column of the table
    assert facts.same_version(locked, observed) is same


def test_a_module_may_add_its_build() -> None:
    build = "2026.4.1-22982-e213a147257"
    assert facts.same_version("2026.4.1", build, prefix=True)
    assert not facts.same_version("2026.4.10", build, prefix=True)


def test_a_version_that_is_not_the_locked_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = importlib.metadata.version("msgspec")
    monkeypatch.setattr(facts, "MODULES", {"msgspec": "msgspec"})
    monkeypatch.setattr(sys.modules["msgspec"], "__version__", "0.0.1")
    assert facts.version_differences({"msgspec": "0.0.2", "no-such-thing": "1"}) == [
        f"msgspec: metadata has version {installed}, but the lock has 0.0.2",
        "no-such-thing: metadata has version absent, but the lock has 1",
        "msgspec: module has version 0.0.1, but the lock has 0.0.2",
    ]
    assert facts.version_differences({"msgspec": installed}) == [
        f"msgspec: module has version 0.0.1, but the lock has {installed}"
    ]


@pytest.mark.parametrize("spelt", ["f32", "<Type: 'float32'>", "bf16"])
def test_a_precision_has_one_short_name(spelt: str) -> None:
    assert facts.precision_name(spelt) in {"f32", "float32", "bf16"}


def test_the_growth_of_a_call_is_what_it_holds_at_its_peak() -> None:
    try:
        grown = measure_growth(lambda: bytearray(b"x") * (64 * 1024**2))
    except PeakUnknownError as error:
        pytest.skip(str(error))
    assert 60 * 1024**2 < grown < 80 * 1024**2


def test_the_peak_of_the_process_survives_a_reset() -> None:
    peak = PeakMemory()
    before = peak.sample()
    assert before >= resident_bytes() // 2
    try:
        measure_growth(lambda: None)
    except PeakUnknownError as error:
        pytest.skip(str(error))
    assert peak.sample() >= before
