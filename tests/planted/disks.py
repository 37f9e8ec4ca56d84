"""A disk of a few MiB that a test can fill: a tmpfs, which only root can mount."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class SmallDisk:
    """A file system of its own."""

    folder: Path

    def fill(self, leave: int = 0) -> Path:
        """Write a file that leaves this many bytes free, rounded down to whole pages."""
        filler = self.folder / "filler"
        status = os.statvfs(self.folder)
        with contextlib.suppress(OSError), filler.open("wb") as file:
            file.write(bytes(max(status.f_bavail * status.f_frsize - leave, 0)))
        return filler


@contextlib.contextmanager
def mount_small_disk(folder: Path, size: str) -> Iterator[SmallDisk]:
    """Mount one of this size (``4m``); the test is skipped where that is not allowed."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={size},mode=777", "tmpfs", str(folder)]
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux can mount a small disk")
    mounted = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted: {mounted.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
