from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from support.fake_cells import LIMITS, Lab

from harness.errors import StoreError
from harness.processes import describe_exit
from harness.sweep import protocol
from harness.sweep.cell_process import HiddenPaths

if TYPE_CHECKING:
    from harness.records import CellResult


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def outcomes(result: CellResult) -> dict[str, str]:
    return {case.id: case.outcome for case in result.cases}


def test_good_cell(lab: Lab) -> None:
    result = lab.run_one("good")
    assert (result.status, result.reason, result.log_tail) == ("ok", "", ())
    assert outcomes(result) == {"l0.one": "pass", "l0.two": "pass"}
    assert result.facts["numpy"] == "1"
    assert result.run == "run-1"
    assert set(result.seconds) == {"environment", "imports", "contract"}
    assert result.peak_rss >= 2000


def test_what_a_cell_prints_cannot_break_its_results(lab: Lab) -> None:
    result = lab.run_one("printing")
    assert (result.status, outcomes(result)) == ("ok", {"l0.one": "pass", "l0.two": "pass"})
    assert "noise" in (lab.run_folder() / "cells/printing/log.txt").read_text(errors="replace")


@pytest.mark.parametrize(
    ("cell", "status", "reason"),
    [
        ("failing", "failed", "1 of 2 cases did not pass, the first is l0.two"),
        ("missing", "failed", "1 planned cases are missing, the first is l0.two"),
        ("exiting", "crashed", "it exited with code 3 before it was finished (stage contract)"),
        (
            "faulting",
            "crashed",
            "it was killed by SIGSEGV (Segmentation fault) before it was finished (stage contract)",
        ),
        ("deserting", "crashed", "it exited with code 0 before it was finished (stage contract)"),
        ("repeating", "crashed", "it reported the case l0.one twice"),
        ("foreign", "crashed", "it sent schema 99, but 1 was expected"),
        ("importing", "import-error", "importing torch failed: ImportError: no"),
        ("falling", "crashed", "it exited with code 1 after its last phase (stage finished)"),
    ],
)
def test_every_end_has_its_status(lab: Lab, cell: str, status: str, reason: str) -> None:
    result = lab.run_one(cell)
    assert (result.status, result.reason) == (status, reason)


@pytest.mark.parametrize("cell", ["babbling", "inventing"])
def test_line_that_is_no_event_is_a_fault_of_the_cell(lab: Lab, cell: str) -> None:
    result = lab.run_one(cell)
    assert result.status == "crashed"
    assert result.reason.startswith("it wrote an invalid event to its channel: ")
    assert result.reason.endswith(" (stage contract)")


def test_an_incomplete_line_is_reported(lab: Lab) -> None:
    result = lab.run_one("breaking")
    why = "its channel ended with an incomplete line (stage contract)"
    assert (result.status, result.reason) == (
        "crashed",
        f"it exited with code 0 before it was finished; {why}",
    )


def test_cases_before_a_crash_are_kept_with_the_last_words(lab: Lab) -> None:
    result = lab.run_one("exiting")
    assert outcomes(result) == {"l0.one": "pass"}
    assert result.log_tail == ("first", "last words")


def test_segmentation_fault_leaves_a_traceback_in_the_log(lab: Lab) -> None:
    assert "Fatal Python error: Segmentation fault" in lab.run_one("faulting").log_tail


def test_hanging_cell_is_timed_out(lab: Lab) -> None:
    result = lab.run_one("hanging", limits=replace(LIMITS, contract=0.5))
    assert (result.status, result.reason) == (
        "timed-out",
        "the check phase (limit 0.5 s) did not end in time (limit reached in stage contract)",
    )
    assert outcomes(result) == {"l0.one": "pass"}


def test_cell_that_does_not_leave_is_timed_out(lab: Lab) -> None:
    result = lab.run_one("staying", limits=replace(LIMITS, exit=0.3))
    assert (result.status, result.reason) == (
        "timed-out",
        "it reported its end and did not exit within 0.3 s",
    )


def test_cell_beyond_its_memory_is_ended(lab: Lab) -> None:
    result = lab.run_one("eating", limits=replace(LIMITS, memory=200 * 1024**2))
    assert result.status == "crashed"
    assert result.reason.startswith("it used ")
    assert result.reason.endswith("MiB, more than the limit of 200 MiB (stage contract)")
    assert result.peak_rss > 200 * 1024**2


def test_cell_that_floods_its_log_is_ended(lab: Lab) -> None:
    result = lab.run_one("flooding", limits=replace(LIMITS, log=1024**2))
    assert result.status == "crashed"
    assert result.reason.endswith("MiB, more than the limit of 1 MiB (stage contract)")


def test_nothing_that_a_cell_started_outlives_it(lab: Lab) -> None:
    result = lab.run_one("breeding")
    assert result.status in {"ok", "crashed"}
    grandchild = int((lab.folder / "grandchild").read_text())
    assert not psutil.pid_exists(grandchild) or psutil.Process(grandchild).status() == psutil.STATUS_ZOMBIE


