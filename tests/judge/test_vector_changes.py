"""The cases that compare a cell with the baseline: whole results, for each side that can change."""

from __future__ import annotations

import numpy as np
import pytest
from support.services import TOLERANCES

from harness.cell.comparison import unit_rows
from harness.cell.corpus import Sentence
from harness.cell.interface import list_measured_by, load_checks
from harness.cell.recorded import Recorded
from harness.judge.vector_changes import compare_vectors

CASES = list_measured_by("controller", [case for check in load_checks() for case in check.cases(("manual",))])
LIMITS = TOLERANCES
TEXTS = tuple(Sentence(f"text {number}", "plain") for number in range(12))
ROWS = unit_rows(np.random.RandomState(7).standard_normal((12, 16))).astype(np.float32)
BEFORE = Recorded(TEXTS, ROWS, ROWS)


def moved(by: float) -> np.ndarray:
    rows = ROWS.copy()
    rows[3, 0] += np.float32(by)
    return rows


def judged(now: Recorded | str, before: Recorded | str = BEFORE) -> dict[str, tuple[str, str]]:
    found = compare_vectors(now, before, CASES, LIMITS)
    assert tuple(each.id for each in found) == CASES
    return {each.id: (each.outcome, each.message) for each in found}


GOOD = ("pass", "")
MOVED = (
    "worst error 0.469521 distance at (3), but should be at most 1e-05; 8.33% of rows beyond; "
    "sample: plain 0.47: text 3; the reference is unchanged (0)"
)
FINDS_OTHERS = (
    "embed again: 9 of 12 queries find something else; 9 queries, but should be at most 0; "
    "75% of queries beyond; sample: plain 0.32: text 3; plain 0.2: text 6; plain 0.18: text 0; "
    "the reference is unchanged (0)"
)
WIDER = (
    "kept: no, but should be yes; sample: float32 (12, 16) before, float64 (12, 16) now; "
    "the reference is unchanged (0)"
)


def test_equal_vectors_pass() -> None:
    assert judged(Recorded(TEXTS, ROWS.copy(), ROWS.copy())) == dict.fromkeys(CASES, GOOD)


def test_rounding_passes() -> None:
    assert judged(Recorded(TEXTS, moved(2e-6), ROWS)) == dict.fromkeys(CASES, GOOD)


def test_a_service_that_changed_alone() -> None:
    assert judged(Recorded(TEXTS, moved(0.5), ROWS)) == {
        "gold.vectors": ("fail", MOVED),
        "gold.ranking": ("fail", FINDS_OTHERS),
        "gold.dtype": GOOD,
        "gold.reference": GOOD,
    }


def test_queries_that_changed_alone_find_something_else_in_an_index_that_did_not() -> None:
    asked = np.roll(ROWS, 1, axis=1)
    before = Recorded(TEXTS, ROWS, ROWS, asked)
    assert judged(before, before) == dict.fromkeys(CASES, GOOD)
    found = judged(Recorded(TEXTS, ROWS, ROWS, np.roll(asked, 1, axis=1)), before)
    assert {case: outcome for case, (outcome, _) in found.items()} == {
        "gold.vectors": "fail",
        "gold.ranking": "fail",
        "gold.dtype": "pass",
        "gold.reference": "pass",
    }


def test_a_reference_that_changed_alone_is_named() -> None:
    found = judged(Recorded(TEXTS, ROWS, moved(0.5)))
    assert found.pop("gold.reference")[0] == "fail"
    assert set(found.values()) == {GOOD}


def test_both_that_changed() -> None:
    found = judged(Recorded(TEXTS, moved(0.5), moved(0.25)))
    assert found["gold.vectors"][1].endswith("; the reference has changed too (0.24)")


def test_a_dtype_that_changed() -> None:
    found = judged(Recorded(TEXTS, ROWS.astype(np.float64), ROWS))
    assert found.pop("gold.dtype") == ("fail", WIDER)
    assert set(found.values()) == {GOOD}


def test_another_width_fits_no_index() -> None:
    found = judged(Recorded(TEXTS, ROWS[:, :8], ROWS))
    assert {case: outcome for case, (outcome, _) in found.items()} == {
        "gold.vectors": "fail",
        "gold.ranking": "fail",
        "gold.dtype": "fail",
        "gold.reference": "pass",
    }
    assert found["gold.ranking"][1].startswith("embed again: no stored vector fits; ")


def test_float16_has_a_tolerance_of_its_own() -> None:
    half = Recorded(TEXTS, ROWS.astype(np.float16), ROWS)
    near = Recorded(TEXTS, moved(1e-4).astype(np.float16), ROWS)
    far = Recorded(TEXTS, moved(1.3e-3).astype(np.float16), ROWS)
    assert judged(near, half)["gold.vectors"] == GOOD
    assert judged(far, half)["gold.vectors"][0] == "fail"


@pytest.mark.parametrize("sides", [("why now", BEFORE), (BEFORE, "why before"), ("why now", "why before")])
def test_without_vectors_nothing_is_measured(sides: tuple[Recorded | str, Recorded | str]) -> None:
    why = "why before" if sides[1] == "why before" else "why now"
    assert judged(*sides) == dict.fromkeys(CASES, ("error", why))


def test_other_texts_cannot_be_compared() -> None:
    other = Recorded((*TEXTS[:-1], Sentence("another", "plain")), ROWS, ROWS)
    told = "the texts of the cell are not those of the baseline"
    assert judged(other) == dict.fromkeys(CASES, ("error", told))


def test_without_a_reference_only_its_case_is_skipped() -> None:
    found = judged(Recorded(TEXTS, moved(0.5)))
    assert found["gold.reference"] == ("skip", "there are no vectors of the reference in this cell")
    assert found["gold.vectors"][1].endswith("text 3")
