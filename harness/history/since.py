"""What changed since the last run: the newest sweep of the same matrix on a machine of the same class."""

from __future__ import annotations

from harness.errors import UsageError
from harness.history.database import HistoryError, Say, read_history
from harness.history.reading import list_runs, read_snapshot
from harness.history.recording import History
from harness.history_records import Comparison, Snapshot
from harness.judge.compare import compare
from harness.judge.snapshot import take_snapshot
from harness.records import Run


def compare_with_last(run: Run, history: History, say: Say) -> Comparison | None:
    """Compare a run with the one before it; None where there is none. What gets in the way is said."""
    if history.keep == 0:
        return None
    try:
        before = _find_last(run, history, say)
        if before is None:
            return None
        return compare(before, take_snapshot(run.plan, run.results, run.judgement))
    except (UsageError, HistoryError) as error:
        say(f"the page tells nothing of the last run: {error}")
        return None


def _find_last(run: Run, history: History, say: Say) -> Snapshot | None:
    plan = run.plan
    with read_history(history.path, say) as connection:
        for past in list_runs(connection, plan.matrix):  # the newest first
            like = (past.kind, past.machine_class) == ("sweep", plan.machine.get("class", ""))
            if like and past.created <= plan.created and past.run != plan.run:
                return read_snapshot(connection, past.run)
    return None