def test_cell_sees_a_scrubbed_environment(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    monkeypatch.setenv("HTTPS_PROXY", "proxy")
    facts = lab.run_one("good").facts
    seen = json.loads(facts["environ"])
    assert len(seen.pop("HARNESS_CELL_MARK")) == 16
    assert seen == {
        "SIZE": "small",  # of the matrix
        "TEAM_TOKEN": "<TEAM_TOKEN>",  # given to the cell, and hidden in what it says
        "CI": "true",
        "HOME": "<workdir>/home",
        "PWD": "<workdir>",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_OFFLINE": "1",
        "LANG": "C.UTF-8",
        "MKL_NUM_THREADS": "1",
        "NUMEXPR_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PATH": "<environment>/bin:/usr/bin:/bin",
        "PYTHONHASHSEED": "0",
        "PYTHONNOUSERSITE": "1",
        "PYTHONPATH": "<suite>",
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
        "TMPDIR": "<workdir>/tmp",
        "TOKENIZERS_PARALLELISM": "false",
        "TRANSFORMERS_OFFLINE": "1",
        "VECLIB_MAXIMUM_THREADS": "1",
    }
    assert json.loads(facts["path"])[0] == "<suite>"
    spec = json.loads((lab.run_folder() / "cells/good/spec.json").read_text())
    assert not Path(spec["workdir"]).exists(), "nothing is left behind"


def test_folders_of_this_machine_are_not_in_results(lab: Lab) -> None:
    places = HiddenPaths.of_cell(
        Path("/store/envs/a/bin/python"), Path("/store/suite/b"), "/scratch/w", "/store/m"
    )
    said = "/store/envs/a/x.py, /store/suite/b/harness, /scratch/w/tmp, /store/m/w.bin, /store/models/x, /usr"
    assert places.hide(said) == (
        "<environment>/x.py, <suite>/harness, <workdir>/tmp, <model>/w.bin, /store/models/x, /usr"
    )
    assert "<suite>/harness/cell/start.py" in " ".join(lab.run_one("faulting").log_tail)


NAMES = ["plain", "büro ☕", "o'clock", 'a "b"', "both'\"", "back\\slash", "t\tab", "\udcff"]


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_folders_with_special_characters_are_not_in_results(name: str, *, ascii_only: bool) -> None:
    folder = f"/home/{name}/model"
    spellings = [folder, repr(folder), ascii(folder), json.dumps(folder), Path(folder).as_uri()]
    places = HiddenPaths.of_cell(Path("/p/bin/python"), Path("/suite"), "/scratch/w", folder)
    sent = {"event": "facts", "facts": {"first": f"{folder}/a.bin", "all": " ".join(spellings), folder: ""}}
    line = json.dumps(sent, ensure_ascii=ascii_only or "\udcff" in name)  # which JSON can only escape

    event = protocol.decode_event(line, places.hide)

    assert isinstance(event, protocol.Facts)
    told = event.facts["all"].replace('"', "'")
    assert (event.facts["first"], told) == (
        "<model>/a.bin",
        "<model> '<model>' '<model>' '<model>' file://<model>",
    )
    assert "<model>" in event.facts


def test_a_working_folder_with_special_characters_is_not_in_results(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = lab.folder / 'büro\'s \\ "x"'
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))

    result = lab.run_one("good")

    assert json.loads(result.facts["path"])[0] == "<suite>"


def test_a_folder_at_the_end_of_a_sentence_is_hidden_and_a_longer_name_is_kept() -> None:
    places = HiddenPaths((("/home/m", "<model>"),))
    assert places.hide("in /home/m. Not /home/m.bin, /home/m-1") == "in <model>. Not /home/m.bin, /home/m-1"


def test_environment_that_cannot_be_made_is_an_install_error(lab: Lab) -> None:
    def fail(_: str) -> str:
        raise StoreError("no wheel of torch")

    lab.wait_environment = fail
    result = lab.run_one("good")
    assert (result.status, result.reason, result.cases) == ("install-error", "no wheel of torch", ())


def test_interpreter_that_is_gone_is_an_install_error(lab: Lab) -> None:
    lab.wait_environment = lambda _: "/nowhere/python"
    result = lab.run_one("good")
    assert result.status == "install-error"
    assert result.reason.startswith("its interpreter cannot be started: ")


def test_exit_codes_in_words() -> None:
    assert describe_exit(3) == "exited with code 3"
    assert describe_exit(-6) == "was killed by SIGABRT (Aborted)"
    assert describe_exit(-9) == "was killed by SIGKILL (Killed, as the kernel does when memory runs out)"
    assert describe_exit(-60) == "was killed by signal 60 (Real-time signal 26)"
