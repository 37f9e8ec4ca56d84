"""A foreign service's own embedder and normalizer in the place of the shipped ones, in two cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.errors import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

    from planted.bench import Bench, Sweep

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def sweep(bench: Bench, root: Path) -> Sweep:
    return bench.sweep(root / "tests" / "example_service" / "matrices" / "service.toml")


@pytest.mark.parametrize("numpy", ["1.26.2", "2.4.6"])
def test_the_service_holds(sweep: Sweep, numpy: str) -> None:
    assert sweep.red(numpy) == {}
    assert sweep.verdict(numpy).status == "ok"


def test_the_command_says_pass(sweep: Sweep) -> None:
    assert (sweep.exit_code, sweep.run.judgement.verdict) == (ExitCode.PASS, "pass"), sweep.output


def test_its_own_code_was_checked_beside_the_shipped(sweep: Sweep) -> None:
    cases = {each.id: each.outcome for each in sweep.result("2.4.6").cases}

    for normalizer in ("subject", "manual", "stable"):
        assert cases[f"l0.typical/{normalizer}/float32"] == "pass"
    assert cases["l2.parity/subject/float32"] == "pass"


def test_what_it_requires_is_in_the_lock(sweep: Sweep) -> None:
    for planned in sweep.run.plan.cells:
        assert "cachetools" in {each.name for each in planned.lock.distributions}
