"""Turn a judged run or a gate into a snapshot for the history."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from harness.judge.latency_ratios import session_floors
from harness.judge.outcomes import Results, is_red, recorded_words
from harness.records import (
    CaseMeasure,
    CellMeasures,
    CellStatus,
    CellVerdict,
    LatencyMeasure,
    PastRun,
    Snapshot,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.records import CellResult, Finding, Gate, Judgement, Plan, PlannedCell


_VERSION_FACTS = ("version.", "module.")
"""Prefixes of facts that the lock has too."""


def take_snapshot(
    plan: Plan,
    results: tuple[CellResult, ...],
    judgement: Judgement | None,
    gate: Gate | None = None,
) -> Snapshot:
    """Take the snapshot of a run.

    Args:
        plan: the planned cells.
        results: the results of the cells.
        judgement: None for a gate that was refused before anything ran.
        gate: the gate, if the run is one; its verdict is that of the run.

    Raises:
        ValueError: there is neither a judgement nor a gate.
    """
    conclusion = gate.decision if gate is not None else judgement
    if conclusion is None:
        raise ValueError(f"{plan.run}: neither judged nor decided")
    found = Results.of(results)
    cases = _group_findings(judgement.findings if judgement else ())
    verdicts = {each.cell: each for each in (judgement.cells if judgement else ())}
    return Snapshot(
        run=plan.run,
        kind="sweep" if gate is None else "gate",
        matrix=plan.matrix,
        title=plan.title,
        created=plan.created,
        commit=plan.commit,
        machine=plan.machine,
        verdict=conclusion.verdict,
        sentence=conclusion.sentence,
        subset=plan.subset,
        cells=tuple(
            _measure_cell(each, found.one_for(each), verdicts.get(each.cell.id), cases) for each in plan.cells
        ),
        latency=tuple(_measure_latency(plan, found, judgement)) if judgement else (),
        quantities=gate.speed.quantities if gate is not None and gate.speed is not None else (),
    )


def _group_findings(findings: Iterable[Finding]) -> dict[str, dict[str, Finding]]:
    """Group findings by cell and case; a red one takes precedence."""
    found: dict[str, dict[str, Finding]] = {}
    for finding in findings:
        mine = found.setdefault(finding.cell, {})
        if finding.check not in mine or is_red(finding.outcome):
            mine[finding.check] = finding
    return found


def _measure_cell(
    planned: PlannedCell,
    result: CellResult | None,
    verdict: CellVerdict | None,
    cases: Mapping[str, Mapping[str, Finding]],
) -> CellMeasures:
    cell, lock = planned.cell, planned.lock
    if verdict is None:  # the gate was refused
        status: CellStatus = "unsatisfiable" if lock.reason else "missing"
        verdict = CellVerdict(cell=cell.id, status=status, red=bool(lock.reason))
    facts = result.facts if result else {}
    return CellMeasures(
        id=cell.id,
        axes=cell.axes,
        python=cell.python,
        status=verdict.status,
        red=verdict.red,
        baseline=cell.baseline,
        lock=lock.digest,
        key=result.key if result else "",
        measured_by=result.run if result else "",
        peak_rss=result.peak_rss if result else 0,
        versions={each.name: each.version for each in lock.distributions},
        facts={name: text for name, text in facts.items() if not name.startswith(_VERSION_FACTS)},
        cases=tuple(map(_measure_case, cases.get(cell.id, {}).values())),
    )


def _measure_case(finding: Finding) -> CaseMeasure:
    seen = finding.observation
    if seen is None:
        return CaseMeasure(id=finding.check, outcome=finding.outcome)
    return CaseMeasure(
        id=finding.check,
        outcome=finding.outcome,
        value=seen.value,
        allowed=seen.allowed,
        unit=seen.unit,
        bound=seen.bound,
        words="; ".join(recorded_words(seen)),
    )


def _measure_latency(plan: Plan, results: Results, judgement: Judgement) -> Iterable[LatencyMeasure]:
    planned = {each.cell.id: each for each in plan.cells}
    floors = session_floors([result for several in results.by_cell.values() for result in several])
    for row in judgement.latency:
        result = results.one_for(planned[row.cell]) if row.cell in planned else None
        sessions = {timing.scenario: timing.session for timing in (result.timings if result else ())}
        session = sessions.get(row.scenario, "")
        yield LatencyMeasure(
            cell=row.cell,
            scenario=row.scenario,
            session=session,
            p50=row.p50,
            ratio=row.ratio,
            low=row.low,
            high=row.high,
            floor=row.floor,
            noise=floors.get(session),
            rounds=row.rounds,
            iterations=row.iterations,
        )


def summarize_snapshot(snapshot: Snapshot, *, pinned: bool = False) -> PastRun:
    """Summarize a run in one line of the history."""
    return PastRun(
        run=snapshot.run,
        kind=snapshot.kind,
        matrix=snapshot.matrix,
        created=snapshot.created,
        commit=snapshot.commit,
        machine_class=snapshot.machine_class,
        verdict=snapshot.verdict,
        sentence=snapshot.sentence,
        subset=snapshot.subset,
        cells=len(snapshot.cells),
        red_cells=sum(cell.red for cell in snapshot.cells),
        red=count_red(snapshot),
        pinned=pinned,
    )


def count_red(snapshot: Snapshot) -> dict[str, int]:
    """Count red cases by outcome, sorted by outcome; only cases of red cells count."""
    outcomes = (case.outcome for cell in snapshot.cells if cell.red for case in cell.cases)
    return dict(sorted(Counter(outcome for outcome in outcomes if is_red(outcome)).items()))
