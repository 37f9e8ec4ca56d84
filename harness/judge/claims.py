"""Judge claims of documentation and forum answers about manual normalization by measurements."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from harness.judge.outcomes import Results, Rules
from harness.records import Claim, ClaimRow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.records import CaseResult, CellResult, Plan


TYPICAL_BATCH = 32
"""Rows of 384 numbers that a service typically normalizes at once."""

CLAIMED_SECONDS = 2e-3
"""Upper end of the claimed 1-2 ms."""

Answer = tuple[bool | None, str]
"""Whether a claim holds (None: not measured), and the numbers that show it."""

_NOT_MEASURED: Answer = (None, "not measured")

NO_RULES = Rules()
"""Rules without a catalogue: only the numbers of a case itself are checked."""


@dataclass(frozen=True)
class Evidence:
    """The measurements of one cell, by case and by scenario."""

    cases: dict[str, CaseResult]
    p50: dict[str, float]  # seconds per call

    @classmethod
    def of(cls, result: CellResult | None, rules: Rules) -> Evidence:
        """Collect the measurements of a result, without cases whose outcome contradicts their numbers."""
        if result is None:
            return cls({}, {})
        cases = {case.id: case for case in result.cases if not rules.find_contradiction(case)}
        p50 = {
            timing.scenario: statistics.median(timing.rounds) for timing in result.timings if timing.rounds
        }
        return cls(cases, p50)

    def find_decided(self, *globs: str) -> list[CaseResult]:
        """Find the passed and failed cases that match one of the globs, sorted by id."""
        return [
            case
            for case_id, case in sorted(self.cases.items())
            if case.outcome in {"pass", "fail"} and any(fnmatchcase(case_id, glob) for glob in globs)
        ]


def _require_pass(*globs: str) -> Callable[[Evidence], Answer]:
    """Make the judgement of a claim that needs all these cases to pass; measurements are per dtype."""

    def judge(evidence: Evidence) -> Answer:
        cases = evidence.find_decided(*globs)
        if not cases:
            return _NOT_MEASURED
        by_dtype: dict[str, list[CaseResult]] = defaultdict(list)
        for case in cases:
            by_dtype[case.id.rsplit("/", 1)[-1]].append(case)
        texts = [f"{dtype}: {_describe_cases(each)}" for dtype, each in by_dtype.items()]
        return all(case.outcome == "pass" for case in cases), "; ".join(texts)

    return judge


def _describe_cases(cases: Sequence[CaseResult]) -> str:
    """Describe cases as ``yes`` or ``no`` with their numbers; several cases are named."""
    if len(cases) == 1:
        return ("yes" if cases[0].outcome == "pass" else "no") + _describe_numbers(cases[0])
    names: dict[tuple[str, str], list[str]] = defaultdict(list)
    for case in sorted(cases, key=lambda case: case.outcome == "fail"):
        names["yes" if case.outcome == "pass" else "no", _describe_numbers(case)].append(_name_case(case))
    texts: dict[str, list[str]] = defaultdict(list)
    for (word, numbers), several in names.items():
        texts[word].append(", ".join(several) + numbers)
    return ", ".join(f"{word} for {', '.join(each)}" for word, each in texts.items())


def _name_case(case: CaseResult) -> str:
    """Name a case within its dtype: by the kind of vectors, or the order of a norm."""
    check, *parameters = case.id.split("/")
    names = [each for each in parameters[:-1] if each != "manual"]
    return "/".join(names) or check.partition(".")[2]


def _describe_numbers(case: CaseResult) -> str:
    seen = case.observation
    if seen is None:
        return ""
    facts = [f"{key} {value}" for key, value in seen.facts.items() if isinstance(value, str)]
    if seen.bound in {"none", "equal"}:
        words = "; ".join(filter(None, [seen.sample, *facts]))
        return f" ({words})" if words else ""
    value = "not finite" if seen.value is None else f"{seen.value:.3g} {seen.unit}"
    allowed = "" if seen.allowed is None else f", allowed {seen.allowed:.3g}"
    reference = seen.facts.get("reference")
    expected = f", reference {reference:.3g}" if isinstance(reference, float) else ""
    return f" ({value}{allowed}{expected})"


def _judge_typical_batch(evidence: Evidence) -> Answer:
    texts, within = [], []
    for dtype in ("float32", "float16"):
        seconds = evidence.p50.get(f"normalize.manual.{dtype}.{TYPICAL_BATCH}")
        if seconds is not None:
            texts.append(f"{dtype} x {TYPICAL_BATCH}: {seconds * 1e3:.3g} ms")
            within.append(seconds <= CLAIMED_SECONDS)
    return (all(within), "; ".join(texts)) if within else _NOT_MEASURED


def _judge_numpy_speed(evidence: Evidence) -> Answer:
    texts, faster = [], []
    for scenario, manual in evidence.p50.items():
        prefix, reference = "normalize.manual.", scenario.replace(".manual.", ".reference.")
        if scenario.startswith(prefix) and reference in evidence.p50:
            ratio = manual / evidence.p50[reference]
            dtype, batch = scenario.removeprefix(prefix).split(".")
            word = "faster" if ratio < 1 else "slower"
            texts.append(f"{dtype} x {batch}: {max(ratio, 1 / ratio):.3g}x {word}")
            faster.append(ratio < 1)
    return (all(faster), "; ".join(texts)) if faster else _NOT_MEASURED


CLAIMS: tuple[tuple[str, str, Callable[[Evidence], Answer]], ...] = (
    ("no-norm-method", "NumPy arrays have no .norm()", _require_pass("api.no-norm-method")),
    (
        "utility-rejects-arrays",
        "normalize_embeddings fails on NumPy arrays",
        _require_pass("api.utility-rejects/ndarray"),
    ),
    (
        "norm-keeps-dtype",
        "np.linalg.norm preserves float32 and float16",
        _require_pass("api.norm-dtype/*/float32", "api.norm-dtype/*/float16"),
    ),
    (
        "manual-equals-utility",
        "manual normalization equals the utility for non-zero vectors",
        _require_pass(
            "l0.parity-typical/typical/manual/*",
            "l0.parity-typical/one-row/manual/*",
            "l0.parity-typical/single/manual/*",
            "l0.parity-small/manual/*",
            "l0.parity-extreme/*/manual/*",
        ),
    ),
    (
        "zero-stays-zero",
        "zero vectors stay zero",
        _require_pass("l0.zero/manual/*", "l0.mixed-zero/manual/*"),
    ),
    (
        "milliseconds",
        f"it takes 1-2 ms for a typical batch (judged as: at most 2 ms for {TYPICAL_BATCH} x 384)",
        _judge_typical_batch,
    ),
    (
        "numpy-is-faster",
        "NumPy is faster than the utility (judged by the ratio of medians, at every batch)",
        _judge_numpy_speed,
    ),
    ("same-memory", "it makes no significant change in memory", _require_pass("rt.memory/manual")),
)
"""Id, text and judging function of each claim, in the order of the report."""


def judge_claims(plan: Plan, results: Results, rules: Rules = NO_RULES) -> tuple[Claim, ...]:
    """Judge every claim in every planned cell; cases that contradict ``rules`` are ignored.

    Claims are about normalizers, so a service that is judged as a whole gets none.
    """
    if plan.service is not None and plan.service.is_whole:
        return ()
    evidence = {planned.cell.id: Evidence.of(results.one_for(planned), rules) for planned in plan.cells}
    return tuple(
        Claim(
            id=claim,
            text=text,
            rows=tuple(_make_row(claim, cell, judge(seen)) for cell, seen in evidence.items()),
        )
        for claim, text, judge in CLAIMS
    )


def _make_row(claim: str, cell: str, judged: Answer) -> ClaimRow:
    holds, measured = judged
    return ClaimRow(claim=claim, cell=cell, holds=holds, measured=measured)


def summarize_claim(rows: Sequence[ClaimRow]) -> str:
    """Count the cells in which a claim holds: ``holds in 18 of 20 cells``."""
    judged = [row for row in rows if row.holds is not None]
    if not judged:
        return "not measured"
    holding = sum(1 for row in judged if row.holds)
    return f"holds in {holding} of {len(judged)} cells"
