"""The environment variables of a cell process: those of every cell, and those that a matrix adds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.errors import UsageError
from harness.matrix.schema import Matrix
from harness.protection import read_variables


def find_variables(matrix: Matrix) -> dict[str, str]:
    """Name -> value of the variables of ``env`` and ``pass-env``.

    Raises:
        UsageError: a variable that is passed on is not set; every missing one is named.
    """
    names = matrix.subject.pass_env
    passed = read_variables(names)
    if missing := [name for name in names if name not in passed]:
        verb, remedy = (
            ("is", "it, or give it a value") if len(missing) == 1 else ("are", "them, or give them values")
        )
        raise UsageError(
            f"{matrix.path}: subject.pass-env: {', '.join(missing)} {verb} not set in the environment of "
            f"this command; export {remedy} in env"
        )
    return {**matrix.subject.env, **passed}


_THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def make_cell_environment(
    python: Path, suite: Path, workdir: Path, threads: int, variables: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The environment variables of a cell process, without its channel; ``variables`` are of the matrix.

    ``workdir`` gets an empty home and a folder for temporary files. The environment of the controller is not
    passed on, so cells are equal on every machine and cannot leak secrets.
    """
    home, temporary = workdir / "home", workdir / "tmp"
    for folder in (home, temporary):
        folder.mkdir(parents=True, exist_ok=True)
    places = {
        "PATH": f"{python.parent}:/usr/bin:/bin",
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "PYTHONPATH": str(suite),
        "PWD": str(
            workdir
        ),  # as bubblewrap sets it: the size of an environment moves the stack, and so a time
    }
    return {**(variables or {}), **places, **_FIXED, **dict.fromkeys(_THREADS, str(threads))}


_FIXED = {
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "PYTHONNOUSERSITE": "1",
    "PYTHONSAFEPATH": "1",  # ignored before Python 3.11
    "PYTHONUNBUFFERED": "1",  # the log of a killed process is complete
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "CI": "true",  # openvino sends telemetry at import except in a CI
    "TOKENIZERS_PARALLELISM": "false",
}
_CHANGING = ("PYTHON", "PYTEST", "HARNESS_", "HYPOTHESIS")
"""Beginnings of variables that change what a cell runs."""


def is_reserved(variable: str) -> bool:
    """Whether every cell has this variable already, or it would change what a cell runs."""
    own = ("PATH", "HOME", "TMPDIR", "PWD", *_FIXED, *_THREADS)
    return variable in own or variable.startswith(_CHANGING)
