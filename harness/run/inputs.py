"""What all cells of a sweep read and none may change: model, corpus, golden embeddings, the subject."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.files import walk_files
from harness.records import CellResult
from harness.run.manifest import MARKER, find_changes
from harness.run.material import Material

Status = tuple[int, int, int, int]
"""Size, time of change of the content and of the file itself (ns), number of links."""


@dataclass(frozen=True)
class Inputs:
    """The files that cells share, as they were when the sweep began.

    They are compared by their status, which costs microseconds a file. A process can put back the time of
    change of a content, but not that of the file itself, without the clock of the machine.
    """

    material: Material
    before: dict[str, Status]
    more: tuple[Path, ...] = ()

    @classmethod
    def of(cls, material: Material, *more: Path) -> Inputs:
        """Look at them, and at ``more`` folders, before any cell runs."""
        there = (*_list_named(material), *_list_found(material, more))
        return cls(material, {name: _read_status(path) for name, path in there}, more)

    def find_edits(self) -> tuple[str, ...]:
        """The files that were changed, removed or, where a cell could import them, added."""
        found = dict(_list_found(self.material, self.more))
        names = sorted({*self.before, *found})
        return tuple(
            name
            for name in names
            if name not in self.before or _is_changed(self.before[name], _read_status(Path(name)))
        )


def _list_found(material: Material, more: tuple[Path, ...]) -> Iterator[tuple[str, Path]]:
    """Files whose addition matters too: those of the model, and whatever can be imported as the subject."""
    golden = () if material.golden is None else (material.golden,)
    for folder in (material.model_dir, *golden, *more):
        yield from ((str(path), path) for _, path in _walk(folder))
    for folder in material.search_path:
        yield from ((str(path), path) for name, path in walk_files(folder) if name.endswith(".py"))


def _list_named(material: Material) -> Iterator[tuple[str, Path]]:
    """The corpus, and every file of the packages that hold the subject: those may write beside their code."""
    if material.corpus is not None:
        yield str(material.corpus), material.corpus
    names = {path.split(":")[0].split(".")[0] for path in (material.embedder, material.normalizer)}
    for folder in material.search_path:
        for name in sorted(names):
            yield from ((str(path), path) for _, path in _walk(folder / name))


def _walk(root: Path) -> Iterator[tuple[str, Path]]:
    return walk_files(root) if root.is_dir() else iter([(root.name, root)] if root.is_file() else [])


def _read_status(path: Path) -> Status:
    try:
        status = path.stat()
    except OSError:
        return (-1, 0, 0, 0)
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_nlink)


def _is_changed(before: Status, after: Status) -> bool:
    """A link to the file more or less changes the time of the file, and says nothing of its content."""
    linked = before[3] != after[3]
    return before[:2] != after[:2] or (before[2] != after[2] and not linked)


def find_environment_edits(python: Path) -> tuple[str, ...]:
    """What is no longer as it was in the environment of an interpreter; nothing of one that is not ours."""
    environment = python.parent.parent
    damage = find_changes(environment) if (environment / MARKER).is_file() else ""
    return (f"the environment: {damage}",) if damage else ()


_SHOWN = 3


def spoil(result: CellResult, edits: tuple[str, ...]) -> CellResult:
    """The result of a cell during which files changed that it was given: nothing that it measured counts."""
    if not edits:
        return result
    more = f" and {len(edits) - _SHOWN} more" if len(edits) > _SHOWN else ""
    reason = (
        f"{', '.join(edits[:_SHOWN])}{more} changed while it ran (by the cell, or by something else on this "
        "machine), so nothing that it measured counts"
    )
    return msgspec.structs.replace(
        result, status="failed", reason=reason, cases=(), timings=(), untimed={}, edited=edits
    )
