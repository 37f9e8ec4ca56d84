"""Complete the request of a gate that names no files: the dependency file, and what it is compared with."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping
from pathlib import Path

import msgspec

from harness.errors import UsageError
from harness.gate.request import UpgradeRequest
from harness.matrix.read import MATRICES, in_checkout, is_shipped, matrix_files
from harness.matrix.schema import Matrix
from harness.resolve.dependency_file import find_dependency_file
from harness.resolve.merge_base import find_merge_base
from harness.resolve.packages import Choice, make_choice


async def complete_upgrade(
    upgrade: UpgradeRequest,
    base: str | None,
    matrix: Matrix,
    cwd: Path,
    environ: Mapping[str, str] = os.environ,
) -> tuple[UpgradeRequest, str]:
    """The request with both sides, and a note about what was completed; empty if nothing was.

    Without changes and files, the dependency file of the merge base is compared with that of the working
    tree. Changes alter the dependency file that the matrix names. Where a file is read, the matrix names the
    extras and groups that the request leaves open.

    Raises:
        UsageError: there is no dependency file or no merge base, or the matrix is not that of the project.
        MachineError: git is missing or does not answer.
    """
    if upgrade.changes and upgrade.from_file is None and matrix.gate_file is None:
        return upgrade, ""  # both sides are versions of the matrix
    upgrade = msgspec.structs.replace(upgrade, choice=complete_choice(upgrade.choice, matrix))
    if upgrade.changes:
        if upgrade.from_file is not None or matrix.gate_file is None:
            return upgrade, ""
        file = _relative(matrix.gate_file, cwd)
        return msgspec.structs.replace(upgrade, from_file=file), f"the baseline is {file}"
    if base is None and (upgrade.from_file is not None or upgrade.to_file is not None):
        return upgrade, ""
    file = upgrade.to_file or dependency_file_of(matrix, cwd, "--to")
    found = await find_merge_base(base, cwd, environ)
    path = posixpath.normpath(posixpath.join(found.prefix, file))
    note = f"{file} against that of {found.commit}, the merge base with {found.target}"
    return msgspec.structs.replace(upgrade, from_file=f"{found.commit}:{path}", to_file=file), note


def complete_choice(named: Choice, matrix: Matrix) -> Choice:
    """The extras and groups that a user names; where there are none of a kind, those of the matrix."""
    own = make_choice(matrix.gate.extras, matrix.gate.groups)
    return Choice(extras=named.extras or own.extras, groups=named.groups or own.groups)


def dependency_file_of(matrix: Matrix, cwd: Path, option: str) -> str:
    """The dependency file that a matrix names, else the one of the project, relative to ``cwd``.

    ``option`` is how a user names one.

    Raises:
        UsageError: there is none, or there are several.
    """
    return find_dependency_file(cwd, option) if matrix.gate_file is None else _relative(matrix.gate_file, cwd)


def _relative(file: Path, cwd: Path) -> str:
    return Path(os.path.relpath(file, cwd)).as_posix()


def refuse_foreign_matrix(matrix: Matrix, cwd: Path, *, alone: bool) -> None:
    """Refuse a shipped matrix for a project with a matrix of its own, or one without, if ``alone``.

    A shipped matrix judges the embedder of the harness, which says nothing about the service of the project.
    ``alone`` means that the request names neither a change nor a file.

    Raises:
        UsageError: the matrix is a shipped one; with the command that judges the service.
    """
    if in_checkout() or not is_shipped(matrix):
        return
    if own := matrix_files(cwd / MATRICES):
        listed = " or ".join(f"--matrix {MATRICES / file.name}" for file in own)
        raise UsageError(
            f"--matrix {matrix.name} judges the embedder of the harness, but this project has a matrix of "
            f"its own; use {listed}"
        )
    if alone:
        raise UsageError(
            f"this project has no matrix in {MATRICES}/; `harness init` writes one for its embedder"
        )
