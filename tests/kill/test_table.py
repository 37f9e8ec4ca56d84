"""The table of the kill matrix: whole values, and what makes the command fail."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.cell.interface import load_checks
from kill import table
from kill.__main__ import PUBLISHED
from kill.registry import Planted, list_faults, list_planted
from kill.running import SHORT_HINT, Killed, Row, find_void
from kill.table import EXPLAINED, count_kinds, find_failures, find_survivors, publish, render

ROOT = Path(__file__).parents[2]

WANTED = (
    Planted("limit_64", "another length limit", "embedder"),
    Planted("float64", "another form", "embedder"),
    Planted("right", "another way to the norm", "normalizer", correct=True),
)


def make_row(planted: Planted, *red: Killed, **changes: object) -> Row:
    row = Row(id=planted.id, kind=planted.kind, correct=planted.correct, made="1", red=red, cases=9)
    return msgspec.structs.replace(row, **changes)


KILLED = make_row(
    WANTED[0],
    Killed(case="l2.parity/manual/float32", outcome="fail", times=1234.5),
    Killed(case="rt.texts/too-long", outcome="error"),
)
SURVIVOR = make_row(WANTED[1], noted=("l0.tiny/subject/float32", "l0.huge/subject/float32"))
GREEN = make_row(WANTED[2])

SUMMARY = """\
**1 of 2 faults of 2 kinds are red, 0 are told as a limit or a note, 1 survive. \
Red correct variants: 0 of 1.**

Survivors:

- `embedder.float64`: not explained

## Faults

| fault | kind | red cases | by | times |
| --- | --- | --- | --- | --- |
| `embedder.limit_64` | another length limit | 2 | l2.parity, rt.texts | 1.23e+03 |
| `embedder.float64` | another form | 0 | **nothing** |  |

## Correct variants

| variant | kind | cases | red | notes and limits |
| --- | --- | --- | --- | --- |
| `normalizer.right` | another way to the norm | 9 | none |  |
"""


def test_the_table_has_a_row_for_each_fault_and_names_survivors() -> None:
    text = render([KILLED, SURVIVOR, GREEN], WANTED)
    assert SUMMARY in text
    assert "| l2.parity | 1 | 0 |" in text


def test_a_note_that_right_ones_do_not_have_tells_of_a_fault() -> None:
    usual = Row(id=table.USUAL_EMBEDDER, kind="a", correct=True, made="1", noted=SURVIVOR.noted[:1])
    text = render([SURVIVOR, usual], WANTED)
    assert "| `embedder.float64` | another form | 0 | told by l0.huge |  |" in text
    assert find_survivors([SURVIVOR, usual]) == []
    assert find_survivors([SURVIVOR, msgspec.structs.replace(usual, noted=SURVIVOR.noted)]) == [SURVIVOR]


def test_a_fault_that_ends_the_process_is_found() -> None:
    dead = make_row(WANTED[0], ended="no end within 400 s")
    assert dead.is_killed
    assert "| `embedder.limit_64` | another length limit | 0 | no end within 400 s | |" in render(
        [dead], WANTED
    )


def test_survivors_red_variants_and_what_has_not_run_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    red = make_row(WANTED[2], Killed(case="l0.zero/subject/float32", outcome="fail"))
    assert find_failures([KILLED, SURVIVOR, red], WANTED) == [
        "embedder.float64: nothing is red",
        "normalizer.right: correct, but red: l0.zero/subject/float32",
    ]
    assert find_failures([KILLED], WANTED) == [
        "embedder.float64: has not run",
        "normalizer.right: has not run",
    ]
    monkeypatch.setattr(table, "EXPLAINED", {SURVIVOR.id: "by reason", KILLED.id: "no longer"})
    assert find_failures([KILLED, SURVIVOR, GREEN], WANTED) == ["embedder.limit_64: explained, but found"]


def test_a_fault_that_the_machine_cannot_show_is_no_survivor() -> None:
    why = find_void("hint_bf16", ["avx2", "avx512f"])
    assert why.startswith("the CPU executes neither bfloat16 nor float16")
    assert [find_void("hint_f16", ["avx2", "amx_bf16"]), find_void("limit_64", ["avx2"])] == ["", ""]
    void = msgspec.structs.replace(SURVIVOR, noted=(), void=why)
    assert find_survivors([KILLED, void]) == []
    text = render([KILLED, void, GREEN], WANTED)
    assert f"cannot show:\n\n- `embedder.float64`: {why}\n" in text
    assert "| `embedder.float64` | another form | 0 | no effect here |  |" in text


def test_what_is_published_can_be_read(tmp_path: Path) -> None:
    _, whole = publish([KILLED, SURVIVOR, GREEN], WANTED, tmp_path)
    assert msgspec.json.decode(whole.read_bytes(), type=list[Row]) == [KILLED, SURVIVOR, GREEN]


def read_published() -> list[Row]:
    return msgspec.json.decode((ROOT / PUBLISHED / "results.json").read_bytes(), type=list[Row])


def test_the_published_table_names_every_fault_and_check_of_the_tree() -> None:
    rows, text = read_published(), (ROOT / PUBLISHED / "summary.md").read_text("utf-8")
    assert {row.id for row in rows} == {each.id for each in list_planted()}
    checks = [each.id for each in load_checks() if each.by == "cell" and not each.is_control]
    assert [check for check in checks if f"| {check} | " not in text] == []


def test_at_most_three_published_survivors_and_no_red_variant() -> None:
    rows = read_published()
    survivors = {row.id for row in find_survivors(rows)}
    assert survivors == set(EXPLAINED)
    assert len(survivors) <= 3
    assert [row.id for row in rows if row.correct and row.is_killed] == []
    assert {row.id for row in rows if row.void} <= {f"embedder.{name}" for name in SHORT_HINT}
    assert count_kinds([row for row in rows if not row.correct]) == len(
        {(each.place, each.kind) for each in list_faults()}
    )
