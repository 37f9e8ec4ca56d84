from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest
from support.pasts import case, cell, past
from support.runs import CASES, make_case, make_full_run, make_plan, make_planned, make_result, make_run, seen

from harness.judge.compare import compare
from harness.records import Earlier
from harness.report.checks import list_checks
from harness.report.grid import CellNames
from harness.report.page.cell_details import show_measured
from harness.report.page.html import render_html, view_changes
from harness.report.plots.draw import Spec, draw, ink
from harness.report.view import findings_by_cell


def bars(*names: str, **changes: Any) -> Spec:
    return {
        "data": {"values": [{"name": name, "size": 1 + place} for place, name in enumerate(names)]},
        "mark": {"type": "bar", "color": ink("series-1"), "clip": True},
        "encoding": {
            "x": {"field": "size", "type": "quantitative"},
            "y": {"field": "name", "type": "nominal"},
        },
        **changes,
    }


def test_a_plot_is_one_element_that_asks_for_nothing() -> None:
    text = draw(bars("a", "b"), label="two bars", key="first")
    root = ElementTree.fromstring(text)  # noqa: S314 - drawn just now
    assert (root.tag, root.get("role"), root.get("aria-label")) == ("svg", "img", "two bars")
    assert "var(--series-1)" in text
    for forbidden in ("style=", "<style", "<script", "href", "http", "font-family", "<image"):
        assert forbidden not in text
    assert {"a", "b"} <= {element.text for element in root.iter("text")}


def test_ids_of_two_plots_in_a_page_differ() -> None:
    texts = [draw(bars("a"), label="", key=key) for key in ("first", "second")]
    ids = [set(re.findall(r'id="([^"]+)"', text)) for text in texts]
    assert ids[0]
    assert not ids[0] & ids[1]
    for text, own in zip(texts, ids, strict=True):
        assert set(re.findall(r"url\(#([^)]+)\)", text)) <= own


def test_the_same_plot_is_drawn_the_same() -> None:
    assert draw(bars("a", "b"), label="x", key="k") == draw(bars("a", "b"), label="x", key="k")


CONTROL = "\x00\x07\x1b[31m\x7f\x9b\ud800\ufffe\uffff"
EVIL = f"{CONTROL}</svg><script>alert(1)</script>\" onload='x' &"


def test_what_packages_write_stays_text_in_a_plot() -> None:
    text = draw(bars(EVIL), label=EVIL, key="k")
    root = ElementTree.fromstring(text)  # noqa: S314 - drawn just now
    assert "<script" not in text
    assert {name for element in root.iter() for name in element.attrib}.isdisjoint({"onload", "style"})
    assert not set(CONTROL[:3]) & set(text)
    assert any("alert(1)" in (element.text or "") for element in root.iter("text"))


def test_a_plot_that_cannot_be_drawn_is_an_error() -> None:
    with pytest.raises(ValueError, match="conversion failed"):
        draw({"data": {"values": []}, "mark": "no such mark", "encoding": {}}, label="", key="k")


def test_every_check_of_a_cell_with_the_worst_of_its_cases() -> None:
    cases = (
        make_case(CASES[0]),
        make_case(CASES[1], observation=seen(1.5)),
        make_case(CASES[2], "fail"),
        make_case(CASES[3], "skip"),
    )
    run = make_run(make_plan(make_planned("a")), make_result("a", cases=cases, status="failed"))
    rows = list_checks(findings_by_cell(run)["a"])
    assert [(row.check, row.kind, row.counts, row.worst.check) for row in rows] == [
        ("env.versions", "pass", (("pass", 1),), CASES[0]),
        ("l0.parity", "red", (("pass", 1), ("fail", 1)), CASES[2]),
        ("l2.end-to-end", "skip", (("skip", 1),), CASES[3]),
    ]


def test_of_passes_the_one_that_is_furthest_off_is_shown() -> None:
    cases = [make_case(CASES[1], observation=seen(1.5)), make_case(CASES[2], observation=seen(1.6))]
    run = make_run(make_plan(make_planned("a", cases=CASES[1:3])), make_result("a", cases=cases))
    (row,) = list_checks(findings_by_cell(run)["a"])
    assert row.worst.check == CASES[2]


def test_a_share_is_shown_only_where_something_is_beyond() -> None:
    assert show_measured(seen(9.0, share=0.25)) == "9 ulp; 25.00% beyond"
    assert show_measured(seen(1.0, share=0.0)) == "1 ulp"
    assert show_measured(None) == ""


def test_what_changed_since_the_last_run_stands_at_the_top() -> None:
    assert view_changes(None, CellNames({})) is None
    assert 'id="changes"' not in render_html(make_full_run())
    page = render_html(make_full_run(), Earlier(since=compare(past("run-1"), past("run-2"))))
    assert page.index('href="#changes"') < page.index('id="map"')
    assert "Nothing got worse, nothing differs." in page
    worse = compare(past("run-1"), past("run-2", cell("a", case(outcome="fail"), status="failed", red=True)))
    page = render_html(make_full_run(), Earlier(since=worse))
    assert "1 case is newly red" in page
    assert "run-1 (sweep of compat): pass" in page


def test_a_cause_of_all_differences_is_stated_once() -> None:
    names = CellNames({each: {"numpy": each} for each in "abc"})
    before = past("run-1", *(cell(each) for each in "abc"))
    warm: dict[str, Any] = {"facts": {"threads": "2"}, "measured_by": "run-2", "key": "3" * 64}
    cause = "threads: 1 -> 2; the subject, the suite, the model or settings: the lock has the same versions"
    after = [cell(each, case(value=1.9), **warm) for each in "ab"]
    both = view_changes(compare(before, past("run-2", *after, cell("c", **warm))), names)
    assert both is not None
    assert both["causes"] == cause
    assert [(row["cells"], row["causes"]) for kind in both["kinds"] for row in kind["groups"]] == [
        ("numpy up to b (2 cells)", ""),
        ("all 3 cells that ran", ""),
    ]
    torch = {"lock": "9" * 64, "versions": {"numpy": "2.4.6", "torch": "2.14.0"}}
    newer = cell("b", case(value=1.9), **torch, **warm)
    apart = view_changes(compare(before, past("run-2", after[0], newer, cell("c", **warm))), names)
    assert apart is not None
    assert apart["causes"] == ""
    assert {row["causes"] for kind in apart["kinds"] for row in kind["groups"]} == {
        *(cause, "torch 2.13.0 -> 2.14.0", ""),
    }
