"""The cause of a failed gate from end to end, with fake cells."""

from __future__ import annotations

import pytest
from support.cause_front import NEW_NUMPY, UPGRADE, Front, front_fixture, world_fixture  # noqa: F401 - fixtures

from harness.errors import MachineError
from harness.gate.cause import stage
from harness.runs.folder import UNFINISHED, read_run

Say = pytest.CaptureFixture[str]


def test_a_failed_gate_names_the_package(front: Front, capsys: Say) -> None:
    culprit = front.find_cause(NEW_NUMPY, *UPGRADE)
    assert [change.name for change in culprit.changes] == ["numpy"]
    assert (culprit.looked_for, culprit.alone, culprit.without) == (("l0.two",), "red", "green")
    (search,) = culprit.releases
    assert (search.last_good, search.first_bad, search.releases) == ("2.0.2", "2.2.0", 4)

    said = capsys.readouterr().out
    assert "note: cause: searching for the part of the upgrade that turns l0.two red" in said
    assert "trial with numpy 1.26.2 -> 2.2.0 and openvino 2025.4 -> 2026.4: red" in said
    assert "the first bad release of numpy is 2.2.0" in said.replace("\n", " ")


def test_trials_are_within_the_gate_and_never_the_latest_run(front: Front) -> None:
    front.find_cause(NEW_NUMPY, *UPGRADE)
    folders = sorted((front.gate_folder / "culprit").iterdir())
    assert [folder.name for folder in folders] == [str(number + 1) for number in range(len(folders))]
    runs = [read_run(folder) for folder in folders]
    assert [[planned.cases for planned in run.plan.cells] for run in runs] == [[("l0.two",)]] * len(runs)
    assert all(run.finished and not run.problems for run in runs)
    assert not (front.gate_folder / UNFINISHED).exists()
    assert (front.folder / "reports" / "runs" / "latest").resolve() == front.gate_folder


def test_a_budget_without_a_search_is_refused(front: Front, capsys: Say) -> None:
    assert front.run("'good'", "gate", *UPGRADE, "--no-culprit", "--culprit-budget", "9m") == 2
    assert "--culprit-budget has no effect with --no-culprit" in capsys.readouterr().err


def test_the_search_can_be_skipped(front: Front) -> None:
    assert front.run(NEW_NUMPY, "gate", *UPGRADE, "--no-latency", "--no-culprit") == 1
    assert front.read().culprit is None
    assert not (front.gate_folder / "culprit").exists()


def test_the_cause_of_a_dead_candidate_is_found_by_its_end(front: Front) -> None:
    """numpy 2.0 ends in another way, so its trial is unresolved."""
    rule = "'exiting' if numpy >= '2.2' else 'importing' if numpy >= '2' else 'good'"
    culprit = front.find_cause(rule, *UPGRADE)
    assert culprit.looked_for == ("status crashed",)
    assert [change.name for change in culprit.changes] == ["numpy"]
    (search,) = culprit.releases
    assert (search.last_good, search.first_bad, search.skipped) == ("1.26.2", "2.2.0", ("2.0.2",))
    assert [trial.because for trial in search.tried if trial.version == "2.0.2"] == [
        "the cell is import-error: importing torch failed: ImportError: no"
    ]


def test_a_gate_decided_again_keeps_its_cause_while_its_symptoms_are_present(front: Front) -> None:
    culprit = front.find_cause(NEW_NUMPY, *UPGRADE)
    assert front.command("report", str(front.gate_folder)) == 1
    assert front.read().culprit == culprit
    (result,) = (front.gate_folder / "cells" / "candidate").glob("result*.json")
    result.unlink()
    assert front.command("report", str(front.gate_folder)) == 1
    assert (front.read().decision.verdict, front.read().culprit) == ("regressed", None)


def test_an_earlier_failure_has_no_cause(front: Front) -> None:
    assert front.run("'failing'", "gate", *UPGRADE, "--no-latency") == 0
    assert front.read().culprit is None


def test_a_failed_search_keeps_the_verdict(front: Front) -> None:
    async def fail(*_: object) -> object:
        raise MachineError("no space left")

    front.monkeypatch.setattr(stage, "make_case_runner", fail)
    culprit = front.find_cause(NEW_NUMPY, *UPGRADE)
    assert culprit.sentence == "the search for the cause failed: no space left"
    assert culprit.changes == ()
