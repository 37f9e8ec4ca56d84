"""The result of each service, kept until the service, what it deserves, or the harness has changed."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

import msgspec

import harness
from harness.files import write_whole
from harness.records import Record
from services.comparing import Difference, Judged, compare
from services.entries import HERE, Deserved, Service

JUDGING = ("cell", "gate", "judge", "matrix", "records", "report/questions.py", "resolve", "store", "sweep")
"""The parts of the harness on which an answer can depend."""


class Result(Record, frozen=True, kw_only=True):
    """What was said of one service, compared with what it deserves.

    ``digest`` is that of the service, ``code`` that of the harness; ``skipped`` tells why it was not run.
    """

    name: str
    title: str
    digest: str
    code: str
    deserved: Deserved
    sweep: Judged | None = None
    gate: Judged | None = None
    differences: tuple[Difference, ...] = ()
    skipped: str = ""


@functools.cache
def digest_harness() -> str:
    """A digest of the code and data that run a service, judge it and answer."""
    root = Path(harness.__file__).parent
    parts = [root / part for part in JUDGING]
    files = sorted(
        path
        for part in parts
        for path in (part.rglob("*") if part.is_dir() else [part])
        if path.is_file() and path.suffix in {".py", ".toml", ".txt"}
    )
    digest = hashlib.sha256()
    beside = [root.parent / "matrices" / "tolerances.toml", HERE / "running.py"]
    for path in (*files, *beside):
        digest.update(f"{path.relative_to(root.parent)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def make_result(service: Service, sweep: Judged | None, gate: Judged | None) -> Result:
    """Compare what was said of a service with what it deserves."""
    return Result(
        name=service.name,
        title=service.entry.title,
        digest=service.digest,
        code=digest_harness(),
        deserved=service.deserved,
        sweep=sweep,
        gate=gate,
        differences=compare(service.deserved, sweep, gate, timed=service.entry.latency),
    )


def make_skipped(service: Service, reason: str) -> Result:
    """The result of a service that cannot be run on this machine."""
    return Result(
        name=service.name,
        title=service.entry.title,
        digest=service.digest,
        code=digest_harness(),
        deserved=service.deserved,
        skipped=reason,
    )


def keep_result(folder: Path, result: Result) -> None:
    """Write a result where the same command finds it again; one of a run that left nothing is run again.

    Raises:
        OSError: no room, no permission.
    """
    if not result.skipped and (result.sweep is None or result.gate is None):
        return
    path = folder / f"{result.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, msgspec.json.format(msgspec.json.encode(result), indent=1))


def find_result(folder: Path, service: Service, *, earlier: bool = False) -> Result | None:
    """The kept result of a service; None without one of this service, verdict and harness.

    ``earlier``: one of an earlier harness counts too.
    """
    try:
        found = msgspec.json.decode((folder / f"{service.name}.json").read_bytes(), type=Result)
    except (OSError, msgspec.DecodeError):
        return None
    current = found.digest == service.digest and (earlier or found.code == digest_harness())
    return found if current else None
