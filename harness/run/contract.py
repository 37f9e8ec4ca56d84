"""The contract phase: every cell checks what it owes, as many at once as there are cores."""

from __future__ import annotations

import asyncio

import msgspec
import psutil

from harness.records import CellResult
from harness.run.account import Account
from harness.run.ends import CellEndedError
from harness.run.inputs import spoil
from harness.run.job import Bench, Job, Launch, Member


async def run_contracts(bench: Bench, jobs: list[Job], baseline: Job | None) -> None:
    """Run the contract phase of every job that has no result, the baseline first.

    Jobs that can stay for latency keep their process in ``member``; whoever calls must end those.
    """
    due = sorted((job for job in jobs if job.result is None), key=lambda job: job is not baseline)
    async with asyncio.TaskGroup() as group:
        for job in due:
            group.create_task(_run(bench, job, jobs, baseline))


async def _run(bench: Bench, job: Job, jobs: list[Job], baseline: Job | None) -> None:
    stays = bench.options.latency and bool(bench.plan.scenarios)
    launch = Launch(job.planned, job.id, ("contract", "latency") if stays else ("contract",))
    member = Member(bench, launch)
    try:
        job.result = await _listen(bench, job, member, stays=stays)
        bench.results.keep_contract(job.result, bench.folder.cell(job.id))
        bench.folder.write_result(job.result)
        if not stays or not is_timed(job.result):
            job.measured = True
        elif stays and (job is baseline or _may_stay(bench, jobs)):
            job.member = member
    finally:
        if job.member is None:
            await member.end()
    if job.measured:
        bench.tell(job.id, job.result.status, job.result.reason)
    else:
        bench.tell(job.id, "waiting", "" if job.member else "for memory")


async def _listen(bench: Bench, job: Job, member: Member, *, stays: bool) -> CellResult:
    edits: tuple[str, ...] = ()
    try:
        await member.get_environment()
        async with bench.cores:  # whoever comes next is given what is looked at here
            ended = await _check(member, stays=stays)
            edits = await member.find_edits()
            if ended is None and not edits:
                await member.share_bytecode()
    except CellEndedError as error:
        ended = error
    account = member.process.account if member.started else Account()
    ended = ended or account.judge_status(job.planned.cases)
    result = account.make_result(job.id, job.key, bench.plan.run, ended, member.read_tail())
    result = msgspec.structs.replace(result, peak_rss=member.peak if member.started else 0)
    return spoil(result, edits)


async def _check(member: Member, *, stays: bool) -> CellEndedError | None:
    """Its contract phase, and its end unless it stays for latency; why it did not get there, if so."""
    try:
        await member.start()
        await member.process.contract()
        if not stays:
            await member.process.leave()
    except CellEndedError as error:
        return error
    return None


def is_timed(result: CellResult) -> bool:
    """Whether latency is measured in a cell with this contract result."""
    return result.status in {"ok", "failed"} and not result.edited


def _may_stay(bench: Bench, jobs: list[Job]) -> bool:
    """Whether memory allows it to wait: what runs beside it must be able to grow as large as any has yet."""
    largest = max(each.result.peak_rss for each in jobs if each.result is not None)
    others = sum(each.result is None for each in jobs)
    growth = largest * min(bench.options.jobs, others)
    return psutil.virtual_memory().available - bench.options.reserve > growth
