"""How severe the failure of a case is in its cell: by its check, the served dtypes, and measured norms."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.cell.interface import FEATURE, MARGIN_CHECK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.cell.interface import Check
    from harness.records import CaseResult, CellResult, Observation, Plan, Severity

SMALLEST_MARGIN = 4.0
"""Ratio of such a norm to the norms of the embeddings, below which a limit counts as reached."""

UNKNOWN_MARGIN = "the norms of the embeddings were not measured"
"""The margin of a limit in a cell without the measurement."""

_DTYPES = ("float16", "float32")


@dataclass(frozen=True)
class Served:
    """What the service under test returns: the axis value of its normalizer, and its dtypes."""

    normalizer: str
    dtypes: frozenset[str]
    strict: bool = False
    own_model: bool = False
    relies_on: frozenset[str] = frozenset()

    def relies(self, values: Mapping[str, str]) -> bool:
        """Whether a case with these parameters is about a function of the library that the service uses."""
        return values.get(FEATURE) in self.relies_on

    def covers(self, values: Mapping[str, str]) -> bool:
        """Whether a case with these parameters concerns what is served."""
        dtype = values.get("dtype", values.get("output"))
        return values.get("normalizer", self.normalizer) == self.normalizer and (
            dtype is None or dtype in self.dtypes
        )


def find_served(plan: Plan, results: Sequence[CellResult]) -> Served:
    """What is served according to the plan; dtypes that it does not name are those of the embedder.

    The embedder of the baseline decides, so that an upgrade which changes the dtype is not judged by the new
    one. Without any measurement both dtypes count as served.
    """
    own = any("subject" in case.split("/") for planned in plan.cells for case in planned.cases)
    declared = plan.service.dtypes if plan.service else ()
    returned = set(declared) or _find_returned(plan, results)
    if not returned & set(_DTYPES):  # of lists, or of another dtype: judged as float32
        returned |= {"float32"} if returned else set(_DTYPES)
    return Served(
        "subject" if own else "manual",
        frozenset(returned),
        strict=plan.service is not None and plan.service.strict,
        own_model=plan.service is not None and plan.service.own_model,
        relies_on=frozenset(plan.service.relies_on if plan.service else ()),
    )


def _is_margin(case: CaseResult) -> bool:
    return case.id.startswith(f"{MARGIN_CHECK}/")


def _find_returned(plan: Plan, results: Sequence[CellResult]) -> set[str]:
    found: dict[str, set[str]] = {}
    for result in results:
        if served := result.facts.get("subject.served"):
            found[result.cell] = set(served.split())
        elif form := result.facts.get("subject.texts"):
            found[result.cell] = {form}
        for case in result.cases:
            if _is_margin(case) and case.observation is not None:
                found[result.cell] = set(str(case.observation.facts.get("served", "")).split())
    usual = Counter(map(frozenset, found.values())).most_common(1)
    return found.get(plan.baseline or "", set(usual[0][0]) if usual else set())


@dataclass(frozen=True)
class Margin:
    """The distance of embeddings from norms at which a normalizer breaks in one dtype.

    ``up`` and ``down`` are factors; None: it breaks at no norm of that side.
    """

    dtype: str
    smallest: float
    largest: float
    up: float | None
    down: float | None

    def factor(self, reach: str) -> float | None:
        """The smaller factor of the sides that ``reach`` names; None for what no norm reaches."""
        sides = {"large": (self.up,), "small": (self.down,), "both": (self.up, self.down)}.get(reach, ())
        return min((side for side in sides if side is not None), default=None)

    def describe(self, reach: str) -> str:
        """One sentence: ``breaks at norm 253 in float16; the embeddings reach 7.9 (factor 32)``."""
        if reach == "non-finite":
            return "the embeddings are finite"
        factor = self.factor(reach)
        if factor is None:
            return f"breaks at no norm of the embeddings in {self.dtype}"
        if factor == self.up and reach != "small":
            norm, reached = self.largest * factor, f"reach {self.largest:.3g}"
        else:
            norm, reached = self.smallest / factor, f"go down to {self.smallest:.3g}"
        return f"breaks at norm {norm:.3g} in {self.dtype}; the embeddings {reached} (factor {factor:.3g})"


def read_margins(result: CellResult | None) -> dict[tuple[str, str], Margin]:
    """The margins that a cell measured, by axis value of the normalizer and dtype."""
    found = {}
    for case in result.cases if result else ():
        check, _, rest = case.id.partition("/")
        if check == MARGIN_CHECK and case.outcome == "pass" and case.observation is not None:
            normalizer, _, dtype = rest.partition("/")
            facts = case.observation.facts
            up, down, smallest, largest = (
                _number(facts.get(name)) for name in ("up", "down", "smallest norm", "largest norm")
            )
            if smallest is not None and largest is not None:
                found[normalizer, dtype] = Margin(dtype, smallest, largest, up, down)
    return found


def find_usual_margins(plan: Plan, results: Sequence[CellResult]) -> dict[tuple[str, str], Margin]:
    """The margins for cells that measured none: all cells run one model, and the baseline is asked first."""
    found: dict[tuple[str, str], Margin] = {}
    for result in sorted(results, key=lambda each: each.cell != plan.baseline):
        found = read_margins(result) | found
    return found


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


@dataclass(frozen=True)
class Weights:
    """Severity of the cases of one cell.

    ``margins`` are those of the cell, or the usual ones. ``broken``: they could not be measured, because
    nothing was embedded or the run is of an earlier version.
    """

    served: Served
    margins: Mapping[tuple[str, str], Margin]
    broken: bool = False

    def of(self, result: CellResult | None) -> Weights:
        """The weights of a cell with margins of its own."""
        mine = [each for each in result.cases if _is_margin(each)] if result else []
        broken = self.broken or any(each.outcome == "error" for each in mine)
        return Weights(self.served, {**self.margins, **read_margins(result)}, broken=broken)

    def weigh(self, check: Check | None, case: str, seen: Observation | None) -> Severity:
        """The severity of a failure of this case."""
        if check is None or self.served.relies(check.values_of(case)):
            return "breaks"
        if (
            check.severity == "notes"
            or check.on != "subject"
            or not self.served.covers(check.values_of(case))
        ):
            return "notes"
        if check.is_control and self.served.own_model:
            return "notes"  # the tolerances were measured with another model, and this is about them
        if seen is not None and seen.blame == "reference":
            return "notes"  # the oracle shows that the service is right
        if check.severity == "limits" and not self.served.strict and self._is_far(check, case):
            return "limits"
        return "breaks"

    def describe_margin(self, check: Check | None, case: str) -> str:
        """How far the embeddings are from the inputs of a limit; empty for another check."""
        if check is None or check.severity != "limits":
            return ""
        margin = self._margin(check, case)
        return UNKNOWN_MARGIN if margin is None else margin.describe(check.reach_of(case))

    def _is_far(self, check: Check, case: str) -> bool:
        margin = self._margin(check, case)
        if margin is None:
            return self.broken
        factor = margin.factor(check.reach_of(case))
        return factor is None or factor >= SMALLEST_MARGIN

    def _margin(self, check: Check, case: str) -> Margin | None:
        values = check.values_of(case)
        return self.margins.get((values.get("normalizer", ""), values.get("dtype", "")))
