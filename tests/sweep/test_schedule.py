from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import psutil
import pytest
from support.fake_cells import Lab, make_plan, plan_cell

from harness.errors import UsageError
from harness.runs.folder import read_result, read_run


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def stages(lab: Lab, cell: str) -> list[str]:
    return list(dict.fromkeys(each.stage for each in lab.said if each.cell == cell))


def test_one_bad_cell_does_not_stop_the_others(lab: Lab) -> None:
    swept = lab.run(
        make_plan(plan_cell("good-1"), plan_cell("exiting"), plan_cell("failing"), plan_cell("good-2"))
    )
    assert [(result.cell, result.status) for result in swept.results] == [
        ("good-1", "ok"),
        ("exiting", "crashed"),
        ("failing", "failed"),
        ("good-2", "ok"),
    ]
    assert stages(lab, "good-1") == ["environment", "queued", "imports", "contract", "ok"]


def test_a_subject_that_the_first_cell_refuses_ends_the_sweep(lab: Lab) -> None:
    with pytest.raises(UsageError) as raised:
        lab.run(make_plan(plan_cell("good"), plan_cell("refusing", baseline=True)))
    assert str(raised.value) == "fake.toml: subject.service: a:b returns None"


def test_a_subject_that_a_later_cell_refuses_is_a_result(lab: Lab) -> None:
    swept = lab.run(make_plan(plan_cell("good", baseline=True), plan_cell("refusing")))
    assert [(result.status, result.reason) for result in swept.results] == [
        ("ok", ""),
        ("import-error", "subject.service: a:b returns None"),
    ]


def test_a_step_that_raises_is_told_without_the_secrets_that_it_was_given(lab: Lab) -> None:
    result = lab.run_one("stepping")
    assert (result.status, result.reason, result.log_tail) == (
        "crashed",
        "setup of the subject, a:b, raised OSError: refused <TEAM_TOKEN>",
        ("the token is <TEAM_TOKEN>",),
    )
    written = [path for path in lab.folder.rglob("*") if path.is_file() and b"planted" in path.read_bytes()]
    assert written == []


def test_cells_of_one_lock_run_once(lab: Lab) -> None:
    swept = lab.run(make_plan(plan_cell("good-1"), plan_cell("good-2", same_as="good-1")))
    first, second = swept.results
    assert second == msgspec.structs.replace(first, cell="good-2")
    assert lab.contracts() == ["good-1"]


def test_cell_without_a_solution_is_not_run(lab: Lab) -> None:
    swept = lab.run(make_plan(plan_cell("good"), plan_cell("never", reason="numpy<2 and numpy>=2")))
    result = swept.results[1]
    assert (result.status, result.reason, result.cases) == ("unsatisfiable", "numpy<2 and numpy>=2", ())
    assert read_run(lab.run_folder()).results[1] == result


def test_finished_cells_are_reused_and_reported(lab: Lab) -> None:
    cells = (plan_cell("good"), plan_cell("failing"), plan_cell("importing"), plan_cell("exiting"))
    first = lab.run(make_plan(*cells))
    lab.said.clear()
    second = lab.run(make_plan(*cells, run="run-2"))
    assert second.reused == ("good", "failing", "importing")
    assert second.results[:3] == first.results[:3]
    assert second.results[3].run == "run-2"
    assert stages(lab, "good") == ["reused"]
    assert [each.note for each in lab.said if each.cell == "failing"] == ["measured by run-1"]
    assert read_run(lab.run_folder("run-2")).results == second.results
    assert (lab.run_folder("run-2") / "cells/good/log.txt").exists()


def test_rerun_uses_nothing(lab: Lab) -> None:
    lab.run(make_plan(plan_cell("good")))
    swept = lab.run(make_plan(plan_cell("good"), run="run-2"), rerun=True)
    assert (swept.reused, swept.results[0].run) == ((), "run-2")


def test_fresh_ignores_runs_that_were_cut_off_only(lab: Lab) -> None:
    lab.run(make_plan(plan_cell("good-1")))
    lab.run(make_plan(plan_cell("good-2"), run="cut-off"))
    (lab.store.unfinished / "cut-off").touch()
    cells = (plan_cell("good-1"), plan_cell("good-2"))
    assert lab.run(make_plan(*cells, run="run-2"), fresh=True).reused == ("good-1",)


def test_another_machine_is_another_key(lab: Lab) -> None:
    plan = make_plan(plan_cell("good"))
    lab.run(plan)
    other = msgspec.structs.replace(plan, run="run-2", machine={"class": "another"})
    assert lab.run(other).reused == ()


