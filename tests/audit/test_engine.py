"""The rules over the files of the corpus and over their own examples, and what the engine may do wrong."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
import tomllib
from pathlib import Path

import msgspec
import pytest

from harness.audit import engine
from harness.audit.catalogue import read_rules
from harness.audit.engine import INSTALL, find_engine, list_sources, scan
from harness.errors import MachineError, UsageError
from harness.records.audit import AuditFinding, Unread

Place = tuple[str, int, str]

FILES = Path(__file__).with_name("files")
GOAL = 0.9
"""The recall that rules have to reach on files that were not used to write them (issue 19)."""


def expected(folder: Path) -> set[Place]:
    """File, line and rule of each mark."""
    return {
        (str(path), number, mark[1])
        for path in sorted(folder.rglob("*.py"))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if (mark := re.search(r"# fault: (\S+)", line))
    }


def put_examples(folder: Path) -> set[Place]:
    """Write the examples of every rule; the failing ones, which have one finding each."""
    for rule in read_rules():
        for kind, text in (("fails", rule.fails), ("passes", rule.passes)):
            place = folder / rule.id
            place.mkdir(exist_ok=True)
            (place / f"{kind}.py").write_text(text, encoding="utf-8")
    return {(str(folder / rule.id / "fails.py"), 0, rule.id) for rule in read_rules()}


def at_marks(found: tuple[AuditFinding, ...], marks: set[Place]) -> list[Place]:
    """The findings, each at the mark that it covers, if there is one; at line 0 in an example."""
    return [
        next(
            (m for m in marks if m[::2] == (each.path, each.rule) and each.line <= m[1] <= each.end_line),
            (each.path, 0 if Path(each.path).stem in {"fails", "passes"} else each.line, each.rule),
        )
        for each in found
    ]


@pytest.mark.skipif(shutil.which("semgrep") is None, reason=f"needs Semgrep: nox -s audit, or {INSTALL}")
def test_rules_name_faults_and_nothing_else(tmp_path: Path) -> None:
    marks = expected(FILES)
    held = {mark for mark in marks if Path(mark[0]).name.startswith("held_")}
    assert 2 * len(held) == len(marks)
    wanted = (marks - held) | put_examples(tmp_path)
    broken = tmp_path / "broken.py"
    broken.write_text("import numpy as np\ndef f(x:\n  return np.linalg.norm(x) / 2\n", encoding="utf-8")

    found, unread = asyncio.run(scan(list_sources([FILES, tmp_path])))

    assert [(each.path, each.line) for each in unread] == [(str(broken), 2)]
    places = at_marks(found, marks)
    assert {each for each in places if each not in held} == wanted, "no file without a fault is named"
    assert len(held.intersection(places)) >= GOAL * len(held)


def test_the_hook_brings_the_engine(root: Path) -> None:
    (hook,) = msgspec.yaml.decode((root / ".pre-commit-hooks.yaml").read_bytes())
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert hook["additional_dependencies"] == project["optional-dependencies"]["audit"]
    assert hook["entry"].split() == ["harness", "audit"]


def test_every_rule_has_six_files() -> None:
    names = {"held_a.py", "held_b.py", "open_a.py", "open_b.py", "passing_a.py", "passing_b.py"}
    found = {
        folder.name: {path.name for path in folder.iterdir()} for folder in FILES.iterdir() if folder.is_dir()
    }
    assert found == {rule.id: names for rule in read_rules()}


def test_sources_are_python_files_of_the_project(tmp_path: Path) -> None:
    for name in (
        "a.py",
        "script",
        "tests/b.py",
        "tests/data/c.py",
        ".git/d.py",
        "node_modules/e.py",
        "env/pyvenv.cfg",
        "env/f.py",
        "notes.md",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    def listed(*arguments: str, paths: tuple[str, ...] = (".",)) -> list[str]:
        found = list_sources([tmp_path / path for path in paths], arguments)
        return [path.relative_to(tmp_path).as_posix() for path in found]

    assert listed() == ["a.py", "tests/b.py", "tests/data/c.py"]
    assert listed(paths=("script", "a.py", ".")) == ["script", "a.py", "tests/b.py", "tests/data/c.py"]
    assert listed("*/data/") == ["a.py", "tests/b.py"]
    assert listed("b.py", "c.*") == ["a.py"]
    with pytest.raises(UsageError, match="no Python file"):
        listed("*.py")
    with pytest.raises(UsageError, match=r"nowhere\.py: no such file or folder"):
        list_sources([Path("nowhere.py")])


def test_without_the_engine_its_installation_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=re.escape(INSTALL)):
        find_engine()


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ("echo no such rule >&2; exit 7", "Semgrep exited with code 7: no such rule"),
        ("exit 0", "the answer of Semgrep cannot be read"),
    ],
)
def test_an_engine_that_fails_is_an_error(script: str, fault: str, planted: Path) -> None:
    planted.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    with pytest.raises(MachineError, match=fault):
        asyncio.run(scan([Path("a.py")]))


def test_the_engine_is_asked_offline_and_its_answer_sorted(planted: Path, tmp_path: Path) -> None:
    answer = (
        '{"results": [%s], "errors": [{"message": "Syntax error\\nmore", "path": "b.py", "spans": '
        '[{"start": {"line": 4, "col": 1}}]}, {"message": "Timeout", "path": "c.py"}], "version": "1"}'
    )
    result = (
        '{"check_id": "a.b.%s", "path": "%s", "start": {"line": %d, "col": 1}, "end": {"line": 9, "col": 2}}'
    )
    rows = [("x", "b.py", 3), ("x", "a.py", 7), ("x", "a.py", 2), ("x", "a.py", 2)]
    (tmp_path / "answer").write_text(answer % ", ".join(result % row for row in rows), encoding="utf-8")
    planted.write_text(
        f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n'
        f'while [ "$1" != --output ]; do shift; done\ncp {tmp_path}/answer "$2"\n',
        encoding="utf-8",
    )
    found, unread = asyncio.run(scan([Path("a.py"), Path("b.py")]))
    assert [(each.rule, each.path, each.line) for each in found] == [
        ("x", "a.py", 2),
        ("x", "a.py", 7),
        ("x", "b.py", 3),
    ]
    assert unread == (
        Unread(path="b.py", line=4, reason="Syntax error"),
        Unread(path="c.py", line=1, reason="Timeout"),
    )
    asked = (tmp_path / "asked").read_text(encoding="utf-8")
    assert "--metrics off --disable-version-check" in asked
    assert asked.endswith(" -- a.py b.py\n")


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A script in the place of the engine."""
    path = tmp_path / "semgrep"
    path.touch(mode=0o755)
    monkeypatch.setattr(engine, "find_engine", lambda: str(path))
    return path
