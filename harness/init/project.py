"""Find what a project says about itself: its Python, its model folders, and the forge that it is kept on."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from harness.errors import UsageError
from harness.init.source import walk_project
from harness.matrix.toml_file import read_toml
from harness.resolve.packages import MAX_PATCH
from harness.resolve.revisions import ask_git
from harness.store.models import find_weights

RUNNING = f"{sys.version_info[0]}.{sys.version_info[1]}"
OLDEST, NEWEST = 9, 30
"""Minor versions of Python 3 that a ``requires-python`` may select; cells run on 3.9 and later."""


class Chosen(msgspec.Struct, frozen=True):
    """A value, and where it comes from."""

    value: str
    origin: str


def find_python(project: Path, dependency_file: Path) -> Chosen:
    """The Python of a service: ``.python-version``, else ``requires-python``, else the running one.

    Raises:
        UsageError: a file names a Python that cells do not run on.
    """
    pinned = project / ".python-version"
    if pinned.is_file():
        text = pinned.read_text(encoding="utf-8", errors="replace").strip().partition("\n")[0].strip()
        found = re.fullmatch(r"(?:c?python-?)?(3\.[0-9]{1,2})(?:\.[0-9]+)?", text)
        if found is None:
            raise UsageError(
                f"{pinned.name}: {text[:40]!r} is not a Python such as 3.11; name it with --python"
            )
        return Chosen(found[1], pinned.name)
    for path in (project / "pyproject.toml", dependency_file):
        if requires := _read_requires(path):
            return _select_python(requires, path.name)
    return Chosen(RUNNING, "the Python that runs `harness init`")


def _read_requires(path: Path) -> str:
    """The ``requires-python`` of a pyproject.toml, a uv.lock or a pylock.toml; empty without one."""
    if not path.is_file() or path.suffix not in {".toml", ".lock"} or path.name.startswith("requirements"):
        return ""
    try:
        document: dict[str, Any] = read_toml(path)
    except UsageError:
        return ""  # whoever reads the file in earnest reports the fault
    project = document.get("project")
    inner = project if isinstance(project, dict) else {}
    return str(inner.get("requires-python") or document.get("requires-python") or "")


def _select_python(requires: str, origin: str) -> Chosen:
    try:
        wanted = SpecifierSet(requires)
    except InvalidSpecifier:
        raise UsageError(f"{origin}: requires-python: {requires!r} is no specifier such as >=3.11") from None
    for minor in (RUNNING, *(f"3.{number}" for number in range(OLDEST, NEWEST))):
        if any(wanted.contains(f"{minor}.{patch}") for patch in range(MAX_PATCH)):
            return Chosen(minor, f"{origin}: requires-python {requires}")
    raise UsageError(f"{origin}: requires-python {requires!r} allows no Python from 3.{OLDEST} on")


def find_model_folders(project: Path) -> tuple[Path, ...]:
    """The model folders of a project: of sentence-transformers, else those with a config and weights."""
    folders = [folder for folder in walk_project(project) if _is_model(folder)]
    outer = [folder for folder in folders if not any(each in folder.parents for each in folders)]
    whole = [folder for folder in outer if (folder / "modules.json").is_file()]
    return tuple(whole or outer)


def _is_model(folder: Path) -> bool:
    if (folder / "modules.json").is_file():
        return find_weights(folder) is not None or any(folder.glob("**/*.safetensors"))
    return (folder / "config.json").is_file() and find_weights(folder) is not None


class WheelModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model inside an installed distribution: ``name==version``, and the folder in it."""

    distribution: str
    folder: str


def find_installed_models(site: Path) -> tuple[WheelModel, ...]:
    """The sentence-transformers models that distributions in a ``site-packages`` folder bring along."""
    return tuple(
        sorted(
            {each for found in metadata.distributions(path=[str(site)]) for each in _models_of(found, site)},
            key=lambda each: each.distribution,
        )
    )


def _models_of(distribution: metadata.Distribution, site: Path) -> Iterator[WheelModel]:
    for file in distribution.files or ():
        if file.name == "modules.json" and _is_model(site / file.parent):
            name = canonicalize_name(distribution.name)
            yield WheelModel(distribution=f"{name}=={distribution.version}", folder=file.parent.as_posix())


ForgeName = Literal["github", "gitlab"]


async def find_forge(project: Path) -> ForgeName | None:
    """The forge of a project by the host of its remotes, else by the files that it has for one."""
    hosts = " ".join(await find_hosts(project))
    gitlab, github = "gitlab" in hosts, "github" in hosts
    if not gitlab and not github:
        gitlab, github = (project / ".gitlab-ci.yml").exists(), (project / ".github").is_dir()
    if gitlab is github:
        return None
    return "gitlab" if gitlab else "github"


async def find_hosts(project: Path) -> tuple[str, ...]:
    """The hosts of the remotes of a project."""
    remotes = await ask_git(project, "remote", "-v")
    return tuple(dict.fromkeys(filter(None, _hosts(remotes.stdout)))) if remotes.returncode == 0 else ()


def _hosts(text: str) -> Iterator[str]:
    for line in text.splitlines():
        address = line.split("\t")[-1].split(" ")[0]
        try:
            yield urlsplit(address).hostname or address.partition("@")[2].partition(":")[0]
        except ValueError:
            continue


def read_ignored(project: Path) -> str:
    """The text of ``.gitignore``; empty without one."""
    path = project / ".gitignore"
    return path.read_text(encoding="utf-8", errors="surrogateescape") if path.is_file() else ""
