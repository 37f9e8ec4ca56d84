"""The workers of a dask.distributed cluster, and one task after the other for each of them.

Dask carries tasks to workers, notices which of them have gone, and returns outcomes. A task for which there
is no worker waits in dask for ever. So each task is given to one named worker, and to another when that has
gone: a worker holds no task that waits, and no two blocks of latency run on one machine at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import secrets
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from harness.errors import ExitCode, HarnessError, MachineError, UsageError
from harness.isolation import NONE, PROGRAM, Isolation, Level
from harness.records import Notify, Progress, describe_machine
from harness.redaction import redact
from harness.sweep.executors.parcel import Facts, Outcome, Task, check_outcome, read_facts
from harness.sweep.executors.worker import describe_worker, run_on_worker

if TYPE_CHECKING:
    from distributed import Client, Future

ATTEMPTS = 3
"""How often a task is given to a worker, as dask itself does (``distributed.scheduler.allowed-failures``)."""

WAIT_SECONDS = 300.0
"""How long a sweep waits for a worker: clusters that grow with their load start a machine in minutes."""

LOST = (
    "the connection to the scheduler of the cluster is lost; what is finished is kept, and the same command "
    "continues"
)

_ANSWER_SECONDS = 30.0
_OTHER_VERSION = "it has another version of the harness; install the same one"
_SHOWN = 200


class NoWorkerError(HarnessError):
    """No worker can run the cells of a sweep, so nothing is known about them (exit 4)."""

    exit_code = ExitCode.INCONCLUSIVE


@dataclass(frozen=True)
class Address:
    """Where a cluster is: the address of its scheduler, or the number of workers to start on this machine.

    ``label`` is a resource that a worker was started with, or the beginning of its machine class. A sweep
    waits ``wait`` seconds for a worker. ``level`` is the isolation of cells that is asked for.
    """

    scheduler: str = ""
    workers: int = 0
    label: str = ""
    wait: float = WAIT_SECONDS
    level: Level = "none"


@dataclass(eq=False)
class Seat:
    """A worker that can run cells of this sweep; ``busy`` of its ``room`` tasks at once are taken."""

    address: str
    facts: Facts
    room: int
    busy: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(eq=False)
class Work:
    """A task, the addresses at which it was tried, and what came of the last of them."""

    task: Task
    tried: list[str] = field(default_factory=list)
    last: Outcome = field(default_factory=Outcome)

    @property
    def data(self) -> bytes:
        """The task as it travels."""
        return msgspec.msgpack.encode(self.task)


class _Running(dict[asyncio.Task[Outcome], tuple[Work, Seat]]):
    """The attempts that have not ended, with the task and the worker of each."""


@dataclass
class Crew:
    """The workers of a cluster that are alike: of one version of the harness and one class of machine."""

    client: Client
    address: Address
    notify: Notify
    own: Facts = field(default_factory=read_facts)
    period: float = 1.0
    """Seconds after which it looks at the workers again."""
    machine: dict[str, str] = field(default_factory=dict)
    isolation: Isolation = NONE
    """What is in force for the cells of all workers; it is settled with the machine."""
    seats: dict[str, Seat] = field(default_factory=dict)
    bad: dict[str, str] = field(default_factory=dict)
    """Address -> why this worker gets no task."""
    looked: float = -math.inf
    topic: str = field(default_factory=lambda: f"harness-{secrets.token_hex(8)}")
    """The topic of progress in dask, and the beginning of the keys of tasks."""

    def say(self, text: str) -> None:
        """Tell the user."""
        self.notify(Progress(cell="", stage="note", note=text))

    async def gather(self) -> None:
        """Wait for the first workers; all that are there then have to be of one class.

        Raises:
            NoWorkerError: none came in time.
            UsageError: they are of several classes.
            MachineError: the scheduler has gone.
        """
        deadline = _now() + self.address.wait
        await self.refresh()
        while not self.seats:
            if _now() > deadline:
                raise NoWorkerError(self.describe_nobody())
            await asyncio.sleep(self.period)
            await self.refresh()

    async def refresh(self) -> None:
        """Learn which workers have come and gone, once a period.

        Raises:
            MachineError: the scheduler has gone.
            UsageError: the first workers are of several classes.
        """
        if _now() - self.looked < self.period:
            return
        self.looked = _now()
        try:
            there = (await self.client.scheduler.identity(n_workers=-1))["workers"]
            new = [address for address in there if address not in self.seats and address not in self.bad]
            answers = await asyncio.gather(*map(self._ask, new))
        except OSError as error:
            raise MachineError(LOST) from error
        for address in self.seats.keys() - there.keys():
            self.seats.pop(address).gone.set()
        self._admit({name: about for name, about in zip(new, answers, strict=True) if about}, there)

    async def _ask(self, address: str) -> Facts | str:
        """The facts of a worker, or why it has none; an empty text if it has gone meanwhile."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                found = await self.client.run(describe_worker, workers=[address], on_error="return")
        except TimeoutError:
            return f"it does not answer within {_ANSWER_SECONDS:g} s"
        about = found.get(address)
        try:
            if isinstance(about, bytes):
                return msgspec.msgpack.decode(about, type=Facts)
        except msgspec.DecodeError:
            return _OTHER_VERSION
        error = redact(f"{type(about).__name__}: {about}")[:_SHOWN]
        return "" if about is None or isinstance(about, OSError) else f"no harness runs there ({error})"

    def _admit(self, found: dict[str, Facts | str], there: dict[str, Any]) -> None:
        """Give a seat to each worker that can run cells of this sweep."""
        known: dict[str, Facts] = {}
        for address, facts in found.items():
            if fault := self._find_fault(facts, there[address]["resources"]):
                self.bad[address] = fault
                host = facts.host if isinstance(facts, Facts) else address
                self.say(f"the worker {host} gets no cell: {fault}")
            elif isinstance(facts, Facts):
                known[address] = facts
        self._settle_machine(list(known.values()))
        for address, facts in known.items():
            if facts.machine["class"] == self.machine["class"]:
                self.seats[address] = Seat(address, facts, there[address]["nthreads"])
            else:
                self.bad[address] = "its machine is of another class"
                self.say(f"the worker {facts.host} gets no cell: {self.bad[address]}")

    def _find_fault(self, facts: Facts | str, resources: dict[str, float]) -> str:
        """Why a worker cannot run cells of this sweep; empty if it can."""
        if isinstance(facts, str):
            return facts
        if facts.code != self.own.code:
            return _OTHER_VERSION
        if facts.platform != self.own.platform:
            return f"its platform is {facts.platform}, and the locks are those of {self.own.platform}"
        label = self.address.label
        if label and label not in resources and not facts.machine["class"].startswith(label):
            return f"it has no resource {label}, and its machine class is {facts.machine['class']}"
        if facts.unisolated and (self.isolation.program or self.address.level == "strict"):
            return f"it cannot isolate cells: {facts.unisolated}"
        return ""

    def _settle_machine(self, known: Sequence[Facts]) -> None:
        """The first workers define the machine of the sweep: the facts that they share."""
        if self.machine or not known:
            return
        classes = {facts.machine["class"]: facts for facts in known}
        if len(classes) > 1:
            named = "; ".join(f"{each.host}: {describe_machine(each.machine)}" for each in classes.values())
            raise UsageError(
                f"the workers are of {len(classes)} machine classes, which are never compared with each "
                f"other ({named}); name one of them, such as ?class={next(iter(classes))[:8]}, or a resource "
                "of its workers"
            )
        shared = set.intersection(*({*facts.machine.items()} for facts in known))
        self.machine = {name: text for name, text in known[0].machine.items() if (name, text) in shared}
        if self.address.level != "none":
            reasons = [f"{facts.host}: {facts.unisolated}" for facts in known if facts.unisolated]
            self.isolation = Isolation(reason=reasons[0]) if reasons else Isolation(PROGRAM)

    def describe_nobody(self) -> str:
        """Why cells have no result: no worker came in time."""
        of_class = f" with the resource or machine class {self.address.label}" if self.address.label else ""
        others = f"{len(self.bad)} other{'' if len(self.bad) == 1 else 's'}"
        refused = f"; {others} cannot run these cells" if self.bad else ""
        return f"no worker{of_class} within {self.address.wait:g} s{refused}"

    async def run(
        self, works: Sequence[Work], parcel: Future[bytes], *, alone: bool = False
    ) -> AsyncIterator[tuple[Work, Outcome]]:
        """Run tasks; yields each with its outcome when it is done.

        A task of a worker that has gone or cannot run it is given to another one, ``ATTEMPTS`` times in all.
        ``alone``: a machine has one task at a time.

        Raises:
            MachineError: the scheduler has gone.
        """
        waiting, running = list(works), _Running()
        last = _now()
        try:
            while waiting or running:
                await self.refresh()
                self._assign(waiting, running, parcel, alone=alone)
                if running:
                    last = _now()
                elif _now() - last > self.address.wait:
                    break
                for work, seat, outcome in await self._collect(running):
                    if self._is_final(work, seat, outcome):
                        yield work, outcome
                    else:
                        waiting.insert(0, work)
        finally:
            for attempt in running:
                attempt.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        for work in waiting:
            yield work, Outcome(fault=self.describe_nobody())

    def _assign(self, waiting: list[Work], running: _Running, parcel: Future[bytes], *, alone: bool) -> None:
        """Give a task to every worker with room."""
        for work in tuple(waiting):
            if all(seat.busy == seat.room for seat in self.seats.values()):
                return
            if seat := self._choose(work, alone=alone):
                waiting.remove(work)
                seat.busy += 1
                running[asyncio.create_task(self._attempt(work, seat, parcel))] = (work, seat)

    async def _collect(self, running: _Running) -> list[tuple[Work, Seat, Outcome]]:
        """Wait for some tasks to be done, at most for a period."""
        if not running:
            await asyncio.sleep(self.period)
            return []
        done, _ = await asyncio.wait(running, timeout=self.period, return_when=asyncio.FIRST_COMPLETED)
        collected = []
        for attempt in done:
            work, seat = running.pop(attempt)
            seat.busy -= 1
            collected.append((work, seat, attempt.result()))
        return collected

    def _choose(self, work: Work, *, alone: bool) -> Seat | None:
        """The emptiest worker with room, one that has not tried the task if there is any."""
        busy = {seat.facts.kernel for seat in self.seats.values() if seat.busy}
        free = [
            seat
            for seat in self.seats.values()
            if seat.busy < seat.room and not (alone and seat.facts.kernel in busy)
        ]
        new = [seat for seat in free if seat.address not in work.tried]
        if not new and any(address not in work.tried for address in self.seats):
            return None  # one that is busy now
        return min(new or free, key=lambda seat: seat.busy / seat.room, default=None)

    def _is_final(self, work: Work, seat: Seat, outcome: Outcome) -> bool:
        """Whether an outcome counts; a fault that may be that of the worker is tried elsewhere."""
        work.tried.append(seat.address)
        before, work.last = work.last, outcome
        doubtful = _describe_doubt(outcome)
        if not doubtful:
            if fault := _describe_doubt(before):
                self._dismiss(work.tried[-2], fault)
            return True
        if len(work.tried) >= ATTEMPTS or outcome.refused:
            return True
        if not self.seats.keys() - {*work.tried} and outcome.results:
            return True
        self.say(f"{work.task.name} is run again: {seat.facts.host}: {doubtful[:_SHOWN]}")
        return False

    def _dismiss(self, address: str, fault: str) -> None:
        """Give no more tasks to a worker that failed where another one did not."""
        seat = self.seats.pop(address, None)
        if seat is not None:
            self.bad[address] = fault
            self.say(f"the worker {seat.facts.host} gets no more cells: {fault[:_SHOWN]}")

    async def _attempt(self, work: Work, seat: Seat, parcel: Future[bytes]) -> Outcome:
        """Run a task on one worker; ends when that is gone."""
        key = f"{self.topic}-{work.task.name}-{len(work.tried)}"
        future = self.client.submit(
            run_on_worker,
            parcel,
            work.data,
            key,
            self.topic,
            key=key,
            workers=[seat.address],
            pure=False,
        )
        result = asyncio.ensure_future(_get_outcome(future, work.task))
        gone = asyncio.ensure_future(seat.gone.wait())
        try:
            await asyncio.wait({result, gone}, return_when=asyncio.FIRST_COMPLETED)
            if result.done():
                return result.result()
            return Outcome(fault="the worker has gone")
        finally:
            result.cancel()
            gone.cancel()
            await asyncio.gather(result, gone, return_exceptions=True)
            with contextlib.suppress(Exception):  # the scheduler has gone
                await future.cancel()


async def _get_outcome(future: Future[bytes], task: Task) -> Outcome:
    """The outcome of a task; what dask raises, and an outcome of something else, is a fault."""
    try:
        outcome = msgspec.msgpack.decode(await future, type=Outcome)
    except CancelledError as error:
        raise MachineError(LOST) from error
    except Exception as error:  # noqa: BLE001 - whatever the worker raised, it ran no cell
        return Outcome(fault=redact(f"{type(error).__name__}: {error}"))
    fault = check_outcome(outcome, task)
    return Outcome(fault=fault) if fault else outcome


def _now() -> float:
    """Seconds on the clock of the event loop."""
    return asyncio.get_running_loop().time()


def _describe_doubt(outcome: Outcome) -> str:
    """The fault that a worker may have alone, such as a full disk; empty if it has none."""
    reasons = (result.reason for result in outcome.results if result.status == "install-error")
    return outcome.fault or next(reasons, "")
