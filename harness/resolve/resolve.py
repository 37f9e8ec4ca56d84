"""Resolve cells through uv into a lock of every distribution, or into the reason why there is no solution.

torch on Linux comes from a CPU wheel on the find-links, else from uv's CPU index, or from PyPI on request;
the torch of PyPI depends on several GB of CUDA packages.
"""

from __future__ import annotations

import asyncio
import datetime
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from harness.errors import MachineError, UsageError
from harness.held import temporary_folder
from harness.matrix.schema import Matrix, Resolve
from harness.matrix.toml_file import read_toml
from harness.processes import Completed
from harness.records import Cell, Lock, Notify, Progress, discard
from harness.resolve import uv
from harness.resolve.lockfile import distributions_of, inputs_digest, make_lock, platform_tag, wheel_tags
from harness.resolve.pip_settings import IndexSettings
from harness.resolve.uv import NoSolution, explain, read_no_solution


def resolve_arguments(cell: Cell, resolve: Resolve, settings: IndexSettings) -> tuple[str, ...]:
    """The arguments of ``uv pip compile`` for the torch of a cell."""
    return () if resolve.torch == "pypi" else _arguments(_torch_of(cell), cell.python, settings)


def _torch_of(cell: Cell) -> Requirement:
    asked = (Requirement(text) for text in cell.requirements)
    return next((found for found in asked if canonicalize_name(found.name) == "torch"), Requirement("torch"))


def _bind_torch(guidance: Guidance, cell: Cell, resolve: Resolve, settings: IndexSettings) -> Guidance:
    """Keep a torch of any version at the wheel on the find-links: an index has a newer one, with CUDA."""
    if resolve.torch == "pypi" or not sys.platform.startswith("linux") or settings.no_index:
        return guidance
    bound = any(canonicalize_name(Requirement(text).name) == "torch" for text in guidance.constraints)
    newest = None if bound else settings.newest_wheel(_torch_of(cell), wheel_tags(cell.python))
    if newest is None:
        return guidance
    return msgspec.structs.replace(guidance, constraints=(*guidance.constraints, f"torch=={newest}"))


def install_arguments(lock: Lock, settings: IndexSettings) -> tuple[str, ...]:
    """The arguments of ``uv pip sync`` for the torch of a lock; empty if it is not a CPU build."""
    version = next((found.version for found in lock.distributions if found.name == "torch"), None)
    if version is None or not (Version(version).local or "").startswith("cpu"):
        return ()
    return _arguments(Requirement(f"torch=={version}"), lock.python, settings)


def _arguments(torch: Requirement, python: str, settings: IndexSettings) -> tuple[str, ...]:
    if not sys.platform.startswith("linux") or settings.no_index:
        return ()
    if settings.newest_wheel(torch, wheel_tags(python)) is not None:
        return ()
    return ("--torch-backend", "cpu")


TIMEOUT_SECONDS = 300.0
MADE = "pylock.toml"


class Guidance(msgspec.Struct, frozen=True, kw_only=True):
    """Options of a resolution besides the requirements of a cell.

    ``constraints`` (PEP 508) bind a package only if it is needed; ``preferred`` (name -> version) wins where
    the requirements allow it; ``lowest`` takes the lowest versions of direct requirements; ``alone`` leaves
    out their dependencies. ``origins`` (name -> place) names the file of a requirement that is not from the
    matrix.
    """

    constraints: tuple[str, ...] = ()
    preferred: Mapping[str, str] = {}
    lowest: bool = False
    alone: bool = False
    origins: Mapping[str, str] = {}


async def resolve_all(
    cells: Sequence[Cell],
    matrix: Matrix,
    settings: IndexSettings,
    *,
    jobs: int = 3,
    notify: Notify = discard,
) -> tuple[Lock, ...]:
    """Resolve cells, ``jobs`` at a time; returns their locks in the order of ``cells``.

    Raises:
        UsageError: the matrix names a package that is on no index.
        MachineError: uv or the network failed; running resolutions are ended.
    """
    slots = asyncio.Semaphore(jobs)

    async def one(cell: Cell) -> Lock:
        async with slots:
            notify(Progress(cell=cell.id, stage="resolving", total=len(cells)))
            lock = await resolve(cell, matrix, settings)
        notify(Progress(cell=cell.id, stage="unsatisfiable" if lock.reason else "resolved", note=lock.reason))
        return lock

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(cell)) for cell in cells]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None  # the first failure; the group has cancelled the others
    return tuple(task.result() for task in tasks)


async def resolve(
    cell: Cell,
    matrix: Matrix,
    settings: IndexSettings,
    guidance: Guidance = Guidance(),  # noqa: B008 - frozen
) -> Lock:
    """Resolve one cell for the running platform; without a solution the lock holds the reason.

    Raises:
        UsageError: a required package is on no index; the message names the file and key.
        MachineError: uv or the network failed.
    """
    with temporary_folder("resolve") as folder:
        guided = _write_guidance(_bind_torch(guidance, cell, matrix.resolve, settings), folder)
        arguments = (*compile_arguments(cell, matrix.resolve, settings), *guided)
        done, document = await _compile(cell, folder, arguments, settings)
    inputs = inputs_digest(cell, matrix.resolve, platform_tag())
    if document is not None:
        distributions = distributions_of(document, wheel_tags(cell.python), cell.python)
        return make_lock(cell, platform_tag(), inputs, distributions=distributions)
    return make_lock(cell, platform_tag(), inputs, reason=_reason(done, cell, matrix, guidance.origins))


