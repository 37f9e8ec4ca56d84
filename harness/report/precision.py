"""Error by norm of the row for each formula, and the recommended normalizer."""

from __future__ import annotations

import ast
import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from harness.judge.outcomes import MEASURED
from harness.report.latency_view import show_ratio

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.records import Finding, Run


REFERENCE = "reference"
_CHECKS = {"l0.precision", "l0.precision-reference"}
TWICE = 2.0
"""Allowed factor of the error at norm 1 within the valid range of a formula."""

_DTYPES = ("float16", "float32", "float64")

Point = tuple[int, float | None]
"""Exponent of the norm (base 2) and the worst error there in ULP; None if not finite."""


@dataclass(frozen=True)
class Series:
    """One formula in cells with equal measurements, and the range of exponents in which it is valid."""

    formula: str
    cells: tuple[str, ...]
    points: tuple[Point, ...]
    holds: tuple[int, int] | None


@dataclass(frozen=True)
class Landmark:
    """An exponent (base 2) at which a format or a formula reaches its limit."""

    power: float
    name: str


@dataclass(frozen=True)
class Precision:
    """The series of all formulas in one dtype."""

    dtype: str
    series: tuple[Series, ...]
    landmarks: tuple[Landmark, ...]


def find_precision(run: Run) -> list[Precision]:
    """Find the precision of every measured formula, from narrow to wide dtypes."""
    grouped: dict[str, dict[str, dict[tuple[Point, ...], list[str]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    for dtype, formula, finding, points in _measured(run.judgement.findings):
        grouped[dtype][formula][points].append(finding.cell)
    return [
        Precision(
            dtype,
            tuple(
                Series(formula, tuple(cells), points, find_range(points))
                for formula, groups in grouped[dtype].items()
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
            formula = parameters[0] if len(parameters) > 1 else REFERENCE
            yield parameters[-1], formula, finding, points


def _points(facts: dict[str, str | float | int | bool | None]) -> tuple[Point, ...]:
    """Read the facts named ``2^<exponent>``, in the order of the norms."""
    found = []
    for name, value in facts.items():
        power = name.removeprefix("2^")
        if power != name and power.lstrip("-").isdecimal() and not isinstance(value, (str, bool)):
            found.append((int(power), None if value is None else float(value)))
    return tuple(sorted(found, key=lambda point: point[0]))


def find_range(points: Sequence[Point]) -> tuple[int, int] | None:
    """Find the widest range of exponents around norm 1 with at most ``TWICE`` times the error at norm 1.

    An error below half an ULP counts as half an ULP. None without a finite error at norm 1.
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
    """Limits of IEEE 754 binary16, 32 and 64, of squares in them, and of the eps of the reference (1e-12)."""
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


SUPERSCRIPTS = dict(zip("-0123456789", "\N{SUPERSCRIPT MINUS}⁰¹²³⁴⁵⁶⁷⁸⁹", strict=True))


def show_power(exponent: int) -> str:
    """A power of two with a superscript exponent: ``2⁻²⁰``."""
    return "2" + "".join(SUPERSCRIPTS[each] for each in str(exponent))


def show_number(value: float) -> str:
    """A number with three digits; from 10,000 on with a power of ten: ``1.68 x 10⁷``."""
    if value < 1e4:
        return f"{value:.3g}" if value < 100 else f"{value:.0f}"
    digits, _, exponent = f"{value:.2e}".partition("e")
    raised = "".join(SUPERSCRIPTS[each] for each in str(int(exponent)))
    return f"{digits} \N{MULTIPLICATION SIGN} 10{raised}"


def describe_landmarks(precision: Precision) -> str:
    """Describe the numbered lines of the plot of a dtype."""
    named = (f"{number} {each.name}" for number, each in enumerate(precision.landmarks, 1))
    return f"Dotted lines: {', '.join(named)}."


def describe(series: Series) -> str:
    """Describe a series in one sentence, as an alternative to the plot."""
    if series.holds is None:
        return f"{series.formula}: no finite number at norm 1."
    low, high = series.holds
    within = [point for point in series.points if low <= point[0] <= high]
    text = f"{series.formula}: {_worst(within)} for norms from {show_power(low)} to {show_power(high)}"
    beyond = (
        ("below", [point for point in series.points if point[0] < low]),
        ("above", [point for point in series.points if point[0] > high]),
    )
    parts = [f"{where} that {_worst(points)}" for where, points in beyond if points]
    return f"{text}; {', '.join(parts)}." if parts else f"{text}, the whole measured range."


def _worst(points: Sequence[Point]) -> str:
    if any(value is None for _, value in points):
        return "no finite number"
    return f"up to {show_number(max(value or 0.0 for _, value in points))} ULP"


# Recommended normalizer

DOTTED = "harness.cell.normalizers:stable"
FILE = "harness/cell/normalizers.py"

_SOURCE = Path(__file__).parents[1] / "cell" / "normalizers.py"
"""Read as text, never imported: the controller works without NumPy."""

_NOT_SHOWN = "manual"
_DECIDED = MEASURED | {"error"}


@dataclass(frozen=True)
class Recommendation:
    """The advice on the recommended normalizer; ``measured`` has one sentence per measurement of this run."""

    advice: str
    measured: tuple[str, ...]


def recommend(run: Run) -> Recommendation:
    """Recommend ``stable``: its place, its use, and the measurements of this run.

    Empty for a service whose normalizer is not judged alone.
    """
    if run.plan.service is not None and run.plan.service.is_whole:
        return Recommendation("", ())
    passed, decided = _count(run)
    right = "keeps the dtype and is right for zero, tiny, huge and mixed rows"
    if passed["stable"] < decided["stable"]:
        right = "is designed to keep the dtype and be right for every row, but failed in parts of this run"
    advice = (
        f"`{DOTTED}` {right}. Copy it from {FILE} "
        f'(it needs NumPy alone), or name it in a matrix: [subject] normalizer = "{DOTTED}".'
    )
    return Recommendation(advice, tuple(filter(None, [_describe_held(passed, decided), _cost(run)])))


def _count(run: Run) -> tuple[Counter[str], Counter[str]]:
    """Count passed and decided cases against the oracle, by normalizer.

    Parity is excluded, because it depends on the reference too.
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
    formula = f", the manual formula {passed['manual']} of {decided['manual']}" if decided["manual"] else ""
    return f"Against the oracle it passes {passed['stable']} of {decided['stable']} cases{formula}."


def _cost(run: Run) -> str:
    """Describe its time relative to the formula: the range over scenarios of the medians over cells."""
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
        "harness.cell.speed times both in turns, which is more exact)."
    )


def read_code() -> str:
    """Read its source, ready to be copied into a service, without the other normalizer of the file."""
    text = _SOURCE.read_text(encoding="utf-8")
    kept = [
        node
        for node in ast.parse(text).body[1:]  # without the docstring of the module
        if not (isinstance(node, ast.FunctionDef) and node.name == _NOT_SHOWN)
    ]
    gaps = ("\n\n\n" if isinstance(node, ast.FunctionDef) else "\n" for node in kept)
    parts = (gap + (ast.get_source_segment(text, node) or "") for gap, node in zip(gaps, kept, strict=True))
    return "".join(parts).lstrip() + "\n"
