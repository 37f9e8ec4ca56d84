"""Files that describe an environment, and what is read from them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from harness.resolve.dependency_file import EnvironmentFile, read_environment_file
from harness.resolve.packages import Choice


def read(
    folder: Path,
    name: str,
    text: str | None = None,
    choice: Choice = Choice(),  # noqa: B008 - frozen
) -> EnvironmentFile:
    if text is not None:
        (folder / name).write_text(text, encoding="utf-8")
    return asyncio.run(read_environment_file(name, "3.11", folder, choice))


def requirements(found: EnvironmentFile) -> list[str]:
    return [package.requirement for package in found.packages.values()]
