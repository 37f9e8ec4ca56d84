"""What the history tells the page of a run: what changed since the last one, and how latency moves."""

from __future__ import annotations

from harness.errors import MachineError, UsageError
from harness.history.database import Say, read_history
from harness.history.recording import History
from harness.history.since import find_last
from harness.history_records import Earlier, Trends
from harness.judge.compare import compare
from harness.judge.snapshot import take_snapshot
from harness.records import Run
from harness.trends import Past, judge_past, read_until


def recall(run: Run, history: History, say: Say) -> Earlier:
    """What the runs before this one tell; itself it is not in the history yet, or is rendered again.

    What gets in the way costs the page a section, not the run its page: it is said.
    """
    if history.keep == 0:
        return Earlier()
    own = take_snapshot(run.plan, run.results, run.judgement)
    try:
        with read_history(history.path, say) as connection:
            last = find_last(connection, own)
            past = read_until(connection, own)
    except (UsageError, MachineError) as error:
        say(f"the page tells nothing of earlier runs: {error}")
        return Earlier()
    since = compare(last, own) if last is not None else None
    return Earlier(since=since, trends=_judge(past, say))


def _judge(past: Past | None, say: Say) -> Trends | None:
    try:
        return judge_past(past) if past is not None else None
    except MachineError as error:
        say(f"the page tells nothing of trends: {error}")
        return None
