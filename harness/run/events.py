"""What a cell process and the controller say to each other: JSON lines over a socket pair.

The socket is the cell's own channel (its descriptor is named in ``HARNESS_CHANNEL_FD``), so that a library
that prints cannot break results. A line that does not decode is a fault of the cell, never of the run.

Order of events in a cell: Hello, Stage("imports"), Facts, Collected, Stage("contract"), Case...,
ContractDone, then, where latency was asked for, Stage("latency") and per scenario Ready (or Untimed),
Calibrated, one TurnDone a round, Timed; at last Finished. ImportFailed instead of Facts ends the cell.
"""

from __future__ import annotations

import re

import msgspec

from harness.records import CaseResult


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


def decode_event(line: str) -> AnyEvent:
    """The event in a line; half a surrogate pair, which is JSON but no text, becomes U+FFFD.

    Raises:
        msgspec.DecodeError: it is no event.
    """
    whole = _ESCAPE.sub(lambda found: r"\ufffd" if found[1] else found[0], line)
    event: AnyEvent = _DECODER.decode(whole)
    return event


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
