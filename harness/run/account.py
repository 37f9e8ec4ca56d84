"""What one cell process has said so far, made into its result."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from harness.records import SCHEMA, CaseResult, CellResult
from harness.run import events
from harness.run.ends import CellEndedError
from harness.run.results import find_fault_of_machine


@dataclass
class Account:
    """The growing record of one cell process; only its own events change it."""

    stage: str = "start"
    facts: dict[str, str] = field(default_factory=dict)
    cases: dict[str, CaseResult] = field(default_factory=dict)
    collected: tuple[str, ...] = ()
    calibrated: dict[str, float] = field(default_factory=dict)
    timed: dict[str, events.Timed] = field(default_factory=dict)
    untimed: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    peak_rss: int = 0
    rss: int = 0
    finished: bool = False
    _since: float = field(default_factory=time.monotonic)

    def note(self, event: events.AnyEvent) -> None:
        """Take in one event.

        Raises:
            CellEndedError: the event ends the cell, or cannot follow what was said before.
        """
        match event:
            case events.Hello(schema=schema) if schema != SCHEMA:
                raise CellEndedError("crashed", f"it speaks schema {schema}, but {SCHEMA} was expected")
            case events.ImportFailed(module=module, message=message):
                if fault := find_fault_of_machine([message]):
                    raise CellEndedError("install-error", f"{fault}, when importing {module}")
                raise CellEndedError("import-error", f"importing {module} failed: {message}")
            case events.Stage(name=name):
                self.enter(name)
            case events.ContractDone(peak_rss=peak, rss=rss):
                self.enter("waiting")
                self.rss, self.peak_rss = rss, max(self.peak_rss, peak)
            case events.Finished(peak_rss=peak):
                self.enter("finished")
                self.finished, self.peak_rss = True, max(self.peak_rss, peak)
            case _:
                self._keep(event)

    def _keep(self, event: events.AnyEvent) -> None:
        match event:
            case events.Facts(facts=facts):
                self.facts.update(facts)
            case events.Collected(cases=cases):
                self.collected = cases
            case events.Case(result=result):
                self._add(result)
            case events.Calibrated(scenario=scenario, seconds=seconds):
                self.calibrated[scenario] = seconds
            case events.Timed(scenario=scenario):
                self.timed[scenario] = event
            case events.Untimed(scenario=scenario, message=message):
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
