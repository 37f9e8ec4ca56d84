from __future__ import annotations

import msgspec
import pytest
from support.runs import make_plan, make_planned, make_result, make_run, make_timing

from harness.records import Run, ScenarioPlan
from harness.report.grid import VersionNames
from harness.report.latency_view import (
    Against,
    Rounds,
    Scale,
    Scenario,
    beyond_noise,
    find_against,
    find_families,
    find_rounds,
    find_scaling,
    read_scenario,
)
from harness.report.markdown import render_markdown
from harness.report.page.html import render_html
from harness.report.page.latency import view_latency
from harness.report.plots.latency import (
    CELLS_OF_MANY,
    MOST_CELLS,
    choose_cells,
    count_clamped,
    plot_against,
    plot_family,
    plot_rounds,
)
from harness.report.plots.rows import Bar, Mark, Panel, Row
from harness.report.terminal import render_text


def timed_run(cells: dict[str, dict[str, float]]) -> Run:
    """Cells with the seconds of each scenario, the first the baseline at 1 s."""
    names = list(dict.fromkeys(name for found in cells.values() for name in found))
    plan = make_plan(
        *(make_planned(cell, baseline=cell == next(iter(cells))) for cell in cells),
        scenarios=tuple(ScenarioPlan(id=name, rounds=4, target_seconds=0.01) for name in names),
    )
    results = [
        make_result(
            cell,
            timings=tuple(
                make_timing(name, rounds=(seconds,) * 4, baseline=(1.0,) * 4, control=(1.1,) * 4)
                for name, seconds in found.items()
            ),
        )
        for cell, found in cells.items()
    ]
    return make_run(plan, *results)


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("normalize.manual.float32.32", Scenario("normalize", "manual", "float32", 32)),
        ("embed.my.own.float16.1", Scenario("embed", "my.own", "float16", 1)),
        ("memory.peak", None),
        ("normalize.manual.float32.many", None),
        ("", None),
    ],
)
def test_what_the_id_of_a_scenario_says(name: str, read: Scenario | None) -> None:
    assert read_scenario(name) == read


def test_families_hold_their_batches_from_small_to_large() -> None:
    run = timed_run({"base": {"normalize.a.float32.256": 1.0, "normalize.a.float32.8": 1.0, "other": 1.0}})
    (family,) = find_families(run)
    assert (family.name, family.batches, family.cells) == ("normalize.a.float32", (8, 256), ("base",))


def test_what_one_row_costs() -> None:
    run = timed_run({"base": {"embed.a.float32.8": 1.0}, "b": {"embed.a.float32.8": 4.0}})
    assert find_scaling(run) == [Scale(Scenario("embed", "a", "float32", 8), 0.125, 0.125, 0.5, 2)]


def test_against_the_reference_of_the_same_cell_and_batch() -> None:
    run = timed_run(
        {
            "base": {"embed.openvino.float32.8": 1.0, "embed.sentence-transformers.float32.8": 2.0},
            "b": {"embed.openvino.float32.8": 3.0, "embed.sentence-transformers.float32.8": 2.0},
            "c": {"embed.openvino.float32.8": 3.0},
        }
    )
    (found,) = find_against(run)
    assert found == Against(Scenario("embed", "openvino", "float32", 8), "sentence-transformers", (0.5, 1.5))
    assert found.median == 1.0


def test_rounds_are_factors_of_the_typical_round_of_the_baseline() -> None:
    run = timed_run({"base": {"normalize.a.float32.8": 1.0}, "b": {"normalize.a.float32.8": 2.0}})
    assert find_rounds(run) == [Rounds("normalize.a.float32.8", 1.0, (1.0,) * 4, (1.1,) * 4, (2.0,) * 5)]
    assert find_rounds(make_run(make_plan())) == []


