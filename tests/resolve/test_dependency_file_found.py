"""The dependency file of a project."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.resolve.dependency_file import find_dependency_file


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()


@pytest.mark.parametrize(
    ("there", "found"),
    [
        (("requirements.txt", "requirements-dev.txt", "pyproject.toml"), "requirements.txt"),
        (("uv.lock", "pyproject.toml"), "uv.lock"),
        (("requirements/prod.txt",), "requirements/prod.txt"),
        (("requirements-linux.lock",), "requirements-linux.lock"),
        (("poetry.lock", "pyproject.toml"), "poetry.lock"),  # its error names the command that exports it
    ],
)
def test_the_one_of_the_service_is_found(tmp_path: Path, there: tuple[str, ...], found: str) -> None:
    put(tmp_path, *there)
    assert find_dependency_file(tmp_path, "--file") == found


def test_none_or_several_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no dependency file; name one, such as --to deploy"):
        find_dependency_file(tmp_path, "--to")
    put(tmp_path, "requirements/a.txt", "requirements-b.txt")
    said = "--file requirements-b.txt or --file requirements/a.txt"
    with pytest.raises(UsageError, match=f"there are 2 dependency files; name that of the service: {said}"):
        find_dependency_file(tmp_path, "--file")
