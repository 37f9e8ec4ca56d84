"""The works that are disturbed: their commands, and what they say at the end."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planted.bench import PINS
from planted.wheels import build_wheel

from faults.tries import Work
from harness.records import digest_value
from harness.store.store import MARKER

CHECKS = ("env.*", "l0.zero/*", "l0.typical/*", "l2.parity/*", "rt.shape", "gold.recorded")
"""Few checks of each kind: what is disturbed is the harness, and a cell takes its time to import anyway."""

SUBJECT = """
import numpy as np

import planted_scale


def unit(rows):
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return planted_scale.apply(rows / np.where(norms == 0, 1, norms))
"""

SCALES = {
    "1.0": "def apply(rows):\n    return rows\n",
    "1.1": "def apply(rows):\n    return rows\n",
    "1.2": "def apply(rows):\n    return rows * 1.01\n",
}
"""Releases of a planted package, of which the last one scales vectors."""

CODES: dict[Work, set[int]] = {"sweep": {0}, "gate": {0, 1, 4}, "cause": {1}, "lock": {0}}
"""Work -> its exit codes when nothing disturbs it; a short gate on a busy machine does not always decide."""

AXES = {
    "sweep": 'numpy = ["1.26.2", "2.4.6"]\nsentence-transformers = ["3.3.1"]',
    "gate": 'numpy = ["1.26.2"]\nsentence-transformers = ["3.3.1"]',
    "cause": 'numpy = ["1.26.2"]\nplanted-scale = ["1.0"]\nsentence-transformers = ["3.3.1"]',
    "lock": 'numpy = ["1.26.2", "2.0.2", "2.4.6"]\nsentence-transformers = ["2.7.0", "3.3.1", "6.2.0"]',
}

BASELINE = {
    "gate": 'numpy = "1.26.2"\nsentence-transformers = "3.3.1"',
    "cause": 'numpy = "1.26.2"\nplanted-scale = "1.0"\nsentence-transformers = "3.3.1"',
}


@dataclass(frozen=True)
class Place:
    """The folder of one try, with a store, reports and temporary files of its own below it.

    ``links`` holds the planted wheels; ``disk`` is where reports and temporary files are, which may be small.
    """

    folder: Path
    links: Path
    model: Path | None

    @property
    def disk(self) -> Path:
        """The folder of reports, locks and temporary files."""
        return self.folder / "disk"

    @property
    def store(self) -> Path:
        """The folder of environments, models and results."""
        return self.folder / "store"

    def write_matrix(self, work: Work) -> Path:
        """Write the matrix of a work, with the small model if there is one."""
        for part in (self.disk, self.disk / "tmp", self.disk / "matrices", self.store):
            part.mkdir(parents=True, exist_ok=True)
        (self.disk / "matrices" / "unit.py").write_text(SUBJECT, encoding="utf-8")
        subject = '[subject]\nnormalizer = "unit:unit"\nsearch-path = ["."]\n' if work == "cause" else ""
        pins = "\n".join(line for line in PINS.splitlines() if not (line.startswith("numpy =")))
        if self.model is not None:
            pins = pins[: pins.index("[model]")] + f'[model]\npath = "{self.model}"\n'
        path = self.disk / "matrices" / f"{work}.toml"
        head = f'schema = 1\ntitle = "{work}"\nexpected = "none.toml"\n'
        (path.parent / "none.toml").write_text("schema = 1\n", encoding="utf-8")
        baseline = f"[baseline]\n{BASELINE[work]}\n" if work in BASELINE else ""
        path.write_text(f"{head}\n[axes]\n{AXES[work]}\n{baseline}{subject}{pins}", encoding="utf-8")
        return path

    def command(self, work: Work) -> list[str]:
        """The command line of a work."""
        matrix = str(self.disk / "matrices" / f"{work}.toml")
        harness = [sys.executable, "-m", "harness"]
        if work == "lock":
            return [*harness, "lock", "--matrix", matrix]
        places = [
            "--matrix",
            matrix,
            "--store",
            str(self.store),
            "--reports",
            str(self.disk / "reports"),
            "--plain",
            *("--jobs", "1"),  # so that one cell is done while another is not
        ]
        checks = [word for check in CHECKS for word in ("--checks", check)]
        if work == "sweep":
            return [*harness, "sweep", "--no-latency", *checks, *places]
        if work == "gate":
            timed = ["--quantities", "*embed*", "--budget", "20s"]
            return [*harness, "gate", "numpy==2.4.6", "--no-culprit", *timed, *checks, *places]
        return [*harness, "gate", "planted-scale==1.2", "numpy==2.4.6", "--no-latency", *checks, *places]


def plant_wheels(folder: Path) -> Path:
    """Make the wheels of the planted package."""
    folder.mkdir(parents=True, exist_ok=True)
    for version, code in SCALES.items():
        build_wheel(folder, "planted-scale", version, {"planted_scale.py": code})
    return folder


def copy_environment(source: Path, target: Path) -> None:
    """Copy the first environment of a store to a new one; its files are shared as links, as uv does it."""
    first = min((source / "envs").iterdir(), key=lambda path: path.stat().st_mtime)
    (target / "envs").mkdir(parents=True)
    shutil.copy2(source / MARKER, target / MARKER)
    # In seconds, where Python takes half a minute.
    subprocess.run(["cp", "-al", str(first), str(target / "envs" / first.name)], check=True)


# What a work says at the end, without what differs from run to run


def read_outcome(work: Work, place: Place, code: int) -> dict[str, Any]:
    """The content of a finished work, as JSON has it: exit code, cases, verdicts, cause, locks.

    Of a gate without latency, which is short here and does not always decide.
    """
    if work == "lock":
        locks = sorted(path for path in (place.disk / "matrices" / "locks").rglob("*") if path.is_file())
        return {"exit": code, "locks": {path.name: digest_value(path.read_text("utf-8")) for path in locks}}
    run = find_latest(place)
    if run is None:
        return {"exit": code}
    if work == "sweep":
        found = _read(run / "results.json")["judgement"]
        return {
            "exit": code,
            "verdict": found["verdict"],
            **_cells(found),
            "cases": _cases(found["findings"]),
        }
    gate = _read(run / "gate.json")
    decision, cause = gate["decision"], gate["culprit"] or {}
    kinds = ("new", "before", "gone", "known", "unconfirmed")
    return {
        "new": {kind: sorted(each["check"] for each in decision[kind]) for kind in kinds},
        **_cells(decision),
        "cause": sorted(f"{each['name']} {each['after']}" for each in cause.get("changes", ())),
        "releases": sorted(f"{each['name']} {each['first_bad']}" for each in cause.get("releases", ())),
        **({"exit": code, "verdict": decision["verdict"]} if work == "cause" else {}),
    }


def count_bytes(folder: Path) -> int:
    """The bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def find_latest(place: Place) -> Path | None:
    """The newest complete run."""
    latest = place.disk / "reports" / "runs" / "latest"
    return latest.resolve() if latest.exists() else None


def list_finished(place: Place) -> dict[str, str]:
    """Cell -> key of the results of a sweep that its folder holds, whole and without fault of the process."""
    found = {}
    for path in place.disk.glob("reports/runs/*/cells/*/result.json"):
        try:
            result = _read(path)
        except ValueError:  # the harness was killed while it wrote
            continue
        if result["status"] in {"ok", "failed"}:
            found[result["cell"]] = result["key"]
    return found


def _read(path: Path) -> Any:
    data = path.read_bytes()
    return json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)


def _cells(judged: Mapping[str, Any]) -> dict[str, Any]:
    return {"cells": sorted(f"{each['cell']} {each['status']}" for each in judged["cells"])}


def _cases(findings: Any) -> str:
    return digest_value(sorted((each["cell"], each["check"], each["outcome"]) for each in findings))


def list_differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    """What differs from the undisturbed work, one sentence each."""
    for key in sorted({*found, *wanted}):
        if found.get(key) != wanted.get(key):
            yield f"{key}: {str(found.get(key))[:200]}, but should be {str(wanted.get(key))[:200]}"
