"""The comment in the picture of the README: two cells of the published sweep, decided as a gate.

``python -m support.comment_picture FILE`` in ``tests`` writes the page that is photographed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
from cmarkgfm import Options, github_flavored_markdown_to_html

from harness.cell.interface import load_checks
from harness.judge.gate_verdict import decide
from harness.judge.verdict import judge
from harness.records import BASELINE, CANDIDATE, CellResult, Gate, Plan, PlannedCell, Question
from harness.report.gate.comment import render_gate_markdown
from harness.resolve.lockfile import diff_locks
from harness.runs.folder import read_stored

SWEEP = Path(__file__).parents[2] / "reports/openvino/results.json.gz"
CELLS = {
    BASELINE: "openvino-2025.2.0_numpy-1.26.2_sentence-transformers-3.3.1",
    CANDIDATE: "openvino-2025.2.0_numpy-1.26.2_sentence-transformers-6.2.0",
}
UPGRADE = "sentence-transformers==6.2.0"

STYLE = """
body { margin: 24px; font: 14px/1.5 system-ui, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif; }
article { border: 1px solid #d1d9e0; border-radius: 6px; overflow: hidden; color: #1f2328; }
header { padding: 8px 16px; background: #f6f8fa; border-bottom: 1px solid #d1d9e0; color: #59636e; }
section { padding: 4px 16px 12px; }
h3 { font-size: 1.25em; margin: 12px 0; }
p, table, details { margin: 0 0 12px; }
code { background: #818b981f; border-radius: 6px; padding: .2em .4em;
       font: 85% ui-monospace, "Liberation Mono", Menlo, monospace; }
table { border-collapse: collapse; }
th, td { border: 1px solid #d1d9e0; padding: 6px 13px; text-align: left; }
.no { color: #d1242f; }
.yes { color: #1a7f37; }
tbody tr:nth-child(even) { background: #f6f8fa; }
"""


def make_published_gate() -> Gate:
    """The upgrade to sentence-transformers 6 with OpenVINO 2025.2, by the measurements of the sweep."""
    stored = read_stored(SWEEP)
    planned = {each.cell.id: each for each in stored.plan.cells}
    measured = {each.cell: each for each in stored.results}
    cells = tuple(_rename_cell(planned[name], arm) for arm, name in CELLS.items())
    results = [_rename_result(measured[name], arm) for arm, name in CELLS.items()]
    plan = _make_plan(stored.plan, cells)
    decision = decide(judge(plan, results, load_checks()), None, checks=load_checks())
    question = Question(
        baseline="main:requirements.txt",
        candidate="requirements.txt",
        arguments=(UPGRADE,),
        command="harness gate",
        service=plan.service,
        diff=diff_locks(cells[0].lock, cells[1].lock, [UPGRADE.partition("==")[0]]),
    )
    return Gate(run=plan.run, matrix=plan.matrix, created=plan.created, question=question, decision=decision)


def _make_plan(sweep: Plan, cells: tuple[PlannedCell, ...]) -> Plan:
    """The plan of a gate for a service without expectations."""
    return msgspec.structs.replace(
        sweep,
        cells=cells,
        baseline=BASELINE,
        baseline_cell=None,
        scenarios=(),
        expectations=(),
        borrowed=(),
        subset=True,
    )


def _rename_cell(planned: PlannedCell, arm: str) -> PlannedCell:
    cell = msgspec.structs.replace(planned.cell, id=arm, baseline=arm == BASELINE)
    return msgspec.structs.replace(planned, cell=cell, lock=msgspec.structs.replace(planned.lock, cell=arm))


def _rename_result(result: CellResult, arm: str) -> CellResult:
    return msgspec.structs.replace(result, cell=arm, timings=())


SIGNS = {"❌": "<b class=no>✗</b>", "✅": "<b class=yes>✓</b>", "➖": "–"}  # noqa: RUF001 - a dash
"""Emoji of a comment -> the sign in the picture, which is the same on machines without such a font."""


def render_page(comment: str) -> str:
    """The comment as GitHub renders it, in a style like that of GitHub."""
    body = github_flavored_markdown_to_html(comment, Options.CMARK_OPT_UNSAFE)
    for emoji, sign in SIGNS.items():
        body = body.replace(emoji, sign)
    return (
        f'<!doctype html><meta charset="utf-8"><style>{STYLE}</style>'
        f"<article><header>github-actions bot commented</header><section>{body}</section></article>"
    )


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render_page(render_gate_markdown(make_published_gate())), encoding="utf-8")
