"""Run checks of many specs in one process of a cell: ``python together.py specs.json rows.jsonl``.

A process of its own for each model and mistake would import torch a hundred times. The checks are those of
the suite, run as in a cell. Each spec leaves a line when it has run, and is not run again.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from harness.cell.channel import Channel
from harness.cell.interface import CellSpec, load_checks
from harness.cell.start import PACKAGES, SUITE, import_modules, leave, pytest_arguments, run_suite, settle


class Kept(Channel):
    """A channel without a controller that keeps the results of cases."""

    def __init__(self) -> None:
        super().__init__(None)
        self.cases: list[dict[str, Any]] = []

    def send(self, event: str, **fields: Any) -> None:
        """Keep the result of a case."""
        if event == "case":
            self.cases.append(fields["result"])


def main() -> int:
    """Read the command line and run what is listed."""
    rows = Path(sys.argv[2])
    ran = (
        {json.loads(line)["made"] for line in rows.read_text("utf-8").splitlines()}
        if rows.exists()
        else set()
    )
    listed: list[dict[str, str]] = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    lacking = [each for each in listed if each["made"] not in ran]
    if not lacking:
        return 0
    specs = {(each["name"], each["made"]): CellSpec.read(Path(each["spec"])) for each in lacking}
    first = next(iter(specs.values()))
    settle(first)
    if not import_modules((*PACKAGES, *sorted({spec.embedder for spec in specs.values()})), Channel(None)):
        return 1
    from harness.cell import facts, plugin  # noqa: PLC0415 - after settle

    facts.apply_threads(first.threads)
    plugin.load_profile(first)
    for (name, made), spec in specs.items():
        channel, began = Kept(), time.monotonic()
        run_suite(spec, channel, load_checks(), [*pytest_arguments(spec, SUITE), "-q", "--no-header"])
        row = {"name": name, "made": made, "cases": channel.cases, "seconds": time.monotonic() - began}
        with rows.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
    return 0


if __name__ == "__main__":
    leave(main())
