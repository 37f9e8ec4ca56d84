from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from unit.pasts import case, cell, latency, past

from harness.errors import UsageError
from harness.gate_records import Interval, Quantity, QuantityDecision, QuantityOutcome
from harness.history_records import Comparison, DifferenceKind, Snapshot
from harness.judge.compare import compare

Change = Callable[[Snapshot], Snapshot]
NAMES = ("a", "b", "base")


def make(run: str = "run-1", *, session: str = "s1", **changes: Any) -> Snapshot:
    """Three cells, ``base`` the baseline, each with a case and six timed scenarios."""
    cells = tuple(cell(name, key=f"key of {name}", baseline=name == "base") for name in NAMES)
    timed = tuple(
        latency(name, f"embed.{size}", session=session, p50=size * 1e-3)
        for name in NAMES
        for size in range(1, 7)
    )
    return past(run, *cells, **{"latency": timed, **changes})


def later(**changes: Any) -> Snapshot:
    """The same, measured again."""
    return make("run-2", session="s2", **changes)


def alter(snapshot: Snapshot, name: str, **changes: Any) -> Snapshot:
    """With other things in one cell."""
    cells = tuple(
        msgspec.structs.replace(each, **{"key": "another", **changes}) if each.id == name else each
        for each in snapshot.cells
    )
    return msgspec.structs.replace(snapshot, cells=cells)


def slow(snapshot: Snapshot, name: str, scenario: str, factor: float) -> Snapshot:
    """With another time in one scenario of one cell."""
    return msgspec.structs.replace(
        snapshot,
        latency=tuple(
            latency(
                name,
                scenario,
                session=each.session,
                p50=each.p50 * factor,
                ratio=factor if name != "base" else 1.0,
                low=factor * 0.99,
                high=factor * 1.01,
            )
            if (each.cell, each.scenario) == (name, scenario)
            else each
            for each in snapshot.latency
        ),
    )


def told(comparison: Comparison) -> list[tuple[str, str, str, str, str, bool]]:
    return [(e.kind, e.cell, e.what, e.before, e.after, e.worse) for e in comparison.differences]


def test_what_is_the_same_is_silent_and_says_how_much_was_compared() -> None:
    found = compare(make(), later())
    assert (found.differences, found.worse, found.cells, found.cases, found.latency) == ((), (), 3, 3, 18)
    assert found.notes == (
        (
            "the baseline ran at 1.00x its time of before over all its scenarios: taken for the machine's "
            "doing, and taken out"
        ),
    )


CHECK = "l0.parity/manual/float32"
PASSES, FAILS = "pass: 1 ulp, at most 2", "fail: 3 ulp, at most 2"
RED = case(outcome="fail", value=3.0)


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
    [case(value=1.19), case(allowed=2.0 * (1 + 1e-12)), case(value=1.0 + 1e-12)],
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
    assert found.notes[0] == "one of them ran a part of its matrix only: what is in one alone is not told"


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


def locked(**versions: str) -> dict[str, str]:
    return {"numpy": "2.4.6", "torch": "2.13.0", **versions}


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
            ("nothing that is known: measured again with the same lock, subject, suite, model and settings",),
        ),
        ({"key": "key of a"}, {}, ("the expectations: the result is the one of the run before",)),
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


def changed_key(snapshot: Snapshot) -> Snapshot:
    return alter(snapshot, "a", versions=locked(openvino="2027.0"))


@pytest.mark.parametrize(("factor", "worse"), [(1.2, True), (0.8, False)])
def test_latency_beyond_the_noise_of_both_is_told(factor: float, worse: bool) -> None:  # noqa: FBT001 - a column
    found = compare(make(), slow(changed_key(later()), "a", "embed.3", factor))
    (each,) = (e for e in found.differences if e.kind == "latency-changed")
    assert (each.cell, each.what, each.worse) == ("a", "embed.3", worse)
    assert (each.before, each.after) == ("1.000x the baseline", f"{factor:.3f}x the baseline")
    assert each.ratio == pytest.approx(factor)
    assert each.beyond == pytest.approx(1.05**2)
    assert each.causes == ("openvino 2027.0 is new",)


@pytest.mark.parametrize("factor", [1.09, 0.92])
def test_latency_within_the_noise_of_both_is_silent(factor: float) -> None:
    found = compare(make(), slow(changed_key(later()), "a", "embed.3", factor))
    assert {each.kind for each in found.differences} == {"lock-changed"}


def test_latency_of_the_very_same_is_told_but_is_not_worse() -> None:
    (each,) = compare(make(), slow(later(), "a", "embed.3", 1.5)).differences
    assert (each.kind, each.worse) == ("latency-changed", False)
    assert compare(
        make(), slow(alter(later(), "base"), "a", "embed.3", 1.5)
    ).worse  # it may be the baseline's


