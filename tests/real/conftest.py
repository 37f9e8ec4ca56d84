"""One store, one folder of reports and one folder of planted wheels for all sweeps of the real tests."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from planted.bench import Bench
from planted.command import Harness
from planted.faults import FAULTS, plant

if TYPE_CHECKING:
    from collections.abc import Iterator

HANGS_SECONDS = 3600
"""A search for a cause takes two minutes of two cores; a busy machine may take ten times as long."""

FIRST = ("test_culprit", "test_planted_reference", "test_exit_codes", "test_shards")
"""Files in the order in which two processes take them.

A process takes a second file at once if its first has one or two tests, and keeps it until the first is done.
So the search for a cause is followed by the file that runs no cell, and not by one that would wait for it.
At the end of the order one process waited for the shards alone (2026-11).
"""
LAST = ("test_golden", "test_damage", "test_gate_latency")
"""Short ones, with which the process that is done first fills its time; and the one that runs alone."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give every test an hour, after which it hangs for sure."""
    item.add_marker(pytest.mark.timeout(HANGS_SECONDS))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files in the order for two processes; those with neither place stay in that of their names."""
    places = {name: place for place, name in enumerate((*FIRST, "", *LAST))}
    real = [place for place, item in enumerate(items) if item.path.parent == Path(__file__).parent]
    ordered = sorted(real, key=lambda place: places.get(items[place].path.stem, len(FIRST)))
    for place, item in zip(real, [items[each] for each in ordered], strict=True):
        items[place] = item


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
