"""The harness as a command, in a process of its own, as a user runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
"""Folder of the checkout."""


@dataclass(frozen=True)
class Harness:
    """The command ``harness``, in a process of its own, with environment variables added."""

    variables: Mapping[str, str] = field(default_factory=dict)

    def run(self, *arguments: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
        """Run it to its end; its exit code and what it printed are the caller's to judge."""
        return subprocess.run(
            self.argv(*arguments),
            capture_output=True,
            text=True,
            check=False,
            env=self.environment(),
            cwd=cwd,
        )

    def start(self, *arguments: str | Path, cwd: Path = ROOT) -> subprocess.Popen[str]:
        """Start it in a process group of its own, as a shell does with a command."""
        return subprocess.Popen(
            self.argv(*arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment(),
            cwd=cwd,
            start_new_session=True,
            # A script that runs the tests in the background has them ignore Ctrl-C; a terminal does not.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads yet
        )

    @staticmethod
    def argv(*arguments: str | Path) -> list[str]:
        """Say the command line."""
        return [sys.executable, "-m", "harness", *map(str, arguments)]

    def environment(self) -> dict[str, str]:
        """Say the variables that it gets: those of the tests, with its own added."""
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
        return os.environ | {"PYTHONPATH": path, "COLUMNS": "200"} | dict(self.variables)
