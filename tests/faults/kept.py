"""Results of tries: kept in a folder while they are made, and published in one file to go on from."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import msgspec

from faults.running import Result, Usual
from faults.tries import Try
from harness.files import write_whole

TABLE, RESULTS = "README.md", "results.jsonl"


@cache
def is_current(commit: str, *further: str) -> bool:
    """Whether the harness of a commit, and ``further`` folders, are those of the work tree; no if unknown."""
    asked = ["git", "diff", "--quiet", commit, "--", "harness", "matrices", *further]
    return subprocess.run(asked, check=False, capture_output=True).returncode == 0


def find_result(folder: Path, one: Try) -> Result | None:
    """The kept result of a try; None without one, for one of another plan, or of another harness."""
    path = _path(folder, one)
    if not path.is_file():
        return None
    result = msgspec.json.decode(path.read_bytes(), type=Result)
    return result if _is_of(result, one) and is_current(result.commit) else None


def keep_result(folder: Path, one: Try, result: Result) -> None:
    """Keep the result of a try."""
    path = _path(folder, one)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, msgspec.json.encode(result))


def find_usual(path: Path) -> Usual | None:
    """The kept measures of an undisturbed work; None without them, or if they were taken by other code."""
    if not path.is_file():
        return None
    usual = msgspec.json.decode(path.read_bytes(), type=Usual)
    return usual if is_current(usual.commit, "tests/faults") else None


def take_over(published: Path, folder: Path, planned: Iterable[Try]) -> None:
    """Keep in ``folder`` what was published and is not there yet, so that a new clone goes on from it."""
    path = published / RESULTS
    lines = path.read_bytes().splitlines() if path.is_file() else ()
    results = [msgspec.json.decode(line, type=Result) for line in lines]
    for one in planned:
        for result in results:
            if _is_of(result, one) and find_result(folder, one) is None:
                keep_result(folder, one, result)


def publish(published: Path, text: str, results: Sequence[Result]) -> Path:
    """Write the table and the results that it was counted from; return the table."""
    published.mkdir(parents=True, exist_ok=True)
    write_whole(published / RESULTS, b"".join(msgspec.json.encode(each) + b"\n" for each in results))
    write_whole(published / TABLE, text.encode())
    return published / TABLE


def _path(folder: Path, one: Try) -> Path:
    return folder / "results" / f"{one.name}.json"


def _is_of(result: Result, one: Try) -> bool:
    """Whether a result is of this try, and not of the one with its number in another plan."""
    mine = (one.number, one.work, one.describe(), one.real, one.planted)
    return mine == (result.number, result.work, result.fault, result.real, result.planted)
