"""What an earlier run has left, given to the jobs that it still holds for."""

from __future__ import annotations

import msgspec

from harness.records import CellResult
from harness.run.contract import is_timed
from harness.run.job import Bench, Job


def reuse_results(bench: Bench, jobs: list[Job], latency: str) -> None:
    """Give each job its stored result; ``latency`` is the key of timings against the baseline of this run."""
    wanted = bench.options.latency and bool(bench.plan.scenarios)
    for job in jobs:
        contract = bench.results.read_contract(job.key)
        if contract is None:
            continue
        needs_timings = wanted and is_timed(contract)
        timed = bench.results.read_latency(job.key, latency) if needs_timings else None
        job.measured = job.reused = timed is not None or not needs_timings
        joined = contract if timed is None else _join(contract, timed)
        job.result = msgspec.structs.replace(joined, cell=job.id)
        bench.results.restore_files(job.key, latency, bench.folder.cell(job.id))
        if job.reused:
            bench.folder.write_result(job.result)
            bench.tell(job.id, "reused", f"measured by {job.result.run}")


def _join(contract: CellResult, timed: CellResult) -> CellResult:
    """A contract result with the timings of another run of the same cell."""
    return msgspec.structs.replace(
        contract,
        timings=timed.timings,
        untimed=timed.untimed,
        seconds={**contract.seconds, "latency": timed.seconds.get("latency", 0.0)},
        peak_rss=max(contract.peak_rss, timed.peak_rss),
    )
