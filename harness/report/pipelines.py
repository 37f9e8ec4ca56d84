"""What all pipelines that the harness prints share: their templates, and which values may stand in them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from harness.errors import UsageError

Forge = Literal["github", "gitlab"]

_TEMPLATES = Path(__file__).parent / "templates"
_PATH = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_./ -]*")
_REQUIREMENT = re.compile(r"[!-#%-,.-~][ -#%-~]*")  # one line of ASCII without '$' and a leading '-'
_PYTHON = re.compile(r"3\.[0-9]{1,2}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_GIVEN = {"github": ("GITHUB_", "RUNNER_", "ACTIONS_"), "gitlab": ("CI_",)}
"""Beginnings of variables that a forge sets by itself; of these only GITHUB_TOKEN has to be asked for."""


def load_template(name: str) -> Template:
    """A template of YAML; the values that fill it are checked and quoted before."""
    return _load_environment().get_template(name)


@cache
def _load_environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - it is YAML
        variable_start_string="[[",
        variable_end_string="]]",
        block_start_string="[%",
        block_end_string="%]",
        trim_blocks=True,
        keep_trailing_newline=True,
    )


def check_path(option: str, path: str) -> None:
    """Refuse a path that leads out of the repository, or has a special meaning in YAML or a shell.

    Raises:
        UsageError: with the option and its value.
    """
    if not _PATH.fullmatch(path) or ".." in PurePosixPath(path).parts:
        raise UsageError(
            f"{option} {path!r}: expected a path inside the repository, of letters, digits, spaces "
            "and _ . / -"
        )


def check_common(matrix: str, install: str, python: str) -> None:
    """Refuse a matrix, a requirement or a Python that has a special meaning in YAML or a shell.

    Raises:
        UsageError: with the option and its value.
    """
    check_path("--matrix", matrix)
    check_install(install, python)


def check_install(install: str, python: str) -> None:
    """Refuse a requirement or a Python that has a special meaning in YAML or a shell.

    Raises:
        UsageError: with the option and its value.
    """
    if not _REQUIREMENT.fullmatch(install):
        raise UsageError(f"--install {install!r}: expected a requirement for pip, in one line without $")
    if not _PYTHON.fullmatch(python):
        raise UsageError(f"--python {python!r}: expected a version such as 3.11")


def check_variables(names: Iterable[str], own: re.Pattern[str]) -> None:
    """Refuse variables of the matrix that are none, or that would replace those of the pipeline.

    Raises:
        UsageError: with the name of the variable.
    """
    for name in names:
        if not _VARIABLE.fullmatch(name):
            raise UsageError(f"subject.pass-env: {name!r}: expected the name of a variable, such as TOKEN")
        if own.fullmatch(name):
            raise UsageError(
                f"subject.pass-env: {name} is a variable of the pipeline itself; choose another name"
            )


def list_variables(forge: Forge, names: Iterable[str]) -> list[str]:
    """The variables that a job gets from the settings of the project; the forge sets the others itself."""
    return [
        name
        for name in dict.fromkeys(names)
        if (forge == "github" and name == "GITHUB_TOKEN") or not name.startswith(_GIVEN[forge])
    ]


def name_group(kind: str, *parts: str) -> str:
    """The name of a pipeline: its kind, the matrix (the first part), and a digest of all parts."""
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]
    return f"{kind}-{PurePosixPath(parts[0]).stem}-{digest}".replace(" ", "-")
