"""The search for the cause of regressed quantities, with fake measurements."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from support.cause_front import NEW_NUMPY, UPGRADE, Front, front_fixture, world_fixture  # noqa: F401 - fixtures

from harness.errors import MachineError, StoreError
from harness.gate import run_gate
from harness.gate.blocks import append_block
from harness.gate.cause import stage
from harness.judge import alpha_spending
from harness.judge.alpha_spending import plan_analyses
from harness.records import Block, Culprit, Plan, Quantity, QuantityDecision, QuantityOutcome, Speed

Say = pytest.CaptureFixture[str]


@dataclass
class Meter:
    """Replaces ``measure_speed``: everything is slower from openvino 2026.4 on.

    ``error`` is raised by the first trial; with ``hangs`` no trial ends. ``broken`` is a release of openvino
    that cannot be installed. ``costs`` (group -> seconds of two blocks) are written to ``blocks.jsonl``.
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
                seen = {each.id: 1.0 for each in rest[1] if each.group == group}
                values: Any = {"slots": (), "baseline": seen, "again": seen, "candidate": seen}
                append_block(folder, Block(group=group, number=number, seconds=seconds, **values))
        outcome: QuantityOutcome = "regressed" if there["openvino"] >= "2026.4" else "passed"
        decided = tuple(QuantityDecision(quantity=each, outcome=outcome) for each in rest[1])
        return Speed(quantities=decided, confidence=0.99, spent=1.0, budget=budget)


@pytest.fixture
def meter(front: Front) -> Meter:
    found = Meter()
    for module in (run_gate, stage):
        front.monkeypatch.setattr(module, "measure_speed", found.measure)
    return found


def find_speed_cause(front: Front, quantities: str, *more: str, rule: str = "'good'") -> Culprit:
    asked = ("--quantities", quantities, "--budget", "50", *more)
    assert front.run(rule, "gate", *UPGRADE, *asked) == 1
    culprit = front.read().culprit
    assert culprit is not None
    return culprit


def test_trials_measure_each_environment_once(front: Front, meter: Meter) -> None:
    """The whole upgrade is not measured again."""
    culprit = find_speed_cause(front, "normalize.*.256")
    assert culprit.looked_for == ("normalize.manual.float32.256", "normalize.manual.float16.256")
    assert [change.name for change in culprit.changes] == ["openvino"]
    assert culprit.sentence.startswith(
        "openvino 2025.4 -> 2026.4 alone makes all 2 quantities slower; "
        "without it no other change is possible; "
    )
    (search,) = culprit.releases
    assert (culprit.alone, culprit.without, search.last_good, search.first_bad) == (
        *("red", "green"),
        *("2026.0", "2026.4"),
    )
    assert len(meter.measured) == len(set(meter.measured))
    assert ("candidate", "2.4.6", "2026.4") in meter.measured
    assert meter.budgets == {50.0, stage.MIN_TRIAL_SECONDS}


def test_a_release_that_cannot_be_installed_is_skipped(front: Front, meter: Meter) -> None:
    meter.broken = "2026.0"
    culprit = find_speed_cause(front, "memory.normalizer")
    assert culprit.sentence.startswith("openvino 2025.4 -> 2026.4 alone makes memory.normalizer larger; ")
    (search,) = culprit.releases
    assert (search.last_good, search.first_bad, search.skipped) == ("2025.4", "2026.4", ("2026.0",))
    assert [(each.outcome, each.because) for each in search.tried] == [
        ("unresolved", "no wheel of openvino could be unpacked")
    ]


def test_the_budget_of_a_trial_covers_two_analyses(front: Front, meter: Meter) -> None:
    meter.costs = {"normalizer": (5.0, 9.0), "embedding": (20.0, 24.0)}
    find_speed_cause(front, "embed.*.8")
    _, second = itertools.islice(plan_analyses(), 2)
    assert meter.budgets == {50.0, (second.blocks + 1) * 22.0}


@pytest.mark.parametrize(
    ("groups", "seconds"), [("n", 180.0), ("e", 21 * 22.0), ("ne", 21 * 22.0 + 21 * 7.0)]
)
def test_the_budget_of_a_trial(groups: str, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second analysis is after 20 blocks; blocks without the quantities do not count."""
    monkeypatch.setattr(alpha_spending, "FIRST_BLOCKS", 13)
    names: dict[str, Literal["normalizer", "embedding"]] = {"n": "normalizer", "e": "embedding"}
    wanted = [Quantity(id=each, group=names[each], unit="s", threshold=1.05) for each in groups]
    blocks = [
        Block(group=names[group], number=1, slots=(), baseline=seen, again={}, candidate={}, seconds=seconds)
        for group, seen, costs in (
            ("n", {"n": 1.0}, (5.0, 9.0)),
            ("e", {"e": 1.0, "f": 1.0}, (20.0, 24.0)),
            ("e", {"f": 1.0}, (1.0,) * 9),
        )
        for seconds in costs
    ]
    assert stage.trial_seconds(wanted, blocks) == seconds
    assert stage.trial_seconds(wanted, []) == 180.0


def test_a_failed_search_keeps_the_result_of_the_other_kind(front: Front, meter: Meter) -> None:
    meter.error = MachineError("no space left")
    culprit = find_speed_cause(front, "memory.normalizer", rule=NEW_NUMPY)
    assert ([change.name for change in culprit.changes], culprit.looked_for) == (["numpy"], ("l0.two",))
    (other,) = culprit.further
    broke_off = (
        "the search for the cause failed: no space left; no part smaller than the whole upgrade is known to "
        "fail"
    )
    assert (other.sentence, other.changes, other.looked_for) == (broke_off, (), ("memory.normalizer",))
    assert culprit.sentence.startswith("numpy 1.26.2 -> 2.4.6 ")
    assert culprit.sentence.endswith(f"the last good one 2.0.2. {broke_off}")


def test_a_found_cause_comes_first(front: Front, meter: Meter) -> None:
    async def fail(*_: object) -> object:
        raise MachineError("no space left")

    front.monkeypatch.setattr(stage, "make_case_runner", fail)
    culprit = find_speed_cause(front, "memory.normalizer", rule=NEW_NUMPY)
    assert [change.name for change in culprit.changes] == ["openvino"]
    assert meter.measured
    assert [each.looked_for for each in culprit.further] == [("l0.two",)]
    assert culprit.sentence.startswith(
        "the search for the cause failed: no space left. openvino 2025.4 -> 2026.4 alone makes "
    )


def test_a_search_ends_at_its_time_limit(front: Front, meter: Meter, capsys: Say) -> None:
    meter.hangs = True
    culprit = find_speed_cause(front, "memory.normalizer", "--culprit-budget", "2s")
    assert culprit.sentence == (
        "the search reached its limit of 2 seconds; no part smaller than the whole upgrade is known to fail"
    )
    assert (culprit.looked_for, culprit.changes) == (("memory.normalizer",), ())
    assert {trial.outcome for trial in culprit.trials} <= {"red"}  # the whole upgrade, as several parts
    assert "note: cause: the search reached its limit of 2 seconds" in capsys.readouterr().out
