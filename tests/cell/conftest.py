"""The suite of a cell, called without a cell: see ``planted.cell_world``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import settings
from planted import cell_world
from planted.cell_world import Embedder, World

from harness.cell import facts, plugin
from harness.cell.interface import load_checks

Suite = dict[str, Callable[..., None]]


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config) -> Iterator[Suite]:
    """Return the test function of each check, in a process that seems to have torch and OpenVINO."""
    plugin.load_profile(replace(World.of(load_checks()[0])["spec"], workdir="unused"))
    pytestconfig.addinivalue_line("markers", "check(id): in a cell its plugin declares it")
    entered = cell_world.enter(monkeypatch)
    next(entered)
    from harness.cell import reference  # noqa: PLC0415 - imports torch, which is there only now

    monkeypatch.setattr(reference, "hidden", lambda _, texts: Embedder().hidden(texts))
    monkeypatch.setattr(reference, "tokenize", lambda _, texts: Embedder().tokenize(texts))
    monkeypatch.setattr(reference, "infer", lambda _, tokens: Embedder().infer(tokens))
    for name in tuple(os.environ):
        if "TOKEN" in name.upper() or "PROXY" in name.upper():
            monkeypatch.delenv(name)
    monkeypatch.setattr(facts, "thread_pools", list)
    yield cell_world.load_suite()
    next(entered, None)
    settings.load_profile("default")
