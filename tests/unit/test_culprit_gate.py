"""Gate and bisect from end to end: who is to blame, with cells that are a few lines of Python."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from planted.wheels import build_wheel
from unit.fake_cells import Lab
from unit.gate_front import CommandLine, World, stand_in
from unit.gate_world import make_world

from harness.culprit import blame, running
from harness.errors import MachineError, StoreError
from harness.gate import stages
from harness.gate_records import Block, Culprit, Quantity, QuantityDecision, QuantityOutcome, Speed
from harness.judge import sampling
from harness.judge.sampling import looks
from harness.records import Plan
from harness.run.folder import UNFINISHED, read_run
from harness.run.probing.journal import append_block
from harness.speed import rig

Say = pytest.CaptureFixture[str]
BEHAVIOUR = 'does = eval(Path(spec["search_path"][0], "rule.txt").read_text(), dict(spec["locked"]))'
NEW_NUMPY = "'failing' if numpy >= '2.2' else 'good'"
UPGRADE = ("numpy==2.4.6", "openvino==2026.4")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world")
    found = make_world(folder)
    build_wheel(folder / "wheels", "numpy", "2.2.0", {})
    return found


class Front(CommandLine):
    """A rule is Python: versions -> how a cell behaves."""

    def run(self, rule: str, *arguments: str) -> int:
        (self.folder / "rule.txt").write_text(rule, encoding="utf-8")
        return self.ask(*arguments)

    @property
    def gate_folder(self) -> Path:
        (found,) = self.runs
        return found

    def blame(self, rule: str, *changes: str) -> Culprit:
        """Of a gate that says no."""
        assert self.run(rule, "gate", *changes, "--no-latency") == 1
        culprit = self.read().culprit
        assert culprit is not None
        return culprit


@pytest.fixture
def front(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Front:
    matrix, settings = world
    found = Front(tmp_path, matrix, monkeypatch, Lab(tmp_path))
    stand_in(monkeypatch, found.lab, settings, BEHAVIOUR, running, rig)
    return found


def test_a_gate_that_says_no_names_the_package(front: Front, capsys: Say) -> None:
    culprit = front.blame(NEW_NUMPY, *UPGRADE)
    assert [change.name for change in culprit.changes] == ["numpy"]
    assert (culprit.looked_for, culprit.alone, culprit.without) == (("l0.two",), "red", "green")
    (search,) = culprit.releases
    assert (search.last_good, search.first_bad, search.releases) == ("2.0.2", "2.2.0", 4)

    said = capsys.readouterr().out
    assert "note: culprit: looking for the part of the upgrade that turns l0.two red" in said
    assert "trial with numpy 1.26.2 -> 2.2.0 and openvino 2025.4 -> 2026.4: red" in said
    assert "the first bad numpy is 2.2.0" in said.replace("\n", " ")


def test_trials_lie_within_the_gate_and_are_never_the_latest(front: Front) -> None:
    front.blame(NEW_NUMPY, *UPGRADE)
    folders = sorted((front.gate_folder / "culprit").iterdir())
    assert [folder.name for folder in folders] == [str(number + 1) for number in range(len(folders))]
    runs = [read_run(folder) for folder in folders]
    assert [[planned.cases for planned in run.plan.cells] for run in runs] == [[("l0.two",)]] * len(runs)
    assert all(run.finished and not run.problems for run in runs)
    assert not (front.gate_folder / UNFINISHED).exists()
    assert (front.folder / "reports" / "runs" / "latest").resolve() == front.gate_folder


def test_a_budget_for_nobody_cannot_be_meant(front: Front, capsys: Say) -> None:
    assert front.run("'good'", "gate", *UPGRADE, "--no-culprit", "--culprit-budget", "9m") == 2
    assert "--no-culprit looks for nobody; leave out --culprit-budget" in capsys.readouterr().err


def test_nobody_is_looked_for_unless_asked(front: Front) -> None:
    assert front.run(NEW_NUMPY, "gate", *UPGRADE, "--no-latency", "--no-culprit") == 1
    assert front.read().culprit is None
    assert not (front.gate_folder / "culprit").exists()


def test_a_candidate_that_died_is_looked_for_by_its_end(front: Front) -> None:
    """numpy 2.0 ends in another way: that is no answer to who crashes."""
    rule = "'exiting' if numpy >= '2.2' else 'importing' if numpy >= '2' else 'good'"
    culprit = front.blame(rule, *UPGRADE)
    assert culprit.looked_for == ("status crashed",)
    assert [change.name for change in culprit.changes] == ["numpy"]
    (search,) = culprit.releases
    assert (search.last_good, search.first_bad, search.skipped) == ("1.26.2", "2.2.0", ("2.0.2",))
    assert [trial.because for trial in search.tried if trial.version == "2.0.2"] == [
        "it is import-error: importing torch failed: ImportError: no"
    ]


@dataclass
class Meter:
    """Stands for ``measure_speed``: everything is slower from openvino 2026.4 on.

    ``error`` ends the first trial, ``hangs`` lets none come to an end.
    ``broken`` is a release of openvino that cannot be installed; ``costs`` is written into ``blocks.jsonl``,
    group -> seconds of two blocks of the gate.
    """

    measured: list[tuple[str, str, str]] = field(default_factory=list)
    budgets: set[float] = field(default_factory=set)
    broken: str = ""
    error: Exception | None = None
    hangs: bool = False
    costs: dict[Literal["normalizer", "embedding"], tuple[float, float]] = field(default_factory=dict)

    async def measure(self, plan: Plan, *rest: Any, budget: float, folder: Path) -> Speed:
        there = {each.name: each.version for each in plan.cells[-1].lock.distributions}
        self.measured.append((plan.cells[-1].cell.id, there["numpy"], there["openvino"]))
        self.budgets.add(budget)
        in_trial = folder.parent.name == "speed"
        if in_trial and self.error:
            raise self.error
        if in_trial and self.hangs:
            await asyncio.Event().wait()
        if there["openvino"] == self.broken:
            raise StoreError("no wheel of openvino could be unpacked")
        for group, costs in self.costs.items() if not in_trial else ():
            for number, seconds in enumerate(costs):
                values: Any = {"slots": (), "baseline": {}, "again": {}, "candidate": {}}
                append_block(folder, Block(group=group, number=number, seconds=seconds, **values))
        outcome: QuantityOutcome = "regressed" if there["openvino"] >= "2026.4" else "passed"
        decided = tuple(QuantityDecision(quantity=each, outcome=outcome) for each in rest[1])
        return Speed(quantities=decided, confidence=0.99, spent=1.0, budget=budget)


@pytest.fixture
def meter(front: Front) -> Meter:
    found = Meter()
    for module in (stages, running):
        front.monkeypatch.setattr(module, "measure_speed", found.measure)
    return found


def blame_speed(front: Front, quantities: str, *more: str, rule: str = "'good'") -> Culprit:
    asked = ("--quantities", quantities, "--budget", "50", *more)
    assert front.run(rule, "gate", *UPGRADE, *asked) == 1
    culprit = front.read().culprit
    assert culprit is not None
    return culprit


def test_what_is_slower_is_measured_one_by_one(front: Front, meter: Meter) -> None:
    """What many processes of the gate said of the whole is not measured again."""
    culprit = blame_speed(front, "normalize.*.256")
    assert culprit.looked_for == ("normalize.manual.float32.256", "normalize.manual.float16.256")
    assert [change.name for change in culprit.changes] == ["openvino"]
    assert culprit.sentence.startswith(
        "openvino 2025.4 -> 2026.4 alone makes all 2 quantities slower; "
        "without it nothing of the upgrade can stay; "
    )
    (search,) = culprit.releases
    assert (culprit.alone, culprit.without, search.last_good, search.first_bad) == (
        *("red", "green"),
        *("2026.0", "2026.4"),
    )
    assert len(meter.measured) == len(set(meter.measured))
    assert ("candidate", "2.4.6", "2026.4") in meter.measured
    assert meter.budgets == {50.0, running.SPEED_SECONDS}


def test_a_release_that_cannot_be_installed_is_stepped_over_when_measuring(
    front: Front, meter: Meter
) -> None:
    meter.broken = "2026.0"
    culprit = blame_speed(front, "memory.normalizer")
    assert culprit.sentence.startswith("openvino 2025.4 -> 2026.4 alone makes memory.normalizer larger; ")
    (search,) = culprit.releases
    assert (search.last_good, search.first_bad, search.skipped) == ("2025.4", "2026.4", ("2026.0",))
    assert [(each.outcome, each.because) for each in search.tried] == [
        ("unresolved", "no wheel of openvino could be unpacked")
    ]


def test_a_trial_has_time_for_two_looks_by_what_blocks_took(front: Front, meter: Meter) -> None:
    meter.costs = {"normalizer": (5.0, 9.0), "embedding": (20.0, 24.0)}
    blame_speed(front, "embed.*.8")
    _, second = itertools.islice(looks(), 2)
    assert meter.budgets == {50.0, (second.blocks + 1) * 22.0}


@pytest.mark.parametrize(
    ("groups", "seconds"), [("n", 180.0), ("e", 21 * 22.0), ("ne", 21 * 22.0 + 21 * 7.0)]
)
def test_the_budget_of_a_trial(groups: str, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second look comes after 20 blocks."""
    monkeypatch.setattr(sampling, "FIRST", 13)
    names: dict[str, Literal["normalizer", "embedding"]] = {"n": "normalizer", "e": "embedding"}
    wanted = [Quantity(id=each, group=names[each], unit="s", threshold=1.05) for each in groups]
    blocks = [
        Block(group=group, number=1, slots=(), baseline={}, again={}, candidate={}, seconds=seconds)
        for group, costs in ((names["n"], (5.0, 9.0)), (names["e"], (20.0, 24.0)))
        for seconds in costs
    ]
    assert running.trial_seconds(wanted, blocks) == seconds
    assert running.trial_seconds(wanted, []) == 180.0


