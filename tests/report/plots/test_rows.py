from __future__ import annotations

import math

import pytest

from harness.report.plots.rows import Panel, Row, RowPlot, Scale, scale_ratios

SCALE = Scale(0.5, 2.0, ((0.5, "0.5x"), (1.0, "1x"), (2.0, "2x")))


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (0.5, "0%"),
        (1.0, "50%"),
        (2.0, "100%"),
        (0.1, "0%"),
        (9.0, "100%"),
        (math.inf, "100%"),
        (math.nan, "100%"),
    ],
)
def test_a_value_is_placed_by_its_logarithm_and_beyond_the_scale_at_its_end(value: float, place: str) -> None:
    assert SCALE.place(value) == place


def test_the_lines_are_the_ticks_and_the_reference() -> None:
    assert SCALE.lines() == [("0%", False), ("100%", False), ("50%", True)]


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([], ["0.9x", "0.95x", "1x", "1.05x", "1.1x"]),
        ([0.84, 1.19], ["0.9x", "1x", "1.1x", "1.2x"]),
        ([0.7, 1.5], ["0.8x", "1x", "1.25x", "1.5x"]),
        ([0.3, 2.0], ["0.3x", "0.5x", "0.7x", "1x", "1.5x", "2x"]),
        ([0.4, 20.0], ["0.5x", "1x", "2x", "5x", "10x", "20x"]),
        ([0.01, 100.0], ["0.01x", "0.1x", "1x", "10x", "100x"]),
    ],
)
def test_a_scale_has_all_values_and_ticks_that_a_phone_has_room_for(
    values: list[float], labels: list[str]
) -> None:
    found = scale_ratios(values)
    assert [label for _, label in found.ticks] == labels
    assert all(found.low < value < found.high for value in (1.0, *values))


def test_a_scale_ends_at_its_bounds() -> None:
    found = scale_ratios([0.01, 9.0], bounds=(0.25, 4.0))
    assert (found.low, found.high) == (0.25, 4.0)


@pytest.mark.parametrize(
    ("characters", "rows", "size"),
    [
        (12, 2, "short"),
        (18, 2, "middle"),
        (19, 2, "longest"),
        (19, 21, "long"),
        (26, 21, "long"),
        (27, 21, "longest"),
    ],
)
def test_the_width_of_a_panel_follows_its_longest_name(characters: int, rows: int, size: str) -> None:
    names = ["x" * characters, *["a"] * (rows - 1)]
    assert RowPlot("t", "k", SCALE, (Panel("", tuple(Row(each, "") for each in names)),), ()).size == size


def test_a_narrow_plot_has_every_second_label_and_that_of_the_reference() -> None:
    scale = scale_ratios([0.86, 1.1])
    assert [(label, minor) for _, label, minor in scale.labels()] == [
        ("0.85x", True),
        ("0.9x", False),
        ("0.95x", True),
        ("1x", False),
        ("1.05x", True),
        ("1.1x", False),
    ]
    assert [place for place, _, _ in SCALE.labels()] == ["0%", "50%", "100%"]
    percent = Scale(1.0, 1.2, ((1.1, "+10 %"), (1.2, "+20 %")), one=1.0)
    assert [minor for _, _, minor in percent.labels()] == [False, True]


@pytest.mark.parametrize(
    ("rows", "lines", "tall"), [(30, 1, False), (31, 1, True), (12, 4, False), (13, 4, True)]
)
def test_print_may_break_a_plot_that_takes_more_than_half_of_a_sheet(
    rows: int, lines: int, *, tall: bool
) -> None:
    several = (Panel("", (Row("a", ""),) * rows), Panel("", ()))
    assert RowPlot("", "k", SCALE, several, (), lines=lines).is_tall is tall
