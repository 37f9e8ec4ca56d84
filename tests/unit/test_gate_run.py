"""The command ``gate`` from end to end: uv over wheels of the test, cells that are a few lines of Python."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from unit.fake_cells import Lab
from unit.gate_front import CommandLine, World, stand_in
from unit.gate_world import make_world

from harness import pipeline
from harness.cli import upgrading
from harness.errors import UsageError
from harness.finished import find_sweep
from harness.gate_records import Decision, LockChange
from harness.plan.pip_settings import IndexSettings
from harness.run.folder import LATEST, UNFINISHED
from harness.run.schedule import sweep

Say = pytest.CaptureFixture[str]
MATRIX = ("--matrix", "mine")
BEHAVIOUR = 'does = json.loads(Path(spec["search_path"][0], "does.json").read_text())[name]'


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("world"))


class Front(CommandLine):
    """``does`` says how the cells behave."""

    def does(self, *, baseline: str = "good", candidate: str = "good") -> None:
        said = json.dumps({"baseline": baseline, "candidate": candidate})
        (self.folder / "does.json").write_text(said, encoding="utf-8")

    def run(self, *arguments: str, latency: bool = False) -> int:
        return self.ask("gate", *arguments, *(() if latency else ("--no-latency",)))


@pytest.fixture
def front(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Front:
    matrix, settings = world
    found = Front(tmp_path, matrix, monkeypatch, Lab(tmp_path))
    stand_in(monkeypatch, found.lab, settings, BEHAVIOUR)
    found.does()
    return found


def test_an_upgrade_that_holds(front: Front, capsys: Say) -> None:
    assert front.run("numpy==2.0.2") == 0
    found = front.read()
    assert (found.decision.verdict, found.matrix) == ("pass", "mine")
    assert found.question.diff.changes == (
        LockChange(name="numpy", kind="changed", asked=True, before="1.26.2", after="2.0.2"),
    )
    said = capsys.readouterr().out
    assert "This is about correctness alone; latency is not judged." in said
    assert f"the comment: {front.runs[0] / 'gate.md'}" in said
    assert {path.name for path in front.runs[0].iterdir()} == {
        *("cells", "plan.json", "results.json"),
        *("gate.json", "gate.md", "gate-schema.json", "junit.xml", "measurements.csv"),
    }


@pytest.mark.parametrize(
    ("baseline", "candidate", "code", "verdict"),
    [
        ("good", "failing", 1, "regressed"),
        ("failing", "failing", 0, "pass"),
        ("failing", "good", 0, "pass"),
        ("good", "missing", 1, "regressed"),
        ("good", "exiting", 1, "regressed"),
        ("good", "importing", 1, "regressed"),
        ("exiting", "good", 4, "inconclusive"),
        ("importing", "importing", 4, "inconclusive"),
    ],
)
def test_what_the_cells_do_decides(
    baseline: str, candidate: str, code: int, verdict: str, front: Front
) -> None:
    front.does(baseline=baseline, candidate=candidate)
    assert (front.run("numpy==2.0.2"), front.read().decision.verdict) == (code, verdict)


def test_inconclusive_can_be_allowed_and_nothing_else(front: Front) -> None:
    front.does(baseline="exiting")
    assert front.run("numpy==2.0.2", "--allow-inconclusive") == 0
    assert front.read().decision.verdict == "inconclusive"
    front.does(candidate="failing")
    assert front.run("numpy==2.0.2", "--allow-inconclusive", "--rerun") == 1


def test_two_equal_environments_can_be_allowed_and_are_said_to_be_no_comparison(
    front: Front, capsys: Say
) -> None:
    pinned = "numpy==1.26.2\nsentence-transformers==3.3.1\n"
    (front.folder / "old.txt").write_text(f"{pinned}flask==2.0\n", encoding="utf-8")
    (front.folder / "new.txt").write_text(f"{pinned}# a comment\nflask==3.0\n", encoding="utf-8")
    asked = ("--from", "old.txt", "--to", "new.txt")
    assert front.run(*asked) == 2
    assert "--allow-equal` makes a pass of that" in capsys.readouterr().err
    assert front.runs == []
    assert front.run(*asked, "--allow-equal") == 0
    found, folder = front.read(), front.runs[0]
    sentence = "Nothing under test changes: both environments are the same, so nothing was compared"
    assert found.decision == Decision(verdict="pass", sentence=sentence)
    assert (found.judged, found.speed, found.question.diff.changes) == ((), None, ())
    assert "--allow-equal" in found.question.arguments
    said = capsys.readouterr().out
    assert f"PASS: {sentence}" in said
    assert "Nothing was judged." in said
    comment = (folder / "gate.md").read_text(encoding="utf-8")
    assert comment.startswith(f"**PASS**: {sentence}")
    assert 'tests="1" errors="0" failures="0"' in (folder / "junit.xml").read_text(encoding="utf-8")
    assert not (folder / "cells").exists()
    assert front.lab.contracts() == []
    assert front.command("report", str(folder)) == 0
    assert front.read() == found
    assert "not in the history" not in said
    front.does(candidate="failing")
    assert front.run("numpy==2.0.2", "--allow-equal") == 1, "what differs is judged"


def test_a_gate_is_no_finished_run_before_it_is_over(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    async def watch(*arguments: Any) -> Any:
        seen.append(look(front))
        swept = await sweep(*arguments)
        seen.append(look(front))
        return swept

    seen: list[tuple[str, str]] = []
    monkeypatch.setattr(pipeline, "sweep", watch)
    assert front.run("numpy==2.0.2") == 0
    assert seen == [("inconclusive", "The gate was cut off before it came to a decision")] * 2
    assert not (front.runs[0] / UNFINISHED).exists()
    assert (front.folder / "reports" / "runs" / LATEST).resolve() == front.runs[0]


def look(front: Front) -> tuple[str, str]:
    """What a gate says that runs."""
    reports = front.folder / "reports"
    assert (front.runs[-1] / UNFINISHED).exists()
    assert not (reports / "runs" / LATEST).exists()
    with pytest.raises(UsageError):
        find_sweep(reports, None)
    return front.read().decision.verdict, front.read().decision.sentence


@pytest.fixture
def heeded() -> Iterator[None]:
    """Ctrl-C means something: where the tests run in the background of a script it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_says_what_is_kept(
    number: int, front: Front, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    async def wait(*arguments: Any) -> Any:
        await sweep(*arguments)
        os.kill(os.getpid(), number)
        await asyncio.sleep(60)

    monkeypatch.setattr(pipeline, "sweep", wait)
    assert front.run("numpy==2.0.2") == 130
    said = capsys.readouterr().err
    command = f"harness report {front.runs[0]}"
    assert said.strip() == (
        "harness: interrupted; what finished of the suite is kept, and the same command carries on from "
        f"there; `{command}` decides from what is there"
    )
    assert front.command("report", str(front.runs[0])) == 0, "the whole suite was over"
    assert front.run("numpy==2.0.2", latency=True) == 130
    assert "carries on from there, but measures latency anew; `harness report" in capsys.readouterr().err


def test_a_gate_that_is_cut_off_in_its_suite_blames_nobody(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cut_off(*arguments: Any) -> Any:
        await sweep(*arguments)
        (front.runs[-1] / "cells" / "candidate" / "result.json").unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "sweep", cut_off)
    assert front.run("numpy==2.0.2") == 130
    assert front.command("report", str(front.runs[0])) == 4
    assert front.read().decision.sentence == "The gate was cut off before it came to a decision"


def test_finished_cells_are_reused_and_only_some_checks_can_be_asked_for(front: Front) -> None:
    assert front.run("numpy==2.0.2") == front.run("numpy==2.0.2") == 0
    assert [cell.reused for cell in front.read().decision.cells] == [True, True]
    assert front.run("numpy==2.0.2", "--checks", "l0.on*") == 0
    assert front.read().question.notes == ("only checks that match l0.on*",)


def test_no_solution_is_exit_3_with_the_way_out(front: Front, capsys: Say) -> None:
    assert front.run("numpy==2.4.6") == 3
    found = front.read()
    assert found.decision.because.startswith("Because ")
    assert found.question.way_out is not None
    assert [each.name for each in found.question.way_out.changes] == ["openvino"]
    assert "openvino>=2026.0 instead of openvino==2025.4" in capsys.readouterr().out
    assert front.command("report", str(front.runs[0])) == 3


def test_a_gate_is_decided_again_from_its_folder(front: Front) -> None:
    front.does(candidate="failing")
    front.run("numpy==2.0.2")
    folder, before = front.runs[0], front.read()
    assert front.command("report", str(folder)) == 1
    assert front.read() == before
    (folder / "cells" / "candidate" / "result.json").unlink()
    assert front.command("report", str(folder)) == 1
    assert front.read().decision.sentence.startswith("The candidate left no result")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "which upgrade?"),
        (("nunpy==2",), 2, "nunpy is neither under test"),
        (("numpy==1.26.2",), 2, "are the same environment"),
        (("numpy==1.20",), 2, "is a downgrade"),
        (("--to", "gone.txt"), 2, "gone.txt: no such file"),
        (("--to", "main:gone.txt"), 2, "main:gone.txt: no such file, and "),
        (("numpy==2.0.2", "--from", "does.json"), 2, "does.json: of an unknown kind (.json)"),
        (("numpy==2.0.2", "--checks", "l9.*"), 2, "--checks 'l9.*' matches no check"),
        (("numpy==2.0.2", "--golden", "gone"), 2, "--golden gone: no such file"),
        (("torch==2.13.0", "--from", "broken.txt"), 3, "the baseline (broken.txt) has no solution: Because "),
    ],
)
def test_what_cannot_be_meant_leaves_nothing(
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

    monkeypatch.setattr(upgrading, "read_pip_settings", nowhere)
    assert front.run("numpy==2.0.2") == 5
    assert front.runs == []


def test_the_schema_is_published(front: Front, capsys: Say) -> None:
    assert front.command("schema", "--gate") == 0
    assert json.loads(capsys.readouterr().out)["title"].startswith("A gate of the harness")
