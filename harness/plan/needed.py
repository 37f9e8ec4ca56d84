"""What the suite imports in every cell, and a matrix that does not bring it there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.errors import UsageError
from harness.plan.schema import Matrix
from harness.records import Lock

NEEDED: Mapping[str, str] = {"sentence-transformers": "6.2.0", "openvino": "2026.4.1", "torch": "2.13.0"}
"""Distribution -> a version for the example; whatever else the suite imports comes along with these."""


def refuse_lacking(matrix: Matrix, locks: Sequence[Lock]) -> None:
    """See that every lock with a solution holds what the suite imports, whoever asked for it.

    A matrix that forgets one of them would end as an import-error of every cell, which blames the versions.

    Raises:
        UsageError: one is lacking; names the matrix, the package, a cell, and what to add.
    """
    faults = []
    for name, version in NEEDED.items():
        lacking = [lock.cell for lock in locks if not lock.reason and not _holds(lock, name)]
        if lacking:
            more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
            faults.append(
                f"{matrix.path}: pins.{name}: the suite imports {name}, and nothing brings it into "
                f"{lacking[0]}{more}; name it as an axis, or under [pins], such as "
                f'{name} = {{ version = "{version}", reason = "what we run" }}'
            )
    if faults:
        raise UsageError("\n".join(faults))


def _holds(lock: Lock, name: str) -> bool:
    return any(found.name == name for found in lock.distributions)
