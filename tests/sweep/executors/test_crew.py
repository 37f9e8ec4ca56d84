"""Who gets which task: workers that come and go, fail, or are of another kind, without any process."""

from __future__ import annotations

import asyncio
from collections import Counter

import msgspec
import pytest
from support.cluster import Address
from support.fake_dask import GONE, OWN, Bench, FakeClient, answer, make_bench, make_worker, statuses

from harness.errors import ExitCode, MachineError, UsageError
from harness.isolation import NONE, Isolation, Level
from harness.sweep.executors.crew import NoWorkerError
from harness.sweep.executors.parcel import Task


def test_the_task_of_a_worker_that_has_gone_is_done_elsewhere_and_once() -> None:
    bench = make_bench(lambda address, task: GONE if address == "a" else answer(task), "a", "b")
    assert statuses(bench.run(3)) == ["ok"] * 3
    assert Counter(bench.client.log) == {
        ("cell-0", "a"): 1,
        ("cell-0", "b"): 1,
        ("cell-1", "b"): 1,
        ("cell-2", "b"): 1,
    }
    assert bench.said == ["cell-0 is run again: a: the worker has gone"]


def test_a_worker_with_a_full_disk_gets_no_more_cells() -> None:
    full = {"status": "install-error", "reason": "no space left on device: /w"}
    bench = make_bench(lambda address, task: answer(task, **(full if address == "a" else {})), "a", "b")
    assert statuses(bench.run(5)) == ["ok"] * 5
    assert Counter(address for _, address in bench.client.log)["a"] <= 2
    assert "the worker a gets no more cells: no space left on device: /w" in bench.said


def test_a_cell_that_no_worker_can_install_is_tried_three_times() -> None:
    broken = {"status": "install-error", "reason": "no wheel"}
    bench = make_bench(lambda _, task: answer(task, **broken), "a", "b", "c", "d")
    assert statuses(bench.run(1)) == ["install-error"]
    assert len({address for _, address in bench.client.log}) == len(bench.client.log) == 3
    bench = make_bench(lambda _, task: answer(task, **broken), "a")
    assert (statuses(bench.run(1)), len(bench.client.log)) == (["install-error"], 1)


def test_an_outcome_of_something_else_is_a_fault_and_so_is_an_exception() -> None:
    def do(address: str, task: Task) -> bytes:
        if address == "a":
            return answer(task, key="another")
        raise RuntimeError(f"broken at {address}")

    bench = make_bench(do, "a", "b")
    (fault,) = statuses(bench.run(1))
    assert fault in {
        "RuntimeError: broken at b",
        "its results are of [('cell-0', 'another')], but should be of [('cell-0', 'key')]",
    }
    assert len(bench.client.log) == 3


def test_a_slow_worker_has_one_task_while_the_other_does_the_rest() -> None:
    done: list[str] = []
    rest = asyncio.Event()

    async def do(address: str, task: Task) -> bytes:
        if address == "slow":
            await rest.wait()
        done.append(address)
        if len(done) == 5:
            rest.set()
        return answer(task)

    bench = Bench(FakeClient({name: make_worker(name) for name in ("slow", "fast")}, do))
    assert statuses(bench.run(6)) == ["ok"] * 6
    assert done == ["fast"] * 5 + ["slow"]


def test_blocks_of_latency_are_alone_on_their_machine() -> None:
    there: Counter[str] = Counter()
    most: Counter[str] = Counter()

    async def do(address: str, task: Task) -> bytes:
        there[address[0]] += 1
        most.update({address[0]: max(0, there[address[0]] - most[address[0]])})
        await asyncio.sleep(0.01)
        there[address[0]] -= 1
        return answer(task)

    workers = {name: msgspec.structs.replace(OWN, kernel=name[0]) for name in ("a1", "a2", "b1")}
    assert statuses(Bench(FakeClient(workers, do)).run(6, alone=True)) == ["ok"] * 6
    assert most == {"a": 1, "b": 1}
    assert statuses(Bench(FakeClient(workers, do)).run(6)) == ["ok"] * 6  # checks share a machine
    assert most == {"a": 2, "b": 1}


def test_tasks_without_a_worker_end_after_the_time_limit() -> None:
    bench = make_bench(lambda *_: GONE, "a")
    assert statuses(bench.run(2)) == ["no worker within 0 s"] * 2


