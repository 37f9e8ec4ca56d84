"""``python -m harness.sweep.executors FOLDER`` runs the task in a folder, in a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

from harness.protection import protect_process


def main() -> None:
    """Run a task in a process that holds no secrets where the cells can read them."""
    protect_process()
    from harness.sweep.executors.task_process import run_task  # noqa: PLC0415 - costs a second, which is spent once

    run_task(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
