"""What a pytest item stands for, and what became of it: pure functions over items and exceptions."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Dict, Optional, Sequence, Tuple

import pytest

from harness.cell.catalogue import Check
from harness.cell.record import CheckFailedError, clean


def judge_phase(
    when: str, error: Optional[BaseException], *, recorded: bool, check: Optional[Check] = None
) -> Tuple[str, str]:
    """Outcome and message of one phase (setup, call, teardown) of a contract item.

    A skip counts as one only for a reason that the check declares: packages under test can raise it too.
    """
    if error is None:
        return ("error", "measured nothing") if when == "call" and not recorded else ("pass", "")
    if isinstance(error, pytest.skip.Exception):
        reason = clean(str(error.msg or ""))
        if not reason:
            return "error", "skipped without a reason"
        if check is None or not check.declares_skip(reason):
            return "error", clean(f"skipped for a reason that the check does not declare: {reason}")
        return "skip", reason
    if isinstance(error, CheckFailedError) and recorded:
        return "fail", clean(str(error))
    return "error", clean(f"{type(error).__name__}: {error}")


def selected(case: str, only: Sequence[str]) -> bool:
    """Whether a case id matches one of the globs; no glob selects all."""
    return not only or any(fnmatchcase(case, glob) for glob in only)


def case_of(item: pytest.Item, checks: Dict[str, Check]) -> Optional[str]:
    """The case id that an item stands for; None where it says none."""
    marker = item.get_closest_marker("check")
    if marker is None:
        return None
    check = checks.get(marker.args[0])
    callspec = getattr(item, "callspec", None)
    values = [str(callspec.params[axis]) for axis in check.over] if check and callspec else []
    return "/".join((marker.args[0], *values))


def scenario_of(item: pytest.Item) -> Optional[str]:
    """The latency scenario that an item measures; None for a contract item."""
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("scenario") if callspec and item.get_closest_marker("check") is None else None
