"""How Hypothesis looks for counterexamples in a cell."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

from harness.cell.spec import CellSpec


def load_profile(spec: CellSpec) -> None:
    """Derandomized by default, so that a cell says the same twice; ``explore`` looks for news.

    Must run before the suite is collected: ``@settings`` copies the profile of that moment.
    """
    noise = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
    settings.register_profile(
        "cell-default", derandomize=True, database=None, deadline=None, suppress_health_check=noise
    )
    database = DirectoryBasedExampleDatabase(Path(spec.workdir, "examples"))
    settings.register_profile(
        "cell-explore",
        derandomize=False,
        database=database,
        deadline=None,
        max_examples=2000,
        suppress_health_check=noise,
    )
    settings.load_profile(f"cell-{spec.profile}")
