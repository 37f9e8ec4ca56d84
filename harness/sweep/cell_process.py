"""One cell process from start to end: send and receive messages, and translate every end into a status."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import msgspec

from harness import processes
from harness.cell.interface import CHANNEL_VARIABLE, CellSpec
from harness.files import find_full_disk, find_no_space
from harness.matrix.variables import make_cell_environment
from harness.processes import describe_exit
from harness.records import Notify, Progress
from harness.redaction import NO_SECRETS, Secrets, redact
from harness.store.inputs import SUITE_COPY, CellInputs
from harness.sweep import protocol
from harness.sweep.limits import Limits, Watch, Watched
from harness.sweep.protocol import CellEndedError, CellRecord

TAIL_LINES = 20
_TAIL_BYTES = 64 * 1024
_LINE_LENGTH = 400
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def read_tail(log: Path, change: Callable[[str], str] = str) -> tuple[str, ...]:
    """The last lines of a log without control characters and credentials; empty if there is no log.

    ``change`` is applied to each line before it is shortened.
    """
    try:
        with log.open("rb") as file:
            begin = max(0, file.seek(0, 2) - _TAIL_BYTES)
            file.seek(begin)
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ()
    if begin:  # a truncated first word may be the end of a URL, which redaction cannot recognize
        text = re.sub(r"^\S+", "", text)
    plain = _ESCAPES.sub("", text)
    shown = (_CONTROLS.sub("", line.rsplit("\r", 1)[-1]) for line in plain.rstrip().split("\n"))
    lines = [change(redact(line)) for line in shown]
    return tuple(line[:_LINE_LENGTH].rstrip() for line in lines[-TAIL_LINES:] if line.strip())


_COMMON = {Path("/"), Path("/usr"), Path("/usr/local")}
"""Prefixes of a system Python that are never hidden: they are part of too many other paths."""


@dataclass(frozen=True)
class HiddenPaths:
    """Spellings of folders of this machine and their placeholders in results, the longest spelling first.

    ``secrets`` are hidden before.
    """

    names: tuple[tuple[str, str], ...] = ()
    secrets: Secrets = NO_SECRETS

    @classmethod
    def of_cell(
        cls, python: Path, suite: Path, workdir: str, model: str, secrets: Secrets = NO_SECRETS
    ) -> HiddenPaths:
        """What can occur in the messages of one cell process."""
        named = {
            python.resolve().parent.parent: "<python>",
            python.parent.parent: "<environment>",
            suite: "<suite>",
            Path(workdir): "<workdir>",
            Path(model): "<model>",
        }
        found = {
            spelling: name
            for folder, name in named.items()
            if folder not in _COMMON
            for spelling in _spell(str(folder))
        }
        return cls(tuple(sorted(found.items(), key=lambda pair: -len(pair[0]))), secrets)

    def hide(self, text: str) -> str:
        """The text with a placeholder for each secret and each folder."""
        text = self.secrets.hide(text)
        for folder, name in self.names:
            if folder not in text:  # nearly every text of every turn: a search costs a tenth of a pattern
                continue
            text = re.sub(rf"{re.escape(folder)}(?![\w-]|\.[\w.-])", name, text)
        return text


def _spell(folder: str) -> set[str]:
    """A folder as it appears in text: plain, as a literal of Python or JSON, and in an address."""
    whole = re.sub("[\ud800-\udfff]", "\ufffd", folder)  # bytes that are not valid text: see ``decode_event``
    literals = {repr(folder)[1:-1], ascii(folder)[1:-1], repr(whole)[1:-1], json.dumps(folder)[1:-1]}
    return {folder, whole, *literals, quote(os.fsencode(folder))}


_ENCODER = msgspec.json.Encoder()
_EXIT_SECONDS = 5.0
"""The time to exit after closing the channel."""


@dataclass(frozen=True)
class Start:
    """The parameters of one cell process.

    ``python`` is the interpreter of its environment; the suite of ``inputs`` is copied into its working
    folder; ``spec`` is written to ``spec_path``; output is appended to ``log``; ``module`` is the module to
    run.
    """

    python: Path
    inputs: CellInputs
    spec: CellSpec
    spec_path: Path
    log: Path
    module: str = "harness.cell.start"

    @property
    def argv(self) -> tuple[str, ...]:
        """The command line; it can be repeated by hand with the spec file."""
        return (
            *(str(self.python), "-X", "faulthandler"),
            *("-m", self.module, str(self.spec_path.resolve())),
        )

    @property
    def copy(self) -> Path:
        """The folder of the process's copy of the suite."""
        return Path(self.spec.workdir) / SUITE_COPY

    def find_edits(self) -> tuple[str, ...]:
        """The files of its suite and the spec that have changed."""
        spec = () if _holds_spec(self.spec_path, self.spec) else (self.spec_path.name,)
        return (*self.inputs.suite.find_edits(self.copy), *spec)


