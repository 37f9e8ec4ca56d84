"""The messages between cell process and controller, and the result that they add up to."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from harness.records import SCHEMA, CaseResult, CellResult, CellStatus
from harness.store.result_store import find_fault_of_machine

# How a cell process can come to an end, in words.


class CellEndedError(Exception):
    """A cell process came to an end of its own: the status that it gets, and one sentence of why."""

    def __init__(self, status: CellStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


# What a cell process and the controller say to each other: JSON lines over a socket pair.
#
# The socket is the cell's own channel (its descriptor is named in ``HARNESS_CHANNEL_FD``), so that a
# library that prints cannot break results. A line that does not decode is a fault of the cell, never of the
# run.
#
# Order of events in a cell: Hello, Stage("imports"), Facts, Collected, Stage("contract"), Case...,
# ContractDone, then, where latency was asked for, Stage("latency") and per scenario Ready (or Untimed),
# Calibrated, one TurnDone a round, Timed; at last Finished. ImportFailed instead of Facts ends the cell.


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", forbid_unknown_fields=True):
    """Something a cell process says."""


class Hello(Event, frozen=True, kw_only=True, tag="hello"):
    """The process is up and has read its spec."""

    pid: int
    schema: int


class Stage(Event, frozen=True, kw_only=True, tag="stage"):
    """What it does from now on, for the board."""

    name: str


class ImportFailed(Event, frozen=True, kw_only=True, tag="import-failed"):
    """A package under test, or the subject, could not be imported."""

    module: str
    message: str


class Facts(Event, frozen=True, kw_only=True, tag="facts"):
    """What really is in the process."""

    facts: dict[str, str]


class Collected(Event, frozen=True, kw_only=True, tag="collected"):
    """The cases and scenarios that pytest collected."""

    cases: tuple[str, ...]
    scenarios: tuple[str, ...]


class Case(Event, frozen=True, kw_only=True, tag="case"):
    """One finished case."""

    result: CaseResult


class ContractDone(Event, frozen=True, kw_only=True, tag="contract-done"):
    """The contract phase is over; from here on the process only waits for its latency turns."""

    peak_rss: int  # bytes
    rss: int  # bytes resident now


class Ready(Event, frozen=True, kw_only=True, tag="ready"):
    """The scenario is set up and warm, and waits for ``calibrate`` or ``begin``."""

    scenario: str


class Calibrated(Event, frozen=True, kw_only=True, tag="calibrated"):
    """How long one call takes, measured alone on the machine; answers ``calibrate``."""

    scenario: str
    seconds: float


class TurnDone(Event, frozen=True, kw_only=True, tag="turn-done"):
    """One round is measured; the process is silent until its next turn."""

    scenario: str
    round: int


class Timed(Event, frozen=True, kw_only=True, tag="timed"):
    """All rounds of a scenario, as pytest-benchmark measured them: seconds per call."""

    scenario: str
    iterations: int
    rounds: tuple[float, ...]


class Untimed(Event, frozen=True, kw_only=True, tag="untimed"):
    """A scenario that could not be measured here."""

    scenario: str
    message: str


class Finished(Event, frozen=True, kw_only=True, tag="finished"):
    """Everything asked for is done; the process exits."""

    peak_rss: int


AnyEvent = (
    Hello
    | Stage
    | ImportFailed
    | Facts
    | Collected
    | Case
    | ContractDone
    | Ready
    | Calibrated
    | TurnDone
    | Timed
    | Untimed
    | Finished
)


_DECODER = msgspec.json.Decoder(AnyEvent)
_ESCAPE = re.compile(r"\\(?:u[dD][89abAB]\w\w\\u[dD][c-fC-F]\w\w|(u[dD][89a-fA-F]\w\w)|.)")


def decode_event(line: str, change: Callable[[str], str] = str) -> AnyEvent:
    """The event in a line, with ``change`` applied to each of its texts after their escapes are decoded.

    Half a surrogate pair, which is JSON but no text, becomes U+FFFD.

    Raises:
        msgspec.DecodeError: it is no event.
    """
    whole = _ESCAPE.sub(lambda found: r"\ufffd" if found[1] else found[0], line)
    event = _DECODER.decode(whole)
    changed: AnyEvent = msgspec.convert(_change_texts(msgspec.to_builtins(event), change), AnyEvent)
    return changed


def _change_texts(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list | tuple):
        return [_change_texts(each, change) for each in value]
    if isinstance(value, dict):
        return {change(key): _change_texts(each, change) for key, each in value.items()}
    return value


class Command(msgspec.Struct, frozen=True, kw_only=True, tag_field="command"):
    """Something the controller says."""


class Calibrate(Command, frozen=True, kw_only=True, tag="calibrate"):
    """Measure one call and answer with Calibrated."""


class Begin(Command, frozen=True, kw_only=True, tag="begin"):
    """How many rounds, and how many calls each; no round starts before a turn.

    Each turn begins with ``warm_up`` calls that are not timed.
    """

    rounds: int
    iterations: int
    warm_up: int


class Turn(Command, frozen=True, kw_only=True, tag="turn"):
    """The machine is yours for one round."""

    round: int


class Next(Command, frozen=True, kw_only=True, tag="next"):
    """Every cell has finished the scenario: set up the next one."""


@dataclass
class CellRecord:
    """The growing record of one cell process; only its own events change it."""

    stage: str = "start"
    facts: dict[str, str] = field(default_factory=dict)
    cases: dict[str, CaseResult] = field(default_factory=dict)
    calibrated: dict[str, float] = field(default_factory=dict)
    timed: dict[str, Timed] = field(default_factory=dict)
    untimed: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    peak_rss: int = 0
    rss: int = 0
    finished: bool = False
    _since: float = field(default_factory=time.monotonic)

    def note(self, event: AnyEvent) -> None:
        """Take in one event.

        Raises:
            CellEndedError: the event ends the cell, or cannot follow what was said before.
        """
        match event:
            case Hello(schema=schema) if schema != SCHEMA:
                raise CellEndedError("crashed", f"it speaks schema {schema}, but {SCHEMA} was expected")
            case ImportFailed(module=module, message=message):
                if fault := find_fault_of_machine([message]):
                    raise CellEndedError("install-error", f"{fault}, when importing {module}")
                raise CellEndedError("import-error", f"importing {module} failed: {message}")
            case Stage(name=name):
                self.enter(name)
            case ContractDone(peak_rss=peak, rss=rss):
                self.enter("waiting")
                self.rss, self.peak_rss = rss, max(self.peak_rss, peak)
            case Finished(peak_rss=peak):
                self.enter("finished")
                self.finished, self.peak_rss = True, max(self.peak_rss, peak)
            case _:
                self._keep(event)

    def _keep(self, event: AnyEvent) -> None:
        match event:
            case Facts(facts=facts):
                self.facts.update(facts)
            case Case(result=result):
                self._add(result)
            case Calibrated(scenario=scenario, seconds=seconds):
                self.calibrated[scenario] = seconds
            case Timed(scenario=scenario):
                self.timed[scenario] = event
            case Untimed(scenario=scenario, message=message):
                self.untimed[scenario] = message
            case _:
                pass

    def enter(self, stage: str) -> None:
        """From now on it does something else; the time of the stage before is kept."""
        now = time.monotonic()
        self.seconds[self.stage] = self.seconds.get(self.stage, 0.0) + now - self._since
        self.stage, self._since = stage, now

    def _add(self, result: CaseResult) -> None:
        if result.id in self.cases:  # a second word could hide a failure behind a pass
            raise CellEndedError("crashed", f"it reported the case {result.id} twice")
        self.cases[result.id] = result

    def judge_status(self, planned: tuple[str, ...]) -> CellEndedError | None:
        """Why the cell is not ok by what it said itself: a case failed, or a planned one is missing."""
        bad = [case.id for case in self.cases.values() if case.outcome in {"fail", "error"}]
        missing = [case for case in planned if case not in self.cases]
        if not bad and not missing:
            return None
        said = [f"{len(bad)} of {len(self.cases)} cases did not pass, the first is {bad[0]}"] if bad else []
        if fault := find_fault_of_machine(self.cases[case].message for case in bad):
            return CellEndedError("install-error", f"{fault}; {said[0]}")
        said += [f"{len(missing)} planned cases are missing, the first is {missing[0]}"] if missing else []
        return CellEndedError("failed", "; ".join(said))

    def make_result(
        self, cell: str, key: str, run: str, ended: CellEndedError | None, log_tail: tuple[str, ...]
    ) -> CellResult:
        """The result as it stands; ``ended`` is None for a cell that is ok."""
        known = {"environment", "imports", "contract", "latency"}
        return CellResult(
            cell=cell,
            key=key,
            run=run,
            status="ok" if ended is None else ended.status,
            reason="" if ended is None else ended.reason,
            log_tail=() if ended is None else log_tail,
            facts=dict(self.facts),
            cases=tuple(self.cases.values()),
            untimed=dict(self.untimed),
            seconds={stage: round(value, 3) for stage, value in self.seconds.items() if stage in known},
            peak_rss=self.peak_rss,
        )
