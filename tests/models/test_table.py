"""The table of the family: rows in, whole text out; and the table that is published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.cell.corpus import load_corpus
from harness.matrix.expected import expectations_for
from harness.matrix.read import read_matrix
from models.cells import MEASURE, MISTAKES, RIGHT, Row
from models.family import FAMILY, Member
from models.matrices import CELLS, write_corpus, write_matrix
from models.table import COLUMNS, find_faults, has_mistake, index, render

PLAIN, PROMPTED = Member("a", "nothing"), Member("b", "a prompt", prompt="query: ")
WRONG = "125,000 / 125,000"
CONTROL = "gold.control/float16/bfloat16-weights"


def row(member: Member, mistake: str, cell: str, **changes: Any) -> Row:
    right: dict[str, Any] = {"red": (), "value": 5e-7, "precisions": "f32 9"}
    wrong: dict[str, Any] = {"red": (MEASURE,), "value": 0.25, "precisions": "bf16 5, f32 9"}
    usual: dict[str, Any] = {
        "made": "x",
        "member": member.name,
        "mistake": mistake,
        "cell": cell,
        "allowed": 2e-6,
    }
    return Row(**(usual | (right if mistake == RIGHT else wrong) | changes))


def rows(*members: Member) -> list[Row]:
    return [row(*each, cell) for each in pairs(*members) for cell in CELLS]


def pairs(*members: Member) -> list[tuple[Member, str]]:
    return [(member, mistake) for member in members for mistake in COLUMNS if has_mistake(member, mistake)]


def test_where_all_is_well() -> None:
    found = index(rows(PLAIN, PROMPTED))
    assert find_faults((PLAIN, PROMPTED), found) == []
    lines = render((PLAIN, PROMPTED), found, "nox -s models").splitlines()
    assert lines[-6:] == [
        "| model | covers | right | pooling | prompt | limit | bfloat16 |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        f"| a | nothing | 0.25 / 0.25 | {WRONG} | no prompt | {WRONG} | {WRONG} |",
        f"| b | a prompt | 0.25 / 0.25 | {WRONG} | {WRONG} | {WRONG} | {WRONG} |",
        "",
        "Every model is right in both cells, and every mistake is found in both.",
    ]


@pytest.mark.parametrize(
    ("changed", "fault", "shown"),
    [
        (
            row(PLAIN, RIGHT, "newest", red=("rt.threads", CONTROL), message="busy"),
            f"a, right, newest: rt.threads, {CONTROL}: busy",
            "0.25 / 2 RED",
        ),
        (row(PLAIN, "pooling", "oldest", red=()), "a, pooling, oldest: not found: ", "MISSED / 125,000"),
        (
            row(PLAIN, "limit", "oldest", red=("env.precision",)),
            "a, limit, oldest: env.precision: ",
            "MISSED /",
        ),
    ],
)
def test_a_fault_is_named_and_shown(changed: Row, fault: str, shown: str) -> None:
    found = index([*rows(PLAIN), changed])
    assert find_faults((PLAIN,), found) == [fault]
    text = render((PLAIN,), found, "x")
    assert shown in text
    assert text.endswith(f"- {fault}\n")


def test_what_has_not_run_is_a_fault() -> None:
    assert find_faults((PLAIN,), index(rows(PLAIN)[1:])) == ["a, right, oldest: not run"]


def test_a_control_is_shown_and_no_fault() -> None:
    found = index([*rows(PLAIN), row(PLAIN, RIGHT, "oldest", red=(CONTROL,), message="near")])
    assert find_faults((PLAIN,), found) == []
    assert f"- a, oldest: {CONTROL}: near" in render((PLAIN,), found, "x").splitlines()


def test_a_cpu_without_bfloat16_is_told() -> None:
    rounded = [row(PLAIN, "bfloat16", cell, precisions="f32 14") for cell in CELLS]
    assert "| 125,000 / 125,000 (rounded weights) |" in render((PLAIN,), index([*rows(PLAIN), *rounded]), "x")


@pytest.mark.parametrize("member", FAMILY, ids=[each.name for each in FAMILY])
def test_every_member_has_a_matrix_that_is_read(tmp_path: Path, member: Member) -> None:
    write_corpus(tmp_path)
    path = tmp_path / f"{member.name}.toml"
    (tmp_path / "model").mkdir()
    path.write_text(write_matrix(member, tmp_path / "model"), encoding="utf-8")
    matrix = read_matrix(path)
    assert [each.versions["openvino"] for each in matrix.rows] == [
        each["openvino"] for each in CELLS.values()
    ]
    bytewise = member.tokenizer == "bytes"
    kinds = {each.kind for each in load_corpus(str(matrix.corpus_path or ""))}
    assert ("whitespace" in kinds) == (not bytewise)
    stripped = [each for each in expectations_for(matrix) if each.check == "rt.texts/whitespace"]
    assert len(stripped) == bytewise


def test_the_published_table_has_every_member_and_no_fault(root: Path) -> None:
    text = (root / "reports" / "models" / "summary.md").read_text("utf-8")
    lines = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    assert [line[:2] for line in lines[2:]] == [[f"| {each.name}", each.covers] for each in FAMILY]
    assert not [
        word for word in ("RED", "MISSED", "?") if any(word in field for line in lines for field in line)
    ]
    assert lines[0][2:] == [*COLUMNS[:-1], f"{COLUMNS[-1]} |"]
    assert set(MISTAKES) < set(COLUMNS)
