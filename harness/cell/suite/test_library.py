"""API: functions around the service, tried on what they document. By hand: ``--only 'api.library/*'``."""

from __future__ import annotations

from typing import Any, Dict

import pytest

from harness.cell.library import FEATURES, DifferentError
from harness.cell.record import Record, clean


@pytest.mark.check("api.library")
def test_library(feature: str, reference_model: Any, record: Record) -> None:
    """Call a function of the library; that it is missing, raises or returns something else is the result."""
    facts: Dict[str, Any] = {}
    told = ""
    try:
        FEATURES[feature](reference_model, facts)
    except DifferentError as error:
        told = str(error)
    except Exception as error:  # noqa: BLE001 # whatever the library raises
        told = f"raises {type(error).__name__}: {error}"
    record(
        value=int(not told),
        unit="as documented",
        bound="equal",
        allowed=1,
        sample=clean(told, 200),
        facts={**facts, **({"does": clean(told, 200)} if told else {})},
    )
