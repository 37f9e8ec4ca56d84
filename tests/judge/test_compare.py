from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from support.compared import CHECK, NAMES, RED, alter, later, locked, make, told
from support.pasts import case, cell, past

from harness.errors import UsageError
from harness.judge.compare import compare
from harness.records import DifferenceKind, Outcome


def test_what_is_the_same_is_silent_and_says_how_much_was_compared() -> None:
    found = compare(make(), later())
    assert (found.differences, found.worse, found.cells, found.cases, found.latency) == ((), (), 3, 3, 18)
    assert found.notes == (
        (
            "the baseline took 1.00x its earlier time over all its scenarios: this is attributed to the "
            "machine and removed"
        ),
    )


PASSES, FAILS = "pass: 1 ulp, at most 2", "fail: 3 ulp, at most 2"


@pytest.mark.parametrize(
    ("before", "after", "kind", "was", "now", "worse"),
    [
        (case(), RED, "new-red", PASSES, FAILS, True),
        (RED, case(), "gone-red", FAILS, PASSES, False),
        (
            case(),
            case(outcome="xfail", value=3.0),
            "outcome-changed",
            PASSES,
            "xfail: 3 ulp, at most 2",
            True,
        ),
        (
            case(),
            case(outcome="skip", value=None, allowed=None, unit="", bound="none"),
            "outcome-changed",
            PASSES,
            "skip",
            True,
        ),
        (case(outcome="skip"), case(), "outcome-changed", "skip: 1 ulp, at most 2", PASSES, False),
        (RED, case(outcome="error", value=3.0), "outcome-changed", FAILS, "error: 3 ulp, at most 2", False),
        (
            case(outcome="xfail"),
            case(outcome="xpass"),
            "new-red",
            "xfail: 1 ulp, at most 2",
            "xpass: 1 ulp, at most 2",
            True,
        ),
        (case(), case(value=1.3), "value-moved", PASSES, "pass: 1.3 ulp, at most 2", False),
        (case(), case(value=0.7), "value-moved", PASSES, "pass: 0.7 ulp, at most 2", False),
        (
            RED,
            case(outcome="fail", value=None),
            "value-moved",
            FAILS,
            "fail: not finite ulp, at most 2",
            False,
        ),
        (
            case(words="message: no attribute 'norm'"),
            case(words="message: no attribute 'is_sparse'"),
            "behaviour-changed",
            "message: no attribute 'norm'",
            "message: no attribute 'is_sparse'",
            False,
        ),
        (case(), case(allowed=9.0), "allowed-changed", "at most 2", "at most 9", False),
        (case(), case(bound="min", allowed=0.5), "allowed-changed", "at most 2", "at least 0.5", False),
    ],
)
def test_each_way_in_which_a_case_may_differ(  # noqa: PLR0917 - one parameter a column
    before: Any,
    after: Any,
    kind: DifferenceKind,
    was: str,
    now: str,
    worse: bool,  # noqa: FBT001 - a column of a table
) -> None:
    found = compare(alter(make(), "a", cases=(before,)), alter(later(), "a", cases=(after,)))
    assert told(found) == [(kind, "a", CHECK, was, now, worse)]


@pytest.mark.parametrize(
    "after",
    [
        case(words="of an older run nothing is known"),
        case(value=1.19),
        case(allowed=2.0 * (1 + 1e-12)),
        case(value=1.0 + 1e-12),
    ],
)
def test_what_moved_by_less_than_a_tenth_of_the_allowed_is_not_told(after: Any) -> None:
    assert compare(make(), alter(later(), "a", cases=(after,))).differences == ()
    assert compare(make(), alter(later(), "a", cases=(case(value=1.19),)), moved=0.05).differences != ()


def test_checks_and_cells_that_come_and_go() -> None:
    more = later(cells=(*make().cells[1:], cell("c", status="crashed", red=True)))
    found = compare(make(), alter(more, "b", cases=(case("l0.new"), case("l0.bad", outcome="fail"))))
    assert told(found) == [
        ("cell-appeared", "c", "", "", "crashed", True),
        ("cell-vanished", "a", "", "ok", "", True),
        ("new-red", "b", "l0.bad", "not there", "fail: 1 ulp, at most 2", True),
        ("check-appeared", "b", "l0.new", "not there", "pass: 1 ulp, at most 2", False),
        ("check-vanished", "b", CHECK, "pass: 1 ulp, at most 2", "not there", True),
    ]


