"""Shards of a fake matrix, each swept on a machine of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from support.fake_cells import Lab, make_plan, plan_cell

from harness.records import Plan
from harness.runs.folder import assemble, write_results
from harness.sweep.shards import cut_shard

CELLS = (
    plan_cell("good-0", baseline=True),
    plan_cell("good-1"),
    plan_cell("failing"),
    plan_cell("good-3"),
    plan_cell("good-4", same_as="good-0"),
    plan_cell("good-5", same_as="good-3"),
    plan_cell("never", reason="numpy<2 and numpy>=2"),
)
SHARDS = 3


def make_whole(**changes: Any) -> Plan:
    """The plan of one machine alone."""
    return msgspec.structs.replace(make_plan(*CELLS, scenarios=2), commit="c0ffee", **changes)


def cut(number: int, count: int = SHARDS, **changes: Any) -> Plan:
    """The plan of a shard as its machine makes it; the second and the third are of one class."""
    own = {
        "run": f"2026-shard-{number}",
        "created": f"2026-11-22T0{number}:00:00+00:00",
        "machine": {"cpu": "Xeon", "cores": str(number), "class": f"class-{min(number, 2)}"},
        "matrix_path": f"/machine-{number}/fake.toml",
    }
    return cut_shard(make_whole(**own, **changes), number, count, {})


def sweep(folder: Path, plan: Plan) -> Path:
    """Sweep a plan on a machine of its own, and write what a sweep leaves."""
    folder.mkdir(parents=True)
    lab = Lab(folder)
    swept = lab.run(plan, latency=bool(plan.scenarios))
    run = assemble(plan, swept.results, reused=swept.reused, seconds=swept.seconds)
    write_results(run, lab.run_folder(plan.run))
    return lab.run_folder(plan.run)
