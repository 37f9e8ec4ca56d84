"""Whatever a file holds, the answer is a documented exit code and a message that names the file."""

from __future__ import annotations

import itertools
import os
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hostile.bases import MATRIX
from hostile.drawn import draw_damaged, draw_matrix
from hostile.rows import Made, Row, fill
from hostile.runner import HARNESS, Answer, Limits, Worker, find_traces
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from planted.command import ROOT

from harness.errors import ExitCode

EXAMPLES = int(os.environ.get("HOSTILE_EXAMPLES", "0"))
"""Examples of each property; without the variable there are few, and the same ones in each run."""

FEW = 40
LONGEST = 20_000
"""Characters of the longest message."""


@dataclass(frozen=True)
class Case:
    """A valid file that is damaged, and the command that reads it.

    Attributes:
        base: the valid file, in the folder of bases or by its absolute path.
        file: where the damaged one lies.
        names: one of these, or the name of the file, is in every message.
        files: the files around it, by their bases.
        fine: exit codes that need no message.
        changes: globs of files that the command may change or move away.
    """

    base: str
    file: str
    args: tuple[str, ...]
    names: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    fine: tuple[int, ...] = (0,)
    changes: tuple[str, ...] = ()


MATRICES = str(ROOT / "matrices")
_CHECK = ("lock", "--check", "--matrix", "m.toml")
_CELLS = ("cells", "--matrix", "m.toml")
_PRINT = ("workflow", "github", "--install", "x", "--matrix", "m.toml", "--inline", "--file")
_ALONE = {"m.toml": "matrix.toml"}
_LOCKED = {"m.toml": "matrix.toml", "locks": "locks"}
_NAMED = dict.fromkeys(("compat.toml", "openvino.toml", "weekly.toml"), "matrix.toml")
_LOCK = "locks/@PLATFORM@/m/numpy-2.4.6.txt"
_RESULT = "cells/numpy-1.26.2_sentence-transformers-2.7.0/result.json"
_JUDGE = ("reproduce", "r", "l9.nothing")  # judges all results, and writes nothing
_WEEKLY = ("lock", "--check", "--matrix", "weekly.toml")

CASES = {
    "compat": Case(f"{MATRICES}/compat.toml", "m.toml", _CHECK, fine=(0, 1)),
    "openvino": Case(f"{MATRICES}/openvino.toml", "m.toml", _CHECK, fine=(0, 1)),
    "smoke": Case(f"{MATRICES}/smoke.toml", "m.toml", _CHECK, fine=(0, 1)),
    "weekly": Case(f"{MATRICES}/weekly.toml", "m.toml", _CHECK, fine=(0, 1)),
    "matrix": Case("matrix.toml", "m.toml", _CHECK, files={"locks": "locks"}, fine=(0, 1)),
    "expected": Case(f"{MATRICES}/expected.toml", "expected.toml", _CELLS, files=_LOCKED | _NAMED),
    "tolerances": Case(f"{MATRICES}/tolerances.toml", "tolerances.toml", _CELLS, files=_LOCKED),
    "lock": Case(_LOCK, _LOCK, _CHECK, files=_LOCKED),
    "cover": Case(
        f"{MATRICES}/locks/weekly/cover.json",
        "locks/weekly/cover.json",
        _WEEKLY,
        files={"weekly.toml": f"{MATRICES}/weekly.toml"},
        fine=(0, 1),
    ),
    "results": Case("run/results.json", "r.json", ("export", "r.json")),
    "plan": Case("run/plan.json", "r/plan.json", _JUDGE, ("l9.nothing",), {"r": "run"}),
    "result": Case(f"run/{_RESULT}", f"r/{_RESULT}", _JUDGE, ("l9.nothing",), {"r": "run"}),
    "gate": Case("gate/gate.json", "g/gate.json", ("compare", "g", "g"), files={"g": "gate"}),
    "history": Case(
        "history.sqlite3",
        "reports/runs/history.sqlite3",
        ("export", "--all"),
        names=("of run",),
        changes=("reports/*",),
    ),
    "requirements": Case("r.txt", "r.txt", (*_PRINT, "r.txt"), ("more.txt",), _ALONE),
    "uv.lock": Case("uv.lock", "uv.lock", (*_PRINT, "uv.lock"), files=_ALONE),
    "pylock": Case("pylock.toml", "pylock.toml", (*_PRINT, "pylock.toml"), files=_ALONE),
    "groups": Case("texts.toml", "texts.toml", _CELLS, files=_LOCKED | {"m.toml": "groups.toml"}),
    "texts": Case("texts.jsonl", "texts.jsonl", _CELLS, files=_LOCKED | {"m.toml": "lines.toml"}),
}
GRAMMAR = CASES["matrix"]


