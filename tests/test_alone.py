"""Real tests run beside each other, and those that take times beside none."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest
from support.alone import use_machine, uses_alone


def is_free(lock: Path, kind: int) -> bool:
    """Whether another process would get the machine at once."""
    with lock.open("a") as file:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@pytest.mark.parametrize(("alone", "beside"), [(False, (True, False)), (True, (False, False))])
def test_nobody_uses_the_machine_beside_a_test_that_takes_times(
    alone: bool,  # noqa: FBT001 - a parameter of the test
    beside: tuple[bool, bool],
    tmp_path: Path,
) -> None:
    lock = tmp_path / "machine.lock"
    with use_machine(lock, alone=alone):
        assert (is_free(lock, fcntl.LOCK_SH), is_free(lock, fcntl.LOCK_EX)) == beside
    assert is_free(lock, fcntl.LOCK_EX)


@pytest.mark.parametrize(("marks", "alone"), [((), None), (("real",), False), (("real", "timed"), True)])
def test_marks_say_how_a_test_uses_the_machine(
    marks: tuple[str, ...],
    alone: bool | None,  # noqa: FBT001 - a parameter of the test
    request: pytest.FixtureRequest,
) -> None:
    item = pytest.Function.from_parent(request.node.parent, name="test_alone", callobj=lambda: None)
    for mark in marks:
        item.add_marker(mark)
    assert uses_alone(item) is alone
