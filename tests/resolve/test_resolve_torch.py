"""torch of any version, where the find-links have a CPU wheel and an index has a newer one."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from planted.indexes import list_wheels, serve
from planted.wheels import build_wheel
from support.plan_texts import PLAIN, make_matrix

from harness.matrix.schema import Matrix
from harness.records import Cell
from harness.resolve.pip_settings import IndexSettings
from harness.resolve.resolve import resolve

UNDATED = PLAIN.replace('exclude-newer = "2026-11-01"', "")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere every torch is for the CPU")
def test_the_wheel_on_the_find_links_is_taken(tmp_path: Path) -> None:
    """That of the index would bring gigabytes of CUDA packages along."""
    links, index = tmp_path / "links", tmp_path / "index"
    for folder, version in ((links, "2.9.0+cpu"), (links, "2.13.0+cpu"), (index, "2.15.0")):
        folder.mkdir(exist_ok=True)
        build_wheel(folder, "torch", version, {"torch.py": ""})
    build_wheel(index, "reference", "1.0", {"reference.py": ""}, requires=["torch>=2"])
    matrix = make_matrix(tmp_path, UNDATED)
    from_pypi = make_matrix(tmp_path / "pypi", UNDATED.replace("[resolve]", '[resolve]\ntorch = "pypi"'))

    with serve(list_wheels(index)) as served:
        settings = IndexSettings(find_links=(str(links),), index=served.url)

        def torch_of(requirement: str, matrix: Matrix = matrix) -> str:
            cell = Cell(id="a", axes={}, requirements=(requirement,), python="3.11")
            lock = asyncio.run(resolve(cell, matrix, settings))
            return {each.name: each.version for each in lock.distributions}["torch"]

        assert torch_of("reference") == torch_of("torch>=2") == "2.13.0+cpu"
        assert torch_of("torch<2.13") == "2.9.0+cpu"
        assert torch_of("reference", matrix=from_pypi) == "2.15.0"
