"""The engine of an audit, Semgrep: which files it reads, how it is started, what its answer means.

It runs without a network. Its documentation: https://semgrep.dev/docs/cli-reference (read 2026-11-30).
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec

from harness import processes
from harness.audit.catalogue import RULES
from harness.errors import MachineError, UsageError
from harness.input_files import exists
from harness.records.audit import AuditFinding, Unread

INSTALL = "python -m pip install 'embedding-parity-harness[audit]'"

SKIPPED = {"__pycache__", "node_modules", "site-packages"}
"""Folders of code that somebody else maintains; hidden folders and virtual environments are left out too."""

_MOST = 2000
"""Files of one call: systems limit the length of a command line."""

_SECONDS = 20
"""For a rule in a file; the default of 5 leaves out files of 7,000 lines on a busy machine."""

_SAID = 400
"""Characters of the engine's own words in a message."""


class _Position(msgspec.Struct, frozen=True):
    line: int
    col: int


class _Result(msgspec.Struct, frozen=True):
    check_id: str
    path: str
    start: _Position
    end: _Position


class _Span(msgspec.Struct, frozen=True):
    start: _Position


class _Error(msgspec.Struct, frozen=True):
    message: str = ""
    path: str = ""
    spans: tuple[_Span, ...] | None = None


class _Answer(msgspec.Struct, frozen=True):
    results: tuple[_Result, ...]
    errors: tuple[_Error, ...]


def find_engine() -> str:
    """The program of the engine, that of the environment of the harness first.

    Raises:
        UsageError: it is not installed; with the command that installs it.
    """
    beside = Path(sys.executable).with_name("semgrep")
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("semgrep")
    if found is None:
        raise UsageError(f"harness audit needs Semgrep, which is not installed: {INSTALL}")
    return found


def list_sources(paths: Iterable[Path], excluded: Sequence[str] = ()) -> tuple[Path, ...]:
    """The Python files among and below the paths, each once; ``excluded`` are globs of paths or names.

    A file that is named is read whatever its suffix. They are listed here because the engine skips tests and
    what git ignores, and no option of it that is stable changes that.

    Raises:
        UsageError: there is no such file or folder, or no Python file.
    """
    asked = tuple(paths)
    for path in asked:
        if not exists(path):
            raise UsageError(f"{path}: no such file or folder")
    found = dict.fromkeys(
        file
        for path in asked
        for file in (_walk(path) if path.is_dir() else (path,))
        if not _matches(file, excluded)
    )
    if not found:
        raise UsageError(f"no Python file in {', '.join(map(str, asked))}")
    return tuple(found)


def _walk(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if name not in SKIPPED
            and not name.startswith(".")
            and not Path(place, name, "pyvenv.cfg").exists()
        )
        yield from (Path(place, name) for name in sorted(names) if name.endswith(".py"))


def _matches(path: Path, globs: Sequence[str]) -> bool:
    texts = (path.as_posix(), path.name, *(parent.as_posix() for parent in path.parents))
    return any(fnmatchcase(text, glob.rstrip("/")) for glob in globs for text in texts)


async def scan(
    files: Sequence[Path], rules: Path = RULES
) -> tuple[tuple[AuditFinding, ...], tuple[Unread, ...]]:
    """The findings in these files, by path and line, and the files that were not read.

    Raises:
        UsageError: the engine is not installed.
        MachineError: it failed.
    """
    program = find_engine()
    found: list[AuditFinding] = []
    unread: list[Unread] = []
    for start in range(0, len(files), _MOST):
        answer = await _ask(program, [str(path) for path in files[start : start + _MOST]], rules)
        found += map(_to_finding, answer.results)
        unread += map(_to_unread, answer.errors)
    order = {str(path): place for place, path in enumerate(files)}
    unique = {(order.get(each.path, 0), each.line, each.rule): each for each in found}
    return tuple(unique[key] for key in sorted(unique)), tuple(dict.fromkeys(unread))


async def _ask(program: str, names: Sequence[str], rules: Path) -> _Answer:
    with tempfile.TemporaryDirectory(prefix="harness-audit-") as own:
        answer = Path(own, "answer.json")
        finished = await processes.run(
            [
                *(program, "scan", "--metrics", "off", "--disable-version-check", "--quiet"),
                *("--disable-nosem", "--max-target-bytes", "0", "--timeout-threshold", "0"),
                *("--timeout", str(_SECONDS)),
                *("--config", str(rules), "--json", "--output", str(answer), "--", *names),
            ],
            env={
                **os.environ,
                "SEMGREP_SETTINGS_FILE": str(Path(own, "settings.yml")),
                "SEMGREP_LOG_FILE": str(Path(own, "semgrep.log")),
                "PYTHONWARNINGS": "ignore",
            },
        )
        return _read(finished, answer)


def _read(finished: processes.Completed, answer: Path) -> _Answer:
    if finished.returncode:  # findings and files with syntax errors leave it 0
        raise MachineError(_describe(finished))
    try:
        return msgspec.json.decode(answer.read_bytes(), type=_Answer)
    except (OSError, msgspec.DecodeError) as error:
        raise MachineError(f"the answer of Semgrep cannot be read: {error}") from error


def _describe(finished: processes.Completed) -> str:
    said = (finished.stderr.strip() or finished.stdout.strip())[-_SAID:]
    return f"Semgrep {processes.describe_exit(finished.returncode)}" + (f": {said}" if said else "")


def _to_finding(result: _Result) -> AuditFinding:
    return AuditFinding(
        rule=result.check_id.rpartition(".")[2],  # the engine puts the path of the rules before it
        path=result.path,
        line=result.start.line,
        end_line=result.end.line,
        column=result.start.col,
        end_column=result.end.col,
        code="",
    )


def _to_unread(error: _Error) -> Unread:
    line = error.spans[0].start.line if error.spans else 1
    return Unread(path=error.path, line=line, reason=error.message.partition("\n")[0][:_SAID])
