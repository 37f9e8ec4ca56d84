"""Every row of hostile input is answered as it says; and there are enough of them, of every kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from queue import SimpleQueue
from typing import Any, get_args

import pytest
from hostile.rows import Kind, Row, read_rows
from hostile.runner import Answer, Worker, faults_of, normalize

Ask = Callable[[Row], Answer]

ROWS = read_rows()

ROW_TEST = "test_a_hostile_input_is_answered_in_plain_words"


@pytest.fixture(scope="session")
def ask(
    request: pytest.FixtureRequest,
    bases: Path,
    names: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Ask]:
    """The answer to a row; all rows of this session run at once, two at a time."""
    workers: SimpleQueue[Worker] = SimpleQueue()
    asked: dict[str, Future[Answer]] = {}

    def run(row: Row, folder: Path) -> Answer:
        worker = workers.get()
        try:
            return worker.run(row, folder)
        finally:
            workers.put(worker)

    def begin(row: Row) -> Future[Answer]:
        if row.id not in asked:
            asked[row.id] = pool.submit(run, row, tmp_path_factory.mktemp("row"))
        return asked[row.id]

    with Worker(bases, names) as first, Worker(bases, names) as second, ThreadPoolExecutor(2) as pool:
        workers.put(first)
        workers.put(second)
        for item in request.session.items:
            if isinstance(item, pytest.Function) and item.originalname == ROW_TEST:
                row = item.callspec.params["row"]
                assert isinstance(row, Row)
                begin(row)
        yield lambda row: begin(row).result()


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
    assert len(rows) >= 120
    assert len({normalize(ask(row)) for row in rows}) >= 60
