"""Every row of hostile input is answered as it says; and there are enough of them, of every kind."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import pytest
from hostile.rows import Kind, Row, read_rows
from hostile.runner import Answer, Answers, Worker, faults_of, normalize

Ask = Callable[[Row], Answer]

ROWS = read_rows()


@pytest.fixture(scope="session")
def ask(bases: Path, names: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """The answer to a row, which runs once for all processes of pytest-xdist."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with Worker(bases, names) as worker:

        def run(row: Row) -> Answer:
            return worker.run(row, tmp_path_factory.mktemp("row"))

        yield Answers(shared / "answers", run).ask


def _marked(row: Row) -> Any:
    marks = [pytest.mark.xfail(reason=row.pending, strict=True)] if row.pending else []
    return pytest.param(row, id=row.id, marks=marks)


@pytest.mark.parametrize("row", [_marked(row) for row in ROWS])
def test_a_hostile_input_is_answered_in_plain_words(row: Row, ask: Ask) -> None:
    answer = ask(row)
    assert not (faults := faults_of(row, answer)), "\n".join((*faults, "the output:", answer.output))


def test_no_two_rows_share_an_id() -> None:
    assert [name for name, count in Counter(row.id for row in ROWS).items() if count > 1] == []


def _written(row: Row) -> Iterator[str]:
    """What a row names as a place to write to, but what this process has open."""
    yield from (text for name, text in row.env.items() if name.startswith("HARNESS_"))
    for option, value in pairwise(row.args):
        if option in {"--out", "--store", "--reports", "--keep"} and not value.startswith("/dev/fd/"):
            yield value


def test_no_row_writes_to_a_file_of_the_machine() -> None:
    """Tests may run as root: what a row uncovers must not reach beyond its folder."""
    assert [row.id for row in ROWS for place in _written(row) if place.startswith(("/", "~"))] == []


def test_every_kind_of_input_is_there() -> None:
    assert {row.kind for row in ROWS if not row.pending} == set(get_args(Kind))


def test_there_are_many_rows_with_many_different_messages(ask: Ask) -> None:
    rows = [row for row in ROWS if not row.pending]
    assert len(rows) >= 650
    assert len({normalize(ask(row)) for row in rows}) >= 550
