"""Finished cells by key: what need not be run again."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from harness.errors import StoreError
from harness.files import copy_whole, describe_os_error, find_no_space, inside, write_whole
from harness.held import mark
from harness.records import CellResult, ScenarioPlan, digest_value
from harness.runs.folder import read_result
from harness.seals import FAULTS, Sealer, load_sealer
from harness.store.store import Store

FINISHED = frozenset({"ok", "failed", "import-error"})
"""Statuses that a second run would see again; a crash or a time-out may have been the machine's doing."""

_BYTECODE = re.compile(r"marshal data|EOF read where|Non-code object in")
"""What an import says of bytecode that is cut off or damaged."""

KEPT = ("log.txt", "benchmark.json")
"""Files of a cell's folder that are kept beside its result."""

Warn = Callable[[str], None]


@dataclass(frozen=True)
class ResultStore:
    """Contract results by key, and timings by key, baseline and scenarios; sealed, see ``seals``.

    Attributes:
        fresh: results of runs that were cut off are not given out.
        rerun: none is given out.
    """

    store: Store
    warn: Warn
    fresh: bool = False
    rerun: bool = False
    sealer: Sealer = field(default_factory=load_sealer)

    def read_checks(self, key: str) -> CellResult | None:
        """The stored result of a contract phase, without timings; None where there is none to use."""
        return self._read(self.store.results / key / "contract.json", key)

    def read_latency(self, key: str, latency: str) -> CellResult | None:
        """The stored result with its timings."""
        return self._read(self.store.results / key / f"latency-{latency}" / "result.json", key)

    def store_checks(self, result: CellResult, folder: Path) -> None:
        """Keep a finished contract phase; others are not kept.

        Raises:
            StoreError: the store cannot be written to.
        """
        if is_reusable(result):
            bare = msgspec.structs.replace(result, timings=(), untimed={})
            self._keep(self._place(result.key) / "contract.json", bare, folder)

    def store_latency(self, result: CellResult, latency: str, folder: Path) -> None:
        """Keep a finished latency phase."""
        if is_reusable(result):
            self._keep(self._place(result.key) / f"latency-{latency}" / "result.json", result, folder)

    def restore_files(self, key: str, latency: str, folder: Path) -> None:
        """Put the kept files of a reused cell into its folder of this run."""
        for place in (self.store.results / key, self.store.results / key / f"latency-{latency}"):
            for name in KEPT:
                copy_whole(place / name, folder / name)

    def _keep(self, path: Path, result: CellResult, folder: Path) -> None:
        try:
            for name in KEPT:
                if copy_whole(folder / name, path.parent / name):
                    self.sealer.seal(path.parent / name, self._name(path.parent / name))
            write_whole(path, msgspec.json.encode(result))
            self.sealer.seal(path, self._name(path))
        except OSError as error:
            raise StoreError(
                f"a result cannot be kept in the store: {describe_os_error(error, path)}"
            ) from error

    def _name(self, path: Path) -> str:
        return path.relative_to(self.store.root).as_posix()

    def _read(self, path: Path, key: str) -> CellResult | None:
        if self.rerun:
            return None
        try:
            result = read_result(path)
            self._hold(path, result, key)
        except FileNotFoundError:
            return None
        except ValueError as error:
            self.warn(f"{error}; the cell is run again")
            return None
        if not is_reusable(result):  # an earlier harness kept it
            return None
        if self.fresh and self._mark(result.run).exists():
            return None
        os.utime(self.store.results / result.key)  # the stamp of its last use
        return result

    def _hold(self, path: Path, result: CellResult, key: str) -> None:
        """Make sure that a result and the files beside it are what was kept there.

        Raises:
            ValueError: they are not; names the file.
        """
        if result.key != key:
            raise ValueError(f"{path}: key: {result.key!r}, but should be {key!r}, under which it lies")
        beside = [path.with_name(name) for name in KEPT if path.with_name(name).exists()]
        for file in (path, *beside):
            if fault := FAULTS[self.sealer.check(file, self._name(file))]:
                raise ValueError(f"{file}: {fault}")

    def begin(self, run: str) -> contextlib.AbstractContextManager[None]:
        """From now on ``run`` counts as cut off, until it is finished; in the context, as running."""
        return mark(self._mark(run), keep=True)

    def finish(self, runs: Sequence[str]) -> None:
        """These runs are complete: their results are as good as any."""
        for run in runs:
            self._mark(run).unlink(missing_ok=True)

    def _place(self, key: str) -> Path:
        return inside(self.store.results, key, "a result in the store: key")

    def _mark(self, run: str) -> Path:
        return inside(self.store.unfinished, run, "a result in the store: run")


def key_latency(baseline: str, scenarios: Sequence[ScenarioPlan]) -> str:
    """What timings depend on besides the key of their cell: the baseline's key, and what is measured."""
    return digest_value({"baseline": baseline, "scenarios": scenarios})[:16]


def find_machine_fault(messages: Iterable[str]) -> str:
    """What the first message that is about disk or bytecode says; empty where all are about versions.

    Such an end is an ``install-error``, which no verdict takes for a regression.
    """
    for message in messages:
        if full := find_no_space(message):
            return full
        if _BYTECODE.search(message):
            return f"bytecode is damaged ({message})"
    return ""


def is_reusable(result: CellResult) -> bool:
    """Whether a second run would see the same: only then is a result kept for later runs.

    Not where files changed that the cell was given, for a second run is given others.
    """
    messages = (result.reason, *(case.message for case in result.cases), *result.untimed.values())
    return result.status in FINISHED and not result.edited and not find_machine_fault(messages)