def test_rounds_of_a_slower_session_are_held_against_its_own_baseline() -> None:
    plan = make_plan(make_planned("base", baseline=True), make_planned("b"))
    name = "normalize.a.float32.8"
    quiet = make_timing(name, rounds=(1.0,) * 4, baseline=(1.0,) * 4, control=(1.1,) * 4)
    loaded = make_timing(name, session="s2", rounds=(3.0,) * 4, baseline=(1.5,) * 4, control=(1.5,) * 4)
    run = make_run(plan, make_result("base", timings=(quiet,)), make_result("b", timings=(loaded,)))
    (found,) = find_rounds(run)
    assert (found.typical, found.baseline, found.others) == (1.25, (1.0,) * 8, (2.0,) * 5)
    assert found.again == (1.1,) * 4 + (1.0,) * 4


def test_without_an_a_a_arm_nothing_is_said_to_be_noise() -> None:
    plan = make_plan(make_planned("base", baseline=True), make_planned("b"))
    alone = make_timing("normalize.a.float32.8", rounds=(1.5,) * 4, baseline=(1.0,) * 4, control=())
    run = make_run(plan, *(make_result(cell, timings=(alone,)) for cell in ("base", "b")))
    (family,) = find_families(run)
    plot = plot_family(family, VersionNames.of(run), {"base": 0, "b": 1}, key="k")
    (panel,) = plot.panels
    assert panel == Panel(
        "batch 8",
        tuple(
            Row(
                cell,
                f"{cell}: 1.50x, quartiles 1.50x to 1.50x, noise unknown",
                (Bar(1.5, 1.5, "thin", "soft"),),
                (Mark(1.5, "diamond", "soft"),),
                number,
            )
            for number, cell in enumerate(("base", "b"))
        ),
    )
    assert ("diamond", "soft", "noise unknown") in plot.legend
    (view,) = view_latency(run)["families"]
    assert view["summary"] == "1.50x to 1.50x; without an A/A arm the noise is unknown"


def test_a_plot_has_a_panel_for_each_batch_and_all_cells_on_one_scale() -> None:
    few, many = "normalize.a.float32.8", "normalize.a.float32.256"
    run = timed_run({"base": {few: 1.0, many: 1.0}, "slow": {few: 2.0}})
    (family,) = find_families(run)
    plot = plot_family(family, VersionNames.of(run), {"base": 0, "slow": 1}, key="k")
    assert [(panel.title, [row.name for row in panel.rows]) for panel in plot.panels] == [
        ("batch 8", ["base", "slow"]),
        ("batch 256", ["base"]),
    ]
    slow = plot.panels[0].rows[1]
    assert slow == Row(
        "slow",
        "slow: 2.00x, quartiles 2.00x to 2.00x, noise 0.91x to 1.10x, slower",
        (Bar(1 / 1.1, 1.1, "band", "band"), Bar(2.0, 2.0, "thin", "soft")),
        (Mark(2.0, "up", "series-2"),),
        1,
    )
    assert plot.scale.low < 1.0
    assert plot.scale.high > 2.0


def test_targets_are_told_with_their_median_and_spread() -> None:
    scenario = Scenario("embed", "openvino", "float32", 8)
    plot = plot_against(
        [Against(scenario, "sentence-transformers", (0.5, 0.75, 1.0, 1.25, 1.5))], title="t", key="k"
    )
    (row,) = plot.panels[0].rows
    told = "median 1.00x, middle half 0.75x to 1.25x, all 0.50x to 1.50x"
    assert row == Row(
        "openvino float32, batch 8",
        f"openvino float32, batch 8: {told}",
        (Bar(0.5, 1.5, "thin", "series-1"), Bar(0.75, 1.25, "thick", "series-1")),
        (Mark(1.0, "circle", "series-2"),),
    )


def test_rounds_have_a_line_for_each_arm() -> None:
    found = Rounds("s", 1.0, (1.0, 1.1), (0.9,), (0.8, 0.9, 1.0, 1.1, 1.2))
    (row,) = plot_rounds([found], key="k").panels[0].rows
    assert row == Row(
        "s",
        "s: baseline 1.00x to 1.10x, baseline again 0.90x to 0.90x, other cells, middle half 0.90x to 1.10x",
        (Bar(0.8, 1.2, "thin", "soft", 2), Bar(0.9, 1.1, "thick", "soft", 2)),
        (Mark(1.0, "tick", "series-1"), Mark(1.1, "tick", "series-1"), Mark(0.9, "tick", "series-2", 1)),
    )