def test_a_kind_that_breaks_off_leaves_what_was_found_of_the_other(front: Front, meter: Meter) -> None:
    meter.error = MachineError("no space left")
    culprit = blame_speed(front, "memory.normalizer", rule=NEW_NUMPY)
    assert ([change.name for change in culprit.changes], culprit.looked_for) == (["numpy"], ("l0.two",))
    (other,) = culprit.further
    broke_off = (
        "the search for the culprit broke off: no space left, and no part smaller than the whole upgrade was "
        "known to do it"
    )
    assert (other.sentence, other.changes, other.looked_for) == (broke_off, (), ("memory.normalizer",))
    assert culprit.sentence.startswith("numpy 1.26.2 -> 2.4.6 ")
    assert culprit.sentence.endswith(f"the last good one 2.0.2. {broke_off}")


def test_who_is_named_comes_first_whichever_kind_broke_off(front: Front, meter: Meter) -> None:
    async def fail(*_: object) -> object:
        raise MachineError("no space left")

    front.monkeypatch.setattr(blame, "make_suite_runner", fail)
    culprit = blame_speed(front, "memory.normalizer", rule=NEW_NUMPY)
    assert [change.name for change in culprit.changes] == ["openvino"]
    assert meter.measured
    assert [each.looked_for for each in culprit.further] == [("l0.two",)]
    assert culprit.sentence.startswith(
        "the search for the culprit broke off: no space left. openvino 2025.4 -> 2026.4 alone makes "
    )


