"""Comments that ignore, and the baseline of old code."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.audit.states import apply_baseline, with_sources, write_baseline
from harness.errors import UsageError
from harness.records.audit import AuditFinding

SOURCE = """\
import numpy as np
a = x / n  # harness: ignore[r] the input is never zero
b = x / n  # harness: ignore[r]
c = x / n  # harness: ignore[other] a reason
# harness: ignore[other, r] of the whole statement
d = f(
    x / n,
)
e = "# harness: ignore[r] no comment"
f = 1  # harness: ignore[r] of this line only
g = x / n
h = (
    x / n  # harness: ignore[r] within the finding
)
"""


def finding(path: Path, line: int, end: int = 0) -> AuditFinding:
    return AuditFinding(
        rule="r", path=str(path), line=line, end_line=end or line, column=1, end_column=2, code=""
    )


def test_a_comment_ignores_with_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text(SOURCE, encoding="utf-8")
    places = [(2, 2), (3, 3), (4, 4), (6, 8), (9, 9), (11, 11), (12, 14)]
    done = with_sources(finding(path, *place) for place in places)
    assert [(each.line, each.state, each.note) for each in done] == [
        (2, "ignored", "the input is never zero"),
        (3, "new", "the comment in line 3 gives no reason, so it ignores nothing"),
        (4, "new", ""),
        (6, "ignored", "of the whole statement"),
        (9, "new", ""),
        (11, "new", ""),
        (12, "ignored", "within the finding"),
    ]
    assert done[5].code == "g = x / n"


def test_a_file_that_python_cannot_read_ignores_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("x = (  # harness: ignore[r] why\n", encoding="utf-8")
    assert [each.state for each in with_sources([finding(path, 1)])] == ["ignored"], "up to the fault"
    path.write_text("if x:\n\ty\n        z  # harness: ignore[r] why\n  w\n", encoding="utf-8")
    assert [each.state for each in with_sources([finding(path, 4)])] == ["new"]


def test_a_baseline_covers_old_findings_wherever_they_move(tmp_path: Path) -> None:
    code, baseline = tmp_path / "src" / "a.py", tmp_path / "audit.json"
    code.parent.mkdir()
    code.write_text("x / n\ny / n\nx / n  \n", encoding="utf-8")
    write_baseline(with_sources(finding(code, line) for line in (1, 2, 3)), baseline)
    assert '"src/a.py"' in baseline.read_text(encoding="utf-8")

    code.write_text("\n\nx / n\nx / n\nx / n\nz / n\n", encoding="utf-8")
    done = apply_baseline(with_sources(finding(code, line) for line in (3, 4, 5, 6)), baseline)
    assert [each.state for each in done] == ["baseline", "baseline", "new", "new"]

    baseline.write_text('{"findings": [{"path": 1}]}', encoding="utf-8")
    with pytest.raises(UsageError, match=r"audit\.json: no baseline of .*\$\.findings\[0\]\.path"):
        apply_baseline(done, baseline)