def test_marks_beyond_the_plot_are_counted_on_both_sides() -> None:
    seconds = {"base": 1.0, "slow": 9.0, "fast": 0.1, "near": 1.5}
    (family,) = find_families(
        timed_run({cell: {"normalize.a.float32.8": each} for cell, each in seconds.items()})
    )
    assert count_clamped(family) == 2


def test_a_plot_shows_the_cells_furthest_from_the_baseline() -> None:
    cells = {f"c{number}": {"normalize.a.float32.8": 1 + number / 100} for number in range(MOST_CELLS + 1)}
    (family,) = find_families(timed_run(cells))
    assert choose_cells(family) == list(cells)[-CELLS_OF_MANY:]


def test_arrows_only_beyond_the_noise() -> None:
    cells = {"base": 1.0, "slow": 1.2, "same": 1.05, "fast": 0.8}
    run = timed_run({cell: {"normalize.a.float32.8": seconds} for cell, seconds in cells.items()})
    arrows = {row.cell: beyond_noise(row).strip() for row in run.judgement.latency}
    assert arrows == {"base": "", "slow": "▲", "same": "", "fast": "▼"}


def test_the_time_of_wrong_embeddings_is_in_no_summary() -> None:
    name = "embed.openvino.float32.8"
    fine = timed_run({cell: {name: seconds} for cell, seconds in (("base", 1.0), ("nan", 0.5), ("c", 1.1))})
    rows = tuple(msgspec.structs.replace(row, wrong=row.cell == "nan") for row in fine.judgement.latency)
    run = msgspec.structs.replace(fine, judgement=msgspec.structs.replace(fine.judgement, latency=rows))
    said = "Embedding times of nan are excluded: the embeddings differ from those of the baseline."
    view = view_latency(run)
    assert view["families"][0]["summary"].startswith("1.10x to 1.10x; ")
    assert [row["cell"] for row in view["families"][0]["rows"]] == ["base", "c"]
    assert (view["wrong"], view_latency(fine)["wrong"]) == (said, "")
    assert [each.others for each in find_rounds(run)] == [(1.1,) * 5]
    assert [(each.lowest, each.cells) for each in find_scaling(run)] == [(0.125, 2)]
    assert said in render_markdown(run)
    assert said in " ".join(render_text(run).split())
    assert said in render_html(run)
    assert "are excluded: the embeddings" not in render_text(fine)


def test_medians_are_held_against_the_noise_that_is_told() -> None:
    """A/A arms apart by 1.1 at one batch and by 1.3 at the other: 1.2 is nothing at both."""
    names = {"normalize.a.float32.8": 1.1, "normalize.a.float32.32": 1.3}
    plan = make_plan(make_planned("base", baseline=True), make_planned("b"))
    timings = {
        cell: tuple(
            make_timing(name, rounds=(seconds,) * 4, baseline=(1.0,) * 4, control=(noise,) * 4)
            for name, noise in names.items()
        )
        for cell, seconds in (("base", 1.0), ("b", 1.2))
    }
    run = make_run(plan, *(make_result(cell, timings=found) for cell, found in timings.items()))
    (family,) = view_latency(run)["families"]
    assert family["summary"] == "1.20x to 1.20x; noise 1.30x; of 2 ratios 0 slower, 0 faster"


def test_noise_that_differs_by_session_is_told_as_it_is() -> None:
    plan = make_plan(make_planned("base", baseline=True), make_planned("b"))
    results = [
        make_result(
            cell,
            timings=(
                make_timing(
                    "normalize.a.float32.8",
                    session=session,
                    rounds=(seconds,) * 4,
                    baseline=(1.0,) * 4,
                    control=(noise,) * 4,
                ),
            ),
        )
        for cell, session, seconds, noise in (("base", "s1", 1.0, 1.3), ("b", "s2", 1.2, 1.1))
    ]
    (family,) = view_latency(make_run(plan, *results))["families"]
    assert family["summary"] == (
        "1.20x to 1.20x; noise 1.10x to 1.30x by session; of 1 ratios 1 slower, 0 faster"
    )
