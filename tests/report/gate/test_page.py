"""The page of a gate: its headline, answers and numbers, and that it needs nothing but itself."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support.cause_samples import HUB, trial
from support.gate_samples import (
    EVIL,
    NUMPY,
    REPLACE,
    finding,
    interval,
    make_culprit,
    make_further,
    make_gate,
    make_question,
    make_speed,
    quantity,
)
from support.pages import far, make_compared, make_cost, make_decided, near, read_page
from support.speed_samples import EQUAL, LARGE, MEMORY, SMALL, void

from harness.judge.gate_verdict import refuse
from harness.records import (
    CellVerdict,
    Confirmation,
    Culprit,
    Decision,
    Gate,
    Interval,
    LockDiff,
    NoteChange,
    QuantityDecision,
    Run,
    Speed,
)
from harness.report.gate.cause_view import Branch, view_cause
from harness.report.gate.headline import find_headline
from harness.report.gate.html import list_commands, render_gate_html, view_cost, view_upgrade
from harness.report.gate.speed_view import show_limit, show_noise, show_percent_interval, show_percents
from harness.report.page.html import hash_source
from harness.report.plots.intervals import count_clamped, plot_intervals
from harness.report.plots.rows import Bar, Mark, Row

DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"

# Latency and memory


def test_the_numbers_of_a_quantity() -> None:
    cost = view_cost(make_gate())
    assert cost is not None
    assert cost["rows"][0] == {
        "name": "normalize.manual.float32.32",
        "kind": "red",
        "outcome": "regressed",
        "baseline": "12.3 µs",
        "candidate": "14.8 µs",
        "change": "+20.3 %",
        "interval": "+18.3 % to +22.3 %",
        "limit": "+5 %",
        "noise": "±0.5 %",
        "blocks": 20,
    }
    assert [row["outcome"] for row in cost["rows"]] == [
        *("regressed", "control-failed", "unmeasured", "undecided", "passed", "passed"),
    ]
    assert cost["plot"].key == "cost-plot"
    assert view_cost(make_gate(speed=None)) is None


@pytest.mark.parametrize(
    ("ratio", "shown"),
    [(1.0, "0.0 %"), (1.0002, "0.0 %"), (1.061, "+6.1 %"), (0.97, f"{MINUS}3.0 %"), (0.9999, "0.0 %")],
)
def test_a_ratio_in_percent(ratio: float, shown: str) -> None:
    assert show_percents(ratio) == shown


def test_intervals_noise_and_limits_in_percent() -> None:
    assert show_percent_interval(interval(1.0, 0.02)) == f"{MINUS}2.0 % to +2.0 %"
    assert (show_percent_interval(None), show_noise(None)) == ("-", "-")
    assert show_noise(Interval(low=0.9, ratio=0.95, high=1.0)) == "±11.1 %"
    assert show_noise(Interval(low=0.0, ratio=1.0, high=1.0)) == "-"
    assert show_limit(quantity("memory.embedding")) == "+10 %"


def test_a_plot_has_a_row_for_each_measured_quantity_on_one_scale() -> None:
    decisions = make_speed().quantities
    plot = plot_intervals(decisions, key="k")
    rows = {row.name: row for row in plot.panels[0].rows}
    name = "normalize.manual.float32.32"
    assert rows[name] == Row(
        name,
        f"{name}: +20.3 %, interval +18.3 % to +22.3 %, limit +5 %, noise ±0.5 %, above the limit",
        (Bar(0.995, 1.005, "band", "band"), Bar(1.183, 1.223, "thin", "red-ink")),
        (Mark(1.05, "limit", "red-ink"), Mark(1.203, "up", "red-ink")),
    )
    assert rows["memory.normalizer"].marks[0].at == 1.1
    assert list(rows) == [each.quantity.id for each in decisions if each.change is not None]
    assert plot.scale.low < 0.995
    assert plot.scale.high > 1.223
    assert [label for _, label in plot.scale.ticks] == [f"{MINUS}10 %", "0 %", "+10 %", "+20 %"]


def test_what_lies_far_out_is_drawn_at_the_edge_and_counted() -> None:
    wild = quantity(change=Interval(low=2.5, ratio=3.0, high=float("inf")), control=None)
    (row,) = plot_intervals([wild], key="k").panels[0].rows
    assert (row.bars, row.marks[1].at) == ((Bar(2.0, 2.0, "thin", row.marks[1].ink),), 2.0)
    assert (count_clamped([wild]), count_clamped(make_speed().quantities[:1])) == (1, 0)


# The upgrade, the cause, commands


def test_direct_and_transitive_changes_are_apart() -> None:
    found = view_upgrade(make_gate())
    assert found["tables"] == [
        {
            "title": "Direct",
            "rows": [{"name": "numpy", "before": "1.26.2", "after": "2.4.6", "origin": "direct"}],
            "left": 0,
            "fold": False,
        },
        {
            "title": "Transitive",
            "rows": [{"name": "hub", "before": DASH, "after": "2", "origin": "transitive, added"}],
            "left": 0,
            "fold": False,
        },
    ]
    changes = (NUMPY, *(REPLACE(HUB, name=f"p{number}") for number in range(21)))
    question = REPLACE(make_question(), diff=REPLACE(make_question().diff, changes=changes))
    assert [each["fold"] for each in view_upgrade(make_gate(question=question))["tables"]] == [False, True]


def test_the_trials_of_a_cause_are_a_tree() -> None:
    hub = REPLACE(HUB, after="2")
    whole = trial("red", "numpy", "hub", moved=(NUMPY, hub))
    culprit = REPLACE(make_culprit(), trials=(whole, *make_culprit().trials))
    found = view_cause(make_gate(culprit=culprit))
    assert found is not None
    assert found.causes == (("numpy 1.26.2 → 2.4.6", "harness gate numpy==2.0.0 --from 'a b.txt'"),)
    assert (found.sentence, found.cases) == ("numpy alone does it", "l0.zero/manual")
    assert found.tree == (
        Branch("the whole upgrade: numpy 1.26.2 → 2.4.6, hub 2 (added)", "red", "fails"),
        Branch(
            "numpy 1.26.2 → 2.4.6",
            "red",
            "fails",
            "with it hub 1 → 2",
            (
                Branch("numpy 1.26.4", "pass", "passes", "last good"),
                Branch("numpy 2.0.0rc1", "missing", "no result", "no wheel"),
                Branch("numpy 2.0.0", "red", "fails", "first bad"),
            ),
        ),
        Branch("hub 1 → 2", "pass", "passes", "fine"),
    )
    assert view_cause(make_gate(culprit=None)) is None


def test_a_trial_of_a_release_stands_among_the_releases() -> None:
    between, hub = REPLACE(NUMPY, after="2.0.0"), REPLACE(HUB, kind="changed", before="1", after="2")
    asked = (NUMPY, hub)
    trials = (
        trial("red", "numpy", "hub", moved=asked),
        trial("red", "numpy", moved=(NUMPY,)),
        trial("red", "numpy", moved=(between, hub)),
        trial("red", "numpy", "hub", moved=(between, hub)),
    )
    question = REPLACE(make_question(), diff=LockDiff(changes=asked))
    found = view_cause(make_gate(question=question, culprit=REPLACE(make_culprit(), trials=trials)))
    assert found is not None
    assert [each.what for each in found.tree] == [
        "the whole upgrade: numpy 1.26.2 → 2.4.6, hub 1 → 2",
        "numpy 1.26.2 → 2.4.6",
        "numpy 1.26.2 → 2.0.0, hub 1 → 2",
    ]
    assert found.tree[1].branches[-1] == Branch("numpy 2.0.0", "red", "fails", "first bad; with it hub 1 → 2")


def test_releases_without_a_trial_of_their_package_alone_have_a_branch() -> None:
    together = trial("red", "numpy", "torch")
    found = view_cause(make_gate(culprit=REPLACE(make_culprit(), trials=(together,))))
    assert found is not None
    assert [(each.what, each.word, len(each.branches)) for each in found.tree] == [
        ("numpy 1.26.2 → 2.4.6, torch", "fails", 0),
        ("releases of numpy", "2 of 12 tried", 3),
    ]


def test_the_commands_that_repeat_it() -> None:
    assert [title for title, _ in list_commands(make_gate())] == [
        *("Whole gate", "Red checks only", "The first as a script", "This change only"),
    ]
    assert [title for title, _ in list_commands(make_decided("pass"))] == ["Whole gate"]


# The page as a whole


def died() -> Gate:
    """A gate whose candidate crashed, with every kind of finding that is folded."""
    cell = CellVerdict(cell="candidate", status="crashed", red=True, reason="signal 11", advice="Use `gdb`.")
    confirmed = Confirmation(
        case="l0.zero/manual", outcome="confirmed", candidate=3, runs=3, baseline=0, baseline_runs=3
    )
    limit = finding("l0.overflow/manual/float16", outcome="limit", margin="float16 overflows")
    decision = REPLACE(
        make_gate().decision,
        cells=(cell,),
        confirmations=(confirmed,),
        notes=(NoteChange(check="api.x", baseline="a", candidate="b", cases=2),),
        limits=(limit,),
        unconfirmed=(finding("l0.flaky"),),
    )
    return make_gate(decision=decision)


def measured(*void_blocks: Any) -> Gate:
    decisions = tuple(
        QuantityDecision(quantity=each, outcome="passed", change=EQUAL, control=EQUAL, blocks=7)
        for each in (SMALL, LARGE, MEMORY)
    )
    speed = Speed(quantities=decisions, confidence=0.95, spent=9.0, budget=60.0, void=void_blocks)
    return make_decided("pass", speed=speed)


EVERY: dict[str, tuple[Gate, Run | None]] = {
    "everything": (make_gate(), None),
    "evil": (make_gate(EVIL), None),
    "passed": make_compared(near, speed=make_cost()),
    "drifted": make_compared(far, speed=make_cost(slower=True), culprit=make_culprit()),
    "died": (died(), None),
    "refused": (
        make_decided(
            "unsatisfiable", decision=refuse("no way"), question=make_question(further=make_further())
        ),
        None,
    ),
    "interrupted": (make_decided("inconclusive"), None),
    "equal": (
        make_decided("pass", judged=(), question=make_question(diff=LockDiff())),
        None,
    ),
    "void": (measured(void()), None),
    "planned": (
        make_decided(
            "inconclusive",
            speed=Speed(
                quantities=(QuantityDecision(quantity=SMALL, outcome="undecided"),),
                confidence=0.95,
                spent=0.0,
                budget=60.0,
            ),
        ),
        None,
    ),
    "no cause": (make_gate(culprit=Culprit(sentence="No part of it does it again")), None),
}


@pytest.mark.parametrize("name", EVERY)
def test_every_gate_has_a_page_of_its_own(name: str) -> None:
    text = render_gate_html(*EVERY[name])
    page = read_page(text)
    assert page.tags.isdisjoint({"img", "link", "iframe", "object", "base", "form"})
    assert all(link.startswith("#") for link in page.links)
    assert {link.removeprefix("#") for link in page.links} <= page.anchors
    style = text.split("<style>")[1].split("</style>")[0]
    (script,) = re.findall(r"(?s)<script>(.*?)</script>", text)
    policy = (
        f"default-src 'none'; style-src '{hash_source(style)}'; script-src '{hash_source(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert f'content="{policy}"' in text
    assert not re.search(r"fetch|XMLHttpRequest|import|innerHTML|eval|https?:", script)
    assert "url(" not in style
    assert "@import" not in style
    heading = re.search(r"<h1>. (.*?)</h1>", text)
    assert heading is not None
    assert heading[1].startswith(find_headline(EVERY[name][0]).action)


def test_the_page_tells_what_the_comment_tells() -> None:
    text = " ".join(read_page(render_gate_html(died(), None)).text.split())
    for told in (
        "crash in the candidate",
        "The candidate: signal 11. Advice: Use gdb.",
        "Red in the candidate, and not in the baseline: 1 case",
        "l0.zero 1 case, red in 3 of 3 runs",
        "Not confirmed in fresh processes: 1",
        "--accept-known accepts these.",
        "No longer checked in the candidate: 1",
        "Red in both environments: 1",
        "No longer red in the candidate: 1",
        "Notes, which decide nothing: 1",
        "Limits, only for inputs far from the embeddings: 1",
        "Excluded packages: 1",
        "40 others are unchanged.",
        "Whole gate harness gate numpy==2.4.6 --from 'a b.txt'",
        "Matrix compat, run run-1, 2026-11-22T20:00:00+00:00.",
    ):
        assert told in text


def test_texts_of_the_corpus_are_harmless() -> None:
    gate, run = make_compared(far)
    findings = tuple(
        REPLACE(each, message=EVIL, observation=REPLACE(each.observation, sample=EVIL))
        if each.observation
        else each
        for each in run.judgement.findings
    )
    evil = REPLACE(run, judgement=REPLACE(run.judgement, findings=findings))
    plain, page = (read_page(render_gate_html(gate, each)) for each in (run, evil))
    assert page.tags == plain.tags
    assert "<b>@team</b>" in page.text


def test_a_page_of_a_large_gate_stays_small() -> None:
    many = tuple(finding(f"l0.case-{number}/manual/float16", message="x" * 900) for number in range(3000))
    decision = Decision(verdict="regressed", sentence="s", new=many, before=many, gone=many, unchecked=many)
    text = render_gate_html(make_gate(decision=decision), None)
    assert len(text) < 700_000
    assert "and 2940 more checks; gate.json has all." in text


def test_nothing_is_claimed_where_nothing_was_compared() -> None:
    text = read_page(render_gate_html(*EVERY["interrupted"])).text
    assert "Nothing was compared." in text
    assert "no check is red" not in text
    assert "\N{CHECK MARK}" not in text
