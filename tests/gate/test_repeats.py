"""Newly red cases run again in real processes before a gate says regressed, with planted flakiness."""

from __future__ import annotations

import shutil
from typing import Any
from xml.etree import ElementTree

import pytest
from support.suite_front import Front, front_fixture, world_fixture  # noqa: F401 - fixtures

from harness.gate import repeats
from harness.gate.suite_runs import PartFolder
from harness.records import Confirmation
from harness.runs.folder import UNFINISHED

Say = pytest.CaptureFixture[str]

CASE = "l0.two"
CRASHED = "has no result (crashed): it exited with code 3 before it was finished (stage contract)"


def counted(outcome: Any, candidate: int, baseline: int = 0, **changes: Any) -> Confirmation:
    values: dict[str, Any] = {"case": CASE, "runs": 3, "baseline_runs": 3, "because": ""} | changes
    return Confirmation(outcome=outcome, candidate=candidate, baseline=baseline, **values)


@pytest.mark.parametrize(
    ("baseline", "candidate", "code", "sentence", "confirmation"),
    [
        (
            "good",
            "failing",
            1,
            "1 case is newly red in the candidate in 3 of 3 runs, in L0",
            counted("confirmed", 3),
        ),
        (
            "good",
            "failing,good,failing",
            4,
            "1 newly red case is flaky: red in 2 of 3 runs",
            counted("flaky", 2),
        ),
        ("good", "failing,good", 4, "1 newly red case is flaky: red in 1 of 3 runs", counted("flaky", 1)),
        (
            "good,failing,good",
            "failing",
            4,
            "1 newly red case is flaky: red in 3 of 3 runs, and in 1 of 3 of the baseline",
            counted("flaky", 3, 1),
        ),
        (
            "good,exiting,good",
            "failing",
            4,
            f"1 newly red case is not confirmed: red in 3 of 3 runs; a repeat of the baseline {CRASHED}",
            counted("unconfirmed", 3, baseline_runs=2, because=f"a repeat of the baseline {CRASHED}"),
        ),
        (
            "good",
            "failing,failing,exiting",
            4,
            f"1 newly red case is not confirmed: red in 2 of 2 runs; a repeat of the candidate {CRASHED}",
            counted("unconfirmed", 2, runs=2, because=f"a repeat of the candidate {CRASHED}"),
        ),
        (
            "good",
            "exiting",
            1,
            "The candidate is crashed in 3 of 3 runs",
            counted("confirmed", 3, case="cell"),
        ),
        (
            "good",
            "exiting,good",
            4,
            "The candidate died in 1 of 3 runs: flaky",
            counted("flaky", 1, case="cell"),
        ),
    ],
)
def test_only_what_comes_back_in_the_candidate_alone_is_regressed(  # noqa: PLR0917 - a row
    baseline: str, candidate: str, code: int, sentence: str, confirmation: Confirmation, front: Front
) -> None:
    front.does(baseline=baseline, candidate=candidate)
    assert front.run("numpy==2.0.2", "--no-culprit") == code
    decision = front.read().decision
    assert (decision.sentence, decision.confirmations) == (sentence, (confirmation,))
    doubted = [each.check for each in decision.unconfirmed]
    named = [each.check for each in decision.new]
    assert (doubted or named) == ([CASE] if confirmation.case == CASE else [])
    assert bool(doubted) == (code == 4 and confirmation.case == CASE)
    assert front.starts == {"baseline": 3, "candidate": 3}


