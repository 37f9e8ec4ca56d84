"""What lies between two locks: asked for, or dragged along."""

from __future__ import annotations

from collections.abc import Collection

from harness.gate_records import ChangeKind, LockChange, LockDiff
from harness.records import Lock


def diff_locks(before: Lock, after: Lock, asked: Collection[str], pinned: Collection[str] = ()) -> LockDiff:
    """Every distribution that differs.

    ``asked`` are the normalized names of those that were asked for, ``pinned`` those among them that only
    the file of the candidate asks for.
    """
    old = {found.name: found for found in before.distributions}
    new = {found.name: found for found in after.distributions}
    changes = []
    for name in sorted(old.keys() | new.keys()):
        was, now = old.get(name), new.get(name)
        if was == now:
            continue
        kind: ChangeKind = "added" if was is None else "removed" if now is None else "changed"
        changes.append(
            LockChange(
                name=name,
                kind=kind,
                asked=name in asked,
                pinned=name in pinned,
                before="" if was is None else was.version,
                after="" if now is None else now.version,
            )
        )
    changes.sort(key=lambda change: not change.asked)  # stable: by name within each half
    return LockDiff(changes=tuple(changes), unchanged=len(old.keys() | new.keys()) - len(changes))
