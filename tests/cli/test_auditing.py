"""``harness audit`` with a planted engine: exit codes, forms, the baseline."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.command_line import command

from harness.audit.catalogue import read_rules
from harness.cli import auditing
from harness.errors import UsageError
from harness.records.audit import AuditFinding, Unread

Say = pytest.CaptureFixture[str]


@pytest.fixture(name="project")
def project_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a division in each line of a file; the engine names all of them."""
    (tmp_path / "a.py").write_text(
        "x / n\ny / n  # harness: ignore[array-copy-false] why\n", encoding="utf-8"
    )

    async def scan(files: Sequence[Path]) -> tuple[tuple[AuditFinding, ...], tuple[Unread, ...]]:
        (file,) = files
        text = file.read_text(encoding="utf-8")
        found = tuple(
            AuditFinding(
                rule="array-copy-false",
                path=str(file),
                line=number,
                end_line=number,
                column=1,
                end_column=2,
                code="",
            )
            for number, line in enumerate(text.splitlines(), 1)
            if "/" in line
        )
        return found, (Unread(path=str(file), line=1, reason="odd"),) if "odd" in text else ()

    monkeypatch.setattr(auditing, "scan", scan)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_exit_code_says_what_is_new(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say) -> None:
    def audit(*arguments: str) -> int:
        return command(monkeypatch, "audit", *arguments)

    assert audit("a.py") == 1
    assert "a.py:1:1: error: " in capsys.readouterr().out
    assert audit("a.py", "--baseline", "known.json", "--update-baseline") == 0
    assert audit("a.py", "--baseline", "known.json") == 0
    assert capsys.readouterr().out.endswith(
        "no new findings in 1 file, 1 of the baseline, 1 ignored for a reason\n"
    )
    assert audit("a.py", "--sarif", "--out", "a.sarif") == 1
    assert len(json.loads(Path("a.sarif").read_bytes())["runs"][0]["tool"]["driver"]["rules"]) == len(
        read_rules()
    )
    assert audit("a.py", "--code-quality", "--out", "a.json") == 1
    assert [each["check_name"] for each in json.loads(Path("a.json").read_bytes())] == ["array-copy-false"]
    assert audit("a.py", "--json") == 1
    assert [each["state"] for each in json.loads(capsys.readouterr().out)["findings"]] == ["new", "ignored"]

    (project / "b.py").write_text("odd", encoding="utf-8")
    assert audit("b.py") == 5
    assert audit("b.py", "--exclude", "b.*") == 2
    assert audit("c.py") == 2
    assert audit("a.py", "--update-baseline") == 2
    assert "--update-baseline needs --baseline FILE" in capsys.readouterr().err


def test_without_the_engine_the_exit_code_is_that_of_usage(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    async def scan(_: Sequence[Path]) -> None:
        raise UsageError("harness audit needs Semgrep")

    monkeypatch.setattr(auditing, "scan", scan)
    assert command(monkeypatch, "audit", str(project)) == 2
    assert capsys.readouterr().err.startswith("harness: harness audit needs Semgrep")
