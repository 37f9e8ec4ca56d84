"""A client of dask whose workers are functions, and a crew of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import msgspec
from support.cluster import Address, make_cells, make_plan

from harness.records import CellResult, PlannedCell, Progress
from harness.sweep.executors.crew import Crew, Work
from harness.sweep.executors.parcel import Facts, Outcome, Task, slim
from harness.sweep.limits import Limits

OWN = Facts(
    host="client", kernel="k", machine={"class": "abc", "cpu": "Xeon"}, code="v1", platform="linux-x86_64"
)
GONE = "gone"


def answer(task: Task, **changes: Any) -> bytes:
    (cell,) = task.plan.cells
    result = CellResult(cell=cell.cell.id, key=task.keys[cell.cell.id], run="run-1", status="ok")
    return msgspec.msgpack.encode(Outcome(results=(msgspec.structs.replace(result, **changes),)))


@dataclass
class FakeFuture:
    """What came of a task: bytes, an exception, or never anything because the worker has gone."""

    coming: asyncio.Future[bytes]

    def __await__(self) -> Generator[Any, None, bytes]:
        return self.coming.__await__()

    async def cancel(self) -> None:
        self.coming.cancel()


@dataclass
class FakeClient:
    """Workers by address, and what each does with a task; ``log`` has every attempt."""

    workers: dict[str, Facts]
    do: Callable[[str, Task], Awaitable[bytes | str]]
    resources: dict[str, dict[str, float]] = field(default_factory=dict)
    log: list[tuple[str, str]] = field(default_factory=list)
    lost: bool = False
    address: str = "tcp://127.0.0.1:8786"

    @property
    def scheduler(self) -> FakeClient:
        return self

    async def identity(self, **_: int) -> dict[str, Any]:
        if self.lost:
            raise OSError("connection refused")
        return {
            "workers": {
                name: {"nthreads": 1, "resources": self.resources.get(name, {})} for name in self.workers
            }
        }

    async def run(self, _: object, *, workers: list[str], **__: str) -> dict[str, object]:
        found = {name: self.workers[name] for name in workers}
        return {
            name: msgspec.msgpack.encode(facts) if facts.code else ModuleNotFoundError("harness")
            for name, facts in found.items()
        }

    def submit(self, _: object, __: bytes, data: bytes = b"", *___: str, **options: Any) -> FakeFuture:
        if "workers" not in options:
            return FakeFuture(asyncio.get_running_loop().create_future())  # the parcel
        (address,) = options["workers"]
        task = msgspec.msgpack.decode(data, type=Task)
        self.log.append((task.name, address))

        async def work() -> bytes:
            done = await self.do(address, task)
            if done == GONE:
                del self.workers[address]
                await asyncio.Event().wait()
            assert isinstance(done, bytes)
            return done

        return FakeFuture(asyncio.ensure_future(work()))


def make_worker(name: str, **changes: Any) -> Facts:
    return msgspec.structs.replace(OWN, host=name, kernel=name, **changes)


def make_work(cell: PlannedCell) -> Work:
    """The task of one cell."""
    name = cell.cell.id
    plan = slim(make_plan(cell), [cell])
    return Work(Task(name=name, plan=plan, keys={name: "key"}, limits=Limits(), fresh=False))


@dataclass
class Bench:
    """A crew of fake workers with tasks of one cell each."""

    client: FakeClient
    address: Address = field(default_factory=lambda: Address(wait=0.0))
    said: list[str] = field(default_factory=list)

    def notify(self, progress: Progress) -> None:
        self.said.append(progress.note)

    async def gather(self) -> Crew:
        crew = Crew(self.client, self.address, self.notify, own=OWN, period=0.0)
        await crew.gather()
        return crew

    def run(self, tasks: int, *, alone: bool = False) -> dict[str, Outcome]:
        async def run() -> dict[str, Outcome]:
            crew = await self.gather()
            found = [
                (work.task.name, outcome) async for work, outcome in crew.run(works, parcel, alone=alone)
            ]
            assert len({name for name, _ in found}) == len(found) == tasks
            return dict(sorted(found))

        cells = make_cells(*(f"cell-{number}" for number in range(tasks)))
        works = [make_work(cell) for cell in cells]
        parcel: Any = b""
        return asyncio.run(run())


def make_bench(do: Callable[[str, Task], bytes | str], *names: str, **changes: Any) -> Bench:
    async def work(address: str, task: Task) -> bytes | str:
        await asyncio.sleep(0)
        return do(address, task)

    return Bench(FakeClient({name: make_worker(name) for name in names}, work), **changes)


def statuses(found: dict[str, Outcome]) -> list[str]:
    return [each.results[0].status if each.results else each.fault for each in found.values()]