def _holds_spec(path: Path, spec: CellSpec) -> bool:
    try:
        return CellSpec.read(path) == spec
    except (OSError, ValueError, TypeError, KeyError):
        return False


@dataclass
class CellProcess:
    """A running cell process; the caller must ``end`` it."""

    spec: CellSpec
    log: Path
    limits: Limits
    running: processes.Running
    watched: Watched
    watch: Watch
    notify: Notify
    places: HiddenPaths = field(default_factory=HiddenPaths)
    planned: int = 0
    record: CellRecord = field(default_factory=CellRecord)
    given: Start | None = None
    edited: tuple[str, ...] = ()
    _pending: protocol.AnyEvent | None = None
    _reaper: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls, start: Start, limits: Limits, watch: Watch, notify: Notify, planned: int = 0
    ) -> CellProcess:
        """Start the process.

        Raises:
            OSError: the interpreter cannot be started.
        """
        spec, inputs, python = start.spec, start.inputs, start.python
        spec.write(start.spec_path)
        workdir = Path(spec.workdir)
        inputs.suite.put(start.copy)  # synchronously: processes start in the order of the requests
        running = await processes.start(
            inputs.wrap(start.argv, python, spec, sealed=[start.spec_path.resolve()]),
            env=make_cell_environment(python, start.copy, workdir, spec.threads, inputs.variables),
            cwd=workdir,
            log=start.log,
            channel=CHANNEL_VARIABLE,
            isolated=inputs.is_isolated,
        )
        watched = watch.add(running, start.log, limits)
        places = HiddenPaths.of_cell(python, start.copy, spec.workdir, spec.model_dir, inputs.secrets)
        process = cls(spec, start.log, limits, running, watched, watch, notify, places, planned)
        process.given = start
        process._reaper = asyncio.create_task(process._reap())
        return process

    async def _reap(self) -> None:
        """Kill remaining descendants after the exit, because they could keep the channel open forever."""
        await self.running.wait()
        self.running.kill_remaining()

    async def receive(self, seconds: float, awaited: str) -> protocol.AnyEvent:
        """Receive the next event; ``awaited`` describes it in the message of a time-out.

        Raises:
            CellEndedError: the process ended, sent an invalid line, or sent nothing within ``seconds``.
        """
        if self._pending is not None:
            event, self._pending = self._pending, None
            return event
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                line = await self.running.reader.readuntil(b"\n")
        except TimeoutError:
            raise CellEndedError(
                "timed-out", f"{awaited} did not end in time (limit reached in stage {self.record.stage})"
            ) from None
        except asyncio.LimitOverrunError:
            raise self.crash("it wrote a line beyond the size limit to its channel") from None
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise await self._explain_end(getattr(error, "partial", b"")) from None
        try:
            event = protocol.decode_event(redact(line.decode()), self.places.hide)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self.crash(f"it wrote an invalid event to its channel: {error}") from None
        self._apply(event)
        return event

    def _apply(self, event: protocol.AnyEvent) -> None:
        self.record.apply(event)
        match event:
            case protocol.Stage(name=name):
                self.notify(
                    Progress(cell=self.spec.cell, stage=name, total=self.planned if name == "contract" else 0)
                )
            case protocol.Case():
                done = len(self.record.cases)
                self.notify(Progress(cell=self.spec.cell, stage="contract", done=done, total=self.planned))
            case _:
                pass

    def put_back(self, event: protocol.AnyEvent) -> None:
        """Put an event back; the next ``receive`` returns it."""
        self._pending = event

    def send(self, command: protocol.Command) -> None:
        """Send a command; if the process has ended, the next ``receive`` reports that."""
        with contextlib.suppress(ConnectionError, RuntimeError):
            self.running.writer.write(_ENCODER.encode(command) + b"\n")

    def pin_to(self, cores: Collection[int]) -> None:
        """Pin the process to these cores."""
        self.running.pin_to(cores)

    async def wait_for_checks(self) -> None:
        """Receive events until the check phase is complete.

        Raises:
            CellEndedError: the phase did not complete; ``record`` holds the events so far.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.limits.contract
        awaited = f"the check phase (limit {self.limits.contract:g} s)"
        while True:
            match await self.receive(deadline - loop.time(), awaited):
                case protocol.ContractDone():
                    return
                case protocol.Finished():
                    raise self.crash("it reported its end before its check phase was complete")
                case _:
                    pass

    async def wait_for_exit(self) -> None:
        """Wait until the process has finished and exited by itself.

        Raises:
            CellEndedError: it did not exit in time, or not with exit code 0.
        """
        while not self.record.finished:
            await self.receive(self.limits.exit, f"the exit (limit {self.limits.exit:g} s)")
        try:
            async with asyncio.timeout(self.limits.exit):
                code = await self.running.wait()
        except TimeoutError:
            limit = f"{self.limits.exit:g} s"
            raise CellEndedError(
                "timed-out", f"it reported its end and did not exit within {limit}"
            ) from None
        if code:
            raise self.crash(f"it {describe_exit(code)} after its last phase")

    async def end(self) -> None:
        """End the process and its descendants."""
        self.watch.remove(self.running)
        self.record.enter("ended")
        if self._reaper is not None:
            self._reaper.cancel()
        await self.running.end()
        await self.find_edits()

    async def find_edits(self) -> tuple[str, ...]:
        """The changed files of its suite and spec; ``edited`` keeps them after its folder is removed."""
        if self.given is not None and self.given.copy.is_dir():
            self.edited = await asyncio.to_thread(self.given.find_edits)
        return self.edited

    def read_tail(self) -> tuple[str, ...]:
        """The last lines of its output."""
        return read_tail(self.log, self.places.hide)

    async def _explain_end(self, partial: bytes) -> CellEndedError:
        half = "; its channel ended with an incomplete line" if partial else ""
        try:
            async with asyncio.timeout(_EXIT_SECONDS):
                code = await self.running.wait()
        except TimeoutError:
            return self.crash(f"it closed its channel and kept running{half}")
        if self.watched.killed:
            return self.crash(self.watched.killed + half)
        what = f"it {describe_exit(code)} before it was finished{half}"
        killed = code == -signal.SIGKILL
        if killed and (why := self.watch.container.describe_kill(self.watched.kills_before)):
            return CellEndedError("install-error", f"{why}: {what} (stage {self.record.stage})")
        if full := self._find_no_space():
            return CellEndedError("install-error", f"{full}: {what} (stage {self.record.stage})")
        return self.crash(what)

    def _find_no_space(self) -> str:
        """The message of a full disk from the end of its log, or from the disk itself if the log was lost."""
        workdir = Path(self.spec.workdir)
        logged = find_no_space("\n".join(read_tail(self.log)), workdir)
        return logged or find_full_disk(workdir, self.log.parent)

    def crash(self, what: str) -> CellEndedError:
        """The status ``crashed``, with the reason and the current stage."""
        return CellEndedError("crashed", f"{what} (stage {self.record.stage})")
