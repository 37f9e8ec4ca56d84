from __future__ import annotations

import json
import re
from typing import get_args

import msgspec
import pytest
from support.compared import RED, alter, later, locked, make, slow
from support.pasts import case, cell, latency, past

from harness.judge.compare import compare
from harness.records import Comparison, Difference, DifferenceKind, LockChange
from harness.report.escape import SUMMARY_BYTES
from harness.report.history.markdown import render_comparison_json, render_comparison_markdown
from harness.report.history.terminal import render_comparison_text
from harness.report.history.view import TITLES


def made() -> Comparison:
    """A check red in two cells through one package, a slow scenario, a tolerance."""
    after = slow(later(verdict="regressed", commit="c0ffee" * 6), "a", "embed.3", 1.5)
    for name in ("a", "b"):
        after = alter(after, name, cases=(RED,), versions=locked(transformers="5"))
    return compare(make(), alter(after, "base", cases=(case(allowed=3.0),)))


def test_text_says_what_is_worse_where_and_why() -> None:
    assert (
        render_comparison_text(made(), unicode=False)
        == """\
WORSE: 2 cases are newly red; 1 latency is higher.
before: run-1 (sweep of compat): pass
after:  run-2 (sweep of compat, commit c0ffeec0ff): regressed
compared: 3 cells, 3 cases, 18 latencies
note: the baseline took 1.00x its earlier time over all its scenarios: this is
attributed to the machine and removed

Newly red
  x l0.parity: 2 in a, b
    l0.parity/manual/float32: pass: 1 ulp, at most 2 -> fail: 3 ulp, at most 2
    likely cause: transformers 5 is new

Latency, as ratio to the baseline
  x embed.3: a
    embed.3: 1.000x the baseline -> 1.500x the baseline (1.50x, noise 1.10x)
    likely cause: transformers 5 is new

Changed tolerances
  - l0.parity: base
    l0.parity/manual/float32: at most 2 -> at most 3
    likely cause: the subject, the suite, the model or settings: the lock has
    the same versions

Locks
  - transformers 5 is new: a, b

WORSE: 2 cases are newly red; 1 latency is higher.
"""
    )


def test_markdown_begins_with_what_is_worse() -> None:
    told = render_comparison_markdown(made()).splitlines()
    assert told[0] == "**WORSE**: 2 cases are newly red; 1 latency is higher."
    assert (
        "| ✗ | `l0.parity` | `a, b` | 2 | `l0.parity/manual/float32: pass: 1 ulp, at most 2 -> fail: 3 ulp, "
        "at most 2` | `transformers 5 is new` |"
    ) in told


def test_nothing_worse_is_said_too() -> None:
    assert render_comparison_text(compare(make(), later())).startswith(
        "Nothing got worse, nothing differs.\n"
    )
    gone = compare(alter(make(), "a", cases=(RED,)), later())
    assert render_comparison_text(gone).startswith("Nothing got worse; 1 other difference.\n")
    assert render_comparison_markdown(gone).startswith("**NOT WORSE**: Nothing got worse; 1 other difference")


def test_json_has_every_single_difference() -> None:
    found = made()
    assert msgspec.json.decode(render_comparison_json(found), type=Comparison) == found
    assert len(json.loads(render_comparison_json(found))["differences"]) == len(found.differences) == 6


def every_kind(text: str) -> Comparison:
    change = LockChange(name=f"package {text}", kind="added", asked=False, after="1")
    differences = tuple(
        Difference(
            kind=kind,
            cell=f"cell-{number} {text}",
            what=""
            if kind.startswith(("cell-", "lock-", "surr", "status", "verdict"))
            else f"check-{number}/{text}",
            before=text,
            after=text,
            worse=True,
            causes=(text,),
            changes=(change,),
        )
        for kind in get_args(DifferenceKind)
        for number in range(2)
    )
    return msgspec.structs.replace(made(), differences=differences, notes=(text,))


def test_every_kind_has_a_title_and_is_shown() -> None:
    assert set(TITLES) == set(get_args(DifferenceKind))
    for told in (render_comparison_text(every_kind("x")), render_comparison_markdown(every_kind("x"))):
        assert [title for title in TITLES.values() if title not in told] == []


@pytest.mark.parametrize("width", [40, 80, 120])
def test_text_keeps_to_its_width_and_obeys_nobody(width: int) -> None:
    text = render_comparison_text(
        every_kind("\x1b[31m::error::x|<b>`" + "long " * 90), width=width, unicode=False
    )
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text
    assert text.isascii()
    assert not re.search(r"(?m)^\s*::", text)


def test_markdown_cannot_be_injected_and_keeps_within_what_github_shows() -> None:
    bad = "|`</details>` @team ::error::\n# title"
    told = render_comparison_markdown(every_kind(bad))
    assert not re.search(r"(?m)^(# |::|</details>)", told)
    many = tuple(
        Difference(
            kind=kind,
            cell="c" * 300,
            what=f"check-{number}/x",
            before="b" * 300,
            worse=True,
            causes=("##[" * 99,),
        )
        for kind in get_args(DifferenceKind)
        for number in range(2000)
    )
    told = render_comparison_markdown(msgspec.structs.replace(made(), differences=many))
    assert len(told.encode()) < SUMMARY_BYTES
    assert " of 2000 rows are cut off here; `harness compare --json` has all.**" in told


def test_cells_that_come_and_go_are_named_and_no_share_of_those_compared() -> None:
    names = ("a", "b", "c", "d")
    before = past("run-1", *map(cell, names), latency=())
    told = render_comparison_text(compare(before, past("run-2", *map(cell, names[2:]), latency=())))
    assert "Removed cells\n  ✗ ok: a, b\n" in told
    told = render_comparison_text(compare(past("run-2", *map(cell, names[2:]), latency=()), before))
    assert "New cells\n  - ok: a, b\n" in told


def test_a_worse_verdict_is_that_of_the_run_as_a_whole() -> None:
    stale = later(verdict="regressed", sentence="1 expectation matches nothing.")
    told = render_comparison_text(compare(make(), stale), width=200)
    assert told.startswith("WORSE: 1 verdict is worse, though no cell is.\n")
    assert "Verdict of the run\n  ✗ pass -> regressed: the run as a whole\n" in told
    assert "    likely cause: 1 expectation matches nothing.\n" in told


def test_two_hundred_cells_with_the_same_news_are_one_line() -> None:
    names = [f"numpy-{number}" for number in range(200)]
    before = past("run-1", *(cell(name) for name in names), latency=(latency(),))
    after = past("run-2", *(cell(name, RED, versions=locked(hub="2"), key="k") for name in names))
    told = render_comparison_text(compare(before, after))
    assert "  ✗ l0.parity: 200 in all 200 cells\n" in told
    assert "  - hub 2 is new: all 200 cells\n" in told
    assert len(told.splitlines()) == 14
