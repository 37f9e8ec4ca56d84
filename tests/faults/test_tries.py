"""The plan of the tries, and what counts as gone wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from faults.planted import PLANTED, plant
from faults.running import Result, Usual, count_children, count_steps, ended_within, find_processes, send
from faults.table import render
from faults.tries import OF_WORK, TARGETS, Try, plan_tries
from faults.works import Place, list_differences

PLANNED = plan_tries(200, 20261201, 20)


def test_the_same_seed_gives_the_same_tries() -> None:
    assert plan_tries(200, 20261201, 20) == PLANNED
    assert plan_tries(200, 1, 20) != PLANNED


def test_every_fault_of_every_work_comes() -> None:
    wanted = {
        (work, target, signal)
        for work, targets in OF_WORK.items()
        for target in targets
        for signal in TARGETS.get(target, ("",))
    }
    assert {(each.work, each.target, each.signal) for each in PLANNED} == wanted
    assert sum(each.real for each in PLANNED) == 20
    assert len({each.moment for each in PLANNED}) == 200


def test_a_process_that_stays_below_a_folder_is_found(tmp_path: Path) -> None:
    stays = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], cwd=tmp_path)
    try:
        assert [each.pid for each in find_processes(tmp_path)] == [stays.pid]
        assert not ended_within(stays, 0.01)
    finally:
        stays.kill()
        stays.wait()
    assert list(find_processes(tmp_path)) == []


@pytest.mark.parametrize(
    ("found", "differences"),
    [
        ({"exit": 0, "cases": "a"}, []),
        ({"exit": 1, "cases": "a"}, ["exit: 1, but should be 0"]),
        ({"exit": 0}, ["cases: None, but should be a"]),
        ({"exit": 0, "cases": "a", "cause": []}, ["cause: [], but should be None"]),
    ],
)
def test_what_differs_from_the_undisturbed_work(found: dict[str, object], differences: list[str]) -> None:
    assert list(list_differences(found, {"exit": 0, "cases": "a"})) == differences


def result(number: int, **changes: object) -> Result:
    values = {"number": number, "work": "sweep", "fault": "clean", "met": True, "code": 0}
    return Result(**(values | {"commit": "abc"} | changes))  # type: ignore[arg-type] # fields by name


def test_the_table_counts_and_names_what_went_wrong() -> None:
    rows = [
        result(1),
        result(2, fault="SIGKILL to uv", met=False),
        result(3, work="lock", wrong=("exit: 1",)),
    ]
    rows += [result(4, left=("uv pip",), stuck="it hangs", real=True)]
    planted = [result(0, planted="lost", lost=("a",)), result(0, planted="left")]
    text = render([*rows, *planted], 5, "nox -s faults")
    assert "with the code of abc (4)." in text
    assert "4 of 5 planned tries (1 with all-MiniLM-L6-v2, the others" in text
    assert "of which 3 met the work" in text
    assert "| wrong results | 1 |" in text
    assert "| processes that stayed | 1 |" in text
    assert "| clean | 2 | 1 |" in text
    assert text.endswith("""
Try 3 (lock, clean): wrong: exit: 1

Try 4 (sweep, clean): processes: uv pip; stuck: it hangs

Faults of the harness that were planted, and whether a try found them:

- finished cells are not stored: found
- a process is forgotten: NOT FOUND
""")


CHILDREN = """
import subprocess, sys
for number in range(3):
    print(subprocess.run([sys.argv[1], "-c", "import time; time.sleep(0.4)"]).returncode)
"""


def start_with_children(folder: Path) -> subprocess.Popen[bytes]:
    """A command with three children, one after the other, that are called uv."""
    uv = folder / "uv"
    if not uv.exists():
        uv.symlink_to(sys.executable)
    return subprocess.Popen([sys.executable, "-c", CHILDREN, str(uv)], stdout=subprocess.PIPE)


def test_the_wanted_child_gets_the_signal(tmp_path: Path) -> None:
    process = start_with_children(tmp_path)
    children = count_children(process, time.monotonic() + 60)
    assert (children["uv"], process.communicate()[0].split()) == (3, [b"0", b"0", b"0"])

    usual = Usual(seconds=1.0, steps=1, children=children, disk=0, store=0, outcome={})
    one = Try(1, "sweep", "uv", "KILL", 0.5, 0.0, 0.0, real=False)
    process = start_with_children(tmp_path)
    assert send(one, process, usual)
    assert process.communicate()[0].split() == [b"0", b"-9", b"0"]

    process = start_with_children(tmp_path)
    assert not send(replace(one, moment=1.0), process, msgspec.structs.replace(usual, children={"uv": 4}))
    process.communicate()


def test_steps_are_what_a_work_tells_of_and_not_time_that_has_passed(tmp_path: Path) -> None:
    place = Place(tmp_path, tmp_path, None)
    (tmp_path / "log.txt").write_text(
        "resolving a\nwaiting (0:04): a\n[ 0:03] a queued\n[10:03] a imports\nnote: converting\nPASS\n"
    )
    assert count_steps(place) == 4


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_code_for_the_harness_as_it_is(name: str, tmp_path: Path) -> None:
    folder = plant(name, tmp_path / name)
    done = subprocess.run(
        [sys.executable, "-c", "from harness.store.result_store import ResultStore"],
        env={**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{Path(__file__).parents[2]}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
