"""Compare the vectors of a cell with those of the baseline: the cases that the controller measures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from harness.cell.interface import check_of
from harness.cell.record import CheckFailedError, Record
from harness.judge.answers import INDEX_CHECK
from harness.records import CaseResult, Observation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from harness.cell.recorded import Recorded

    Measure = Callable[[Recorded, Recorded, Mapping[str, float]], dict[str, Any]]


def compare_vectors(
    now: Recorded | str, before: Recorded | str, cases: Iterable[str], tolerances: Mapping[str, float]
) -> tuple[CaseResult, ...]:
    """The results of the cases that compare a cell with the baseline.

    Args:
        now: the vectors of the cell, or why there are none; ``before``: likewise of the baseline.
        before: the vectors of the baseline, or why there are none.
        cases: the planned cases, all of checks by the controller.
        tolerances: name -> allowed value, of the plan.
    """
    fault = next((each for each in (before, now) if isinstance(each, str)), "")
    if not fault and now.sentences != before.sentences:  # type: ignore[union-attr]
        fault = "the texts of the cell are not those of the baseline"
    if fault or isinstance(now, str) or isinstance(before, str):
        return tuple(CaseResult(id=case, outcome="error", message=fault) for case in cases)
    return tuple(_measure(case, now, before, tolerances) for case in cases)


def _measure(case: str, now: Recorded, before: Recorded, tolerances: Mapping[str, float]) -> CaseResult:
    if check_of(case) == "gold.reference":
        for recorded, place in ((before, "the baseline"), (now, "this cell")):
            if recorded.reference is None:
                lacking = f"there are no vectors of the reference in {place}"
                return CaseResult(id=case, outcome="skip", message=lacking)
    record = Record()
    try:
        record(**_MEASURES[check_of(case)](now, before, tolerances))
    except CheckFailedError as failure:
        message = f"{_describe_index(case, record)}{failure}{_describe_reference(now, before, tolerances)}"
        return CaseResult(id=case, outcome="fail", message=message, observation=_seen(record))
    return CaseResult(id=case, outcome="pass", observation=_seen(record))


def _seen(record: Record) -> Observation:
    return msgspec.convert(record.observation, Observation, strict=False)


def _vectors(now: Recorded, before: Recorded, tolerances: Mapping[str, float]) -> dict[str, Any]:
    from harness.cell.change import measure_distances, name_dtype  # noqa: PLC0415 # NumPy

    allowed = tolerances[f"before.{name_dtype(now.service, before.service)}"]
    texts = now.sentences if now.queries is None else now.sentences * 2
    return measure_distances(now.everything, before.everything, texts, allowed)


def _ranking(now: Recorded, before: Recorded, tolerances: Mapping[str, float]) -> dict[str, Any]:
    from harness.cell.change import measure_rankings, name_dtype  # noqa: PLC0415 # NumPy

    tie = tolerances[f"l3.tie.{name_dtype(now.service, before.service)}"]
    queries = (now.asked, before.asked)
    return measure_rankings(now.service, before.service, now.sentences, tie, queries)


def _layout(now: Recorded, before: Recorded, _: Mapping[str, float]) -> dict[str, Any]:
    from harness.cell.change import measure_layout  # noqa: PLC0415 # NumPy

    return measure_layout(now.service, before.service)


def _reference(now: Recorded, before: Recorded, tolerances: Mapping[str, float]) -> dict[str, Any]:
    from harness.cell.change import measure_distances, name_dtype  # noqa: PLC0415 # NumPy

    assert now.reference is not None  # noqa: S101 - the caller skips the case
    assert before.reference is not None  # noqa: S101
    allowed = tolerances[f"before.{name_dtype(now.reference, before.reference)}"]
    return measure_distances(now.reference, before.reference, now.sentences, allowed)


_MEASURES: dict[str, Measure] = {
    "gold.vectors": _vectors,
    "gold.ranking": _ranking,
    "gold.dtype": _layout,
    "gold.reference": _reference,
}
"""Check -> its measurement; the fields of an observation."""


def _describe_index(case: str, record: Record) -> str:
    """What a changed ranking means for the owner of an index."""
    if check_of(case) != INDEX_CHECK or record.observation is None:
        return ""
    changed, queries = record.observation["value"], record.observation["facts"].get("queries")
    if changed is None:
        return "embed again: no stored vector fits; "
    return f"embed again: {changed:g} of {queries} queries find something else; "


def _describe_reference(now: Recorded, before: Recorded, tolerances: Mapping[str, float]) -> str:
    """Tell whether the reference has changed as well, so that a reader knows which side moved."""
    if now.reference is None or before.reference is None:
        return ""
    seen = _reference(now, before, tolerances)
    if seen["value"] is None:
        return "; the reference has changed too: another shape"
    changed = seen["value"] > seen["allowed"]
    return f"; the reference {'has changed too' if changed else 'is unchanged'} ({seen['value']:.2g})"
