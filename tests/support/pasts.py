"""Made-up snapshots of runs, for the tests of history and comparison."""

from __future__ import annotations

from typing import Any

from harness.records import CaseMeasure, CellMeasures, LatencyMeasure, Snapshot

MACHINE = {"class": "m1", "cpu": "one"}


def case(name: str = "l0.parity/manual/float32", **changes: Any) -> CaseMeasure:
    values: dict[str, Any] = {
        "id": name,
        "outcome": "pass",
        "value": 1.0,
        "allowed": 2.0,
        "unit": "ulp",
        "bound": "max",
    }
    return CaseMeasure(**(values | changes))


def cell(name: str = "a", *cases: CaseMeasure, **changes: Any) -> CellMeasures:
    values: dict[str, Any] = {
        "id": name,
        "axes": {"numpy": "2.4.6"},
        "python": "3.11",
        "status": "ok",
        "red": False,
        "lock": "1" * 64,
        "key": "2" * 64,
        "measured_by": "run-1",
        "peak_rss": 700,
        "versions": {"numpy": "2.4.6", "torch": "2.13.0"},
        "facts": {"threads": "1"},
        "cases": cases or (case(),),
    }
    return CellMeasures(**(values | changes))


def latency(cell: str = "a", scenario: str = "embed.1", **changes: Any) -> LatencyMeasure:
    values: dict[str, Any] = {
        "cell": cell,
        "scenario": scenario,
        "session": "s1",
        "p50": 1e-3,
        "ratio": 1.0,
        "low": 0.99,
        "high": 1.01,
        "floor": 1.01,
        "noise": 1.05,
        "rounds": 15,
        "iterations": 3,
    }
    return LatencyMeasure(**(values | changes))


def past(run: str = "run-1", *cells: CellMeasures, **changes: Any) -> Snapshot:
    values: dict[str, Any] = {
        "run": run,
        "kind": "sweep",
        "matrix": "compat",
        "title": "NumPy",
        "created": "2026-11-20T10:00:00+00:00",
        "commit": "",
        "machine": MACHINE,
        "verdict": "pass",
        "sentence": "1 of 1 cells hold.",
        "subset": False,
        "cells": cells or (cell(),),
    }
    return Snapshot(**(values | changes))
