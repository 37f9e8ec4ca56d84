"""The proof where it is committed: its table, and all that it was counted from."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from support.provenance import name_commit

from harness.errors import UsageError
from harness.files import write_whole
from harness.gate.blocks import BLOCKS
from harness.report.escape import code_span, escape_markdown
from proof.code import digest_code
from proof.goals import Row
from proof.real import ROWS
from proof.stages import MEASURED, REAL, noise_folder
from proof.table import ASSUMED, WORDS

SUMMARY, GATES, NOISE = "summary.md", "gates.jsonl", "noise.jsonl.gz"

LONG = 1000

HEAD = """# How often the gate's decision on latency is right

Counted by {command}, never edited, with the code of {commit}; the
noise was recorded on a machine of class {class_} ({cpu}, {cores}
cores). `{gates}` holds every real gate, and the same command goes on from it in a new clone.
`{noise}` holds every recorded block; it is counted again where it lies, unpacked, in
`{recorded}/{blocks}`.

| what | count | goal | | |
| --- | --- | --- | --- | --- |
"""


def publish(
    folder: Path, rows: Sequence[Row], command: str, machine: Mapping[str, str], target: Path
) -> tuple[Path, ...]:
    """Write what was counted, and what was measured for it, into ``target``; return what was written.

    Args:
        folder: of the proof.
        rows: of the table.
        command: that counted them.
        machine: facts of the one that recorded the noise.
        target: a folder of ``reports/``.

    Raises:
        UsageError: there are no real gates, or no noise, to publish; or something else lies in their place.
        OSError: no room, no permission.
    """
    gates, noise = folder / REAL / ROWS, folder / noise_folder() / BLOCKS
    for path in (gates, noise):
        if not path.is_file():
            raise UsageError(f"{path}: not there; what is published holds real gates and recorded noise")
    contents = {
        SUMMARY: render_summary(rows, command, machine).encode(),
        GATES: gates.read_bytes(),
        NOISE: gzip.compress(noise.read_bytes(), mtime=0),  # the same bytes each time
    }
    if (target / SUMMARY).exists() and not (target / GATES).exists():
        raise UsageError(f"{target / SUMMARY}: not published by the proof; move it away")
    for name, content in contents.items():
        write_whole(target / name, content)
    return tuple(target / name for name in contents)


class _Coded(msgspec.Struct):
    """What is read of a published gate of unknown age."""

    code: str = ""


def take_over(published: Path, folder: Path) -> bool:
    """Go on from the real gates that were published, where none was run in ``folder``; tell whether so.

    Only those of this code, whatever others were written like. Noise does not say what it is of, so it is
    recorded anew.

    Raises:
        UsageError: a line that is no gate at all, or something else lies where gates are kept.
        OSError: no room, no permission.
    """
    source, target, code = published / GATES, folder / REAL / ROWS, digest_code()
    if target.exists() or not source.exists():
        return False
    MEASURED.claim(target.parent)
    try:
        lines = source.read_bytes().splitlines(keepends=True)
        mine = [line for line in lines if msgspec.json.decode(line, type=_Coded).code == code]
    except msgspec.DecodeError as error:
        raise UsageError(f"{source}: no published gates ({error}); begin anew with --fresh") from None
    if mine:
        write_whole(target, b"".join(mine))
    return bool(mine)


def render_summary(rows: Sequence[Row], command: str, machine: Mapping[str, str]) -> str:
    """The table of the proof in Markdown."""
    head = HEAD.format(
        command=code_span(command),
        commit=name_commit(),
        class_=code_span(machine["class"]),
        cpu=escape_markdown(machine["cpu"]),
        cores=machine["cores"],
        gates=GATES,
        noise=NOISE,
        recorded=f"build/proof/{noise_folder()}",
        blocks=BLOCKS,
    )
    lines = [_render_row(row) for row in rows]
    return "".join([head, *lines, ASSUMED])


def _render_row(row: Row) -> str:
    what, note = escape_markdown(row.what.strip()), escape_markdown(row.note, LONG)
    return f"| {what} | {row.count} of {row.gates} | {row.goal} | {WORDS[row.holds]} | {note} |\n"
