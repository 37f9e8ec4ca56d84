"""Factories of made-up plans, results and runs, for the tests of judge and report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.cell.interface import Check
from harness.judge.verdict import judge
from harness.records import (
    CaseResult,
    Cell,
    CellResult,
    Distribution,
    Expectation,
    Lock,
    Observation,
    Plan,
    PlannedCell,
    Run,
    ScenarioPlan,
    Service,
    Timing,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records import CheckOutcome

CASES = ("env.versions", "l0.parity/manual/float32", "l0.parity/manual/float16", "l2.end-to-end/float32")

CHECKS = (
    Check(
        "env.versions",
        "ENV",
        "what runs is what was locked",
        "Make the environment anew.",
        may_skip=("no such kernel *",),
    ),
    Check(
        "l0.parity",
        "L0",
        "manual equals the reference",
        "Use the stable normalizer.",
        ("normalizer", "dtype"),
        may_skip=("no such kernel *",),
    ),
    Check(
        "l2.end-to-end",
        "L2",
        "the embedding equals the reference",
        "Set the f32 hint.",
        ("output",),
        may_skip=("no such kernel *",),
    ),
)


def make_planned(
    cell: str = "a",
    *,
    cases: Sequence[str] = CASES,
    axes: dict[str, str] | None = None,
    locked: dict[str, str] | None = None,
    reason: str = "",
    baseline: bool = False,
    same_as: str | None = None,
) -> PlannedCell:
    axes = axes or {"numpy": "2.4.6"}
    locked = {} if reason else (locked or {**axes, "torch": "2.13.0+cpu"})
    return PlannedCell(
        cell=Cell(
            id=cell,
            axes=axes,
            requirements=tuple(f"{name}=={version}" for name, version in sorted(axes.items())),
            python="3.11",
            baseline=baseline,
        ),
        lock=Lock(
            cell=cell,
            platform="linux-x86_64",
            python="3.11",
            inputs="1" * 64,
            origin="committed",
            digest="" if reason else "2" * 64,
            distributions=tuple(
                Distribution(name=name, version=version, sha256=("3" * 64,))
                for name, version in locked.items()
            ),
            reason=reason,
        ),
        cases=tuple(cases),
        same_as=same_as,
    )


def make_plan(*cells: PlannedCell, expectations: Sequence[Expectation] = (), **changes: Any) -> Plan:
    baseline = next((each.cell.id for each in cells if each.cell.baseline), None)
    values: dict[str, Any] = {
        "run": "run-1",
        "matrix": "compat",
        "matrix_path": "matrices/compat.toml",
        "title": "NumPy x sentence-transformers",
        "created": "2026-11-20T10:00:00Z",
        "machine": {"cpu": "x86-64", "cores": "2"},
        "baseline": baseline,
        "cells": cells,
        "scenarios": (ScenarioPlan(id="normalize.manual.float32.32", rounds=4, target_seconds=0.01),),
        "expectations": tuple(expectations),
        "service": Service(
            embedder="service.embed:Embedder", normalizer="harness.cell.normalizers:manual", model="model"
        ),
    }
    return Plan(**(values | changes))


def seen(value: float | None = 1.0, allowed: float | None = 2.0, **changes: Any) -> Observation:
    return Observation(**({"value": value, "unit": "ulp", "bound": "max", "allowed": allowed} | changes))


def make_case(case: str, outcome: CheckOutcome = "pass", **changes: Any) -> CaseResult:
    measured = {"pass": seen(), "fail": seen(9.0), "error": None, "skip": None}[outcome]
    message = {
        "pass": "",
        "fail": "worst error 9 ULP at (4, 7), but should be at most 2",
        "error": "ValueError: no such port",
        "skip": "no such kernel here",
    }[outcome]
    return CaseResult(
        **({"id": case, "outcome": outcome, "message": message, "observation": measured} | changes)
    )


def make_result(cell: str = "a", *, cases: Sequence[CaseResult] | None = None, **changes: Any) -> CellResult:
    values: dict[str, Any] = {
        "cell": cell,
        "key": "4" * 64,
        "run": "run-1",
        "status": "ok",
        "cases": tuple(make_case(case) for case in CASES) if cases is None else tuple(cases),
        "facts": {"numpy": "2.4.6", "threads": "1"},
        "seconds": {"imports": 12.5, "contract": 8.0},
        "peak_rss": 700_000_000,
    }
    return CellResult(**(values | changes))


def make_timing(scenario: str = "normalize.manual.float32.32", **changes: Any) -> Timing:
    values: dict[str, Any] = {
        "scenario": scenario,
        "session": "s1",
        "iterations": 10,
        "rounds": (2e-5, 2e-5, 4e-5, 2e-5),
        "baseline": (1e-5, 1e-5, 2e-5, 1e-5),
        "control": (1e-5, 1.1e-5, 2.2e-5, 1.1e-5),
    }
    return Timing(**(values | changes))


def make_run(plan: Plan, *results: CellResult, checks: Sequence[Check] = CHECKS, **changes: Any) -> Run:
    reused = tuple(result.cell for result in results if result.run != plan.run)
    values: dict[str, Any] = {
        "plan": plan,
        "results": results,
        "judgement": judge(plan, results, checks),
        "reused": reused,
        "seconds": {"sweep": 61.0},
    }
    return Run(**(values | changes))


STATUSES = ("unsatisfiable", "install-error", "import-error", "crashed", "timed-out")


def _full_expectations(text: str) -> tuple[Expectation, ...]:
    return (
        Expectation(
            check="l0.parity/manual/float16", where={"numpy": "<2"}, reason=f"sums in float16 {text}"
        ),
        Expectation(check="l2.*", where={"numpy": "==2.0.2"}, reason="was broken once"),
        Expectation(status="import-error", where={"numpy": "==1.20"}, reason="needs cached_download"),
        Expectation(check="l9.gone", reason="nobody remembers"),
    )


def _full_cells(text: str) -> tuple[PlannedCell, ...]:
    return (
        make_planned("base", axes={"numpy": "1.26.2"}, baseline=True),
        make_planned("xpass", axes={"numpy": "2.0.2"}),
        make_planned("red"),
        make_planned("gone"),
        make_planned("expected-import-error", axes={"numpy": "1.20"}),
        make_planned("twin", axes={"numpy": "1.26.2"}, same_as="base"),
        *(
            make_planned(status, reason=f"no way {text}" if status == "unsatisfiable" else "")
            for status in STATUSES
        ),
    )


def _full_results(text: str) -> tuple[CellResult, ...]:
    float16 = make_case(
        CASES[2], "fail", message=f"zeros {text}", observation=seen(9.0, sample=text, worst=(4, 7))
    )
    fine = (make_case(CASES[0]), make_case(CASES[1]))
    boom = make_case(CASES[1], "error", message=f"boom {text}")
    return (
        make_result(
            "base",
            cases=(*fine, float16, make_case(CASES[3])),
            timings=(make_timing(rounds=(1e-5, 1e-5, 2e-5, 1e-5)),),
            run="run-0",
        ),
        make_result("xpass", timings=(make_timing(),), facts={"blas": f"openblas {text}"}),
        make_result(
            "red",
            status="failed",
            cases=(fine[0], boom, float16, make_case(CASES[3], "skip")),
            log_tail=(f"last words {text}",),
            untimed={"normalize.manual.float32.32": f"too slow {text}"},
        ),
        make_result("expected-import-error", status="import-error", reason=f"cannot import {text}", cases=()),
        *(
            make_result(status, status=status, reason=f"{status} {text}", cases=fine, log_tail=(text,))
            for status in STATUSES[1:]
        ),
    )


def make_full_run(text: str = "") -> Run:
    """A run with every outcome and every status; ``text`` stands wherever a package has its say."""
    plan = make_plan(*_full_cells(text), expectations=_full_expectations(text))
    return make_run(plan, *_full_results(text))


def make_small_run() -> Run:
    """A baseline with a known divergence, and a cell in which the same is red."""
    known = Expectation(check=CASES[2], where={"numpy": "<2"}, reason="sums in float16")
    base = make_planned("base", baseline=True, axes={"numpy": "1.26.2"})
    float16 = make_case(CASES[2], "fail")
    cases = (make_case(CASES[0]), make_case(CASES[1]), float16, make_case(CASES[3], "skip"))
    slow, fast = (
        make_timing(rounds=(seconds,) * 4, baseline=(1e-3,) * 4, control=(1.1e-3,) * 4)
        for seconds in (2e-3, 1e-3)
    )
    return make_run(
        make_plan(base, make_planned("new"), expectations=[known]),
        make_result("base", cases=cases, timings=(fast,), facts={"numpy": "1.26.2"}),
        make_result("new", cases=cases, status="failed", timings=(slow,)),
    )