def test_a_search_that_takes_too_long_is_cut_off(front: Front, meter: Meter, capsys: Say) -> None:
    meter.hangs = True
    culprit = blame_speed(front, "memory.normalizer", "--culprit-budget", "2s")
    assert culprit.sentence == (
        "the search was cut off after 2 seconds, and no part smaller than the whole upgrade was known to do "
        "it"
    )
    assert (culprit.looked_for, culprit.changes) == (("memory.normalizer",), ())
    assert {trial.outcome for trial in culprit.trials} <= {"red"}  # of all, by the names of several parts
    assert "note: culprit: the search was cut off after 2 seconds" in capsys.readouterr().out


def test_a_gate_decided_again_keeps_its_culprit_only_for_what_still_fails(front: Front) -> None:
    culprit = front.blame(NEW_NUMPY, *UPGRADE)
    assert front.command("report", str(front.gate_folder)) == 1
    assert front.read().culprit == culprit
    (result,) = (front.gate_folder / "cells" / "candidate").glob("result*.json")
    result.unlink()
    assert front.command("report", str(front.gate_folder)) == 1
    assert (front.read().decision.verdict, front.read().culprit) == ("regressed", None)


def test_what_was_there_before_is_not_blamed(front: Front) -> None:
    assert front.run("'failing'", "gate", *UPGRADE, "--no-latency") == 0
    assert front.read().culprit is None


def test_a_search_that_breaks_off_leaves_the_verdict(front: Front) -> None:
    async def fail(*_: object) -> object:
        raise MachineError("no space left")

    front.monkeypatch.setattr(blame, "make_suite_runner", fail)
    culprit = front.blame(NEW_NUMPY, *UPGRADE)
    assert culprit.sentence == "the search for the culprit broke off: no space left"
    assert culprit.changes == ()


def test_bisect_finds_the_first_bad_release(front: Front, capsys: Say) -> None:
    """The newest one by itself; openvino has to move along."""
    assert front.run("'failing' if numpy >= '2.0' else 'good'", "bisect", "numpy<2.1") == 1
    culprit = front.read().culprit
    assert culprit is not None
    assert [(each.name, each.last_good, each.first_bad) for each in culprit.releases] == [
        ("numpy", "1.26.2", "2.0.2")
    ]
    assert "the first bad numpy is 2.0.2" in capsys.readouterr().out.replace("\n", " ")


def test_bisect_says_when_there_is_nothing_to_find(front: Front, capsys: Say) -> None:
    assert front.run(NEW_NUMPY, "bisect", "numpy") == 0
    assert "note: nothing to find: numpy 2.0.2 holds" in capsys.readouterr().out
    assert front.read().culprit is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("numpy", "--budget", "60"), "--budget is that of --quantities; say which"),
        (("numpy", "--culprit-budget", "soon"), "--culprit-budget 'soon' is not a duration such as 10m"),
        (("numpy==",), "'numpy==' is not a change such as numpy==2.4.6"),
        (("nunpy",), "nunpy is neither under test nor needed by what is under test"),
        (("numpy", "--quantities", "nothing.*"), "--quantities 'nothing.*' matches nothing that is measured"),
    ],
)
def test_what_cannot_be_meant(arguments: tuple[str, ...], said: str, front: Front, capsys: Say) -> None:
    assert front.run("'good'", "bisect", *arguments) == 2
    assert said in capsys.readouterr().err
    assert not (front.folder / "reports").exists()
