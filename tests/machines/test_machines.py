"""The comparison of sweeps: every kind of difference is seen, also one that a merge or an executor makes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from support.runs import make_full_run, make_plan, make_planned, make_run
from support.shards import SHARDS, cut, make_whole, sweep

from harness.errors import MachineError
from harness.files import write_text
from harness.matrix.cells import cells_of
from harness.matrix.read import find_matrix, read_matrix
from harness.processes import Completed
from harness.records import CellResult, Plan, Run
from harness.runs import merging
from harness.runs.documents import render_json
from harness.runs.folder import judge_again
from machines import __main__ as command
from machines import sweeping
from machines.comparing import find_differences, render_comparison
from machines.predicting import list_durations, predict, read_durations, render_prediction
from machines.sweeping import COUNT, Machines, Timed

ALONE = make_full_run()


def change(whole: Run, part: str, at: int, **changes: Any) -> Run:
    """The run with a changed record among its results, or among the cells or findings of its judgement."""
    holder = whole if part == "results" else whole.judgement
    records = list(getattr(holder, part))
    records[at] = msgspec.structs.replace(records[at], **changes)
    changed = msgspec.structs.replace(holder, **{part: tuple(records)})
    return changed if isinstance(changed, Run) else msgspec.structs.replace(whole, judgement=changed)


def change_judgement(**changes: Any) -> Run:
    return msgspec.structs.replace(ALONE, judgement=msgspec.structs.replace(ALONE.judgement, **changes))


CELL, RESULT = ALONE.judgement.cells[0], ALONE.results[0]
ANSWER, CASE = CELL.answers[0], RESULT.cases[0]


@pytest.mark.parametrize(
    ("other", "kind", "name"),
    [
        (change_judgement(verdict="error"), "verdict", "all cells"),
        (change_judgement(sentence="another"), "verdict", "all cells"),
        (change(ALONE, "cells", 0, status="crashed"), "cells", CELL.cell),
        (change(ALONE, "cells", 0, red=not CELL.red), "cells", CELL.cell),
        (change(ALONE, "results", 0, key="5" * 64), "keys", CELL.cell),
        (
            change(
                ALONE,
                "cells",
                0,
                answers=(msgspec.structs.replace(ANSWER, answer="not measured"), *CELL.answers[1:]),
            ),
            "answers",
            f"{CELL.cell}: {ANSWER.question}",
        ),
        (
            change(
                ALONE, "results", 0, cases=(msgspec.structs.replace(CASE, outcome="skip"), *RESULT.cases[1:])
            ),
            "cases",
            f"{CELL.cell}: {CASE.id}",
        ),
        (change(ALONE, "results", 0, cases=RESULT.cases[1:]), "cases", f"{CELL.cell}: {CASE.id}"),
        (change(ALONE, "findings", 0, outcome="error"), "findings", f"{CELL.cell}: {CASE.id}"),
        (change(ALONE, "findings", 0, severity="notes"), "findings", f"{CELL.cell}: {CASE.id}"),
    ],
)
def test_one_difference_is_seen_from_both_sides(other: Run, kind: str, name: str) -> None:
    for found in (find_differences(ALONE, other), find_differences(other, ALONE)):
        assert {each: [*names] for each, names in found.items() if names} == {kind: [name]}


def test_runs_that_say_the_same_do_not_differ() -> None:
    later = msgspec.structs.replace(change(ALONE, "results", 0, seconds={}, run="later"), seconds={"x": 1.0})
    text, differs = render_comparison(ALONE, {"4 shards, merged": later, "4 workers": later})
    assert not differs
    assert text.splitlines()[:3] == [
        "the same sweep                     one machine    4 shards, merged           4 workers",
        "verdict and sentence                         1            0 differ            0 differ",
        "cells: status, red, usable                  11            0 differ            0 differ",
    ]


def find_kinds(alone: Run, other: Run) -> set[str]:
    return {kind for kind, names in find_differences(alone, other).items() if names}


def test_a_merge_that_changes_an_outcome_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = judge_again(sweep(tmp_path / "whole", make_whole(scenarios=())))[0]
    parts = merging.read_shards(
        [sweep(tmp_path / f"m{number}", cut(number, scenarios=())) for number in range(1, SHARDS + 1)]
    )
    assert find_kinds(alone, merging.merge_shards(parts).run) == {"keys"}  # these machines are of two classes
    adopt = merging._adopt

    def adopt_ill(part: merging.Part, result: CellResult, plan: Plan) -> CellResult:
        adopted = adopt(part, result, plan)
        cases = tuple(msgspec.structs.replace(each, outcome="fail") for each in adopted.cases)
        return msgspec.structs.replace(adopted, cases=cases)

    monkeypatch.setattr(merging, "_adopt", adopt_ill)
    assert find_kinds(alone, merging.merge_shards(parts).run) == {
        *("keys", "verdict", "cells", "cases", "findings"),
    }


@dataclass
class FakeHarness:
    """Writes what a sweep would: the run of a way, and an environment in each store that it uses."""

    runs: Callable[[str], Run]
    stores: Sequence[str] = tuple(f"store-worker-{number}/envs/e" for number in range(1, COUNT + 1))
    ran: list[str] = field(default_factory=list)

    async def run(self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> Completed:
        assert env["PYTHONPATH"] == str(cwd) == str(sweeping.ROOT)
        _, _, _, name, *options = argv
        if name != "lock":
            reports = Path(options[options.index("--reports") + 1])
            way = reports.parent.name
            self.ran.append(way)
            run = self.runs(way)
            write_text(reports / "runs" / f"2026-{len(self.ran)}" / "results.json", render_json(run))
            for store in self.stores if "--executor" in options else ("store/envs/e",):
                (reports.parent / store).mkdir(parents=True)
        return Completed(tuple(argv), 1, "", "")


def run_command(
    fake: FakeHarness, folder: Path, monkeypatch: pytest.MonkeyPatch, *options: str
) -> tuple[int, str, str]:
    monkeypatch.setattr(sweeping, "run", fake.run)
    done = CliRunner().invoke(command.main, ["--folder", str(folder), *options], standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.return_value, done.stdout, done.stderr


TIMED = msgspec.structs.replace(ALONE, seconds={"contract": 60.0, "total": 61.0})
WAYS = ["alone", "shard-1", "shard-2", "shard-3", "shard-4", "merged", "client"]


def test_the_command_compares_three_ways_and_then_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeHarness(lambda _: TIMED)
    code, out, _ = run_command(fake, tmp_path / "m", monkeypatch)
    assert (code, fake.ran) == (0, WAYS)
    assert out.count(" 0 differ") == 12
    (tmp_path / "m" / "left").touch()
    assert run_command(fake, tmp_path / "m", monkeypatch)[0] == 0
    assert not (tmp_path / "m" / "left").exists()


def test_the_command_predicts_and_sweeps_the_default_matrix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, durations = plan_seconds(10.0, 20.0)
    monkeypatch.setattr(command, "read_durations", lambda: durations)
    monkeypatch.setattr(sweeping, "_count_cpu", itertools.count(0.0, 61.0).__next__)
    run = msgspec.structs.replace(make_run(plan), seconds=TIMED.seconds)
    fake = FakeHarness(lambda _: run)
    code, out, _ = run_command(fake, tmp_path / "m", monkeypatch, "--predict")
    assert (code, fake.ran) == (0, [*WAYS, "default"])
    assert "real / predicted                                           1.00\n" in out


@pytest.mark.parametrize(
    ("way", "said"), [("merged", "4 shards, merged"), ("client", "4 workers"), ("alone", "4 workers")]
)
def test_one_other_outcome_makes_the_command_red(
    way: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = change(TIMED, "findings", 0, outcome="error")
    fake = FakeHarness(lambda name: planted if name == way else TIMED)
    code, out, _ = run_command(fake, tmp_path / "m", monkeypatch)
    assert code == 1
    assert f"{said}: judged cases: outcome, severity: {CELL.cell}: {CASE.id}: (" in out


@pytest.mark.parametrize(
    "stores", [("store-worker-1/envs/e", "store-worker-2/envs/e"), (*FakeHarness.stores, "store/envs/e")]
)
def test_workers_without_stores_of_their_own_show_nothing(
    stores: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MachineError, match="environments in the stores of the workers"):
        run_command(FakeHarness(lambda _: TIMED, stores), tmp_path / "m", monkeypatch)


def plan_seconds(*seconds: float) -> tuple[Plan, dict[tuple[str, ...], float]]:
    """A plan of cells with these durations, the last of which is the baseline, and two that do not run."""
    cells = [
        make_planned(f"c{at}", axes={"numpy": f"1.{at}"}, baseline=at == len(seconds) - 1)
        for at in range(len(seconds))
    ]
    never = make_planned("never", axes={"numpy": "9"}, reason="numpy<2")
    twin = make_planned("twin", axes={"numpy": "1.0"}, same_as="c0")
    durations = {each.cell.requirements: spent for each, spent in zip(cells, seconds, strict=True)}
    return make_plan(*cells, never, twin), durations


def test_a_sweep_is_predicted_from_others() -> None:
    plan, durations = plan_seconds(*[10.0] * 7, 20.0)
    assert list_durations(plan, durations) == [20.0, *[10.0] * 7]
    small = Timed(make_run(msgspec.structs.replace(plan, cells=plan.cells[:4])), 20.0, 0.9)
    whole = Timed(make_run(plan), 66.0, 0.45)
    found = predict(small, whole, durations)
    assert (found.simulated, found.factor, found.predicted, found.ratio) == (30.0, 2.0, 60.0, 1.1)
    assert [line.split()[-1] for line in render_prediction(found, small, whole, 2).splitlines()[-4:]] == [
        *("1.10", "%", "%", "0.55"),
    ]
    continued = msgspec.structs.replace(whole.run, reused=("c0",))
    with pytest.raises(MachineError, match="interrupted and continued"):
        predict(small, Timed(continued, 66.0, 0.45), durations)
    with pytest.raises(MachineError, match="no published sweep has durations of c7, c0, "):
        list_durations(plan, {})


def test_published_sweeps_have_the_durations_of_all_cells(tmp_path: Path, root: Path) -> None:
    machines = Machines(tmp_path, print, 2)
    machines.write_matrix()
    durations = read_durations()
    small, default = (
        [each.requirements for each in cells_of(read_matrix(path))]
        for path in (machines.matrix, find_matrix("compat", root))
    )
    assert (len(small), len(default)) == (10, 21)
    assert [sum(durations[each] > 10 for each in cells) for cells in (small, default)] == [8, 20]
