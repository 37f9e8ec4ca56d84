"""What was in force is on the page, in the summary and on the terminal, of a sweep and of a gate."""

from __future__ import annotations

import msgspec
import pytest
from support.gate_samples import make_gate, make_question
from support.runs import make_full_run

from harness.report.gate.comment import render_gate_markdown
from harness.report.gate.html import render_gate_html
from harness.report.gate.terminal import render_gate_text
from harness.report.markdown import render_markdown
from harness.report.page.html import render_html
from harness.report.terminal import render_text

SHOWN = {
    "namespaces": "ells isolated",
    "none: no permission": "ells not isolated (no permission)",
    "": "",
}


@pytest.mark.parametrize("text", SHOWN)
def test_a_sweep_says_whether_its_cells_were_isolated(text: str) -> None:
    run = make_full_run()
    run = msgspec.structs.replace(run, plan=msgspec.structs.replace(run.plan, isolation=text))
    for shown in (render_html(run), render_text(run, width=300), render_markdown(run)):
        assert SHOWN[text] in shown.replace("\\", "")
        assert ("isolated" in shown) is bool(text)


@pytest.mark.parametrize("text", SHOWN)
def test_a_gate_says_whether_its_cells_were_isolated(text: str) -> None:
    gate = make_gate(question=make_question(isolation=text))
    for shown in (
        render_gate_html(gate, None),
        render_gate_text(gate, width=300),
        render_gate_markdown(gate),
    ):
        assert SHOWN[text] in shown
        assert ("isolated" in shown) is bool(text)
