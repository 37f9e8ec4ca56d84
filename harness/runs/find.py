"""The run that a name stands for: path, id, beginning of an id, ``latest`` or ``previous``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.errors import UsageError
from harness.input_files import MAX_RESULTS, exists, input_fault, read_input
from harness.records import UNREADABLE, PastRun, RunKind, Snapshot
from harness.runs.database import Say, read_history
from harness.runs.folder import GATE_FILE, LATEST, PLAN, RESULTS, UNFINISHED, is_run, read_folder
from harness.runs.past_runs import list_runs, read_snapshot
from harness.runs.recording import History

PREVIOUS = "previous"

RUN_HELP = (
    "A RUN is a path (the folder of a run, or a file of results), an id, the beginning of an id, `latest` or "
    "`previous`. `latest` is the newest complete run, sweep or gate; `previous` is the run before it of the "
    "same matrix and kind."
)
"""What the help of every command says that takes a run."""

_LISTED = 5
"""Runs that a message lists."""


@dataclass(frozen=True)
class KnownRun:
    """A run that a name can stand for: its folder or file, its record in the history, or both."""

    run: str
    path: Path | None = None
    past: PastRun | None = None

    @property
    def is_complete(self) -> bool:
        """Whether it was not cut off; the history holds complete runs alone."""
        return self.path is None or not (self.path / UNFINISHED).exists()

    @property
    def kind(self) -> RunKind:
        """Sweep or gate."""
        if self.path is None:
            return self.past.kind if self.past else "sweep"
        return "gate" if (self.path / GATE_FILE).exists() else "sweep"

    @property
    def matrix(self) -> str:
        """The name of its matrix; empty where its plan cannot be read."""
        if self.past is not None or self.path is None:
            return self.past.matrix if self.past else ""
        try:
            return msgspec.json.decode(read_input(self.path / PLAN, MAX_RESULTS), type=_Head).matrix
        except (UsageError, *UNREADABLE):
            return ""


class _Head(msgspec.Struct):
    """The part of a plan that a search needs."""

    matrix: str = ""


@dataclass(frozen=True)
class Runs:
    """Where runs are found: the folders in ``<reports>/runs``, and the history where one is given.

    ``advice`` is the command that makes a run, for messages.
    """

    reports: Path
    history: History | None
    say: Say
    advice: str

    def find_folder(self, name: str, kind: RunKind | None = None) -> Path:
        """The folder of a run; with ``kind``, ``latest`` and ``previous`` mean runs of that kind alone.

        Raises:
            UsageError: no run has this name, several have, or only the history has it.
        """
        path = self._find(name, lambda: _list_folders(self.reports), kind).path or Path(name)
        if path.name in {*RESULTS, GATE_FILE, PLAN} and path.is_file():
            path = path.parent
        if fault := input_fault(path, "folder"):
            raise UsageError(f"{fault}, that of a run")
        return path.resolve()

    def find_stored(self, name: str) -> Path:
        """The folder of a run, or its file of results where that is all there is: published, or an artifact.

        Raises:
            UsageError: no run has this name, several have, or only the history has it.
            HistoryError: the history cannot be read.
        """
        try:
            path = self._find(name, lambda: _list_folders(self.reports)).path or Path(name)
        except UsageError:
            self._refuse_recorded(name)
            raise
        folder = path if path.is_dir() else path.parent
        if (folder / PLAN).is_file() and (path == folder or path.name in {*RESULTS, GATE_FILE, PLAN}):
            return folder.resolve()
        if path == folder or path.name == GATE_FILE:
            path = next((folder / each for each in RESULTS if (folder / each).is_file()), path)
        if path.is_dir() or path.name == GATE_FILE:
            raise UsageError(
                f"{path}: expected the folder of a run, or a file of results such as {RESULTS[0]}"
            )
        return path.absolute()  # of a pipe there is no other path

    def _refuse_recorded(self, name: str) -> None:
        """Refuse a run that the history has, but no folder."""
        try:
            found = self._find(name, self._list_all)
        except UsageError:
            return  # it has none of this name either, or several
        if found.path is None:
            raise UsageError(
                f"{found.run}: only the history has this run, without the results of its cases; name its "
                f"folder or its {RESULTS[0]}"
            )

    def read_snapshot(self, name: str) -> Snapshot:
        """The measurements of a run, from its folder or from the history.

        Raises:
            UsageError: no run has this name, several have, or it was cut off.
            HistoryError: the history cannot be read.
        """
        found = self._find(name, self._list_all)
        if found.path is not None or self.history is None:
            return read_folder(found.path or Path(name))
        with read_history(self.history.path, self.say) as connection:
            return read_snapshot(connection, found.run)

    def find_recorded(self, name: str) -> str:
        """The id of a run that the history holds.

        Raises:
            UsageError: no run has this name, several have, or the history does not hold it.
            HistoryError: the history cannot be read.
        """
        known = [each for each in self._list_all() if each.past]
        recorded = {each.run for each in known}
        found = self._find(name, lambda: known)
        run = found.run if found.run in recorded or found.path is None else read_folder(found.path).run
        if run not in recorded:
            raise UsageError(
                f"{run}: not in the history; `harness history --import {found.path}` takes it in"
            )
        return run

    def _list_all(self) -> list[KnownRun]:
        """Runs of both, those in folders with their records, the newest first."""
        known = {each.run: each for each in _list_folders(self.reports)}
        if self.history is not None:
            with read_history(self.history.path, self.say) as connection:
                for past in list_runs(connection):
                    folder = known.get(past.run)
                    known[past.run] = KnownRun(past.run, folder.path if folder else None, past)
        return sorted(known.values(), key=lambda each: each.run, reverse=True)

    def _find(
        self, name: str, list_known: Callable[[], Sequence[KnownRun]], kind: RunKind | None = None
    ) -> KnownRun:
        """The run at this path, or the one known run with this name; they are listed the newest first.

        Raises:
            UsageError: there is none, and which are the newest; or there are several, and which.
        """
        if name in {LATEST, PREVIOUS}:
            return self._find_newest(name, list_known(), kind)
        for path in self._paths_of(name):
            if exists(path):
                return KnownRun(path.name, path)
        known = list_known()
        alike = [each for each in known if each.run.startswith(name)]
        if found := next((each for each in alike if each.run == name or len(alike) == 1), None):
            return found
        runs = ", ".join(each.run for each in (alike or known)[:_LISTED])
        if alike:
            raise UsageError(f"{name!r} is the beginning of several ids: {runs}; write more of the id")
        raise UsageError(f"{name}: no such run; " + (f"the newest are: {runs}" if runs else self._advise()))

    def _paths_of(self, name: str) -> list[Path]:
        """The folder of this name among the runs, then the path itself."""
        path = Path(name)
        return [self.reports / "runs" / path, path] if len(path.parts) == 1 and name != ".." else [path]

    def _find_newest(self, name: str, known: Sequence[KnownRun], kind: RunKind | None) -> KnownRun:
        complete = (each for each in known if each.is_complete and kind in {None, each.kind})
        latest = next(complete, None)
        if latest is None:
            also = f" or in {self.history.path}" if self.history else ""
            where = f"{self.reports / 'runs'}{also}"
            raise UsageError(f"{name}: no complete {kind or 'run'} in {where}; {self._advise()}")
        if name == LATEST:
            return latest
        like = (latest.matrix, latest.kind)
        before = next((each for each in complete if (each.matrix, each.kind) == like), None)
        if before is None:
            raise UsageError(f"{name}: no complete run of the same matrix and kind before {latest.run}")
        return before

    def _advise(self) -> str:
        return f"run `{self.advice}` first"


CHECKS = ("environment", "imports", "contract")
"""Stages of a cell before latency, which takes turns."""


class _Spent(msgspec.Struct):
    """The part of a result that an estimate needs."""

    seconds: dict[str, float] = {}


def read_durations(reports: Path, cells: Sequence[str]) -> dict[str, float]:
    """Cell -> seconds that its checks took in the newest run that has a result of it."""
    found: dict[str, float] = {}
    for known in _list_folders(reports):
        for cell in cells:
            path = reports / "runs" / known.run / "cells" / cell / "result.json"
            if cell in found or not path.is_file():
                continue
            with contextlib.suppress(UsageError, OSError, *UNREADABLE):
                spent = msgspec.json.decode(read_input(path, MAX_RESULTS), type=_Spent).seconds
                found[cell] = sum(spent.get(stage, 0.0) for stage in CHECKS)
        if len(found) == len(cells):
            break
    return found


def _list_folders(reports: Path) -> list[KnownRun]:
    """The runs in ``<reports>/runs``, the newest first: an id begins with its time."""
    folders = (reports / "runs").glob("[0-9]*")
    found = [KnownRun(path.name, path) for path in folders if not path.is_symlink() and is_run(path)]
    return sorted(found, key=lambda each: each.run, reverse=True)
