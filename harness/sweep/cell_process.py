"""One cell process, from its start to its end: messages are decoded, and every end gets a status."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from harness import processes
from harness.cell.interface import CHANNEL_VARIABLE, CellSpec, make_cell_environment
from harness.files import find_full_disk, find_no_space
from harness.processes import describe_exit
from harness.records import Progress
from harness.redaction import redact
from harness.store.material import Suite
from harness.sweep import protocol
from harness.sweep.limits import Limits, Watch, Watched
from harness.sweep.protocol import CellEndedError, CellRecord

# The last lines of a log, fit to be shown to a person: without control characters and credentials.

TAIL_LINES = 20
_TAIL_BYTES = 64 * 1024
_LINE_LENGTH = 400
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def read_tail(log: Path) -> tuple[str, ...]:
    """The last lines of a log, without escape sequences and control characters; empty where there is none."""
    try:
        with log.open("rb") as file:
            begin = max(0, file.seek(0, 2) - _TAIL_BYTES)
            file.seek(begin)
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ()
    if begin:  # a word cut in half may be the end of an address, which nothing would tell from other text
        text = re.sub(r"^\S+", "", text)
    plain = _ESCAPES.sub("", text)
    lines = [redact(_CONTROLS.sub("", line.rsplit("\r", 1)[-1])) for line in plain.rstrip().split("\n")]
    return tuple(line[:_LINE_LENGTH].rstrip() for line in lines[-TAIL_LINES:] if line.strip())


# Folders of this machine, taken out of what a cell says: results are published and compared.

_COMMON = {Path("/"), Path("/usr"), Path("/usr/local")}
"""Where a Python of the system lies; everybody's, and part of too many other paths."""


@dataclass(frozen=True)
class HiddenPaths:
    """Folder -> the name that stands for it, the longest folder first."""

    names: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of_cell(cls, python: Path, suite: Path, workdir: str, model: str) -> HiddenPaths:
        """The folders that one cell process knows of."""
        named = {
            python.resolve().parent.parent: "<python>",
            python.parent.parent: "<environment>",
            suite: "<suite>",
            Path(workdir): "<workdir>",
            Path(model): "<model>",
        }
        found = [(str(folder), name) for folder, name in named.items() if folder not in _COMMON]
        return cls(tuple(sorted(found, key=lambda pair: -len(pair[0]))))

    def hide(self, text: str) -> str:
        """The text with a name in place of each folder."""
        for folder, name in self.names:
            text = re.sub(rf"{re.escape(folder)}(?![\w.-])", name, text)
        return text


Notify = Callable[[Progress], None]
"""Told where a cell is; must return at once."""

_ENCODER = msgspec.json.Encoder()
_EXIT_SECONDS = 5.0
"""A process that closed its channel has to be gone by then."""


@dataclass(frozen=True)
class Start:
    """What is needed to start one cell process.

    ``python`` is the interpreter of its environment, ``suite`` what it gets a copy of, in its working folder;
    the spec is written to ``spec_path``, what the process prints is appended to ``log``; ``module`` is what
    it runs.
    """

    python: Path
    suite: Suite
    spec: CellSpec
    spec_path: Path
    log: Path
    module: str = "harness.cell.start"

    @property
    def argv(self) -> tuple[str, ...]:
        """The command; with the spec file it can be run by hand again."""
        return (
            *(str(self.python), "-X", "faulthandler"),
            *("-m", self.module, str(self.spec_path.resolve())),
        )

    @property
    def copy(self) -> Path:
        """The folder of its copy of the suite."""
        return Path(self.spec.workdir) / "suite"

    def find_edits(self) -> tuple[str, ...]:
        """Which files of its suite were changed, and whether its spec was."""
        spec = () if _holds_spec(self.spec_path, self.spec) else (self.spec_path.name,)
        return (*self.suite.find_edits(self.copy), *spec)


def _holds_spec(path: Path, spec: CellSpec) -> bool:
    try:
        return CellSpec.read(path) == spec
    except (OSError, ValueError, TypeError, KeyError):
        return False


