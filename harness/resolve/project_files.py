"""Find the dependency file of a project."""

from __future__ import annotations

from pathlib import Path

from harness.errors import UsageError

WHOLE = ("uv.lock", "pylock.toml", "requirements.txt")
"""Names of the dependency file of a service; others are for development, tests or one platform."""

_MORE = ("requirements*.txt", "requirements*.lock", "requirements/*.txt", "pylock.*.toml")
_EXPORTED = (
    "poetry.lock",
    "pdm.lock",
    "Pipfile.lock",
    "environment.yml",
    "environment.yaml",
    "pyproject.toml",
)
"""Files whose error, when they are read, names the command that exports them."""


def find_dependency_file(folder: Path, option: str) -> str:
    """The name of the one dependency file in a folder, relative to it; ``option`` is how a user names one.

    Raises:
        UsageError: there is none, or there are several; the message lists them.
    """
    found = [name for name in WHOLE if (folder / name).is_file()]
    found = found or sorted({_name(path, folder) for glob in _MORE for path in folder.glob(glob)})
    found = found or [name for name in _EXPORTED if (folder / name).is_file()][:1]
    if len(found) > 1:
        raise UsageError(
            f"there are {len(found)} dependency files; name that of the service: "
            + " or ".join(f"{option} {name}" for name in found)
        )
    if not found:
        raise UsageError(
            f"{folder} has no dependency file; name one, such as {option} deploy/requirements.txt "
            "(`pip freeze > requirements.txt` writes one)"
        )
    return found[0]


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()
