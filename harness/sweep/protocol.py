"""The messages between cell process and controller, and the result that they build.

Messages are JSON lines over a socket pair. The socket is a channel of its own (its descriptor is in
``HARNESS_CHANNEL_FD``), so that output printed by a library cannot corrupt results. A line that cannot be
decoded is a failure of the cell, not of the run.

Order of events in a cell: Hello, Stage("imports"), Facts, Collected, Stage("contract"), Case...,
ContractDone; with latency, Stage("latency") and per scenario Ready (or Untimed), Calibrated, one TurnDone
per round, Timed; finally Finished. ImportFailed instead of Facts ends the cell.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from harness.records import SCHEMA, CaseResult, CellResult, CellStatus
from harness.store.result_store import find_machine_fault


class CellEndedError(Exception):
    """A cell process ended early: the status of the cell, and the reason in one sentence."""

    def __init__(self, status: CellStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class SubjectRefusedError(CellEndedError):
    """The subject is not what the matrix says: the configuration cannot work."""

    def __init__(self, reason: str) -> None:
        super().__init__("import-error", reason)


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", forbid_unknown_fields=True):
    """A message from a cell process to the controller."""


class Hello(Event, frozen=True, kw_only=True, tag="hello"):
    """The process has started and has read its spec."""

    pid: int
    schema: int


class Stage(Event, frozen=True, kw_only=True, tag="stage"):
    """The stage that begins now, for the progress display."""

    name: str


class ImportFailed(Event, frozen=True, kw_only=True, tag="import-failed"):
    """A package under test, or the subject, could not be imported."""

    module: str
    message: str


class SubjectRefused(Event, frozen=True, kw_only=True, tag="subject-refused"):
    """The subject does not exist, or is not what the matrix says; with the key and the remedy."""

    message: str


class StepFailed(Event, frozen=True, kw_only=True, tag="step-failed"):
    """``setup`` or ``close`` of the subject raised an exception."""

    step: str
    path: str
    message: str


class Facts(Event, frozen=True, kw_only=True, tag="facts"):
    """Measured facts about the process: versions, threads, precision."""

    facts: dict[str, str]


class Collected(Event, frozen=True, kw_only=True, tag="collected"):
    """The cases and scenarios that pytest collected."""

    cases: tuple[str, ...]
    scenarios: tuple[str, ...]


class Case(Event, frozen=True, kw_only=True, tag="case"):
    """One finished case."""

    result: CaseResult


class ContractDone(Event, frozen=True, kw_only=True, tag="contract-done"):
    """The check phase is complete; the process now waits for its latency turns."""

    peak_rss: int  # bytes
    rss: int  # bytes resident now


class Ready(Event, frozen=True, kw_only=True, tag="ready"):
    """The scenario is set up and warm; the process waits for ``calibrate`` or ``begin``."""

    scenario: str


class Calibrated(Event, frozen=True, kw_only=True, tag="calibrated"):
    """Seconds of one call, measured alone on the machine; the answer to ``calibrate``."""

    scenario: str
    seconds: float


class TurnDone(Event, frozen=True, kw_only=True, tag="turn-done"):
    """One round is measured; the process is idle until its next turn."""

    scenario: str
    round: int


class Timed(Event, frozen=True, kw_only=True, tag="timed"):
    """All rounds of a scenario, as pytest-benchmark measured them: seconds per call."""

    scenario: str
    iterations: int
    rounds: tuple[float, ...]


class Untimed(Event, frozen=True, kw_only=True, tag="untimed"):
    """A scenario that cannot be measured in this cell."""

    scenario: str
    message: str


class Finished(Event, frozen=True, kw_only=True, tag="finished"):
    """All requested phases are complete; the process exits."""

    peak_rss: int


AnyEvent = (
    Hello
    | Stage
    | ImportFailed
    | SubjectRefused
    | StepFailed
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
    """Decode one event, with ``change`` applied to each of its texts after their escapes are decoded.

    A lone surrogate, valid in JSON and invalid in text, becomes U+FFFD.

    Raises:
        msgspec.DecodeError: the line is not an event.
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
    """A message from the controller to a cell process."""


class Calibrate(Command, frozen=True, kw_only=True, tag="calibrate"):
    """Time one call and answer with Calibrated."""


class Begin(Command, frozen=True, kw_only=True, tag="begin"):
    """The number of rounds and of calls per round; each round waits for its turn.

    A turn begins with ``warm_up`` calls that are not timed.
    """

    rounds: int
    iterations: int
    warm_up: int


class Turn(Command, frozen=True, kw_only=True, tag="turn"):
    """Measure one round now; no other process runs."""

    round: int


class Next(Command, frozen=True, kw_only=True, tag="next"):
    """All cells have finished the scenario; set up the next one."""


@dataclass
class CellRecord:
    """The record of one cell process, built from its events."""

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

    def apply(self, event: AnyEvent) -> None:
        """Apply one event.

        Raises:
            CellEndedError: the event ends the cell, or contradicts an earlier one.
        """
        match event:
            case Hello(schema=schema) if schema != SCHEMA:
                raise CellEndedError("crashed", f"it sent schema {schema}, but {SCHEMA} was expected")
            case ImportFailed(module=module, message=message):
                if fault := find_machine_fault([message]):
                    raise CellEndedError("install-error", f"{fault}, when importing {module}")
                raise CellEndedError("import-error", f"importing {module} failed: {message}")
            case SubjectRefused(message=message):
                raise SubjectRefusedError(message)
            case StepFailed(step=step, path=path, message=message):
                raise CellEndedError("crashed", f"{step} of the subject, {path}, raised {message}")
            case Stage(name=name):
                self.enter(name)
            case ContractDone(peak_rss=peak, rss=rss):
                self.enter("waiting")
                self.rss, self.peak_rss = rss, max(self.peak_rss, peak)
            case Finished(peak_rss=peak):
                self.enter("finished")
                self.finished, self.peak_rss = True, max(self.peak_rss, peak)
            case _:
                self._store(event)

    def _store(self, event: AnyEvent) -> None:
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
        """Begin a stage, and add up the time of the previous one."""
        now = time.monotonic()
        self.seconds[self.stage] = self.seconds.get(self.stage, 0.0) + now - self._since
        self.stage, self._since = stage, now

    def _add(self, result: CaseResult) -> None:
        if result.id in self.cases:  # a second result could replace a failure by a pass
            raise CellEndedError("crashed", f"it reported the case {result.id} twice")
        self.cases[result.id] = result

    def judge_status(self, planned: tuple[str, ...]) -> CellEndedError | None:
        """Why the cell is not ok by its own results: a case failed, or a planned case is missing."""
        bad = [case.id for case in self.cases.values() if case.outcome in {"fail", "error"}]
        missing = [case for case in planned if case not in self.cases]
        if not bad and not missing:
            return None
        reasons = (
            [f"{len(bad)} of {len(self.cases)} cases did not pass, the first is {bad[0]}"] if bad else []
        )
        if fault := find_machine_fault(self.cases[case].message for case in bad):
            return CellEndedError("install-error", f"{fault}; {reasons[0]}")
        reasons += [f"{len(missing)} planned cases are missing, the first is {missing[0]}"] if missing else []
        return CellEndedError("failed", "; ".join(reasons))

    def make_result(
        self, cell: str, key: str, run: str, ended: CellEndedError | None, log_tail: tuple[str, ...]
    ) -> CellResult:
        """The result so far; ``ended`` is None for a cell that is ok."""
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
