"""Sweeps on the processes of dask: what they find, and what is left when one of them is killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from distributed import Client
from planted.disks import mount_small_disk
from support.cluster import Address, ClusterLab, make_cells, make_plan
from support.fake_cells import LIMITS, Lab
from support.fake_dask import GONE, Bench, answer, make_bench

from harness.errors import ExitCode, MachineError, UsageError
from harness.files import write_text
from harness.matrix.schema import Subject
from harness.records import CellResult
from harness.runs.folder import read_run
from harness.sweep.executors import cluster
from harness.sweep.executors.cluster import Cluster, deal
from harness.sweep.executors.crew import NoWorkerError
from harness.sweep.executors.parcel import Outcome
from harness.sweep.jobs import Job
from harness.sweep.schedule import Swept

CELLS = ("good-1", "waiting", "good-2", "failing", "importing")
STATUSES = ["ok", "ok", "ok", "failed", "import-error"]
TTL = "10s"
"""Twenty heartbeats of a worker."""

FOLDERS = os.pathsep.join(map(str, (Path(__file__).parents[2], Path(__file__).parents[3])))


@pytest.fixture
def lab(tmp_path: Path) -> ClusterLab:
    return ClusterLab(tmp_path)


def sweep_with(
    lab: ClusterLab, bench: Bench, cells: tuple[str, ...] = ("good-1", "good-2"), **changes: Any
) -> Swept:
    async def run() -> Swept:
        lab.executor = Cluster(await bench.gather(), lab.source, lab.folder).executor
        plan = make_plan(*make_cells(*cells), **changes)
        return await lab.sweep(msgspec.structs.replace(plan, machine=lab.executor.machine), latency=True)

    return asyncio.run(run())


def test_what_no_worker_ran_is_missing(lab: ClusterLab) -> None:
    """One worker checks the first cell, and goes; nobody measures latency."""
    bench = make_bench(lambda _, task: answer(task) if task.name == "good-1" else GONE, "a")
    swept = sweep_with(lab, bench, scenarios=1)
    assert [(each.status, each.reason, each.timings) for each in swept.results] == [
        ("ok", "", ()),
        ("missing", "no worker within 0 s", ()),
    ]
    notes = [each.note for each in lab.said if each.stage == "note"]
    assert notes == ["latency is not measured in good-1: no worker within 0 s"]
    assert read_run(lab.run_folder()).results == swept.results


def test_a_sweep_without_any_result_is_inconclusive(lab: ClusterLab) -> None:
    with pytest.raises(NoWorkerError, match=r"^no cell has a result: no worker within 0 s$") as raised:
        sweep_with(lab, make_bench(lambda *_: GONE, "a"))
    assert raised.value.exit_code == ExitCode.INCONCLUSIVE


def test_the_longest_cells_are_given_out_first_after_the_baseline(lab: ClusterLab) -> None:
    cells = ("baseline", "short", "long", "new", "medium")
    past = lab.folder / "runs" / "2026-past"
    for cell, seconds in {"baseline": 1.0, "short": 2.0, "long": 9.0, "medium": 5.0}.items():
        write_text(past / "cells" / cell / "result.json", json.dumps({"seconds": {"contract": seconds}}))
    write_text(past / "plan.json", "{}")
    bench = make_bench(lambda _, task: answer(task), "a")
    sweep_with(lab, bench, cells)
    assert [name for name, _ in bench.client.log] == ["baseline", "new", "long", "medium", "short"]


def test_a_subject_that_the_first_cell_refuses_ends_the_sweep(lab: ClusterLab) -> None:
    refused = msgspec.msgpack.encode(Outcome(refused="fake.toml: subject.service: a:b returns None"))
    with pytest.raises(UsageError, match="returns None"):
        sweep_with(lab, make_bench(lambda *_: refused, "a"))


def test_values_that_are_passed_on_do_not_travel_unencrypted(lab: ClusterLab) -> None:
    lab.subject = Subject(pass_env=("TEAM_TOKEN",))
    bench = make_bench(lambda _, task: answer(task), "a")
    bench.client.address = "tls://node:8786"
    assert [each.status for each in sweep_with(lab, bench).results] == ["ok", "ok"]
    bench.client.address = "tcp://node:8786"
    with pytest.raises(UsageError, match=r"pass-env: TEAM_TOKEN would travel to tcp://node:8786 unencrypted"):
        sweep_with(lab, bench, run="run-2")


@pytest.mark.parametrize(("jobs", "hands", "sizes"), [(7, 3, [3, 2, 2]), (2, 4, [1, 1]), (0, 4, [])])
def test_blocks_are_of_about_equal_size(jobs: int, hands: int, sizes: list[int]) -> None:
    dealt = [Job(each, "key") for each in make_cells(*(f"good-{number}" for number in range(jobs)))]
    blocks = deal(dealt, hands)
    assert [len(block) for block in blocks] == sizes
    assert sorted(job.id for block in blocks for job in block) == [job.id for job in dealt]


@contextmanager
def start(*argv: object, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of its own, killed at the end."""
    running = subprocess.Popen(
        [sys.executable, *map(str, argv)],
        env={**os.environ, "PYTHONPATH": FOLDERS, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield running
    finally:
        running.kill()
        running.wait()


@contextmanager
def start_scheduler(folder: Path, **variables: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    file = folder / "scheduler.json"
    file.unlink(missing_ok=True)
    options = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", file)
    with start("-m", "distributed.cli.dask_scheduler", *options, **variables) as running:
        asyncio.run(wait_for(lambda: file.exists() and file.read_bytes()))
        yield running, msgspec.json.decode(file.read_bytes())["address"]


def start_worker(address: str, store: Path, **variables: str) -> Any:
    """A worker without a nanny, which would start it again."""
    options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1")
    return start(
        "-m", "distributed.cli.dask_worker", address, *options, HARNESS_STORE=str(store), **variables
    )


async def wait_for(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(120):
        while not condition():  # noqa: ASYNC110 - of other processes
            await asyncio.sleep(0.02)


async def find_waiting(lab: Lab) -> list[psutil.Process]:
    """The process of the cell that waits, that of its task, and its worker."""
    await wait_for(lambda: [*lab.folder.glob("started-*")])
    (found,) = lab.folder.glob("started-*")
    cell = psutil.Process(int(found.name.removeprefix("started-")))
    found.unlink()
    return [cell, *cell.parents()[:2]]


async def wait_until_gone(processes: list[psutil.Process]) -> None:
    await wait_for(lambda: not any(map(is_alive, processes)))


def is_alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def summarize(results: tuple[CellResult, ...]) -> list[tuple[str, str, list[str], list[str]]]:
    return [
        (each.cell, each.status, [f"{case.id} {case.outcome}" for case in each.cases], [*each.facts])
        for each in results
    ]


@contextmanager
def start_cluster(folder: Path, *stores: Path, **variables: str) -> Iterator[Address]:
    """A scheduler, and a worker for each store, all of which have come."""

    async def wait_for_workers() -> None:
        async with Client(address, asynchronous=True, set_as_default=False) as client:
            await client.wait_for_workers(len(stores), timeout=120)

    with ExitStack() as stack:
        _, address = stack.enter_context(start_scheduler(folder, **variables))
        for store in stores:
            stack.enter_context(start_worker(address, store))
        asyncio.run(wait_for_workers())
        yield Address(address)


@pytest.mark.real
def test_a_sweep_survives_a_killed_worker(lab: ClusterLab, tmp_path: Path) -> None:
    """Its outcome is that of one machine, every cell counts once, and no process is left."""

    async def sweep(address: Address) -> tuple[CellResult, ...]:
        async with lab.connect(address) as lab.executor:
            plan = make_plan(*make_cells(*CELLS), scenarios=1)
            plan = msgspec.structs.replace(plan, machine=lab.executor.machine)
            swept = asyncio.create_task(lab.sweep(plan, latency=True))
            cell, task, worker = await find_waiting(lab)
            worker.kill()
            await wait_until_gone([cell, task])
            (lab.folder / "go").touch()
            return (await swept).results

    with start_cluster(tmp_path, tmp_path / "store-1", tmp_path / "store-2") as address:
        results = asyncio.run(sweep(address))
    assert [each.status for each in results] == STATUSES
    timed = [each for each in results if each.timings]
    assert [each.cell for each in timed] == list(CELLS[:4])
    assert all(timing.baseline and timing.control for each in timed for timing in each.timings)
    assert sorted(lab.contracts()) == sorted(CELLS[:4])  # those that end their checks, once each
    assert any("the worker has gone" in each.note for each in lab.said)
    alone = Lab(tmp_path / "alone")
    alone.folder.mkdir()
    (alone.folder / "go").touch()
    assert summarize(alone.run(make_plan(*make_cells(*CELLS))).results) == summarize(results)


@pytest.mark.real
@pytest.mark.parametrize("started", ["by the user", "by the sweep"])
def test_the_cell_of_a_frozen_worker_is_run_by_another_one(
    started: str, lab: ClusterLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped process stays connected, and may hold what others need.

    A nanny kills it. Without one its cell runs on, until it goes on and learns that nobody waits for that.
    """

    local = started == "by the sweep"
    monkeypatch.setenv("PYTHONPATH", FOLDERS)  # a nanny starts processes that find the harness by it
    lab.options = replace(lab.options, limits=replace(LIMITS, contract=120.0))  # while dask notices

    async def sweep(address: Address) -> tuple[CellResult, ...]:
        async with lab.connect(address) as lab.executor:
            plan = msgspec.structs.replace(make_plan(*make_cells(*CELLS)), machine=lab.executor.machine)
            swept = asyncio.create_task(lab.sweep(plan))
            cell, task, worker = await find_waiting(lab)
            worker.suspend()
            if not local:
                *_, other = await find_waiting(lab)
                assert (other != worker, is_alive(task), is_alive(cell)) == (True, True, True)
                worker.resume()
            await wait_until_gone([cell, task, worker])
            (lab.folder / "go").touch()
            return (await swept).results

    if local:
        monkeypatch.setattr(cluster, "WORKER_TTL", TTL)
        results = asyncio.run(sweep(Address(workers=2)))
    else:
        stores = (tmp_path / "store-1", tmp_path / "store-2")
        with start_cluster(tmp_path, *stores, DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL=TTL) as address:
            results = asyncio.run(sweep(address))
    assert [each.status for each in results] == STATUSES
    assert sorted(lab.contracts()) == sorted(CELLS[:4])  # those that end their checks, once each
    assert any("the worker has gone" in each.note for each in lab.said)


@pytest.mark.real
def test_what_a_full_disk_fails_is_done_by_another_worker(lab: ClusterLab, tmp_path: Path) -> None:
    with mount_small_disk(tmp_path / "disk", "1m") as disk:
        disk.fill(leave=8192)
        with start_cluster(tmp_path, disk.folder / "store", tmp_path / "store-1") as address:
            swept = lab.sweep_on(address, make_plan(*make_cells("good-1", "good-2")))
    assert [each.status for each in swept.results] == ["ok", "ok"]
    assert any("gets no more cells: " in each.note and "no space left" in each.note for each in lab.said)


CLIENT = """
import sys
from pathlib import Path
from support.cluster import Address, ClusterLab, make_cells, make_plan
lab = ClusterLab(Path(sys.argv[1]))
lab.sweep_on(Address(sys.argv[2]), make_plan(*make_cells("good-1", "waiting"), run="killed"))
"""


@pytest.mark.real
def test_what_is_finished_stays_when_client_and_scheduler_are_killed(lab: ClusterLab, tmp_path: Path) -> None:
    cells = make_cells("good-1", "waiting")
    store = tmp_path / "store-1"

    async def lose_client(client: subprocess.Popen[bytes]) -> None:
        cell, task, _ = await find_waiting(lab)
        client.send_signal(signal.SIGKILL)
        await wait_until_gone([cell, task])

    async def lose_scheduler(scheduler: subprocess.Popen[bytes], address: str) -> None:
        async with lab.connect(Address(address)) as lab.executor:
            plan = msgspec.structs.replace(make_plan(*cells, run="lost"), machine=lab.executor.machine)
            swept = asyncio.create_task(lab.sweep(plan))
            processes = await find_waiting(lab)
            scheduler.kill()
            with pytest.raises(MachineError, match="the same command continues"):
                await swept
            await wait_until_gone(processes)

    with start_scheduler(tmp_path) as (scheduler, address), start_worker(address, store):
        with start("-c", CLIENT, tmp_path, address) as client:
            asyncio.run(lose_client(client))
        assert [each.cell for each in read_run(lab.run_folder("killed")).results] == ["good-1"]
        asyncio.run(lose_scheduler(scheduler, address))
    (lab.folder / "go").touch()
    with start_scheduler(tmp_path) as (_, address), start_worker(address, store):
        swept = lab.sweep_on(Address(address), make_plan(*cells, run="last"))
    assert (swept.reused, [each.status for each in swept.results]) == (("good-1",), ["ok", "ok"])
    assert sorted(lab.contracts()) == ["good-1", "waiting"]
