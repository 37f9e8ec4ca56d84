"""The platform that locks are made for, and the wheel tags that a Python has on it."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Sequence

from packaging.tags import Tag, compatible_tags, cpython_tags, platform_tags

GLIBC = (2, 28)
"""Wheels for a newer glibc come last, so that a lock made on a new machine serves an older one too."""


def platform_tag() -> str:
    """The name of the running platform in ``matrices/locks``, such as ``linux-x86_64``."""
    return f"{sys.platform}-{platform.machine().lower()}"


def wheel_tags(python: str, platforms: Sequence[str] | None = None) -> tuple[Tag, ...]:
    """Every wheel tag that CPython ``python`` ("3.11" or "3.11.7") takes here, the best first."""
    major, minor = (int(part) for part in python.split(".")[:2])
    known = list(platform_tags() if platforms is None else platforms)
    ordered = sorted(known, key=_needs_new_glibc)
    interpreter = f"cp{major}{minor}"
    return (
        *cpython_tags((major, minor), platforms=ordered),
        *compatible_tags((major, minor), interpreter, ordered),
    )


def _needs_new_glibc(name: str) -> bool:
    found = re.match(r"manylinux_(\d+)_(\d+)_", name)
    return found is not None and (int(found[1]), int(found[2])) > GLIBC