@dataclass
class CellProcess:
    """A running cell process; ``end`` it whatever happens."""

    spec: CellSpec
    log: Path
    limits: Limits
    running: processes.Running
    watched: Watched
    watch: Watch
    notify: Notify
    places: HiddenPaths = field(default_factory=HiddenPaths)
    planned: int = 0
    account: CellRecord = field(default_factory=CellRecord)
    given: Start | None = None
    edited: tuple[str, ...] = ()
    _kept: protocol.AnyEvent | None = None
    _reaper: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls, start: Start, limits: Limits, watch: Watch, notify: Notify, planned: int = 0
    ) -> CellProcess:
        """Start it.

        Raises:
            OSError: the interpreter cannot be started.
        """
        start.spec.write(start.spec_path)
        workdir = Path(start.spec.workdir)
        start.suite.put(start.copy)  # at once: processes start in the order in which they are asked for
        env = make_cell_environment(start.python, start.copy, workdir, start.spec.threads)
        running = await processes.start(
            start.argv, env=env, cwd=workdir, log=start.log, channel=CHANNEL_VARIABLE
        )
        watched = watch.add(running, start.log, limits)
        places = HiddenPaths.of_cell(start.python, start.copy, start.spec.workdir, start.spec.model_dir)
        process = cls(start.spec, start.log, limits, running, watched, watch, notify, places, planned)
        process.given = start
        process._reaper = asyncio.create_task(process._reap())
        return process

    async def _reap(self) -> None:
        """As soon as it is gone, end what it left running: that could hold the channel open for ever."""
        await self.running.process.wait()
        self.running.kill_remaining()

    async def hear(self, seconds: float, due: str) -> protocol.AnyEvent:
        """The next event; ``due`` names what is waited for.

        Raises:
            CellEndedError: it ended, was ended, said something that is no event, or nothing in ``seconds``.
        """
        if self._kept is not None:
            kept, self._kept = self._kept, None
            return kept
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                line = await self.running.reader.readuntil(b"\n")
        except TimeoutError:
            raise CellEndedError(
                "timed-out", f"{due} was not over in time (limit reached in stage {self.account.stage})"
            ) from None
        except asyncio.LimitOverrunError:
            raise self.crash("it wrote an endless line to its channel") from None
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise await self._explain_end(getattr(error, "partial", b"")) from None
        try:
            event = protocol.decode_event(self.places.hide(redact(line.decode())))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self.crash(f"it wrote a line to its channel that is no event: {error}") from None
        self._take_in(event)
        return event

    def _take_in(self, event: protocol.AnyEvent) -> None:
        self.account.note(event)
        match event:
            case protocol.Stage(name=name):
                self.notify(
                    Progress(cell=self.spec.cell, stage=name, total=self.planned if name == "contract" else 0)
                )
            case protocol.Case():
                done = len(self.account.cases)
                self.notify(Progress(cell=self.spec.cell, stage="contract", done=done, total=self.planned))
            case _:
                pass

    def keep(self, event: protocol.AnyEvent) -> None:
        """Give an event back, to be heard again."""
        self._kept = event

    def say(self, command: protocol.Command) -> None:
        """Say something; to a process that is gone it is lost, which the next ``hear`` tells."""
        with contextlib.suppress(ConnectionError, RuntimeError):
            self.running.writer.write(_ENCODER.encode(command) + b"\n")

    def pin_to(self, cores: Collection[int]) -> None:
        """Let it run on these cores only."""
        self.running.pin_to(cores)

    async def contract(self) -> None:
        """Listen until its contract phase is over.

        Raises:
            CellEndedError: it did not get that far; what it said until then is in the account.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.limits.contract
        due = f"the contract phase of at most {self.limits.contract:g} s"
        while True:
            match await self.hear(deadline - loop.time(), due):
                case protocol.ContractDone():
                    return
                case protocol.Finished():
                    raise self.crash("it said that it is finished before its contract phase was over")
                case _:
                    pass

    async def leave(self) -> None:
        """Wait until it has finished and exited by itself.

        Raises:
            CellEndedError: it did not, or not in time, or not with exit code 0.
        """
        while not self.account.finished:
            await self.hear(self.limits.leave, f"its leaving within {self.limits.leave:g} s")
        try:
            async with asyncio.timeout(self.limits.leave):
                code = await self.running.process.wait()
        except TimeoutError:
            limit = f"{self.limits.leave:g} s"
            raise CellEndedError(
                "timed-out", f"it said that it is finished and did not exit within {limit}"
            ) from None
        if code:
            raise self.crash(f"it {describe_exit(code)} after everything was done")

    async def end(self) -> None:
        """End it and all that it started."""
        self.watch.remove(self.running)
        self.account.enter("ended")
        if self._reaper is not None:
            self._reaper.cancel()
        await self.running.end()
        await self.look_for_edits()

    async def look_for_edits(self) -> tuple[str, ...]:
        """The files of its own that were changed so far; ``edited`` keeps them when its folder is gone."""
        if self.given is not None and self.given.copy.is_dir():
            self.edited = await asyncio.to_thread(self.given.find_edits)
        return self.edited

    def read_tail(self) -> tuple[str, ...]:
        """The last lines that it printed."""
        return tuple(map(self.places.hide, read_tail(self.log)))

    async def _explain_end(self, partial: bytes) -> CellEndedError:
        half = "; half a line was left on its channel" if partial else ""
        try:
            async with asyncio.timeout(_EXIT_SECONDS):
                code = await self.running.process.wait()
        except TimeoutError:
            return self.crash(f"it closed its channel and went on{half}")
        if self.watched.killed:
            return self.crash(self.watched.killed + half)
        what = f"it {describe_exit(code)} before it was finished{half}"
        if full := self._find_no_space():
            return CellEndedError("install-error", f"{full}: {what} (stage {self.account.stage})")
        return self.crash(what)

    def _find_no_space(self) -> str:
        """Whether its last words are of a full disk, or one is so full that they were lost."""
        workdir = Path(self.spec.workdir)
        said = find_no_space("\n".join(read_tail(self.log)), workdir)
        return said or find_full_disk(workdir, self.log.parent)

    def crash(self, what: str) -> CellEndedError:
        """The status of a process that went wrong in the stage that it is in."""
        return CellEndedError("crashed", f"{what} (stage {self.account.stage})")
