"""What rendering costs, over a sweep that is made large."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import msgspec
import pytest
from support.runs import CASES, make_small_run, seen

from harness.errors import UsageError
from harness.records import CellResult, Run
from harness.runs.documents import render_json
from perf.rendering import main, multiply


def make_valid_run() -> Run:
    """The small run, with an observation of env.versions that the shipped catalogue lets pass."""
    run, change = make_small_run(), msgspec.structs.replace
    exact = seen(0.0, 0.0, bound="equal")

    def correct(result: CellResult) -> CellResult:
        cases = (change(case, observation=exact) if case.id == CASES[0] else case for case in result.cases)
        return change(result, cases=tuple(cases))

    return change(run, results=tuple(map(correct, run.results)))


def test_a_large_sweep_has_the_cells_of_a_small_one_several_times() -> None:
    small = make_valid_run()
    large = multiply(small, 5)
    assert [planned.cell.id for planned in large.plan.cells] == [
        "copy-1_base",
        "copy-1_new",
        "copy-2_base",
        "copy-2_new",
        "copy-3_base",
    ]
    assert [planned.cell.baseline for planned in large.plan.cells] == [True, False, False, False, False]
    assert large.plan.baseline == "copy-1_base"
    assert [cell.status for cell in large.judgement.cells] == ["ok", "failed", "ok", "failed", "ok"]
    assert len(large.judgement.findings) == 5 * 4


def test_rendering_tells_what_it_took(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "results.json.gz"
    path.write_bytes(gzip.compress(render_json(make_small_run()).encode()))
    main([str(path), "3", "5"])
    told = json.loads(capsys.readouterr().out)
    assert told.keys() == {"history", "page", "terminal", "bytes"}
    assert all(value > 0 for value in told.values())
    path.write_bytes(b"no gzip")
    with pytest.raises(UsageError, match="incomplete or damaged file of a run"):
        main([str(path), "3", "5"])
