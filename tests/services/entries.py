"""The services and the verdict that each deserves, as their two files say."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from harness.cell.interface import QUESTIONS
from harness.errors import UsageError
from harness.records import Answered, Record, Verdict, digest_value

HERE = Path(__file__).parent
TEAMS = HERE / "teams"
SERVICES, DESERVED = HERE / "services.toml", HERE / "deserved.toml"

Usable = bool | Literal["unknown"]
R = TypeVar("R", bound=Record)


class Entry(Record, frozen=True, kw_only=True):
    """A service as its team would put it under test, see ``services.toml``."""

    title: str
    subject: dict[str, str]
    folder: str = ""
    model: Literal["mean", "cls"] = "mean"
    requires: tuple[str, ...] = ()
    latency: bool = False
    needs: str = ""


class Ending(Record, frozen=True, kw_only=True):
    """How a sweep or a gate ends."""

    verdict: Verdict
    exit: int


class Deserved(Record, frozen=True, kw_only=True):
    """What a service deserves, see ``deserved.toml``; ``changed`` tells why it was a mistake at first."""

    answers: dict[str, Answered]
    candidate: dict[str, Answered] = msgspec.field(default_factory=dict)
    usable: tuple[Usable, Usable]
    sweep: Ending
    gate: Ending
    why: str
    changed: str = ""

    def answer(self, question: str, arm: int) -> Answered | None:
        """The answer in the first (0) or second (1) environment; None where the question is not asked."""
        if question == "before" and arm == 0:
            return None
        return (self.candidate if arm else {}).get(question, self.answers.get(question))


@dataclass(frozen=True)
class Service:
    """A service of the tree; ``digest`` is that of its code, of its subject and of what it deserves."""

    name: str
    entry: Entry
    deserved: Deserved
    folder: Path
    digest: str


def read_services() -> tuple[Service, ...]:
    """Every service, in the order of ``services.toml``.

    Raises:
        UsageError: a file is not as described in its head, or the two name different services.
    """
    entries, deserved = _read(SERVICES, Entry), _read(DESERVED, Deserved)
    if alone := set(entries) ^ set(deserved):
        raise UsageError(f"{min(alone)}: in one of {SERVICES.name} and {DESERVED.name} only")
    return tuple(_make_service(name, entry, deserved[name]) for name, entry in entries.items())


def _read(path: Path, kind: type[R]) -> dict[str, R]:
    found: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    try:
        return msgspec.convert(found, dict[str, kind])  # type: ignore[valid-type] # a type at run time
    except msgspec.ValidationError as error:
        raise UsageError(f"{path}: {error}") from None


def _make_service(name: str, entry: Entry, deserved: Deserved) -> Service:
    folder = TEAMS / (entry.folder or name)
    if not folder.is_dir():
        raise UsageError(f"{SERVICES}: {name}: there is no folder {folder}")
    if unknown := {*deserved.answers, *deserved.candidate} - set(QUESTIONS):
        raise UsageError(f"{DESERVED}: {name}: {min(unknown)} is no question")
    files = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.py"))
    }
    return Service(name, entry, deserved, folder, digest_value((files, entry, deserved))[:16])
