"""The headline of a sweep, its tiles and the cells of its map: whole values, of made-up runs."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest
from support.runs import make_case, make_full_run, make_plan, make_planned, make_result, make_run, make_timing
from support.services import CHECKS, Change, broken, cases_of, result

from harness.records import CaseResult, CellStatus, Coverage, Expectation, Run, ScenarioPlan
from harness.report.headline import (
    Headline,
    Slot,
    Tile,
    WrongGroup,
    find_headline,
    find_remedy,
    show_percent,
    view_slots,
    view_tiles,
)
from harness.report.markdown import render_markdown
from harness.report.page.html import render_html
from harness.report.terminal import render_text

PARITY = "l2.parity/manual/float32"
OPENVINO, TRANSFORMERS = ("2024.6", "2025.2", "2025.4"), ("3.3", "6.2")
BASE = "2025.4-3.3"
SCENARIO = "embed.openvino.float32.8"
KNOWN = Expectation(check="*", reason="NaN", where={"sentence-transformers": ">=6", "openvino": "<2025.3"})


def nan(case: str) -> CaseResult | None:
    """The result of a case of a service that returns NaN for some texts."""
    if case == "gold.recorded":
        return broken(case, facts={"texts with NaN": 3})
    return broken(case, value=None) if case == PARITY else None


def sweep(
    changes: Mapping[str, Change], statuses: Mapping[str, CellStatus] | None = None, *, known: bool = True
) -> Run:
    """Run three releases of OpenVINO with two of sentence-transformers; ``changes`` are wrong results."""
    cells, results = [], []
    for openvino in OPENVINO:
        for transformers in TRANSFORMERS:
            name = f"{openvino}-{transformers}"
            axes = {"openvino": openvino, "sentence-transformers": transformers}
            status = (statuses or {}).get(name, "ok")
            cases = cases_of()
            cells.append(make_planned(name, cases=cases, axes=axes, baseline=name == BASE))
            if status == "ok":
                results.append(result(name, changes.get(name, lambda _: None)))
            else:
                results.append(make_result(name, cases=(), status=status))
    wrong = tuple(case for case in (PARITY, "gold.recorded") if changes)
    expectations = [
        Expectation(check=wrong, reason="NaN", where=KNOWN.where)
    ] if known and wrong else []  # fmt: skip
    return make_run(make_plan(*cells, expectations=expectations), *results, checks=CHECKS)


OLD = {f"{openvino}-6.2": nan for openvino in OPENVINO[:2]}


def test_known_wrong_vectors_come_first_with_where_and_what_to_do() -> None:
    assert find_headline(sweep(OLD)) == Headline(
        "red",
        "2 of 6 runnable combinations return wrong vectors",
        (
            WrongGroup(
                "NaN",
                "sentence-transformers 6.2 with openvino up to 2025.2",
                ("2024.6-6.2", "2025.2-6.2"),
                "upgrade openvino to 2025.4 first",
            ),
        ),
        "PASS (exit code 0, nothing new): "
        "4 of 6 combinations are usable; 2 return wrong vectors, as expected.",
    )


def test_the_cause_in_a_covering_array_is_a_line_of_each_report() -> None:
    run = sweep(OLD)
    coverage = Coverage(strength=2, product=6, combinations=())
    covered = msgspec.structs.replace(run, plan=msgspec.structs.replace(run.plan, coverage=coverage))
    cause = "In all 2 and in no right one: openvino 2024.6 or 2025.2 with sentence-transformers 6.2"
    assert [group.cause for group in find_headline(covered).groups] == [cause]
    for text in (render_html(covered), render_text(covered, width=200), render_markdown(covered)):
        assert f"{cause}." in text.replace("\\", "")
    assert "In all 2" not in render_html(run)


def test_what_is_new_makes_the_exit_code_beside_the_same_headline() -> None:
    found = find_headline(sweep(OLD, known=False))
    assert found.statement == "2 of 6 runnable combinations return wrong vectors"
    assert found.news.startswith("REGRESSED (exit code 1): 2 of 6 cells are red: ")


def test_a_sweep_without_a_fault() -> None:
    assert find_headline(sweep({})) == Headline(
        "pass",
        "All 6 runnable combinations return right vectors",
        (),
        "PASS (exit code 0, nothing new): 6 of 6 combinations are usable.",
    )
    assert find_headline(make_full_run()).statement == "REGRESSED"
    assert find_headline(make_run(make_plan())).statement == "ERROR"


ROUNDS = {"baseline": (1e-3,) * 4, "control": (1.1e-3,) * 4}
AXES = {
    f"{openvino}-{transformers}": {"openvino": openvino, "sentence-transformers": transformers}
    for openvino in OPENVINO
    for transformers in TRANSFORMERS
}


@pytest.mark.parametrize(
    ("wrong", "usable", "remedy"),
    [
        ({"2024.6-6.2"}, AXES.keys() - {"2024.6-6.2"}, "upgrade openvino to 2025.2 first"),
        ({"2024.6-6.2"}, {"2025.4-6.2"}, "upgrade openvino to 2025.4 first"),
        ({"2025.4-3.3", "2025.4-6.2"}, AXES.keys(), "stay at openvino 2025.2"),
        ({"2025.4-6.2"}, {"2025.4-3.3"}, "stay at sentence-transformers 3.3"),
        ({"2025.4-6.2"}, {"2024.6-3.3"}, ""),  # two changes at once
        (set(AXES), set(), ""),
        ({"unknown"}, set(AXES), ""),
    ],
)
def test_a_remedy_is_the_nearest_change_of_one_version(
    wrong: set[str], usable: set[str], remedy: str
) -> None:
    assert find_remedy(AXES, frozenset(wrong), set(usable)) == remedy


def infinite(case: str) -> CaseResult | None:
    return broken(case, facts={"texts with NaN": 0}) if case == "gold.recorded" else None


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (nan, "NaN"),
        (infinite, "infinite"),
        (lambda case: broken(case) if case == "gold.recorded" else None, "not finite"),
        (lambda case: broken(case, value=None) if case == PARITY else None, "not finite"),
        (lambda case: broken(case) if case == PARITY else None, "vectors differ"),
        (lambda case: broken(case) if case == "rt.threads" else None, "unstable"),
        (lambda case: broken(case) if case == "l3.top10/manual/float32" else None, "ranking"),
    ],
)
def test_a_cell_of_the_map_names_what_is_wrong(change: Change, text: str) -> None:
    assert view_slots(sweep({"2024.6-3.3": change}, known=False))["2024.6-3.3"] == Slot("red", text)


def test_every_cell_of_the_map_has_a_word() -> None:
    statuses: dict[str, CellStatus] = {"2024.6-3.3": "unsatisfiable", "2025.2-3.3": "crashed"}
    unmeasured = {"2024.6-6.2": lambda case: make_case(case, "error", message="KeyError: '54'")}
    noted = {"2025.2-6.2": lambda case: broken(case) if case == "api.names/encode" else None}
    found = view_slots(sweep({**unmeasured, **noted}, statuses, known=False))
    assert found["2024.6-3.3"].text == "no install"
    assert found["2025.2-3.3"] == Slot("red", "crash")
    assert found["2024.6-6.2"] == Slot("missing", "not measured")
    assert found[BASE] == Slot("pass", "baseline")
    assert found["2025.4-6.2"] == Slot("pass", "ok")


def test_the_tiles_count_what_was_measured() -> None:
    run = sweep(OLD, {"2024.6-3.3": "unsatisfiable"})
    assert view_tiles(run) == (
        Tile(
            "3 / 5",
            "same vectors as the reference",
            "largest difference 0 % of the tolerance; vectors stored by the baseline stay valid in 5 of 5",
        ),
        Tile("2 / 5", "wrong vectors", "NaN", "red"),
        Tile("1", "cannot run", "no install: openvino 2024.6 with sentence-transformers 3.3"),
        Tile("–", "latency not measured", "memory 0 %, median 0 %"),  # noqa: RUF001 - the en dash is intended
    )


@pytest.mark.parametrize("check", ["gold.vectors", "gold.ranking"])
def test_stored_vectors_stay_valid_where_vectors_and_searches_do(check: str) -> None:
    changed = {"2025.4-6.2": lambda case: broken(case) if case.split("/")[0] == check else None}
    for changes, number in ((changed, "5 / 6"), ({}, "6 / 6")):
        right, *_ = view_tiles(sweep(changes, known=False))
        assert right.number == number
        assert right.more.endswith("; vectors stored by the baseline stay valid in all of them")


def test_as_many_valid_cells_as_right_ones_are_not_all_of_them() -> None:
    """The index of one right cell was not compared, and that of a wrong one is valid."""
    run = sweep({"2024.6-3.3": lambda case: broken(case) if case == PARITY else None}, known=False)
    replace = msgspec.structs.replace
    cells = tuple(
        replace(cell, answers=tuple(each for each in cell.answers if each.question != "before"))
        if cell.cell == "2025.4-6.2"
        else cell
        for cell in run.judgement.cells
    )
    right, *_ = view_tiles(replace(run, judgement=replace(run.judgement, cells=cells)))
    assert right.number == "5 / 6"
    assert right.more.endswith("; vectors stored by the baseline stay valid in 5 of 5")


def test_the_baseline_of_a_sweep_is_named_with_what_is_under_test() -> None:
    assert ". Baseline: openvino 2025.4, sentence-transformers 3.3</p>" in render_html(sweep({}, known=False))


def test_the_cost_is_a_range_beside_its_noise() -> None:
    timed = ScenarioPlan(id=SCENARIO, rounds=4, target_seconds=0.1)
    names = ("base", "faster", "slower")
    results = [
        msgspec.structs.replace(
            result(name), peak_rss=memory, timings=(make_timing(SCENARIO, rounds=(seconds,) * 4, **ROUNDS),)
        )
        for name, seconds, memory in zip(names, (1e-3, 0.97e-3, 1.06e-3), (100, 99, 104), strict=True)
    ]
    cells = [make_planned(name, cases=cases_of(), baseline=name == "base") for name in names]
    run = make_run(make_plan(*cells, scenarios=(timed,)), *results, checks=CHECKS)
    *_, cost = view_tiles(run)
    assert (cost.number, cost.more) == ("−3 % to +6 %", "noise ±10 %; memory −1 % to +4 %, median +2 %")  # noqa: RUF001 - a minus sign
    slots = view_slots(run)
    assert [slots[name].text for name in names] == ["baseline", "−3 %", "+6 %"]  # noqa: RUF001


@pytest.mark.parametrize(("ratio", "text"), [(1.004, "0 %"), (1.06, "+6 %"), (0.97, "−3 %"), (2.0, "+100 %")])  # noqa: RUF001
def test_percent(ratio: float, text: str) -> None:
    assert show_percent(ratio) == text
