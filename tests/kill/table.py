"""The table of the kill matrix: each fault by what turned it red, survivors, and correct variants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from support.provenance import name_commit

from harness.cell.interface import check_of, load_checks
from harness.files import write_text
from kill.registry import Planted
from kill.running import Killed, Row

EXPLAINED: dict[str, str] = {}
"""Id of a survivor -> why nothing turns it red; at most three."""

HEAD = """# Planted faults, and what turns them red

Written by `nox -s kill -- --publish`, never edited, with the code of {commit}.
Each fault is planted in the shipped embedder, in a normalizer, in the reference or in a copy of the
model, and the suite runs in a real environment (numpy 2.4.6, sentence-transformers 6.2.0, openvino
2026.4.1, torch 2.13.0). *Times* is the largest error as a multiple of what is allowed. Faults of one
kind differ in a width, a size or a dtype. What is no fault of served vectors by its severity, such as a
warning or a read-only result, is a limit or a note that right ones do not have.
"""

USUAL = {"normalizer": "normalizer.right"}
USUAL_EMBEDDER = "embedder.batch_8"
"""Place of a fault -> the correct variant whose limits and notes every other one has, too."""


def count_kinds(rows: Sequence[Row]) -> int:
    """The number of kinds of rows."""
    return len({(row.id.split(".")[0], row.kind) for row in rows})


def find_told(rows: Sequence[Row]) -> dict[str, list[str]]:
    """Id of a fault that is not red -> the checks with a limit or note that right ones do not have."""
    noted = {row.id: set(row.noted) for row in rows}
    told = {}
    for row in rows:
        usual = noted.get(USUAL.get(row.id.split(".")[0], USUAL_EMBEDDER))
        if not row.correct and not row.is_killed and usual is not None:
            told[row.id] = name_checks([case for case in row.noted if case not in usual])
    return {name: checks for name, checks in told.items() if checks}


def find_survivors(rows: Sequence[Row]) -> list[Row]:
    """The faults that are neither red nor told, although the machine can show them."""
    told = find_told(rows)
    return [row for row in rows if not (row.correct or row.is_killed or row.id in told or row.void)]


def render(rows: Sequence[Row], wanted: Sequence[Planted]) -> str:
    """The table as Markdown."""
    faults, correct = split(rows)
    killed, told = [row for row in faults if row.is_killed], find_told(rows)
    red = [row for row in correct if row.is_killed]
    found = (
        f"**{len(killed)} of {len(faults)} faults of {count_kinds(faults)} kinds are red, {len(told)} "
        f"are told as a limit or a note, {len(find_survivors(rows))} survive. Red "
        f"correct variants: {len(red)} of {len(correct)}.**"
    )
    lines = [
        HEAD.format(commit=name_commit()),
        found,
        *([] if len(rows) == len(wanted) else [f"{len(wanted) - len(rows)} have not run."]),
        "",
        *_list_survivors(find_survivors(rows)),
        *_list_void(faults),
        "## Faults",
        "",
        "| fault | kind | red cases | by | times |",
        "| --- | --- | --- | --- | --- |",
        *(_render_fault(row, told.get(row.id, [])) for row in faults),
        "",
        "## Correct variants",
        "",
        "| variant | kind | cases | red | notes and limits |",
        "| --- | --- | --- | --- | --- |",
        *(_render_correct(row) for row in correct),
        "",
        "## Checks",
        "",
        "How many faults a check turns red, and how many it alone.",
        "",
        "| check | red for | alone for |",
        "| --- | --- | --- |",
        *_render_checks(faults),
    ]
    return "\n".join(lines) + "\n"


def split(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """The faults, and the correct variants."""
    return [row for row in rows if not row.correct], [row for row in rows if row.correct]


def _list_survivors(survivors: Sequence[Row]) -> Iterator[str]:
    if not survivors:
        return
    yield "Survivors:"
    yield ""
    for row in survivors:
        yield f"- `{row.id}`: {EXPLAINED.get(row.id, 'not explained')}"
    yield ""


def _list_void(faults: Sequence[Row]) -> Iterator[str]:
    if any(row.void for row in faults):
        yield from ("Faults that the machine of this table cannot show:", "")
        yield from (f"- `{row.id}`: {row.void}" for row in faults if row.void)
        yield ""


def name_checks(cases: Sequence[str]) -> list[str]:
    """The checks of cases, each once, in their order."""
    return list(dict.fromkeys(check_of(case) for case in cases))


def _render_fault(row: Row, told: Sequence[str]) -> str:
    if row.ended:
        return f"| `{row.id}` | {row.kind} | {len(row.red)} | {_escape(row.ended)} | |"
    checks = name_checks([each.case for each in row.red])
    shown = ", ".join(checks[:4]) + (f" and {len(checks) - 4} more" if len(checks) > 4 else "")
    shown = shown or (f"told by {', '.join(told)}" if told else "") or ("no effect here" if row.void else "")
    return f"| `{row.id}` | {row.kind} | {len(row.red)} | {shown or '**nothing**'} | {_measure(row.red)} |"


def _measure(red: Sequence[Killed]) -> str:
    times = [each.times for each in red if each.times is not None]
    if times:
        return f"{max(times):,.3g}"
    return "error" if any(each.outcome == "error" for each in red) else ""


def _render_correct(row: Row) -> str:
    red = ", ".join(each.case for each in row.red[:4]) or row.ended or "none"
    return f"| `{row.id}` | {row.kind} | {row.cases} | {_escape(red)} | {', '.join(name_checks(row.noted))} |"


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _render_checks(faults: Sequence[Row]) -> Iterator[str]:
    found = {row.id: name_checks([each.case for each in row.red]) for row in faults}
    times = Counter(check for checks in found.values() for check in checks)
    alone = Counter(checks[0] for checks in found.values() if len(checks) == 1)
    for check in load_checks():
        if check.by == "cell" and not check.is_control:
            yield f"| {check.id} | {times[check.id]} | {alone[check.id]} |"


def find_failures(rows: Sequence[Row], wanted: Sequence[Planted]) -> list[str]:
    """One sentence for each survivor without explanation, red variant and fault that has not run."""
    ran, survivors = {row.id for row in rows}, {row.id for row in find_survivors(rows)}
    return [
        *(f"{row.id}: nothing is red" for row in rows if row.id in survivors - set(EXPLAINED)),
        *(f"{row.id}: explained, but found" for row in rows if row.id in set(EXPLAINED) - survivors),
        *(
            f"{row.id}: correct, but red: {row.red[0].case if row.red else row.ended}"
            for row in rows
            if row.correct and row.is_killed
        ),
        *(f"{each.id}: has not run" for each in wanted if each.id not in ran),
    ]


def publish(rows: Sequence[Row], wanted: Sequence[Planted], folder: Path) -> tuple[Path, ...]:
    """Write the table, and all rows."""
    folder.mkdir(parents=True, exist_ok=True)
    table, whole = folder / "summary.md", folder / "results.json"
    write_text(table, render(rows, wanted))
    short = [msgspec.structs.replace(row, red=tuple(map(_shorten, row.red[:12]))) for row in rows]
    write_text(whole, msgspec.json.format(msgspec.json.encode(short), indent=1).decode() + "\n")
    return table, whole


def _shorten(killed: Killed) -> Killed:
    return msgspec.structs.replace(killed, message=killed.message[:200])
