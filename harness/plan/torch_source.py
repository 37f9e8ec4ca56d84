"""Where torch comes from on Linux: a CPU wheel on the find-links, else uv's CPU index, PyPI if asked for.

The torch of PyPI drags in several GB of CUDA packages.
"""

from __future__ import annotations

import sys

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from harness.plan.pip_settings import IndexSettings
from harness.plan.platforms import wheel_tags
from harness.plan.schema import Resolve
from harness.records import Cell, Lock


def resolve_arguments(cell: Cell, resolve: Resolve, settings: IndexSettings) -> tuple[str, ...]:
    """What ``uv pip compile`` is told about torch for a cell."""
    if resolve.torch == "pypi":
        return ()
    asked = (Requirement(text) for text in cell.requirements)
    torch = next((found for found in asked if canonicalize_name(found.name) == "torch"), Requirement("torch"))
    return _arguments(torch, cell.python, settings)


def install_arguments(lock: Lock, settings: IndexSettings) -> tuple[str, ...]:
    """What ``uv pip sync`` is told about torch for a lock; nothing where its torch is not a CPU build."""
    version = next((found.version for found in lock.distributions if found.name == "torch"), None)
    if version is None or not (Version(version).local or "").startswith("cpu"):
        return ()
    return _arguments(Requirement(f"torch=={version}"), lock.python, settings)


def _arguments(torch: Requirement, python: str, settings: IndexSettings) -> tuple[str, ...]:
    if not sys.platform.startswith("linux") or settings.no_index:
        return ()
    if settings.has_wheel(torch, wheel_tags(python)):
        return ()
    return ("--torch-backend", "cpu")