def test_damaged_stored_result_is_noticed_and_made_anew(lab: Lab) -> None:
    plan = make_plan(plan_cell("good"))
    key = lab.run(plan).results[0].key
    stored = lab.store.results / key / "contract.json"
    stored.write_bytes(stored.read_bytes()[:-20])
    swept = lab.run(msgspec.structs.replace(plan, run="run-2"))
    assert (swept.reused, swept.results[0].status) == ((), "ok")
    assert lab.complaints == [
        f"{stored}: the result is incomplete or damaged (Input data was truncated); the cell is run again"
    ]


def test_a_run_is_read_back_and_truncated_files_are_reported(lab: Lab) -> None:
    swept = lab.run(make_plan(plan_cell("good-1"), plan_cell("good-2"), plan_cell("good-3")))
    run = read_run(lab.run_folder())
    assert (run.results, run.problems, run.finished) == (swept.results, (), True)
    assert (lab.folder / "runs" / "latest").resolve() == lab.run_folder().resolve()
    cut, swapped = (lab.run_folder() / "cells" / cell / "result.json" for cell in ("good-1", "good-2"))
    cut.write_bytes(cut.read_bytes()[:100])
    swapped.write_bytes((lab.run_folder() / "cells/good-3/result.json").read_bytes())
    run = read_run(lab.run_folder())
    assert run.results == swept.results[2:]
    assert run.problems == (
        f"{cut}: the result is incomplete or damaged (Input data was truncated)",
        f"{swapped}: the result of good-3, but should be of good-2",
    )


def test_folder_without_a_plan_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r": not the folder of a run: .*plan\.json: no such file$"):
        read_run(tmp_path)


def test_environments_are_made_while_others_are_checked(lab: Lab) -> None:
    """With one core, the second environment is asked for before the first cell is done."""
    lab.run(make_plan(plan_cell("slow-1"), plan_cell("slow-2")), jobs=1)
    told = [(each.cell, each.stage) for each in lab.said]
    assert told.index(("slow-2", "queued")) < told.index(("slow-1", "ok"))
    assert told.index(("slow-1", "ok")) < told.index(("slow-2", "imports"))


SWEEP = """
import signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # a script in the background ignores it
signal.signal(signal.SIGHUP, signal.SIG_DFL)
for name in sys.argv[3:]:
    signal.signal(signal.Signals[name], signal.SIG_IGN)
from support.fake_cells import Lab, make_plan, plan_cell
lab = Lab(Path(sys.argv[1]))
cells = [plan_cell(name) for name in ("good", "hanging-1", "hanging-2")]
lab.run(make_plan(*cells, run=sys.argv[2]))
"""


@pytest.mark.parametrize(
    ("ignored", "numbers"),
    [
        ("", [signal.SIGINT]),
        ("SIGINT", [signal.SIGTERM]),  # `command &` in a script
        ("SIGHUP", [signal.SIGHUP, signal.SIGTERM]),  # nohup
    ],
)
def test_interrupt_ends_every_child_and_keeps_what_is_finished(
    lab: Lab, ignored: str, numbers: list[signal.Signals]
) -> None:
    folders = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]
    running = subprocess.Popen(
        [sys.executable, "-c", SWEEP, str(lab.folder), "cut-off", *ignored.split()],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(folders)},
        stderr=subprocess.PIPE,
        text=True,
    )
    logs = [lab.run_folder("cut-off") / f"cells/{cell}/spec.json" for cell in ("hanging-1", "hanging-2")]
    good = lab.run_folder("cut-off") / "cells/good/result.json"
    wait_for(lambda: good.exists() and all(log.exists() for log in logs))
    wait_for(lambda: len(psutil.Process(running.pid).children()) == 2)
    children = psutil.Process(running.pid).children(recursive=True)
    for number in numbers[:-1]:  # is of no consequence
        running.send_signal(number)
        time.sleep(0.2)
        assert all(child.is_running() for child in children)
    running.send_signal(numbers[-1])
    said = running.communicate(timeout=120)[1]
    assert said.rstrip().endswith("KeyboardInterrupt")
    assert [child for child in children if child.is_running()] == []
    assert not read_run(lab.run_folder("cut-off")).finished
    swept = lab.run(make_plan(plan_cell("good"), plan_cell("failing"), run="run-2"))
    assert swept.reused == ("good",)
    assert read_result(good).status == "ok"
    assert json.loads((lab.run_folder("cut-off") / "plan.json").read_bytes())["run"] == "cut-off"


def wait_for(condition: object, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator] # a callable
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)
