"""Stored results of cells by key, reused by later runs instead of running the cell again."""

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
from harness.redaction import NO_SECRETS, Secrets
from harness.runs.folder import KEPT, read_result
from harness.seals import FAULTS, Sealer, load_sealer
from harness.store.store import Store

FINISHED = frozenset({"ok", "failed", "import-error"})
"""Statuses that a second run would reproduce; the machine may have caused a crash or a time-out."""

_BYTECODE = re.compile(r"marshal data|EOF read where|Non-code object in")
"""Import errors caused by truncated or damaged bytecode."""

Warn = Callable[[str], None]


@dataclass(frozen=True)
class ResultStore:
    """Results of the check phase by key, and timings by key, baseline and scenarios; sealed, see ``seals``.

    Attributes:
        warn: receives messages about unusable results.
        fresh: ignore results of interrupted runs.
        rerun: ignore all stored results.
        read_only: store no result.
    """

    store: Store
    warn: Warn
    fresh: bool = False
    rerun: bool = False
    read_only: bool = False
    sealer: Sealer = field(default_factory=load_sealer)

    def read_checks(self, key: str) -> CellResult | None:
        """The stored result of a check phase, without timings; None if there is no usable one."""
        return self._read(self.store.results / key / "contract.json", key)

    def read_latency(self, key: str, latency: str) -> CellResult | None:
        """The stored result with its timings; None if there is no usable one."""
        return self._read(self.store.results / key / f"latency-{latency}" / "result.json", key)

    def store_checks(self, result: CellResult, folder: Path, secrets: Secrets = NO_SECRETS) -> None:
        """Store the result of a check phase if a second run would reproduce it.

        Raises:
            StoreError: the store cannot be written to.
        """
        if is_reusable(result) and not self.read_only:
            bare = msgspec.structs.replace(result, timings=(), untimed={})
            self._store(self._place(result.key) / "contract.json", bare, folder, secrets)

    def store_latency(
        self, result: CellResult, latency: str, folder: Path, secrets: Secrets = NO_SECRETS
    ) -> None:
        """Store the result of a latency phase if a second run would reproduce it."""
        if is_reusable(result) and not self.read_only:
            path = self._place(result.key) / f"latency-{latency}" / "result.json"
            self._store(path, result, folder, secrets)

    def restore_files(self, key: str, latency: str, folder: Path) -> None:
        """Copy the stored files of a reused cell into its folder of this run."""
        for place in (self.store.results / key, self.store.results / key / f"latency-{latency}"):
            for name in KEPT:
                copy_whole(place / name, folder / name)

    def _store(self, path: Path, result: CellResult, folder: Path, secrets: Secrets) -> None:
        try:
            for name in KEPT:
                if copy_whole(folder / name, path.parent / name, secrets):
                    self.sealer.seal(path.parent / name, self._name(path.parent / name))
            write_whole(path, msgspec.json.encode(result))
            self.sealer.seal(path, self._name(path))
        except OSError as error:
            raise StoreError(f"a result cannot be stored: {describe_os_error(error, path)}") from error

    def _name(self, path: Path) -> str:
        return path.relative_to(self.store.root).as_posix()

    def _read(self, path: Path, key: str) -> CellResult | None:
        if self.rerun:
            return None
        try:
            result = read_result(path)
            self._verify(path, result, key)
        except FileNotFoundError:
            return None
        except ValueError as error:
            self.warn(f"{error}; the cell is run again")
            return None
        if not is_reusable(result):  # stored by an earlier version
            return None
        if self.fresh and self._mark(result.run).exists():
            return None
        with contextlib.suppress(FileNotFoundError):  # another process cleans the store; the result was read
            os.utime(self.store.results / result.key)  # the time of its last use
        return result

    def _verify(self, path: Path, result: CellResult, key: str) -> None:
        """Verify the key of a result, and the seals of the result and its files.

        Raises:
            ValueError: one of them does not match; the message names the file.
        """
        if result.key != key:
            raise ValueError(f"{path}: key: expected {key!r}, found {result.key!r}")
        files = [path.with_name(name) for name in KEPT if path.with_name(name).exists()]
        for file in (path, *files):
            if fault := FAULTS[self.sealer.check(file, self._name(file))]:
                raise ValueError(f"{file}: {fault}")

    def begin(self, run: str) -> contextlib.AbstractContextManager[None]:
        """Mark ``run`` as unfinished until ``finish``, and as running inside the context."""
        return mark(self._mark(run), keep=True)

    def finish(self, runs: Sequence[str]) -> None:
        """Remove the marks of complete runs."""
        for run in runs:
            self._mark(run).unlink(missing_ok=True)

    def _place(self, key: str) -> Path:
        return inside(self.store.results, key, "a result in the store: key")

    def _mark(self, run: str) -> Path:
        return inside(self.store.unfinished, run, "a result in the store: run")


def key_latency(baseline: str, scenarios: Sequence[ScenarioPlan]) -> str:
    """The key of timings besides that of their cell: a digest of the baseline's key and the scenarios."""
    return digest_value({"baseline": baseline, "scenarios": scenarios})[:16]


def find_machine_fault(messages: Iterable[str]) -> str:
    """The first message about a full disk or damaged bytecode; empty if there is none.

    Such a failure becomes an ``install-error``, which no verdict counts as a regression.
    """
    for message in messages:
        if full := find_no_space(message):
            return full
        if _BYTECODE.search(message):
            return f"bytecode is damaged ({message})"
    return ""


def is_reusable(result: CellResult) -> bool:
    """Whether a second run would reproduce a result; only such results are stored for later runs.

    A result whose input files changed during the run is not reproducible.
    """
    messages = (result.reason, *(case.message for case in result.cases), *result.untimed.values())
    return result.status in FINISHED and not result.edited and not find_machine_fault(messages)
