"""Results that are published are gone on from, if they are of the same tries and the same harness."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from faults import kept
from faults.kept import find_result, is_current, publish, take_over
from faults.running import Result
from faults.tries import Try, plan_tries

PLANNED = plan_tries(3, seed=1, real=1)


def result_of(one: Try, **changes: object) -> Result:
    result = Result(
        number=one.number,
        work=one.work,
        fault=one.describe(),
        met=True,
        code=0,
        real=one.real,
        commit="mine",
    )
    return msgspec.structs.replace(result, **changes)


@pytest.fixture
def one_harness(monkeypatch: pytest.MonkeyPatch) -> None:
    """A harness that is that of the commit ``mine``."""
    monkeypatch.setattr(kept, "is_current", lambda commit: commit == "mine")


@pytest.mark.usefixtures("one_harness")
def test_what_was_published_is_gone_on_from(tmp_path: Path) -> None:
    results = [result_of(PLANNED[0]), result_of(PLANNED[1], commit="another")]
    table = publish(tmp_path / "published", "a table\n", results)
    assert table.read_text(encoding="utf-8") == "a table\n"
    take_over(tmp_path / "published", tmp_path / "new", PLANNED)
    assert [find_result(tmp_path / "new", one) for one in PLANNED] == [results[0], None, None]


@pytest.mark.usefixtures("one_harness")
def test_a_try_of_another_plan_is_not_taken_over(tmp_path: Path) -> None:
    publish(tmp_path, "", [result_of(PLANNED[0])])
    other = replace(PLANNED[0], target="of another plan", signal="")
    take_over(tmp_path, tmp_path, [other])
    assert find_result(tmp_path, other) is None


def test_the_harness_of_an_unknown_commit_is_another_one() -> None:
    assert not is_current("0" * 40)
