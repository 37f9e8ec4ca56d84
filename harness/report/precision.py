"""Error over the norm of the row for each formula, and the normalizer that the report recommends."""

from __future__ import annotations

import ast
import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from harness.report.latency_view import show_ratio

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.records import Finding, Run


REFERENCE = "reference"
_CHECKS = {"l0.precision", "l0.precision-reference"}
TWICE = 2.0
"""How many times its error at norm 1 a formula may have elsewhere and still hold."""

_DTYPES = ("float16", "float32", "float64")

Point = tuple[int, float | None]
"""Power of two of the norm, and the worst error in ULP there; None is not a finite number."""


@dataclass(frozen=True)
class Series:
    """One formula in the cells that measured the same of it, and the range of powers in which it holds."""

    who: str
    cells: tuple[str, ...]
    points: tuple[Point, ...]
    holds: tuple[int, int] | None


@dataclass(frozen=True)
class Landmark:
    """A power of two at which a format or a formula meets its limit."""

    power: float
    name: str


@dataclass(frozen=True)
class Precision:
    """All formulas in one dtype."""

    dtype: str
    series: tuple[Series, ...]
    landmarks: tuple[Landmark, ...]


def find_precision(run: Run) -> list[Precision]:
    """The precision of every formula that was measured, the dtypes from narrow to wide."""
    grouped: dict[str, dict[str, dict[tuple[Point, ...], list[str]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    for dtype, who, finding, points in _measured(run.judgement.findings):
        grouped[dtype][who][points].append(finding.cell)
    return [
        Precision(
            dtype,
            tuple(
                Series(who, tuple(cells), points, find_range(points))
                for who, groups in grouped[dtype].items()
                for points, cells in groups.items()
            ),
            _landmarks(dtype),
        )
        for dtype in _DTYPES
        if dtype in grouped
    ]


def _measured(findings: Sequence[Finding]) -> Iterator[tuple[str, str, Finding, tuple[Point, ...]]]:
    for finding in findings:
        check, *parameters = finding.check.split("/")
        if check not in _CHECKS or finding.observation is None or not parameters:
            continue
        points = _points(finding.observation.facts)
        if points:
            who = parameters[0] if len(parameters) > 1 else REFERENCE
            yield parameters[-1], who, finding, points


def _points(facts: dict[str, str | float | int | bool | None]) -> tuple[Point, ...]:
    """The facts named ``2^<power>``, in the order of the norms."""
    found = []
    for name, value in facts.items():
        power = name.removeprefix("2^")
        if power != name and power.lstrip("-").isdecimal() and not isinstance(value, (str, bool)):
            found.append((int(power), None if value is None else float(value)))
    return tuple(sorted(found, key=lambda point: point[0]))


def find_range(points: Sequence[Point]) -> tuple[int, int] | None:
    """The widest range of powers around norm 1 with at most ``TWICE`` the error at norm 1.

    An error below half an ULP counts as half of one: less is no fault of a formula. None where there is no
    finite number at norm 1.
    """
    middle = min(points, key=lambda point: abs(point[0]), default=(0, None))
    if middle[1] is None:
        return None
    limit = TWICE * max(middle[1], 0.5)
    below = [each for each in reversed(points) if each[0] <= middle[0]]
    above = [each for each in points if each[0] >= middle[0]]

    def holds(point: Point) -> bool:
        return point[1] is not None and point[1] <= limit

    return list(takewhile(holds, below))[-1][0], list(takewhile(holds, above))[-1][0]


def _landmarks(dtype: str) -> tuple[Landmark, ...]:
    """Limits of IEEE 754 binary16, 32 and 64, of their squares, and the reference's eps of 1e-12."""
    smallest, largest, subnormal = {
        "float16": (-14, 16, -24),
        "float32": (-126, 128, -149),
        "float64": (-1022, 1024, -1074),
    }[dtype]
    eps = -39.86  # log2(1e-12), torch.nn.functional.normalize; 0 in float16
    return (
        Landmark(smallest, "subnormal below"),
        Landmark(smallest / 2, "squares subnormal below"),
        *((Landmark(eps, "eps 1e-12"),) if eps > subnormal else ()),
        Landmark(largest / 2, "squares overflow from here"),
    )


def describe(series: Series) -> str:
    """What a series shows, for those who do not see the plot."""
    if series.holds is None:
        return f"{series.who}: no finite number at norm 1."
    low, high = series.holds
    within = [point for point in series.points if low <= point[0] <= high]
    said = f"{series.who}: {_worst(within)} for norms from 2^{low} to 2^{high}"
    beyond = (
        ("below", [point for point in series.points if point[0] < low]),
        ("above", [point for point in series.points if point[0] > high]),
    )
    parts = [f"{where} that {_worst(points)}" for where, points in beyond if points]
    return f"{said}; {', '.join(parts)}." if parts else f"{said}, the whole range that was measured."


def _worst(points: Sequence[Point]) -> str:
    if any(value is None for _, value in points):
        return "no finite number"
    return f"up to {max(value or 0.0 for _, value in points):.3g} ULP"


# The normalizer that the report recommends: where it is, what it held in this run, its cost, its code.

DOTTED = "harness.cell.normalizers:stable"
FILE = "harness/cell/normalizers.py"

_SOURCE = Path(__file__).parents[1] / "cell" / "normalizers.py"
"""Read, never imported: it needs NumPy, which the controller does without."""

_NOT_SHOWN = "manual"
_DECIDED = {"pass", "xfail", "fail", "error", "xpass"}


@dataclass(frozen=True)
class Recommendation:
    """What there is to say of it; ``measured`` has a sentence for each thing that this run measured of it."""

    advice: str
    measured: tuple[str, ...]


def recommend(run: Run) -> Recommendation:
    """Where to find ``stable`` and how to use it, with what this run measured of it."""
    passed, decided = _count(run)
    right = "keeps the dtype and is right for zero, tiny, huge and mixed rows"
    if passed["stable"] < decided["stable"]:
        right = "is meant to keep the dtype and be right for every row, but was not in all of this run"
    advice = (
        f"`{DOTTED}` {right}. Copy it from {FILE} "
        f'(it needs NumPy alone), or name it in a matrix: [subject] normalizer = "{DOTTED}".'
    )
    return Recommendation(advice, tuple(filter(None, [_describe_held(passed, decided), _cost(run)])))


def _count(run: Run) -> tuple[Counter[str], Counter[str]]:
    """Cases that passed, and that were decided, of it and the formula against the oracle, by normalizer.

    Parity tells of the reference too, so it is left out.
    """
    passed: Counter[str] = Counter()
    decided: Counter[str] = Counter()
    for finding in run.judgement.findings:
        name = next((part for part in finding.check.split("/") if part in {"stable", "manual"}), "")
        if finding.layer == "L0" and finding.outcome in _DECIDED and "parity" not in finding.check:
            decided[name] += 1
            passed[name] += finding.outcome == "pass"
    return passed, decided


def _describe_held(passed: Counter[str], decided: Counter[str]) -> str:
    if not decided["stable"]:
        return ""
    beside = f", the manual formula {passed['manual']} of {decided['manual']}" if decided["manual"] else ""
    return f"Held to the oracle, it passes {passed['stable']} of {decided['stable']} cases{beside}."


def _cost(run: Run) -> str:
    """Its time over that of the formula: the median over cells of each scenario, from lowest to highest."""
    p50 = {(row.cell, row.scenario): row.p50 for row in run.judgement.latency}
    ratios: dict[str, list[float]] = defaultdict(list)
    for (cell, scenario), seconds in p50.items():
        formula = p50.get((cell, scenario.replace(".stable.", ".manual.")))
        if ".stable." in scenario and formula:
            ratios[scenario].append(seconds / formula)
    if not ratios:
        return ""
    medians = [statistics.median(each) for each in ratios.values()]
    return (
        f"It takes {show_ratio(min(medians))} to {show_ratio(max(medians))} the time of the manual formula "
        f"(medians over the cells; scenarios: {len(medians)}, timed one after the other; python -m "
        "harness.cell.speed times the two in turns, and so more exactly)."
    )


def read_code() -> str:
    """Its source as it can be pasted into a service: the suite's file without the other normalizer."""
    text = _SOURCE.read_text(encoding="utf-8")
    kept = [
        node
        for node in ast.parse(text).body[1:]  # the first is the docstring of the module
        if not (isinstance(node, ast.FunctionDef) and node.name == _NOT_SHOWN)
    ]
    gaps = ("\n\n\n" if isinstance(node, ast.FunctionDef) else "\n" for node in kept)
    parts = (gap + (ast.get_source_segment(text, node) or "") for gap, node in zip(gaps, kept, strict=True))
    return "".join(parts).lstrip() + "\n"
