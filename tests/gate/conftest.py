"""The tests of the gate ask uv each question once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.resolutions import Resolutions

from harness.resolve import uv


@pytest.fixture(scope="session")
def resolutions(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Resolutions:
    """In the folder of the whole run, which its processes share."""
    own = tmp_path_factory.getbasetemp()
    folder: Path = (own.parent if hasattr(request.config, "workerinput") else own) / "resolutions"
    folder.mkdir(exist_ok=True)
    return Resolutions(folder)


@pytest.fixture(scope="module", autouse=True)
def resolve_once(resolutions: Resolutions) -> Iterator[None]:
    """Answer a repeated question with what uv answered first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uv, "run_uv", resolutions.run_uv)
        yield