def test_a_slower_machine_is_told_and_taken_out_and_a_slower_baseline_is_not() -> None:
    slower = later()
    for size in range(1, 7):
        slower = slow(slower, "base", f"embed.{size}", 1.5)
    found = compare(make(), slower)
    assert found.differences == ()
    assert found.notes[0].startswith("the baseline ran at 1.50x its time of before over all its scenarios")
    (each,) = compare(make(), slow(alter(slower, "base"), "base", "embed.2", 1.5)).differences
    assert (each.cell, each.what, each.worse) == ("base", "embed.2", True)
    assert (each.before, each.after) == ("2000 us", "4500 us")
    assert each.ratio == pytest.approx(1.5)


def replaced(snapshot: Snapshot, **changes: Any) -> Snapshot:
    timed = tuple(msgspec.structs.replace(each, **changes) for each in snapshot.latency)
    return msgspec.structs.replace(snapshot, latency=timed)


@pytest.mark.parametrize(
    ("change", "compared", "note"),
    [
        (
            lambda s: replaced(s, session="s1"),
            0,
            "latency of 18 scenarios not compared: taken over from the same session",
        ),
        (lambda s: replaced(s, noise=None), 0, "latency of 18 scenarios not compared: without a noise floor"),
        (
            lambda s: replaced(s, ratio=None),
            0,
            "latency of 18 scenarios not compared: without rounds of the baseline",
        ),
        (lambda s: replaced(s, p50=0.0), 0, "latency of 18 scenarios not compared: without a time"),
        (
            lambda s: msgspec.structs.replace(s, latency=s.latency[:9] + s.latency[12:15]),
            9,
            "latency of 3 scenarios not compared: of the baseline, too few to tell",
        ),
        (
            lambda s: msgspec.structs.replace(
                s, cells=tuple(msgspec.structs.replace(c, baseline=c.id == "a") for c in s.cells)
            ),
            0,
            "held against different baselines, so latency is not compared",
        ),
    ],
)
def test_latency_that_cannot_be_compared_is_counted_with_its_reason(
    change: Change, compared: int, note: str
) -> None:
    found = compare(make(), change(slow(changed_key(later()), "b", "embed.6", 3.0)))
    assert found.latency == compared
    assert [each for each in found.notes if each.startswith(note)]
    if not compared:
        assert {each.kind for each in found.differences} == {"lock-changed"}


@pytest.mark.parametrize("machine", [{"class": "m2", "cpu": "two"}, {}])
def test_runs_of_different_machine_classes_are_compared_for_correctness_alone_and_it_says_so(
    machine: Any,
) -> None:
    after = slow(later(machine=machine), "a", "embed.3", 9.0)
    after = alter(after, "a", cases=(RED,), facts={"threads": "64"})
    found = compare(make(), msgspec.structs.replace(after, quantities=(decided("regressed", 1.4),)))
    assert [each.kind for each in found.differences] == ["new-red"]
    assert (found.same_class, found.latency) == (False, 0)
    cpu = machine.get("cpu", "unknown machine")
    assert found.notes == (
        (
            "measured on different classes of machine, so correctness alone is compared, "
            f"latency and memory are not (one; {cpu})"
        ),
    )


def test_nothing_is_known_of_a_machine_without_a_class() -> None:
    assert not compare(make(machine={}), later(machine={})).same_class


def decided(outcome: QuantityOutcome, ratio: float) -> QuantityDecision:
    return QuantityDecision(
        quantity=Quantity(id="memory.embedding", group="embedding", unit="B", threshold=1.1),
        outcome=outcome,
        change=Interval(low=ratio * 0.98, ratio=ratio, high=ratio * 1.02),
        blocks=12,
    )


@pytest.mark.parametrize(
    ("was", "now", "worse"),
    [
        (decided("passed", 1.0), decided("regressed", 1.2), True),
        (decided("regressed", 1.2), decided("passed", 1.0), False),
        (decided("passed", 1.0), decided("undecided", 1.0), True),
        (decided("passed", 1.0), decided("passed", 1.08), True),
        (decided("passed", 1.08), decided("passed", 1.0), False),
        (decided("passed", 1.0), decided("passed", 1.01), None),
    ],
)
def test_what_two_gates_decided(was: QuantityDecision, now: QuantityDecision, worse: bool | None) -> None:  # noqa: FBT001 - a column
    found = compare(past(kind="gate", quantities=(was,)), past("run-2", kind="gate", quantities=(now,)))
    expected = [] if worse is None else [("quantity-changed", "candidate", "memory.embedding", worse)]
    assert [(each.kind, each.cell, each.what, each.worse) for each in found.differences] == expected


def test_runs_without_a_common_cell_are_refused() -> None:
    with pytest.raises(
        UsageError, match=r"run-1 \(sweep, compat\) and run-2 \(gate, smoke\) have no cell in common"
    ):
        compare(make(), past("run-2", cell("z"), kind="gate", matrix="smoke"))


def test_of_two_matrices_only_common_cells_are_compared() -> None:
    found = compare(make(latency=()), later(matrix="other", latency=()))
    assert found.notes == ("of two matrices, compat and other: only cells that both have are compared",)


def test_every_kind_has_been_planted_here() -> None:
    """The tests above name every kind of difference that there is."""
    source = Path(__file__).read_text(encoding="utf-8")
    assert [kind for kind in get_args(DifferenceKind) if f'"{kind}"' not in source] == []
