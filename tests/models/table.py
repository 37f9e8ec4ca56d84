"""The table of the family: what each cell says of each model, and whether each mistake was found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from support.provenance import name_commit

from harness.cell.interface import check_of
from models.cells import MEASURE, MISTAKES, RIGHT, Row
from models.family import Member
from models.matrices import CELLS

CONTROLS = """Controls that are nearer to a tolerance than they should be. They test the harness, whose
tolerances were measured with one model, and say nothing of the embedder:"""

NOTES = "Notes of the right ones, and what is expected of them:"

Rows = Mapping[tuple[str, str, str], Row]
"""(member, mistake, cell) -> row."""

COLUMNS = (RIGHT, *MISTAKES)

EXECUTES = "bf16"

HEAD = """# The shipped embedder with a family of models

Made by `{command}`, never edited, with the code of {commit}. Each model runs in two cells:
oldest ({oldest}) and newest ({newest}).
*Right* is the shipped embedder with all checks that look at a model: its distance from the reference, as a
share of the tolerance of `{measure}`. The other columns are the embedder with one mistake: how many times the
tolerance it is off.

"""


def index(rows: Sequence[Row]) -> Rows:
    """The last row of each member, mistake and cell."""
    return {(row.member, row.mistake, row.cell): row for row in rows}


def has_mistake(member: Member, mistake: str) -> bool:
    """Whether a member can be embedded with this mistake."""
    return mistake != "prompt" or bool(member.prompt)


def is_control(case: str) -> bool:
    """Whether a case tests a tolerance of the harness, and says nothing of an embedder."""
    return check_of(case).endswith(".control")


def is_good(row: Row) -> bool:
    """Whether a right embedder has nothing red but controls, or a mistake turns the parity red."""
    return all(map(is_control, row.red)) if row.mistake == RIGHT else MEASURE in row.red


def find_faults(members: Sequence[Member], rows: Rows) -> list[str]:
    """One sentence for each row that is missing or says the wrong thing."""
    return list(_find_faults(members, rows))


def _find_faults(members: Sequence[Member], rows: Rows) -> Iterator[str]:
    for member in members:
        for mistake in (each for each in COLUMNS if has_mistake(member, each)):
            for cell in CELLS:
                row = rows.get((member.name, mistake, cell))
                where = f"{member.name}, {mistake}, {cell}"
                if row is None:
                    yield f"{where}: not run"
                elif not is_good(row):
                    yield f"{where}: {', '.join(row.red) or 'not found'}: {row.message}"


def render(members: Sequence[Member], rows: Rows, command: str) -> str:
    """The table in Markdown, with the notes and faults below it."""
    versions = {
        name: ", ".join(f"{key} {value}" for key, value in cell.items()) for name, cell in CELLS.items()
    }
    lines = [HEAD.format(command=command, commit=name_commit(), measure=MEASURE, **versions)]
    lines.append(f"| model | covers | {' | '.join(COLUMNS)} |\n| --- | --- |{' --- |' * len(COLUMNS)}\n")
    for member in members:
        cells = (_show(member, mistake, rows) for mistake in COLUMNS)
        lines.append(f"| {member.name} | {member.covers} | {' | '.join(cells)} |\n")
    right = [row for row in rows.values() if row.mistake == RIGHT]
    near = ((row, f"{', '.join(row.red)}: {row.message}") for row in right if row.red and is_good(row))
    told = ((row, note) for row in right for note in row.notes)
    for title, found in ((CONTROLS, near), (NOTES, told)):
        if shown := _group(found):
            lines.append(f"\n{title}\n\n" + "\n".join(shown) + "\n")
    faults = find_faults(members, rows)
    verdict = "Every model is right in both cells, and every mistake is found in both."
    lines.append("\n" + ("\n".join(f"- {each}" for each in faults) if faults else verdict) + "\n")
    return "".join(lines)


def _group(found: Iterable[tuple[Row, str]]) -> list[str]:
    """One line for each text of a member, with its cells."""
    cells: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row, text in found:
        cells[row.member, text].append(row.cell)
    return [f"- {member}, {' and '.join(each)}: {text}" for (member, text), each in cells.items()]


def _show(member: Member, mistake: str, rows: Rows) -> str:
    """Both cells: ``0.16 / 0.18``; a wrong result in capital letters."""
    if not has_mistake(member, mistake):
        return "no prompt"
    found = [rows.get((member.name, mistake, cell)) for cell in CELLS]
    shown = " / ".join("?" if row is None else _show_row(row) for row in found)
    rounded = mistake == "bfloat16" and any(row and EXECUTES not in row.precisions for row in found)
    return f"{shown} (rounded weights)" if rounded else shown


def _show_row(row: Row) -> str:
    if not is_good(row):
        return f"{len(row.red)} RED" if row.mistake == RIGHT else "MISSED"
    return "infinite" if row.times is None else f"{row.times:.2g}" if row.times < 100 else f"{row.times:,.0f}"