def test_every_output_tells_how_often_a_case_was_red(front: Front, capsys: Say) -> None:
    front.does(candidate="failing,good")
    assert front.run("numpy==2.0.2") == 4
    said, (folder,) = capsys.readouterr().out, front.runs
    assert "note: 1 newly red case runs again in fresh processes, 2 times in each environment" in said
    assert "note: repeat 2 of 2, candidate: done" in said
    assert "Not confirmed in fresh processes: 1\n  error l0.two [1 of 3 runs, flaky]" in said
    assert "without stored results: harness gate numpy==2.0.2" in said
    comment = (folder / "gate.md").read_text(encoding="utf-8")
    assert comment.startswith("### ⚠️ Not decided: ")
    assert "INCONCLUSIVE (exit code 4): 1 newly red case is flaky: red in 1 of 3 runs" in comment
    assert "| `l0.two` | 1 | 1 of 3 runs, flaky |" in comment
    root = ElementTree.parse(folder / "junit.xml").getroot()  # noqa: S314 - our own file
    assert [each.get("message") for each in root.findall(".//failure")] == []
    errors = [str(each.get("message")) for each in root.findall(".//error")]
    assert [each for each in errors if each.startswith("red in 1 of 3 runs, flaky")], errors


def test_a_confirmed_case_is_told_as_such(front: Front, capsys: Say) -> None:
    front.does(candidate="failing")
    assert front.run("numpy==2.0.2") == 1
    said = capsys.readouterr().out
    assert "New in the candidate: 1\n  error l0.two [3 of 3 runs]" in said
    assert "| `l0.two` | 1 | 3 of 3 runs |" in (front.runs[0] / "gate.md").read_text(encoding="utf-8")


def test_no_stored_result_is_used_or_made_by_a_repeat(front: Front) -> None:
    front.does(candidate="failing")
    for number in (1, 2):
        assert front.run("numpy==2.0.2", "--no-culprit") == 1
        assert front.starts == {"baseline": 1 + 2 * number, "candidate": 1 + 2 * number}
    assert [cell.reused for cell in front.read().decision.cells] == [True, True]


def test_nothing_runs_again_without_a_newly_red_case(front: Front) -> None:
    front.does(baseline="failing", candidate="failing")
    assert front.run("numpy==2.0.2") == 0
    assert (front.starts, front.read().decision.confirmations) == ({"baseline": 1, "candidate": 1}, ())
    assert not (front.runs[0] / "repeats").exists()


def test_a_gate_decided_again_counts_the_repeats_that_are_left(front: Front) -> None:
    front.does(candidate="failing")
    assert front.run("numpy==2.0.2", "--no-culprit") == 1
    folder, before = front.runs[0], front.read()
    assert front.command("report", str(folder)) == 1
    assert front.read() == before
    result = folder / "repeats" / "2" / "cells" / "candidate" / "result.json"
    result.write_text(result.read_text().replace('"fail"', '"pass"'))
    assert front.command("report", str(folder)) == 4, "a changed result does not count"
    assert front.read().decision.sentence == (
        "1 newly red case is not confirmed: red in 2 of 2 runs; it was run again 1 of 2 times"
    )
    shutil.rmtree(folder / "repeats")
    assert front.command("report", str(folder)) == 4
    assert front.read().decision.confirmations[0].because == "it was run again 0 of 2 times"


def test_a_gate_of_an_earlier_version_has_nothing_to_confirm(front: Front) -> None:
    front.does(candidate="failing")
    assert front.run("numpy==2.0.2", "--no-culprit") == 1
    folder = front.runs[0]
    shutil.rmtree(folder / "repeats")
    file = folder / "gate.json"
    file.write_text(file.read_text().replace('"repeats": 2', '"repeats": 0'))
    assert front.command("report", str(folder)) == 1
    assert front.read().decision.sentence == "1 case is newly red in the candidate, in L0"


def test_a_gate_interrupted_in_its_repeats_can_be_decided(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(PartFolder):
        def finish(self) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr(repeats, "PartFolder", Interrupted)
    front.does(candidate="failing")
    assert front.run("numpy==2.0.2") == 130
    folder = front.runs[0]
    assert (folder / UNFINISHED).exists()
    assert front.command("report", str(folder)) == 4
    assert front.read().decision.confirmations == (
        counted("unconfirmed", 2, runs=2, baseline_runs=2, because="it was run again 1 of 2 times"),
    )
    assert (front.read().culprit, front.read().decision.new) == (None, ())
