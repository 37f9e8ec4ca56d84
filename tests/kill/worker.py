"""Run the suite for many planted faults in the environment of a cell: ``worker.py jobs.json rows.jsonl``.

Imports take most of the time of a cell, so each fault runs in a fork of this process, which has made them.
Variants of the machine need variables at the start, and get a process of their own. A row is written for each
fault that has run, and a fault with a row is not run again.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from harness.cell.channel import Channel
from harness.cell.interface import CellSpec, load_checks, load_dotted
from harness.cell.start import PACKAGES, SUITE, import_modules, leave, pytest_arguments, run_suite, settle

LIMIT = 400
"""Seconds for one fault; the slowest correct variant takes a sixth of it on an idle machine."""


class Kept(Channel):
    """A channel without a controller that keeps facts and the results of cases."""

    def __init__(self) -> None:
        super().__init__(None)
        self.cases: list[dict[str, Any]] = []
        self.facts: dict[str, str] = {}
        self.refused = ""

    def send(self, event: str, **fields: Any) -> None:
        """Keep the result of a case, a fact, or why the subject was refused."""
        if event == "case":
            self.cases.append(fields["result"])
        elif event == "facts":
            self.facts.update({name: str(value) for name, value in fields["facts"].items()})
        elif event == "subject-refused":
            self.refused = fields["message"]


def read_rows(path: Path) -> set[str]:
    """The digests of the faults that have a row."""
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return {json.loads(line)["made"] for line in lines}


def prepare(spec: CellSpec) -> None:
    """Import what every fault needs."""
    settle(spec)
    if not import_modules((*PACKAGES, "kill.embedders", "kill.normalizers"), Channel(None)):
        sys.exit(1)
    from harness.cell import facts, plugin  # noqa: PLC0415 - after settle

    facts.apply_threads(spec.threads)
    plugin.load_profile(spec)


def run_job(job: dict[str, Any]) -> dict[str, Any]:
    """Run the suite for one fault in this process."""
    spec, channel, began = CellSpec.read(Path(job["spec"])), Kept(), time.monotonic()
    os.environ.update(job["variables"])
    if job["plant"]:
        load_dotted(job["plant"])()
    run_suite(spec, channel, load_checks(), [*pytest_arguments(spec, SUITE), "-q", "--no-header"])
    return {
        "made": job["made"],
        "cases": channel.cases,
        "facts": channel.facts,
        "ended": channel.refused,
        "seconds": round(time.monotonic() - began, 2),
    }


def fork_job(job: dict[str, Any], log: Path) -> dict[str, Any]:
    """Run one fault in a fork; one that does not come back has a row that says so."""
    answer = log.with_suffix(".json")
    answer.unlink(missing_ok=True)
    began, child = time.monotonic(), os.fork()
    if not child:
        with log.open("ab") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        answer.write_text(json.dumps(run_job(job)), encoding="utf-8")
        leave(0)
    status = 0
    while time.monotonic() - began < LIMIT:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        time.sleep(0.05)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return {"made": job["made"], "cases": [], "ended": f"no end within {LIMIT} s", "seconds": LIMIT}
    return _read_answer(job, answer, f"ended with status {status}")


def start_job(job: dict[str, Any], log: Path) -> dict[str, Any]:
    """Run one variant in a process of its own, with its variables from the start."""
    answer, alone = log.with_suffix(".json"), log.with_suffix(".job.json")
    answer.unlink(missing_ok=True)
    alone.write_text(json.dumps([{**job, "starts": False}]), encoding="utf-8")
    rows = log.with_suffix(".rows")
    rows.unlink(missing_ok=True)
    with log.open("ab") as file:
        subprocess.run(
            [sys.executable, __file__, str(alone), str(rows)],
            env={**os.environ, **job["variables"]},
            stdout=file,
            stderr=file,
            timeout=2 * LIMIT,
            check=False,
        )
    if rows.exists():
        answer.write_text(rows.read_text("utf-8").splitlines()[0], encoding="utf-8")
    return _read_answer(job, answer, "ended without a result")


def _read_answer(job: dict[str, Any], answer: Path, otherwise: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(answer.read_text("utf-8"))
    except (OSError, ValueError):
        return {"made": job["made"], "cases": [], "ended": otherwise, "seconds": 0.0}
    return found


def main() -> int:
    """Read the command line and run what is listed."""
    rows = Path(sys.argv[2])
    jobs: list[dict[str, Any]] = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    ran = read_rows(rows)
    jobs = [job for job in jobs if job["made"] not in ran]
    if any(not job["starts"] for job in jobs):
        prepare(CellSpec.read(Path(next(job for job in jobs if not job["starts"])["spec"])))
    for number, job in enumerate(jobs, 1):
        log = Path(CellSpec.read(Path(job["spec"])).workdir, "log.txt")
        row = (start_job if job["starts"] else fork_job)(job, log)
        with rows.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        sys.stderr.write(f"{number} of {len(jobs)}: {job['name']}, {row['seconds']:.0f} s\n")
    return 0


if __name__ == "__main__":
    leave(main())
