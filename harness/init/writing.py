"""Write the files of ``harness init``: each complete, none over one of a person, the matrix last."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness.errors import MachineError, UsageError
from harness.files import describe_os_error, write_whole

IGNORED = "reports/runs/"
"""What a project does not commit: the runs, which hold megabytes of logs and results."""


class NewFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file to write, with its whole text."""

    path: Path
    text: str


def refuse_existing(files: Sequence[Path], folder: Path, *, force: bool) -> None:
    """Refuse to overwrite files.

    Raises:
        UsageError: one exists; nothing was changed.
    """
    there = [str(path.relative_to(folder)) for path in files if path.exists()]
    if there and not force:
        raise UsageError(f"{' and '.join(there)} exists; --force writes it again; nothing was changed")


def ignore_runs(folder: Path) -> NewFile | None:
    """The ``.gitignore`` with an entry for runs; None if it has one."""
    path = folder / ".gitignore"
    text = path.read_text(encoding="utf-8", errors="surrogateescape") if path.is_file() else ""
    entries = {line.strip().lstrip("/").rstrip("/*") for line in text.splitlines()}
    if entries & {"reports", "reports/runs"}:
        return None
    joint = "" if not text or text.endswith("\n") else "\n"
    return NewFile(path=path, text=f"{text}{joint}{IGNORED}\n")


def write_files(files: Sequence[NewFile]) -> None:
    """Write the files in order.

    Raises:
        MachineError: no room, no permission; the files after that one are absent.
    """
    for file in files:
        try:
            write_whole(file.path, file.text.encode("utf-8", errors="surrogateescape"))
        except OSError as error:
            raise MachineError(f"{file.path} cannot be written: {describe_os_error(error)}") from error