class Search:
    """Runs a case on one file after the other, each in a folder of its own."""

    def __init__(self, worker: Worker, bases: Path, names: dict[str, str], folder: Path) -> None:
        self._worker, self._bases, self._names, self._folder = worker, bases, names, folder
        self._numbers = itertools.count()

    def read(self, case: Case) -> bytes:
        """The valid file of a case."""
        return (self._bases / fill(case.base, self._names)).read_bytes()

    def run(self, case: Case, data: bytes, entry: str = HARNESS) -> tuple[Answer, list[str]]:
        """The answer to a file, and what is wrong with it."""
        around = {name: Made(base=base) for name, base in case.files.items()}
        row = Row(
            id="drawn",
            kind="matrix",
            args=case.args,
            exit=0,
            words=(),
            files=around | {case.file: Made(hex=data.hex())},
            changes=case.changes,
        )
        folder = self._folder / str(next(self._numbers))
        answer = self._worker.run(row, folder, entry=entry, limits=Limits(cpu=10, seconds=20.0))
        shutil.rmtree(folder)
        return answer, [*_refuse_code(answer), *find_traces(row, answer), *_refuse_words(case, answer)]


def _refuse_code(answer: Answer) -> Iterator[str]:
    if answer.code is None:
        yield "it hung"
    elif answer.code not in {int(code) for code in ExitCode}:
        yield f"exit {answer.code}, which is no documented exit code"


def _refuse_words(case: Case, answer: Answer) -> Iterator[str]:
    if answer.code in case.fine:
        return
    if not any(name in answer.output for name in (Path(case.file).name, *case.names)):
        yield f"the message does not name the file: {answer.output[:300]!r}"
    if len(answer.output) > LONGEST:
        yield f"a message of {len(answer.output)} characters"
    if any(not letter.isprintable() and letter != "\n" for letter in answer.output):
        yield f"the message holds control characters: {answer.output[:300]!r}"


def _settings(few: int = FEW) -> settings:
    return settings(
        max_examples=EXAMPLES or few,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.large_base_example,
        ],
    )


@pytest.fixture(scope="module")
def search(bases: Path, names: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Search]:
    with Worker(bases, names) as worker:
        yield Search(worker, bases, names, tmp_path_factory.mktemp("drawn"))


def test_a_matrix_with_any_values_is_answered_in_plain_words(search: Search) -> None:
    valid = tomllib.loads(MATRIX)

    @_settings()
    @given(data=draw_matrix(valid))
    def holds(data: bytes) -> None:
        assert search.run(GRAMMAR, data)[1] == []

    holds()


def test_a_damaged_file_is_answered_in_plain_words(search: Search) -> None:
    @_settings(2 * FEW)
    @given(data=st.data(), name=st.sampled_from(sorted(CASES)))
    def holds(data: st.DataObject, name: str) -> None:
        case = CASES[name]
        damaged = data.draw(draw_damaged(search.read(case)))
        assert search.run(case, damaged)[1] == []

    holds()


@pytest.mark.parametrize("name", CASES)
def test_each_case_begins_with_a_valid_file(name: str, search: Search) -> None:
    case = CASES[name]
    answer, faults = search.run(case, search.read(case))
    assert faults == []
    assert answer.code in case.fine or f"{_JUDGE[-1]}: no such case differs" in answer.output, answer.output


@pytest.mark.parametrize(
    ("planted", "fault"),
    [
        ("picky", "a traceback"),
        ("silent", "the message does not name the file"),
        ("stray", "exit 17, which is no documented exit code"),
        ("flood", "a message of 100"),
        ("loss", "here/m.toml is not as it was before"),
        ("memory", "a traceback"),
    ],
)
def test_the_search_finds_a_planted_fault(planted: str, fault: str, search: Search) -> None:
    @settings(_settings(), max_examples=300, phases=[Phase.generate])
    @given(data=draw_damaged(search.read(GRAMMAR)))
    def holds(data: bytes) -> None:
        assert search.run(GRAMMAR, data, entry=f"hostile.planted:{planted}")[1] == []

    with pytest.raises(AssertionError, match=fault):
        holds()