def test_a_part_of_a_matrix_misses_nothing() -> None:
    part = alter(later(cells=make().cells[1:], latency=(), subset=True), "b", cases=(case("l0.new"),))
    found = compare(make(), part)
    assert found.differences == ()
    assert (
        found.notes[0]
        == "one run covers only a part of its matrix: missing cells and checks are not reported"
    )


@pytest.mark.parametrize(
    ("status", "red", "worse"),
    [("crashed", True, True), ("unsatisfiable", False, True), ("failed", True, True)],
)
def test_a_cell_that_died_is_one_difference_and_not_one_a_case(status: Any, red: bool, worse: bool) -> None:  # noqa: FBT001 - columns
    died = alter(
        later(latency=()),
        "a",
        status=status,
        red=red,
        cases=(case(outcome="missing"),) if status != "failed" else (case(),),
    )
    found = compare(make(latency=()), died)
    assert told(found) == [("status-changed", "a", "", "ok", status, worse)]
    assert [each.worse for each in compare(died, make(latency=())).differences] == [False]


def test_a_status_that_is_no_longer_expected_is_another_one() -> None:
    before, after = (
        alter(run, "a", status="import-error", red=red, cases=(case(outcome="missing"),))
        for run, red in ((make(latency=()), False), (later(latency=()), True))
    )
    was, now = "import-error, as expected", "import-error, red"
    assert told(compare(before, after)) == [("status-changed", "a", "", was, now, True)]
    assert told(compare(after, before)) == [("status-changed", "a", "", now, was, False)]


def test_a_worse_verdict_is_told_where_no_cell_is_worse() -> None:
    stale = later(verdict="regressed", sentence="1 expectation matches nothing.")
    found = compare(make(), stale)
    assert told(found) == [("verdict-changed", "", "", "pass", "regressed", True)]
    assert found.differences[0].causes == ("1 expectation matches nothing.",)
    assert compare(stale, make()).differences == ()
    assert compare(make(verdict="inconclusive"), stale).worse != ()
    assert compare(make(), later(verdict="inconclusive")).worse != ()
    others = [later(verdict="error", kind="gate"), later(verdict="error", cells=make().cells[1:])]
    kinds = {each.kind for other in others for each in compare(make(), other).differences}
    assert "verdict-changed" not in kinds
    red = alter(stale, "a", cases=(RED,))
    assert [each.kind for each in compare(make(), red).differences] == ["new-red"]


def test_what_changed_in_cells_that_hold_is_no_cause_of_a_status() -> None:
    """All cells got a new certifi, one of them a new transformers, which it cannot import."""
    before, after = make(latency=()), later(latency=())
    for name in NAMES:
        before = alter(before, name, key="k", versions=locked(certifi="1", transformers="4"))
        after = alter(after, name, versions=locked(certifi="2", transformers="4"))
    died = {"status": "import-error", "red": True, "cases": (case(outcome="missing"),)}
    after = alter(after, "a", versions=locked(certifi="2", transformers="5"), **died)
    found = {each.kind: each for each in compare(before, after).differences}
    assert found["status-changed"].causes == ("transformers 4 -> 5",)


def test_the_likely_cause_is_what_changed_where_it_broke_and_not_where_it_held() -> None:
    """All cells got a new tqdm, two of them a new transformers and broke, one of those a new torch too."""
    after = later()
    after = alter(after, "a", cases=(RED,), versions=locked(tqdm="2", transformers="5", torch="2.14.0"))
    after = alter(after, "b", cases=(RED,), versions=locked(tqdm="2", transformers="5"))
    after = alter(after, "base", versions=locked(tqdm="2"))
    before = make()
    for name in NAMES:
        before = alter(before, name, key="k", versions=locked(tqdm="1", transformers="4"))
    before = alter(before, "base", versions=locked(tqdm="1"))
    found = {(e.kind, e.cell): e for e in compare(before, after).differences}
    assert found["new-red", "a"].causes == ("transformers 4 -> 5", "torch 2.13.0 -> 2.14.0")
    assert found["new-red", "b"].causes == ("transformers 4 -> 5",)
    assert [change.name for change in found["new-red", "a"].changes] == ["transformers", "torch"]
    assert [change.name for change in found["lock-changed", "a"].changes] == ["torch", "tqdm", "transformers"]
    assert {kind for kind, _ in found} == {"new-red", "lock-changed"}


