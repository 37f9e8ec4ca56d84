"""Results that are published are gone on from, if they are of the same tries and the same harness."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from subprocess import run

import msgspec
import pytest

from faults import kept
from faults.kept import find_result, find_usual, is_current, publish, take_over
from faults.running import Result, Usual
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


def test_measures_of_an_undisturbed_work_are_of_the_code_that_takes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code = tmp_path / "tests/faults/running.py"
    code.parent.mkdir(parents=True)
    code.write_text("disk = 'what a work leaves'")
    git = ["git", "-c", "user.name=n", "-c", "user.email=e@e"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "m"], ["tag", "measured"]):
        run([*git, *words], check=True)
    path = tmp_path / "usual.json"
    usual = Usual(seconds=1.0, steps=1, children={}, disk=0, store=0, outcome={}, commit="measured")
    path.write_bytes(msgspec.json.encode(usual))
    assert find_usual(path) == usual

    is_current.cache_clear()
    code.write_text("disk = 'the most that a work uses'")
    assert find_usual(path) is None
    assert is_current("measured"), "a result is of the harness alone"
