"""A service of one function, with its own start, variables and texts, in a real cell."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from planted.command import Harness
from planted.faults import RELEASE

from harness.errors import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

    from planted.bench import Bench, Sweep

pytestmark = pytest.mark.real

GIVEN = "planted-in-confidence"
SUBJECT = """
[axes]
sentence-transformers = ["{release}"]

[subject]
service = "whole:Service"
setup = "whole:start"
close = "whole:stop"
env = {{ SERVED_TRACE = "trace.txt" }}
pass-env = ["SERVED_TOKEN"]
batch = 6
search-path = ["{subjects}"]
"""


@pytest.fixture(scope="module")
def given(bench: Bench) -> Bench:
    return replace(bench, harness=Harness({**bench.harness.variables, "SERVED_TOKEN": GIVEN}))


@pytest.fixture(scope="module")
def matrix(bench: Bench, root: Path) -> Path:
    texts = [f"the {kind} number {number} of the team" for number in range(8) for kind in ("order", "letter")]
    (bench.folder / "own.txt").write_text("\n".join(texts), encoding="utf-8")
    subject = SUBJECT.format(release=RELEASE, subjects=root / "tests" / "planted" / "subjects")
    return bench.write_matrix("whole", f'corpus = "own.txt"\n{subject}')


@pytest.fixture(scope="module")
def sweep(given: Bench, matrix: Path) -> Sweep:
    return given.sweep(matrix)


def test_lists_are_right_vectors_without_a_dtype(sweep: Sweep) -> None:
    assert list(sweep.red(RELEASE)) == ["l2.dtype/subject/float32"]
    answers = {each.question: each.answer for each in sweep.verdict(RELEASE).answers}
    assert {**answers, "before": ""} == {
        "before": "",
        "reference": "yes",
        "ranking": "yes",
        "dtype": "no",
        "stability": "yes",
    }


def test_it_was_started_and_ended(sweep: Sweep) -> None:
    assert sweep.result(RELEASE).facts["subject.texts"] == "list of lists of floats"
    log = (sweep.folder / "cells" / sweep.cell(RELEASE) / "log.txt").read_text("utf-8")
    traced = [line for line in log.splitlines() if "traced: " in line]
    assert traced == ["traced: start, start, stop 1, stop 1"], "the second process is beside the first"


def test_its_variable_is_in_no_file(sweep: Sweep, given: Bench) -> None:
    folders = (sweep.folder, given.store / "results")
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert (
        "started with <SERVED_TOKEN>"
        in (sweep.folder / "cells" / sweep.cell(RELEASE) / "log.txt").read_text()
    )
    assert [path for path in files if GIVEN.encode() in path.read_bytes()] == []


def test_without_its_variable_nothing_is_made(bench: Bench, matrix: Path) -> None:
    done = bench.harness.run(*bench.arguments(matrix))
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert "subject.pass-env: SERVED_TOKEN is not set in the environment of this command" in done.stderr
