"""Made-up results of every case of the real catalogue, for tests of what a service deserves."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from support.runs import make_case, make_plan, make_planned, make_result

from harness.cell.interface import list_measured_by, load_checks
from harness.judge.verdict import judge
from harness.matrix.expected import allowed_values, read_tolerances
from harness.matrix.read import shipped_matrices
from harness.records import OLDER_TOLERANCES, CaseResult, CellResult, Judgement, Observation, Service

CHECKS = load_checks()
TOLERANCES = allowed_values(read_tolerances(shipped_matrices() / "tolerances.toml"))
CHECK_OF = {check.id: check for check in CHECKS}
RAISED = "KeyError: '24' in embed.py, line 5"

Change = Callable[[str], CaseResult | None]
"""Case id -> another result of the case; None for the usual one."""


@functools.cache
def cases_of(*normalizers: str) -> tuple[str, ...]:
    asked = [check for check in CHECKS if not check.needs]  # no vectors of an index
    return tuple(case for check in asked for case in check.cases(normalizers or ("manual", "stable")))


def held(case: str, **changes: Any) -> CaseResult:
    """The result of a case that holds in a plan without tolerances, or of a margin that is wide."""
    check = CHECK_OF[case.split("/", maxsplit=1)[0]]
    limit = check.limit_of(case, OLDER_TOLERANCES)
    facts: dict[str, Any] = {}
    if check.id == "l0.margin":
        facts = {"up": 32.0, "down": 512.0, "smallest norm": 3.0, "largest norm": 8.0, "served": "float32"}
    values: dict[str, Any] = {"value": 1.0, "unit": "ulp", "facts": facts}
    if limit is not None and limit.bound != "none":
        values |= {
            "bound": limit.bound,
            "allowed": limit.value,
            "value": 0.0 if limit.bound == "max" else limit.value,
        }
    return make_case(case, observation=Observation(**(values | changes)))


usual = functools.cache(held)
"""The result of a case that holds, made once: a test has hundreds of cases, and changes a few."""


def broken(case: str, **changes: Any) -> CaseResult:
    """The result of a case whose measurement breaks its bound."""
    seen = held(case).observation
    assert seen is not None
    beyond = {"max": (seen.allowed or 0) + 9, "min": 0.0, "equal": (seen.allowed or 0) + 1, "none": 1.0}
    return make_case(
        case, "fail", observation=held(case, **{"value": beyond[seen.bound], **changes}).observation
    )


def result(cell: str, change: Change = lambda _: None, *normalizers: str) -> CellResult:
    """The result of a cell in which every case holds but those that ``change`` names."""
    found = [change(case) or usual(case) for case in cases_of(*normalizers)]
    bad = any(case.outcome in {"fail", "error"} for case in found)
    return make_result(cell, status="failed" if bad else "ok", cases=found)


def judge_service(
    baseline: Change, candidate: Change, *normalizers: str, service: Mapping[str, Any] | None = None
) -> Judgement:
    """Judge two cells, ``baseline`` and ``candidate``, by the real catalogue."""
    cases = cases_of(*normalizers)
    alone = list_measured_by("cell", cases)  # the baseline is not compared with itself
    cells = (
        make_planned("baseline", cases=alone, baseline=True),
        make_planned("candidate", cases=cases),
    )
    named = {"embedder": "service.embed:Embedder", "normalizer": "service.norm:to_unit"}
    plan = make_plan(*cells, service=Service(**(named | dict(service or {}))))
    before = result("baseline", baseline, *normalizers)
    before = msgspec.structs.replace(before, cases=tuple(each for each in before.cases if each.id in alone))
    return judge(plan, [before, result("candidate", candidate, *normalizers)], CHECKS)
