"""A kept answer of uv is taken for the same question only, wherever it is asked."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from planted.wheels import build_wheel
from support import resolutions
from support.plan_texts import make_matrix
from support.resolutions import Resolutions

from harness.processes import Completed
from harness.records import Cell, Lock
from harness.resolve import uv
from harness.resolve.pip_settings import IndexSettings
from harness.resolve.resolve import Guidance, resolve

PLAIN = Guidance()


class Desk:
    """Asks for a lock of ``p``; ``asked`` are the questions that came to uv."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        self._run_uv = resolutions._run_uv

    async def run_uv(self, arguments: Any, **rest: Any) -> Completed:
        self.asked.append(" ".join(map(str, arguments)))
        return await self._run_uv(arguments, **rest)

    def resolve(self, place: str, requires: str = "p", guidance: Guidance = PLAIN, **wheels: str) -> Lock:
        links = self.folder / place
        links.mkdir()
        for version, content in (
            {"1": "", "2": ""} | {key[1:]: text for key, text in wheels.items()}
        ).items():
            build_wheel(links, "p", version, {"p.py": content})
        settings = IndexSettings(find_links=(str(links),), no_index=True)
        cell = Cell(id="a", axes={}, requirements=(requires,), python="3.11")
        return asyncio.run(resolve(cell, make_matrix(links / "matrices"), settings, guidance))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    (tmp_path / "kept").mkdir()
    found = Desk(tmp_path)
    monkeypatch.setattr(resolutions, "_run_uv", found.run_uv)
    monkeypatch.setattr(uv, "run_uv", Resolutions(tmp_path / "kept").run_uv)
    return found


def test_the_same_question_has_the_same_answer_elsewhere(desk: Desk) -> None:
    first = desk.resolve("a")
    assert (desk.resolve("b"), len(desk.asked)) == (first, 1)
    assert [each.version for each in first.distributions] == ["2"]


def test_the_reason_of_no_solution_is_kept(desk: Desk) -> None:
    first = desk.resolve("a", "p>2")
    assert "p" in first.reason
    assert (desk.resolve("b", "p>2"), len(desk.asked)) == (first, 1)


@pytest.mark.parametrize(
    ("changes", "version"),
    [
        ({"requires": "p<2"}, "1"),
        ({"guidance": Guidance(constraints=("p!=2",))}, "1"),
        ({"guidance": Guidance(preferred={"p": "1"})}, "1"),
        ({"guidance": Guidance(lowest=True)}, "1"),
        ({"_3": ""}, "3"),
        ({"_2": "# built again"}, "2"),
    ],
)
def test_another_question_is_asked(changes: dict[str, Any], version: str, desk: Desk) -> None:
    first, second = desk.resolve("a"), desk.resolve("b", **changes)
    assert len(desk.asked) == 2
    assert [each.version for each in second.distributions] == [version]
    assert msgspec.structs.replace(first, inputs="") != msgspec.structs.replace(second, inputs="")
