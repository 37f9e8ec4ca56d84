"""The command ``gate`` from end to end: uv over planted wheels, fake cells."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from support.gate_sides import cell, gate
from support.suite_front import Front, front_fixture, world_fixture  # noqa: F401 - fixtures

from harness.cell.interface import Check
from harness.cli import gating
from harness.forge.comment import marker
from harness.gate import prepare, run_gate
from harness.gate.run_gate import _can_be_timed
from harness.records import Acknowledgement, Acknowledgements, CellResult, Decision, LockChange
from harness.resolve.pip_settings import IndexSettings
from harness.runs.documents import render_document

Say = pytest.CaptureFixture[str]


def test_a_good_upgrade_passes(front: Front, capsys: Say) -> None:
    assert front.run("numpy==2.0.2") == 0
    found = front.read()
    assert (found.decision.verdict, found.matrix) == ("pass", "mine")
    assert found.question.diff.changes == (
        LockChange(name="numpy", kind="changed", asked=True, before="1.26.2", after="2.0.2"),
    )
    said = capsys.readouterr().out
    assert "Correctness only; latency was not judged." in said
    assert said.splitlines()[-2:] == [
        f"The comment: {front.runs[0] / 'gate.md'}",
        f"The page: {front.runs[0] / 'index.html'}",
    ]
    assert {path.name for path in front.runs[0].iterdir()} == {
        *("cells", "plan.json", "plan.json.seal", "results.json"),
        *("gate.json", "gate.md", "gate-schema.json", "index.html", "junit.xml", "measurements.csv"),
    }


def test_a_gate_without_a_page_is_rendered_again_and_opened(
    front: Front, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert front.run("numpy==2.0.2") == 0
    page = front.runs[0] / "index.html"
    text = page.read_text(encoding="utf-8")
    page.unlink()
    assert front.command("report", str(front.runs[0]), "--open") == 0
    assert page.read_text(encoding="utf-8") == text
    assert capsys.readouterr().out.splitlines()[-1] == f"The page: {page}"
    assert opened == [page.resolve().as_uri()]


def test_the_judged_commit_is_recorded(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    async def read_revision(_: Path) -> str:
        return "0123abc"

    monkeypatch.setattr(prepare, "read_revision", read_revision)
    assert front.run("numpy==2.0.2") == 0
    assert front.read().commit == "0123abc"
    assert ", commit `0123abc`." in (front.runs[0] / "gate.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("baseline", "candidate", "code", "verdict"),
    [
        ("good", "failing", 1, "regressed"),
        ("failing", "failing", 0, "failing, nothing new"),
        ("failing", "good", 0, "pass"),
        ("good", "missing", 1, "regressed"),
        ("good", "exiting", 1, "regressed"),
        ("good", "importing", 1, "regressed"),
        ("exiting", "good", 4, "inconclusive"),
        ("importing", "importing", 4, "inconclusive"),
    ],
)
def test_the_behaviour_of_the_cells_decides(
    baseline: str, candidate: str, code: int, verdict: str, front: Front
) -> None:
    front.does(baseline=baseline, candidate=candidate)
    assert (front.run("numpy==2.0.2", "--no-culprit"), front.read().decision.verdict) == (code, verdict)


def test_only_an_inconclusive_verdict_can_be_allowed(front: Front) -> None:
    front.does(baseline="exiting")
    assert front.run("numpy==2.0.2", "--allow-inconclusive") == 0
    assert front.read().decision.verdict == "inconclusive"
    front.does(candidate="failing")
    assert front.run("numpy==2.0.2", "--allow-inconclusive", "--rerun", "--no-culprit") == 1


def test_equal_environments_can_be_allowed_and_are_reported_as_such(front: Front, capsys: Say) -> None:
    pinned = "numpy==1.26.2\nsentence-transformers==3.3.1\n"
    (front.folder / "old.txt").write_text(f"{pinned}flask==2.0\n", encoding="utf-8")
    (front.folder / "new.txt").write_text(f"{pinned}# a comment\nflask==3.0\n", encoding="utf-8")
    asked = ("--from", "old.txt", "--to", "new.txt")
    assert front.run(*asked) == 2
    assert "--allow-equal` accepts this" in capsys.readouterr().err
    assert front.runs == []
    assert front.run(*asked, "--allow-equal") == 0
    found, folder = front.read(), front.runs[0]
    sentence = "Nothing under test changes: both environments are the same, so nothing was compared"
    assert found.decision == Decision(verdict="pass", sentence=sentence)
    assert (found.judged, found.speed, found.question.diff.changes) == ((), None, ())
    assert "--allow-equal" in found.question.arguments
    said = capsys.readouterr().out
    assert f"PASS (exit code 0, nothing new): {sentence}" in " ".join(said.split())
    assert "No cell was judged." in said
    comment = (folder / "gate.md").read_text(encoding="utf-8")
    assert comment.startswith("### ✅ Nothing to judge: ")
    assert f"PASS (exit code 0, nothing new): {sentence}." in comment
    assert 'tests="1" errors="0" failures="0"' in (folder / "junit.xml").read_text(encoding="utf-8")
    assert not (folder / "cells").exists()
    assert front.lab.contracts() == []
    assert front.command("report", str(folder)) == 0
    assert front.read() == found
    assert "not in the history" not in said
    front.does(candidate="failing")
    different = ("numpy==2.0.2", "--allow-equal", "--no-culprit")
    assert front.run(*different) == 1, "different environments are judged"


LOCK = """\
version = 1
[[package]]
name = "service"
version = "0"
source = { virtual = "." }
dependencies = [{ name = "sentence-transformers" }]
[package.optional-dependencies]
new = [{ name = "numpy", version = "2.0.2" }]
old = [{ name = "numpy", version = "1.26.2" }]
"""
LOCKED = '[[package]]\nname = "{}"\nversion = "{}"\nsource = {{ registry = "an-index" }}\n'
VERSIONS = (("sentence-transformers", "3.3.1"), ("numpy", "1.26.2"), ("numpy", "2.0.2"))


def lock(front: Front, keys: str) -> str:
    """Write a lock, and use a matrix with these keys of ``[gate]``, beside that of the world; its path."""
    text = LOCK + "".join(LOCKED.format(*each) for each in VERSIONS)
    (front.folder / "uv.lock").write_text(text, encoding="utf-8")
    path = front.matrix.path.with_name("locked.toml")
    path.write_text(f"{front.matrix.path.read_text('utf-8')}\n[gate]\n{keys}\n", encoding="utf-8")
    front.matrix = msgspec.structs.replace(front.matrix, path=path)
    return str(path)


def test_the_matrix_chooses_from_a_lock_and_an_option_replaces_that(front: Front, capsys: Say) -> None:
    matrix, asked = lock(front, 'extras = ["new"]'), ("--to", "uv.lock")
    assert front.run(*asked) == 0
    found, folder = front.read(), front.runs[-1]
    assert [(each.name, each.after) for each in found.question.diff.changes] == [("numpy", "2.0.2")]
    assert "--extra" not in found.question.arguments  # as in the pipeline, by which it finds its comment
    assert marker(matrix, "uv.lock") in (folder / "gate.md").read_text(encoding="utf-8")
    capsys.readouterr()
    assert front.run(*asked, "--extra", "old") == 2
    assert "are the same environment" in capsys.readouterr().err


def test_a_change_of_a_locked_service_may_come_with_its_extra(front: Front, capsys: Say) -> None:
    """The matrix names the lock; without one, an extra chooses from nothing."""
    change = ("numpy==2.0.2", "--extra", "old")
    assert front.run(*change) == 2
    assert "--extra old chooses from a lock; name it with --from or --to" in capsys.readouterr().err
    lock(front, f'file = "{front.folder / "uv.lock"}"')
    assert front.run(*change) == 0
    assert "--extra" in front.read().question.arguments


def test_finished_cells_are_reused_and_checks_can_be_selected(front: Front) -> None:
    assert front.run("numpy==2.0.2") == front.run("numpy==2.0.2") == 0
    assert [cell.reused for cell in front.read().decision.cells] == [True, True]
    assert front.run("numpy==2.0.2", "--checks", "l0.on*") == 0
    assert front.read().question.notes == ("only checks that match l0.on*",)


def test_no_solution_is_exit_3_with_further_upgrades(front: Front, capsys: Say) -> None:
    assert front.run("numpy==2.4.6") == 3
    found = front.read()
    assert found.decision.because.startswith("Because ")
    assert found.question.further is not None
    assert [each.name for each in found.question.further.changes] == ["openvino"]
    assert "openvino>=2026.0 instead of openvino==2025.4" in capsys.readouterr().out
    assert front.command("report", str(front.runs[0])) == 3


ZERO = Check("l0.two", "L0", "a check of the fake cells", "Look at it.", question="dtype")


def accept(front: Front, monkeypatch: pytest.MonkeyPatch, question: str, subject: str) -> tuple[str, ...]:
    """The options of a gate whose pull request has this line."""
    monkeypatch.setattr(run_gate, "load_checks", lambda: (ZERO,))
    line = Acknowledgement(question=question, subject=subject, reason="all rows are long", author="alice")
    file = front.folder / "acknowledged.json"
    file.write_text(render_document(Acknowledgements(counted=(line,))), encoding="utf-8")
    return "numpy==2.0.2", "--acknowledged", str(file)


def test_what_people_accepted_passes_and_is_kept(
    front: Front, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    asked = accept(front, monkeypatch, "dtype", "numpy")
    front.does(candidate="failing")
    assert front.run(*asked) == 0
    found, folder = front.read(), front.runs[0]
    assert (found.decision.verdict, found.decision.new, found.culprit) == ("pass", (), None)
    assert [case.check for each in found.decision.acknowledged for case in each.findings] == ["l0.two"]
    assert "--acknowledged" not in found.question.arguments
    told = "Accepted by alice: all rows are long (dtype of numpy: 1 case)"
    assert told in capsys.readouterr().out
    assert (folder / "gate.md").read_text(encoding="utf-8").startswith("### ⚠️ Merge, what is red is accepted")
    assert front.command("report", str(folder)) == 0
    assert front.read() == found
    (folder / "cells" / "candidate" / "result.json").unlink()
    assert front.command("report", str(folder)) == 1, "a candidate without a result is no finding"


@pytest.mark.parametrize(
    ("baseline", "candidate", "line", "code", "why"),
    [
        ("good", "failing", ("vectors", "numpy"), 1, "nothing of vectors is red"),
        (
            "good",
            "failing",
            ("dtype", "torch"),
            1,
            "what is red of dtype is not of torch, but of numpy, l0.two",
        ),
        ("good", "exiting", ("stability", "numpy"), 1, "nothing of stability is red"),
        ("exiting", "good", ("stability", "numpy"), 4, "the verdict is inconclusive, and only what is red "),
        ("good", "good", ("dtype", "numpy"), 0, "the verdict is pass, and only what is red can be accepted"),
    ],
)
def test_what_cannot_be_accepted(  # noqa: PLR0917 - one parameter a column
    baseline: str,
    candidate: str,
    line: tuple[str, str],
    code: int,
    why: str,
    front: Front,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = accept(front, monkeypatch, *line)
    front.does(baseline=baseline, candidate=candidate)
    assert front.run(*asked, "--no-culprit") == code
    (found,) = front.read().decision.acknowledged
    assert found.unmatched.startswith(why)


def test_a_candidate_without_a_solution_is_not_accepted(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, *asked = accept(front, monkeypatch, "dtype", "numpy")
    assert front.run("numpy==2.4.6", *asked) == 3
    (found,) = front.read().decision.acknowledged
    assert found.unmatched == "the verdict is unsatisfiable, and only what is red can be accepted"
    assert front.command("report", str(front.runs[0])) == 3
    assert front.read().decision.acknowledged == (found,)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "no such file"),
        ("[]", "damaged file of the acknowledgements"),
        ('{"counted": []}', "expected schema version 1, found None"),
        ('{"schema": 1, "accepted": []}', "not the acknowledgements of a pull request of this version"),
        ('{"schema": 1, "counted": [{"question": "dtype"}]}', "not the acknowledgements of a pull request"),
    ],
)
def test_another_file_is_refused(text: str | None, said: str, front: Front, capsys: Say) -> None:
    file = front.folder / "acknowledged.json"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    assert front.run("numpy==2.0.2", "--acknowledged", str(file)) == 2
    assert said in capsys.readouterr().err
    assert front.runs == []


def test_a_gate_is_decided_again_from_its_folder(front: Front) -> None:
    front.does(candidate="failing")
    front.run("numpy==2.0.2", "--no-culprit")
    folder, before = front.runs[0], front.read()
    assert front.command("report", str(folder)) == 1
    assert front.read() == before
    (folder / "cells" / "candidate" / "result.json").unlink()
    assert front.command("report", str(folder)) == 1
    assert front.read().decision.sentence.startswith("The candidate has no result")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "has no dependency file; name one, such as --to"),
        (("nunpy==2",), 2, "nunpy is neither under test"),
        (("numpy==1.26.2",), 2, "are the same environment"),
        (("numpy==1.20",), 2, "is a downgrade"),
        (("--to", "gone.txt"), 2, "gone.txt: no such file"),
        (("--to", "main:gone.txt"), 2, "main:gone.txt: no such file, and "),
        (("numpy==2.0.2", "--from", "does.json"), 2, "does.json: unknown kind of file (.json)"),
        (("numpy==2.0.2", "--checks", "l9.*"), 2, "--checks 'l9.*' matches no check"),
        (("numpy==2.0.2", "--golden", "gone"), 2, "--golden gone: no such file"),
        (("torch==2.13.0", "--from", "broken.txt"), 3, "the baseline (broken.txt) has no solution: Because "),
    ],
)
def test_an_invalid_request_writes_no_file(
    arguments: tuple[str, ...], code: int, said: str, front: Front, capsys: Say
) -> None:
    (front.folder / "broken.txt").write_text("numpy==2.4.6\nopenvino==2025.4\n", encoding="utf-8")
    there = sorted(front.folder.iterdir())
    assert front.run(*arguments) == code
    assert said in capsys.readouterr().err
    assert sorted(front.folder.iterdir()) == there


def test_no_network_is_exit_5(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nowhere() -> IndexSettings:
        nothing = str(front.folder / "nothing")
        return IndexSettings(index=(front.folder / "no-index").as_uri(), find_links=(nothing,))

    monkeypatch.setattr(gating, "read_pip_settings", nowhere)
    assert front.run("numpy==2.0.2") == 5
    assert front.runs == []


def test_the_schema_is_published(front: Front, capsys: Say) -> None:
    assert front.command("schema", "--gate") == 0
    assert json.loads(capsys.readouterr().out)["title"].startswith("A gate of the harness")


def test_a_changed_result_of_a_gate_is_reported(front: Front, capsys: Say) -> None:
    assert front.run("numpy==2.0.2") == 0
    (folder,) = front.runs
    assert front.command("report", str(folder)) == 0
    assert "its seal differs" not in capsys.readouterr().out
    file = folder / "cells" / "candidate" / "result.json"
    file.write_text(file.read_text() + " ")
    assert front.command("report", str(folder)) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert (
        "candidate/result.json: its content has changed: it does not match its seal; the cell counts as"
        in told
    )


@pytest.mark.parametrize(
    ("before", "after", "timed"),
    [
        (cell("baseline", "pass", "pass"), cell("candidate", "pass", "pass"), True),
        (cell("baseline", "fail", "pass"), cell("candidate", "fail", "pass"), True),
        (cell("baseline", "pass", "pass"), cell("candidate", "fail", "pass"), True),
        (cell("baseline", "pass", "pass"), cell("candidate", status="crashed"), False),
    ],
)
def test_latency_is_measured_where_both_environments_ran_whatever_their_faults(
    before: CellResult, after: CellResult, *, timed: bool
) -> None:
    assert _can_be_timed(gate(before, after)) is timed