def test_where_all_changes_happened_elsewhere_too_all_of_the_lock_is_suspect() -> None:
    after = alter(later(), "a", cases=(RED,), versions=locked(numpy="2.5.0", hub="1"))
    after = alter(after, "b", versions=locked(numpy="2.5.0", hub="1"))
    (red,) = (e for e in compare(make(), after).differences if e.kind == "new-red")
    assert red.causes == ("numpy 2.4.6 -> 2.5.0", "hub 1 is new")  # the axis first


def test_many_suspects_are_counted() -> None:
    versions = {f"p{number}": "1" for number in range(9)}
    (_, red) = compare(make(), alter(later(), "a", cases=(RED,), versions=versions)).differences
    assert red.causes[:1] == ("numpy is gone",)
    assert red.causes[-1] == "and 7 more in the lock"
    assert len(red.changes) == 11


@pytest.mark.parametrize(
    ("changes", "runs", "causes"),
    [
        (
            {"key": "key of a", "measured_by": "run-2"},
            {},
            ("none known: measured again with the same lock, subject, suite, model and settings",),
        ),
        ({"key": "key of a"}, {}, ("the expectations: the result is reused from the run before",)),
        (
            {},
            {"commit": "b" * 40},
            (
                (
                    "the subject, the suite, the model or settings (commit aaaaaaaaaa -> bbbbbbbbbb): "
                    "the lock has the same versions"
                ),
            ),
        ),
        (
            {"facts": {"threads": "2"}, "lock": "9" * 64},
            {},
            (
                "other files of the same releases",
                "threads: 1 -> 2",
                "the subject, the suite, the model or settings: the lock has the same versions",
            ),
        ),
        (
            {},
            {"machine": {"class": "m2"}},
            (
                "another class of machine",
                "the subject, the suite, the model or settings: the lock has the same versions",
            ),
        ),
    ],
)
def test_where_the_lock_is_the_same_something_else_is_the_cause(
    changes: dict[str, Any], runs: dict[str, Any], causes: tuple[str, ...]
) -> None:
    after = alter(later(**runs), "a", cases=(RED,), **changes)
    found = compare(make(commit="a" * 40 if runs.get("commit") else ""), after)
    assert [each.causes for each in found.differences if each.kind == "new-red"] == [causes]


def test_python_is_part_of_the_lock_diff_and_surroundings_are_told() -> None:
    after = alter(later(), "a", python="3.12", facts={"threads": "8", "blas": "mkl"})
    assert told(compare(make(), after)) == [
        ("lock-changed", "a", "", "", "", False),
        ("surroundings-changed", "a", "", "", "threads: 1 -> 8", False),
    ]
    assert compare(make(), after).differences[0].changes[0].name == "python"


def test_runs_without_a_common_cell_are_refused() -> None:
    with pytest.raises(
        UsageError, match=r"run-1 \(sweep, compat\) and run-2 \(gate, smoke\) have no cell in common"
    ):
        compare(make(), past("run-2", cell("z"), kind="gate", matrix="smoke"))


def test_of_two_matrices_only_common_cells_are_compared() -> None:
    found = compare(make(latency=()), later(matrix="other", latency=()))
    assert found.notes == ("the matrices differ (compat, other): only common cells are compared",)


def test_every_kind_has_been_planted_here() -> None:
    """The tests above name every kind of difference that there is."""
    own = Path(__file__)
    source = "".join(path.read_text(encoding="utf-8") for path in own.parent.glob("test_*.py"))
    assert [kind for kind in get_args(DifferenceKind) if f'"{kind}"' not in source] == []


@pytest.mark.parametrize(
    ("was", "now", "worse"),
    [
        ("pass", "note", False),
        ("pass", "limit", True),
        ("xfail", "limit", False),
        ("xfail", "note", False),
        ("limit", "fail", True),
        ("note", "fail", True),
    ],
)
def test_a_limit_is_worse_than_a_pass_and_a_note_is_not(was: Outcome, now: Outcome, *, worse: bool) -> None:
    before, after = (
        alter(make(), "a", cases=(case(outcome=was),)),
        alter(later(), "a", cases=(case(outcome=now),)),
    )
    assert [each.worse for each in compare(before, after).differences] == [worse]
