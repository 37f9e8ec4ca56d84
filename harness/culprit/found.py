"""What a search comes to: a part that was red, and a culprit with all that it rests on."""

from __future__ import annotations

from dataclasses import dataclass

from harness.gate_records import LockChange, ReleaseSearch, Trial


@dataclass(frozen=True)
class Red:
    """A part that was red: what was applied, what moved along, and what of the wanted came up."""

    digest: str
    changes: tuple[LockChange, ...]
    dragged: tuple[LockChange, ...]
    explained: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """A culprit, and what it rests on.

    Attributes:
        changes: what is to blame.
        dragged: what moves along with it.
        explained: what of the wanted it turns red.
        alone: the trial of it alone.
        without: the trial of everything but it.
        releases: for each of the changes that spans several.
        through: of packages that bring the culprit along and are not to blame themselves.
    """

    changes: tuple[LockChange, ...]
    dragged: tuple[LockChange, ...]
    explained: tuple[str, ...]
    alone: Trial
    without: Trial
    releases: tuple[ReleaseSearch, ...]
    through: tuple[ReleaseSearch, ...] = ()
