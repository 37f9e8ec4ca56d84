"""Who in a lock needs whom, as the resolver tells it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness.errors import MachineError
from harness.held import temporary_folder
from harness.plan import uv
from harness.plan.pip_settings import IndexSettings
from harness.plan.resolve import TIMEOUT_SECONDS, compile_arguments, matrix_of_today
from harness.plan.schema import Matrix
from harness.plan.side import Side, versions_of
from harness.records import Lock


async def find_requirers(
    lock: Lock, side: Side, matrix: Matrix, settings: IndexSettings
) -> dict[str, frozenset[str]]:
    """Name -> the distributions of a lock that need it; empty where uv cannot tell.

    A lock has no edges, so the same set is resolved once more with uv's annotations on.
    """
    cell, versions = side.to_cell(lock.cell), versions_of(lock)
    arguments = compile_arguments(cell, matrix_of_today(matrix).resolve, settings)
    with temporary_folder("requirers") as folder:
        asked = _write(folder, "requirements.in", (name for name in side.tested if name in versions))
        held = _write(folder, "constraints.txt", (f"{name}=={v}" for name, v in versions.items()))
        told = ("requirements.txt" if word == "pylock.toml" else word for word in arguments)
        arguments = ("pip", "compile", asked, "--constraints", held, *told, "--annotation-style", "line")
        env = uv.environment(settings.environment())
        try:
            done = await uv.run_uv(arguments, env=env, timeout=TIMEOUT_SECONDS)
        except (TimeoutError, MachineError):
            return {}
    return _read_annotations(done.stdout) if done.returncode == 0 else {}


def _write(folder: Path, name: str, lines: Iterable[str]) -> str:
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def _read_annotations(text: str) -> dict[str, frozenset[str]]:
    """Lines such as ``numpy==2.4.6   # via scipy, torch``; ``-r`` and ``-c`` are the files asked with."""
    found = {}
    for line in text.splitlines():
        pinned, _, needed_by = line.partition("# via ")
        name = pinned.partition("==")[0].strip()
        if name and "==" in pinned:
            words = (word.strip().partition("[")[0] for word in needed_by.split(","))
            found[name] = frozenset(word for word in words if word and not word.startswith("-"))
    return found