def test_workers_of_another_kind_get_no_task() -> None:
    bench = make_bench(lambda _, task: answer(task), "a")
    bench.client.workers |= {
        "b": make_worker("b", code="v0"),
        "c": make_worker("c", code=""),
        "d": make_worker("d", platform="darwin-arm64"),
        "e": make_worker("e"),
    }
    bench.client.resources = {"a": {"fast": 1.0}}
    bench.address = Address(label="fast", wait=0.0)
    assert statuses(bench.run(3)) == ["ok"] * 3
    assert {address for _, address in bench.client.log} == {"a"}
    assert bench.said == [
        "the worker b gets no cell: it has another version of the harness; install the same one",
        "the worker c gets no cell: no harness runs there (ModuleNotFoundError: harness)",
        "the worker d gets no cell: its platform is darwin-arm64, and the locks are those of linux-x86_64",
        "the worker e gets no cell: it has no resource fast, and its machine class is abc",
    ]


def test_a_class_without_a_worker_is_inconclusive() -> None:
    bench = make_bench(lambda _, task: answer(task), "a", address=Address(label="gpu", wait=0.0))
    with pytest.raises(NoWorkerError) as raised:
        asyncio.run(bench.gather())
    assert raised.value.exit_code == ExitCode.INCONCLUSIVE
    assert str(raised.value) == (
        "no worker with the resource or machine class gpu within 0 s; 1 other cannot run these cells"
    )


def test_classes_of_machines_are_not_mixed() -> None:
    bench = make_bench(lambda _, task: answer(task), "a")
    bench.client.workers["b"] = make_worker("b", machine={"class": "def", "cpu": "EPYC"})
    with pytest.raises(
        UsageError, match=r"^the workers are of 2 machine classes, .*\(a: Xeon, .*; b: EPYC, .*\); "
    ):
        asyncio.run(bench.gather())
    bench.address = Address(label="de", wait=0.0)
    assert asyncio.run(bench.gather()).machine == {"class": "def", "cpu": "EPYC"}


def test_a_worker_of_another_class_that_comes_later_gets_no_task() -> None:
    def do(_: str, task: Task) -> bytes:
        bench.client.workers["b"] = make_worker("b", machine={"class": "def", "cpu": "EPYC"})
        return answer(task)

    bench = make_bench(do, "a")
    assert statuses(bench.run(3)) == ["ok"] * 3
    assert {address for _, address in bench.client.log} == {"a"}
    assert bench.said == ["the worker b gets no cell: its machine is of another class"]


def gather_isolation(bench: Bench, level: Level) -> Isolation:
    bench.address = Address(wait=0.0, level=level)
    return asyncio.run(bench.gather()).isolation


def test_all_cells_of_a_cluster_are_isolated_alike() -> None:
    bench = make_bench(lambda _, task: answer(task), "a", "b")
    assert gather_isolation(bench, "auto").fact == "namespaces"
    assert gather_isolation(bench, "none") == NONE
    bench.client.workers["b"] = make_worker("b", unisolated="bwrap is not installed")
    assert gather_isolation(bench, "auto").description == "none: b: bwrap is not installed"
    assert bench.said == []
    assert gather_isolation(bench, "strict").fact == "namespaces"
    assert bench.said == ["the worker b gets no cell: it cannot isolate cells: bwrap is not installed"]


def test_a_worker_that_comes_later_has_to_isolate_cells_as_the_others_do() -> None:
    def do(_: str, task: Task) -> bytes:
        bench.client.workers["b"] = make_worker("b", unisolated="no permission")
        return answer(task)

    bench = make_bench(do, "a", address=Address(wait=0.0, level="auto"))
    assert statuses(bench.run(3)) == ["ok"] * 3
    assert bench.said == ["the worker b gets no cell: it cannot isolate cells: no permission"]


def test_a_lost_scheduler_ends_the_sweep() -> None:
    def do(_: str, task: Task) -> bytes:
        bench.client.lost = True
        return answer(task)

    bench = make_bench(do, "a")
    with pytest.raises(
        MachineError, match=r"scheduler of the cluster is lost; .* the same command continues$"
    ):
        bench.run(2)
