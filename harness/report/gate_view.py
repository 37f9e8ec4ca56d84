"""What every rendering of a gate says in words."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.gate_records import Gate, LockChange, WayOut

NOT_JUDGED = "This is about correctness alone; latency is not judged."


def gate_commands(gate: Gate, *more: str) -> tuple[str, str]:
    """The command that asks again, in a checkout of the harness and where it is installed."""
    arguments = shlex.join((*gate.question.arguments, *more))
    return f"nox -s gate -- {arguments}", f"harness gate {arguments}"


def say_origin(change: LockChange) -> str:
    """Why a distribution moves."""
    origin = "asked for" if change.asked else "dragged along"
    if change.kind != "changed":
        return f"{origin}, {change.kind}"
    return f"{origin}, another file" if change.before == change.after else origin


def say_unchanged(gate: Gate) -> str:
    """How many distributions do not move."""
    count = gate.question.diff.unchanged
    return f"{count} {'other is' if count == 1 else 'others are'} the same."


def say_way_out(way: WayOut) -> str:
    """What the search for further changes came to; the changes themselves are told beside it."""
    asked = f"the resolver was asked {way.calls} {'time' if way.calls == 1 else 'times'}"
    if not way.changes:
        return f"No further upgrade of what is held would make it possible ({asked})."
    if way.smallest:
        return (
            f"It would be possible with {'this' if len(way.changes) == 1 else 'these two'} as well ({asked})."
        )
    return f"It would be possible with these as well; fewer may do ({asked})."