async def _compile(
    cell: Cell, folder: Path, arguments: Sequence[str], settings: IndexSettings
) -> tuple[Completed, dict[str, Any] | None]:
    """Run uv; the document is None if it fails."""
    asked, made = folder / "requirements.in", folder / MADE
    asked.write_text("".join(f"{line}\n" for line in cell.requirements), encoding="utf-8")
    whole: tuple[str | Path, ...] = ("pip", "compile", asked, "--output-file", made, *arguments)
    env = uv.environment(settings.environment())
    try:
        done = await uv.run_uv(whole, env=env, timeout=TIMEOUT_SECONDS)
    except TimeoutError:
        raise MachineError(
            f"resolving {cell.id} took over {TIMEOUT_SECONDS:.0f} s; is the package index reachable?"
        ) from None
    return done, read_toml(made) if done.returncode == 0 else None


def _write_guidance(guidance: Guidance, folder: Path) -> tuple[str, ...]:
    """Write constraints, and preferred versions as an old lock, into the folder; returns uv's arguments."""
    arguments = ["--resolution", "lowest-direct"] if guidance.lowest else []
    arguments += ["--no-deps"] if guidance.alone else []
    if guidance.constraints:
        file = folder / "constraints.txt"
        file.write_text("".join(f"{line}\n" for line in guidance.constraints), encoding="utf-8")
        arguments += ["--constraints", str(file)]
    if guidance.preferred:
        tables = (
            f'\n[[packages]]\nname = "{name}"\nversion = "{version}"\n'
            for name, version in sorted(guidance.preferred.items())
        )
        head = 'lock-version = "1.0"\ncreated-by = "harness"\n'
        (folder / MADE).write_text(head + "".join(tables), encoding="utf-8")
    return tuple(arguments)


def compile_arguments(cell: Cell, resolve: Resolve, settings: IndexSettings) -> tuple[str, ...]:
    """The arguments of ``uv pip compile`` besides its files."""
    arguments = ["--format", "pylock.toml", "--no-header"]
    arguments += ["--python", sys.executable, "--python-version", cell.python, "--only-binary", ":all:"]
    arguments += [argument for name in cell.source for argument in ("--no-binary", name)]
    if resolve.exclude_newer is not None:
        # uv reads a bare date in the time zone of the machine.
        end = resolve.exclude_newer + datetime.timedelta(days=1)
        arguments += ["--exclude-newer", f"{end.isoformat()}T00:00:00Z"]
        # The index or find-links of torch wheels give no upload times.
        for name in ("torch", *resolve.undated):
            arguments += ["--exclude-newer-package", f"{name}=false"]
    return (
        *arguments,
        *settings.resolve_arguments(),
        *resolve_arguments(cell, resolve, settings),
    )


def _reason(done: Completed, cell: Cell, matrix: Matrix, origins: Mapping[str, str]) -> str:
    """The resolver's reason for "no solution"; every other failure is raised.

    Only exit code 1 means "no solution"; its message tells whether the search was complete.
    """
    if done.returncode != 1:
        message = explain(done.stderr)[-600:] or f"exit code {done.returncode}"
        raise MachineError(f"uv could not resolve {cell.id} (network, index or uv itself): {message}")
    found = read_no_solution(done.stderr)
    if uv.is_offline():
        raise MachineError(
            f"uv could not resolve {cell.id} offline (UV_OFFLINE), so whether it has a solution is "
            f"unknown: {found.reason}"
        )
    if found.unasked:
        raise MachineError(f"uv could not resolve {cell.id}: {found.unasked}")
    if found.undated and matrix.resolve.exclude_newer is not None:
        names = ", ".join(found.undated)
        raise MachineError(
            f"resolving {cell.id}: the index gives no upload times for {names}, so exclude-newer excludes "
            f"all its files; list it in resolve.undated of {matrix.path}, or delete exclude-newer"
        )
    _refuse_unknown(found, cell, matrix, origins)
    return found.reason


def _refuse_unknown(found: NoSolution, cell: Cell, matrix: Matrix, origins: Mapping[str, str]) -> None:
    asked = {canonicalize_name(Requirement(text).name) for text in cell.requirements}
    for name in found.unknown:
        if canonicalize_name(name) in asked:  # a missing dependency makes the cell unsatisfiable
            place = origins.get(canonicalize_name(name)) or f"{matrix.path}: {_key_of(name, matrix)}"
            raise UsageError(f"{place}: no index has a package {name!r}; correct the name")


def _key_of(name: str, matrix: Matrix) -> str:
    if name in matrix.axes:
        return f"axes.{name}"
    if name in matrix.pins:
        return f"pins.{name}"
    for at, row in enumerate(matrix.include):
        if name in row:
            return f"include[{at}].{name}"
    for at, text in enumerate(matrix.subject.requires):
        if canonicalize_name(Requirement(text).name) == name:
            return f"subject.requires[{at}]"
    return "requirements of the suite"


def without_upload_date(matrix: Matrix) -> Matrix:
    """The matrix without ``exclude-newer``: an upgrade is usually newer."""
    unlimited = msgspec.structs.replace(matrix.resolve, exclude_newer=None)
    return msgspec.structs.replace(matrix, resolve=unlimited)
