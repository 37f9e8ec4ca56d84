"""The table of the scripts: which fails where it has to, and is right where it has to be."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
from support.provenance import name_commit


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One script: its exit codes by `uv run` and in the environment of the baseline.

    None: it was not run there. ``passes`` is whether the case passed in the baseline; ``why`` is why there is
    no script.
    """

    run: str
    case: str
    cell: str
    passes: bool
    code: int | None = None
    baseline: int | None = None
    said: str = ""
    lines: int = 0
    why: str = ""

    @property
    def name(self) -> str:
        """The name of its files, without ending."""
        return re.sub(r"[^a-z0-9]+", "-", self.case.lower()).strip("-")

    @property
    def is_good(self) -> bool:
        """Whether the script fails in the cell, and is right in a baseline where the case passes."""
        return self.code == 1 and (self.baseline == 0 if self.passes else self.baseline is None)

    def describe(self) -> str:
        """What came of it, in words."""
        if self.code is None:
            return f"no script: {self.why}"
        fails = {0: "does not fail", 1: "fails"}.get(self.code, f"exit {self.code}")
        right = {None: "", 0: "; right with the baseline", 1: "; fails with the baseline too"}
        return fails + right.get(self.baseline, f"; exit {self.baseline} with the baseline")


SHOWN = 90
"""Characters of what a script observed."""

HEAD = """# A script for every check that diverges in the published sweeps

Made by `{command}`, never edited, with the code of {commit}.
Each script is one file that needs no harness: `uv run` installs the versions that it pins. It was run by
`uv run` in an environment of its own, and in the environment of the baseline where the case passes there.
{good} of {all} do what they should.

| case | in the cell | observed | with the baseline |
| --- | --- | --- | --- |
"""


def render_page(rows: Sequence[Row], command: str) -> str:
    """Render the table as Markdown."""
    head = HEAD.format(
        command=command, commit=name_commit(), good=sum(row.is_good for row in rows), all=len(rows)
    )
    return head + "".join(_render(row) for row in rows)


def _render(row: Row) -> str:
    if row.code is None:
        return f"| `{row.case}` | no script | {row.why.replace('|', '/')} | |\n"
    baseline = {None: "fails there too, by the sweep", 0: "right", 1: "fails"}.get(row.baseline, "not tried")
    fails = {0: "does not fail", 1: "fails"}.get(row.code, f"exit {row.code}")
    return f"| [`{row.case}`]({row.name}.py) | {fails} | {_shorten(row.said)} | {baseline} |\n"


def _shorten(text: str) -> str:
    """A text for one cell of a table."""
    line = " ".join(text.split()).replace("|", "/").replace("`", "'")
    return f"`{line if len(line) <= SHOWN else line[: SHOWN - 1] + '…'}`"
