"""Faults of the harness itself, which the tries have to find: else they would find none of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from faults.tries import Try

PLANTED: Mapping[str, str] = {
    "lost": """
from harness.store.result_store import ResultStore

ResultStore.store_checks = lambda *given: None
""",
    "wrong": """
import msgspec

from harness.store.result_store import ResultStore

read_checks = ResultStore.read_checks


def read_damaged(store, key):
    result = read_checks(store, key)
    if result is None:
        return None
    cases = [msgspec.structs.replace(each, outcome="fail") for each in result.cases]
    return msgspec.structs.replace(result, cases=tuple(cases))


ResultStore.read_checks = read_damaged
""",
    "left": """
import subprocess
import sys

if "sweep" in sys.orig_argv:
    subprocess.Popen(["sleep", "600"], start_new_session=True)
""",
}
"""What goes wrong, as ``Result`` names it -> code that every Python process of the harness runs at its start.

In turn: finished cells are not stored, stored ones are read wrongly, a process is forgotten.
"""


def plan_planted(name: str) -> Try:
    """The try in which a planted fault has to be found."""
    return Try(0, "sweep", "controller", "KILL", 0.0, 0.0, 1.0, real=False, planted=name)


def plant(name: str, folder: Path) -> Path:
    """Write the code of a fault where Python looks for it when it starts."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(PLANTED[name].lstrip(), encoding="utf-8")
    return folder
