"""One try: the work is begun, disturbed and ended, then the same command is run to its end."""

from __future__ import annotations

import contextlib
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import psutil

from faults.tries import NEIGHBOURS, SPACES, Try, Work
from faults.works import CODES, Place, count_bytes, find_latest, list_differences, list_finished, read_outcome
from harness.errors import HarnessError

LIMIT = 1800.0
"""Seconds of a command, after which it hangs."""

ENDING = 20.0
"""Seconds in which the processes of an ended command have to be gone."""

LIVES = {"uv": 0.02, "cell": 0.3, "holder": 0.3, "probe": 0.1}
"""Child -> share of the usual time of a work that it lives, roughly: it is disturbed within that."""

POLL = 0.05
"""Seconds between two looks at the children of a command."""

LARGE = 4 * 2**30
"""Bytes of a disk on which no work needs all; memory that is not used is not taken."""

ROOM = 64 * 2**20
"""Bytes beyond twice the usual need, with which a work that goes on has room enough."""


class Usual(msgspec.Struct, frozen=True, kw_only=True):
    """An undisturbed work: seconds, steps, children by kind, most bytes of disk, bytes of store, outcome."""

    seconds: float
    steps: int
    children: dict[str, int]
    disk: int
    store: int
    outcome: dict[str, Any]
    commit: str = ""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one try.

    ``met`` is whether the fault met the work before its end. ``wrong`` says how the end of the resumed work
    differs from the undisturbed one, ``lost`` names finished cells that ran again or damaged files, ``left``
    processes that stayed, ``stuck`` why the same command did not go on. ``commit`` is of the harness, and
    ``planted`` the fault of it that has to be found.
    """

    number: int
    work: str
    fault: str
    met: bool
    code: int | None
    wrong: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    stuck: str = ""
    seconds: float = 0.0
    real: bool = False
    planted: str = ""
    commit: str = ""

    @property
    def is_good(self) -> bool:
        """Whether nothing went wrong, or what was planted to go wrong."""
        if self.planted:
            return bool(getattr(self, self.planted))
        return not (self.wrong or self.lost or self.left or self.stuck)


@dataclass(frozen=True)
class Disturber:
    """Runs works and disturbs them."""

    environment: Mapping[str, str] = field(default_factory=dict)
    commit: str = ""

    def start(self, place: Place, work: Work) -> subprocess.Popen[bytes]:
        """Begin a work, with its output in a file."""
        log = (place.folder / "log.txt").open("ab")
        variables = {
            **self.environment,
            "TMPDIR": str(place.disk / "tmp"),
            "HARNESS_HISTORY": str(place.folder / "history.sqlite3"),
        }
        return subprocess.Popen(
            place.command(work), stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=place.disk,
            env=os.environ | variables, start_new_session=True,
        )  # fmt: skip

    def measure(self, place: Place, work: Work) -> Usual:
        """Run a work undisturbed, on a disk of its own whose highest use is the room that it needs."""
        with small_disk(place.disk, LARGE):
            return self._measure(place, work)

    def _measure(self, place: Place, work: Work) -> Usual:
        place.write_matrix(work)
        begun = time.monotonic()
        process = self.start(place, work)
        used: list[int] = []
        children = count_children(
            process, begun + LIMIT, lambda: used.append(shutil.disk_usage(place.disk).used)
        )
        code = process.wait(LIMIT)
        seconds = time.monotonic() - begun
        outcome = read_outcome(work, place, code)
        if code not in CODES[work]:
            log = (place.folder / "log.txt").read_text("utf-8", errors="replace")
            raise HarnessError(f"{work}, undisturbed, ended with {code}: {log[-1000:]}")
        return Usual(
            seconds=seconds,
            steps=count_steps(place),
            children=children,
            disk=max(used),
            store=count_bytes(place.store),
            outcome=outcome,
            commit=self.commit,
        )

    def run(self, one: Try, place: Place, usual: Usual) -> Result:
        """Disturb a work, and run the same command again."""
        begun = time.monotonic()
        small = {"full disk": (place.disk, usual.disk), "full store": (place.store, usual.store)}
        folder, size = small.get(one.target, (place.folder, 0))
        with small_disk(folder, int(size * one.room)):
            place.write_matrix(one.work)
            met, code, wrong = self._disturb(one, place, usual)
            left = end_remaining(place.folder)
            # What `clean` has removed is rightly run again.
            finished = list_finished(place) if one.work == "sweep" and one.target != "clean" else {}
            if size:
                subprocess.run(["mount", "-o", f"remount,size={2 * size + ROOM}", str(folder)], check=True)
            found, stuck = self._resume(one, place)
            reused = list_reused(place)
            left += end_remaining(place.folder)
        return Result(
            number=one.number,
            work=one.work,
            fault=one.describe(),
            met=met,
            code=code,
            wrong=(*wrong, *(list_differences(found, usual.outcome) if not stuck else ())),
            lost=tuple(cell for cell in finished if cell not in reused),
            left=tuple(left),
            stuck=stuck,
            seconds=time.monotonic() - begun,
            real=one.real,
            planted=one.planted,
            commit=self.commit,
        )

    def _disturb(self, one: Try, place: Place, usual: Usual) -> tuple[bool, int | None, list[str]]:
        """Whether the fault met the work, the exit code of the disturbed command, and what it said wrongly.

        What has only a neighbour has to be right at once, and not only when it is run again.
        """
        process = self.start(place, one.work)
        other = None
        met = False
        try:
            if one.target in MARKS:
                met = send(one, process, usual)
            elif one.target not in SPACES and self._reaches(one, place, process, usual):
                if one.target == "twice":
                    other = self.start(place, one.work)
                    met = True
                elif one.target == "clean":
                    met = self._clean(place, process)
                else:
                    process.send_signal(getattr(signal, f"SIG{one.signal}"))
                    met = True
            code = process.wait(LIMIT)
            codes = {code} | ({other.wait(LIMIT)} if other is not None else set())
        except subprocess.TimeoutExpired:
            return met, None, [f"it did not end within {LIMIT:g} s"]
        finally:
            for each in (process, other):
                if each is not None and each.poll() is None:
                    each.kill()
        met = code not in CODES[one.work] if one.target in SPACES else met
        wrong = [
            f"exit {each} beside a neighbour" for each in codes - CODES[one.work] if one.target in NEIGHBOURS
        ]
        if one.target in NEIGHBOURS and not wrong:
            wrong += list_differences(read_outcome(one.work, place, code), usual.outcome)
        log = (place.folder / "log.txt").read_text("utf-8", errors="replace")
        return met, code, [*wrong, *(["it printed a traceback"] if "Traceback (most" in log else [])]

    def _reaches(self, one: Try, place: Place, process: subprocess.Popen[bytes], usual: Usual) -> bool:
        """Wait for the moment of a try; whether the command goes on until then.

        It is a step of the work and some time after it: other programs would move a moment of the clock. What
        is planted shows only where a cell is done and another is not.
        """

        def is_reached() -> bool:
            if one.planted:
                return bool(list_finished(place))
            return count_steps(place) >= one.moment * usual.steps

        while process.poll() is None and not is_reached():
            time.sleep(0.02)
        return not ended_within(process, 0.0 if one.planted else one.delay * usual.seconds / usual.steps)

    def _clean(self, place: Place, process: subprocess.Popen[bytes]) -> bool:
        """Empty the store again and again while the work goes on."""
        argv = [sys.executable, "-m", "harness", "clean", "--store", str(place.store)]
        while process.poll() is None:
            subprocess.run(argv, capture_output=True, check=False, timeout=LIMIT)
            ended_within(process, 2.0)
        return True

    def _resume(self, one: Try, place: Place) -> tuple[dict[str, Any], str]:
        """What the same command says when nothing disturbs it; or why it does not."""
        process = self.start(place, one.work)
        try:
            code = process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            return {}, f"it did not end within {LIMIT:g} s"
        try:
            return read_outcome(one.work, place, code), ""
        except (OSError, ValueError, KeyError) as error:
            return {}, f"exit {code}, {type(error).__name__}: {error}"


STEP = re.compile(r"^(\[ *[0-9]+:|resolving |note: )", re.MULTILINE)
"""How a line begins that tells of a step of the work, and not of time that has passed."""


def count_steps(place: Place) -> int:
    """The steps that a work has told of so far."""
    return len(STEP.findall((place.folder / "log.txt").read_text("utf-8", errors="replace")))


def ended_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether a command ends within some seconds."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return process.poll() is not None


MARKS: dict[str, Callable[[list[str]], bool]] = {
    "uv": lambda line: Path(line[0]).name == "uv",
    "cell": lambda line: "harness.cell.start" in line and Path(line[0]).name != "bwrap",
    "holder": lambda line: "harness.cell.start" in line and Path(line[0]).name == "bwrap",
    "probe": lambda line: "harness.cell.probe" in line and Path(line[0]).name != "bwrap",
}
"""Process -> how it is told by its command line; a holder is the process of the namespaces of a cell."""


def list_children(process: subprocess.Popen[bytes]) -> Iterator[tuple[str, psutil.Process]]:
    """The children of a command that are disturbed, with their kind."""
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                line = child.cmdline()
                yield from ((kind, child) for kind, is_one in MARKS.items() if line and is_one(line))


def count_children(
    process: subprocess.Popen[bytes], end: float, look: Callable[[], object] = lambda: None
) -> dict[str, int]:
    """How many children of each kind a command has until its end; ``look`` is called at each step."""
    seen: dict[str, set[int]] = {kind: set() for kind in MARKS}
    while process.poll() is None and time.monotonic() < end:
        for kind, child in list_children(process):
            seen[kind].add(child.pid)
        look()
        time.sleep(POLL)
    return {kind: len(found) for kind, found in seen.items()}


def send(one: Try, process: subprocess.Popen[bytes], usual: Usual) -> bool:
    """Send the signal of a try to one of the children of a kind, some time after it appears.

    Returns whether it was still there.
    """
    wanted = math.ceil(one.moment * usual.children[one.target])
    seen: set[int] = set()
    while process.poll() is None:
        for child in (child for kind, child in list_children(process) if kind == one.target):
            seen.add(child.pid)
            if len(seen) == wanted:
                ended_within(process, one.delay * LIVES[one.target] * usual.seconds)
                with contextlib.suppress(psutil.Error):
                    child.send_signal(getattr(signal, f"SIG{one.signal}"))  # psutil knows a later process
                    return True
                return False
        time.sleep(POLL)
    return False


def end_remaining(folder: Path) -> list[str]:
    """The processes that work below a folder some time after their command ended; they are ended now."""
    end = time.monotonic() + ENDING
    while (found := list(find_processes(folder))) and time.monotonic() < end:
        time.sleep(0.2)
    named = []
    for process in found:
        with contextlib.suppress(psutil.Error):
            named.append(" ".join(process.cmdline())[:200])
            process.kill()
    return named


def find_processes(folder: Path) -> Iterator[psutil.Process]:
    """Processes that name a folder in their command line, or are in it."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid == os.getpid():
                continue
            if any(str(folder) in word for word in (*process.cmdline(), process.cwd())):
                yield process


def list_reused(place: Place) -> set[str]:
    """The cells that the newest run took from the store."""
    latest = find_latest(place)
    if latest is None or not (latest / "results.json").is_file():
        return set()
    return set(msgspec.json.decode((latest / "results.json").read_bytes()).get("reused", ()))


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path | None]:
    """Mount a disk with this number of bytes at a folder; none for 0."""
    folder.mkdir(parents=True, exist_ok=True)
    if not size:
        yield None
        return
    room = max(size, 256 * 2**10)  # the matrix has to be written
    options = f"size={room},mode=777"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        kept = folder.with_name("kept")
        shutil.copytree(folder, kept, dirs_exist_ok=True, symlinks=True)
        subprocess.run(["umount", "-l", str(folder)], check=True)
