"""One store, one folder of reports and one folder of planted wheels for all sweeps of the real tests."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pytest
from planted.bench import Bench
from planted.command import Harness
from planted.faults import FAULTS, plant

if TYPE_CHECKING:
    from collections.abc import Iterator

HANGS_SECONDS = 3600
"""A search for a cause takes two minutes of two cores; a busy machine may take ten times as long."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give every test an hour, after which it hangs for sure."""
    item.add_marker(pytest.mark.timeout(HANGS_SECONDS))


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A fresh place to work at, with a wheel of every fault; gone afterwards."""
    folder = tmp_path_factory.mktemp("bench")
    links = folder / "links"
    links.mkdir()
    plant(links, *FAULTS)
    places = " ".join(filter(None, [os.environ.get("PIP_FIND_LINKS", ""), str(links)]))
    yield Bench(folder, Harness({"PIP_FIND_LINKS": places}))
    with ThreadPoolExecutor(8) as pool:  # an environment has 27,000 files, and a disk takes its time
        list(pool.map(partial(shutil.rmtree, ignore_errors=True), folder.glob("store/envs/*")))
    shutil.rmtree(folder, ignore_errors=True)
