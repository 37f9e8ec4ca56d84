"""A trial: one lock with a part of another, made consistent with as few moves as possible."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from harness.errors import MachineError
from harness.gate.request import Compared
from harness.gate.sides import Side, versions_of
from harness.held import temporary_folder
from harness.matrix.schema import Matrix
from harness.records import Cell, Distribution, Lock
from harness.resolve import uv
from harness.resolve.lockfile import make_lock, platform_tag
from harness.resolve.pip_settings import IndexSettings
from harness.resolve.resolve import TIMEOUT_SECONDS, Guidance, compile_arguments, resolve, without_upload_date

# Who in a lock needs whom, as the resolver tells it.


async def find_requirers(
    lock: Lock, side: Side, matrix: Matrix, settings: IndexSettings
) -> dict[str, frozenset[str]]:
    """Name -> the distributions of a lock that need it.

    A lock has no edges, so the same set is resolved once more with uv's annotations on.

    Raises:
        MachineError: uv failed, took too long, or found no solution for the set that is locked.
    """
    cell, versions = side.to_cell(lock.cell), versions_of(lock)
    arguments = compile_arguments(cell, without_upload_date(matrix).resolve, settings)
    with temporary_folder("requirers") as folder:
        asked = _write(folder, "requirements.in", (name for name in side.tested if name in versions))
        held = _write(folder, "constraints.txt", (f"{name}=={v}" for name, v in versions.items()))
        told = ("requirements.txt" if word == "pylock.toml" else word for word in arguments)
        arguments = ("pip", "compile", asked, "--constraints", held, *told, "--annotation-style", "line")
        env = uv.environment(settings.environment())
        try:
            done = await uv.run_uv(arguments, env=env, timeout=TIMEOUT_SECONDS)
        except TimeoutError:
            raise MachineError(f"uv took longer than {TIMEOUT_SECONDS:.0f} s") from None
    if done.returncode != 0:
        raise MachineError(uv.explain(done.stderr)[:300] or f"uv ended with exit code {done.returncode}")
    return _read_annotations(done.stdout)


def _write(folder: Path, name: str, lines: Iterable[str]) -> str:
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def _read_annotations(text: str) -> dict[str, frozenset[str]]:
    """Lines such as ``numpy==2.4.6   # via scipy, torch``; ``-r`` and ``-c`` are the files asked with."""
    found = {}
    for line in text.splitlines():
        pinned, _, needed_by = line.partition("# via ")
        name = pinned.partition("==")[0].strip()
        if name and "==" in pinned:
            words = (word.strip().partition("[")[0] for word in needed_by.split(","))
            found[name] = frozenset(word for word in words if word and not word.startswith("-"))
    return found


ABSENT = ""
"""Stands for the version of a distribution that shall not be there."""

TRIAL = "trial"
"""The id of the cell of a trial."""


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """What a trial starts from: a side and its lock, and the lock of the other side.

    What is dragged along stays between the two locks where it can. ``extras`` (name -> ``[a,b]``) are those
    that both sides ask for: what an extra brings that one of them drops is a part of its own.
    """

    side: Side
    lock: Lock
    other: Lock
    extras: dict[str, str] = {}


def starts_of(compared: Compared) -> tuple[Start, Start]:
    """Where trials start: from the baseline, and, for the opposite direction, from the candidate."""
    mine, theirs = _extras(compared.baseline), _extras(compared.candidate)
    both = {name: sorted(extras & theirs.get(name, set())) for name, extras in mine.items()}
    shared = {name: f"[{','.join(extras)}]" for name, extras in both.items() if extras}
    forth = Start(side=compared.baseline, lock=compared.before, other=compared.after, extras=shared)
    back = Start(side=compared.candidate, lock=compared.after, other=compared.before, extras=shared)
    return forth, back


def part_of(lock: Lock, names: Iterable[str]) -> dict[str, str]:
    """Name -> version that it has in a lock, ``ABSENT`` where it is not in it."""
    versions = versions_of(lock)
    return {name: versions.get(name, ABSENT) for name in names}


async def resolve_trial(
    start: Start, part: Mapping[str, str], matrix: Matrix, settings: IndexSettings
) -> Lock:
    """The lock of ``start`` with the versions of ``part`` (name -> version, or ``ABSENT``) in it.

    First everything else is held. Where that has no solution, what the resolver has to move goes to where
    the other lock has it, so that a trial shows nothing that neither side has. Where that has none either,
    it goes wherever it can, between the two locks if possible. A lock without distributions carries the
    reason why there is no solution.

    Raises:
        MachineError: uv or the network failed.
    """
    if all(_is_there(start, name, version) for name, version in part.items()):
        return msgspec.structs.replace(start.lock, cell=TRIAL)
    resolver = _Resolver(start, without_upload_date(matrix), settings)
    lock = await resolver.hold(part)
    if lock.reason:
        loose = await resolver.release(part)
        lock = loose if loose.reason else await resolver.drag(part, loose) or loose
    return lock if lock.reason else _with_known_files(lock, start, part)


@dataclass(frozen=True)
class _Resolver:
    """uv, asked for one start."""

    start: Start
    matrix: Matrix
    settings: IndexSettings

    async def hold(self, part: Mapping[str, str]) -> Lock:
        """The part, and everything else that ``start`` has as it has it."""
        return await self._ask(_hold(self.start, part), part)

    async def release(self, part: Mapping[str, str]) -> Lock:
        """The part, and everything else where it can be, as ``start`` has it if it can.

        First all of that has to be there, then only what is under test, in the end anywhere.
        """
        bounds = _stay_between(self.start, part)
        everything, tested = _release(self.start, part, all_=True), _release(self.start, part, all_=False)
        lock = await self._ask(everything, part, bounds)
        lock = await self._ask(tested, part, bounds) if lock.reason else lock
        return await self._ask(tested, part) if lock.reason else lock

    async def drag(self, part: Mapping[str, str], loose: Lock) -> Lock | None:
        """What has to move goes where the other lock has it, and what that moves too; None if it cannot."""
        fixed, lock = dict(part), loose
        while not lock.reason:
            moved = part_of(self.start.other, _moved(lock, self.start, fixed))
            if not moved:
                return lock
            fixed |= moved
            lock = await self.hold(fixed)
            if not lock.reason:
                return lock
            lock = await self.release(fixed)
        return None

    async def _ask(self, asked: Iterable[str], part: Mapping[str, str], bounds: Iterable[str] = ()) -> Lock:
        wanted = tuple(sorted({*asked, *self.start.side.bounds}))
        cell = msgspec.structs.replace(self.start.side.to_cell(TRIAL), requirements=wanted)
        constraints = (*_forbid(part), *bounds)
        guidance = Guidance(constraints=constraints, preferred=_preferred(self.start, part))
        return await resolve(cell, self.matrix, self.settings, guidance)


def _is_there(start: Start, name: str, version: str) -> bool:
    """Whether a version is in place; of a release that the other lock has with other files it is not."""
    here, there = _files_of(start.lock).get(name), _files_of(start.other).get(name)
    if here is None or here.version != version:
        return here is None and version == ABSENT
    return there is None or there.version != version or there == here


def _hold(start: Start, part: Mapping[str, str]) -> list[str]:
    """Requirements: the part at its versions, everything else that ``start`` has at its own."""
    wanted, extras = {**versions_of(start.lock), **part}, start.extras
    return [f"{name}{extras.get(name, '')}=={version}" for name, version in wanted.items() if version]


def _release(start: Start, part: Mapping[str, str], *, all_: bool) -> list[str]:
    """Requirements: the part at its versions, and what is under test (or all that there is) at any."""
    extras = start.extras
    roots = (*start.side.tested, *_suite_names(start.side), *(versions_of(start.lock) if all_ else ()))
    free = [f"{name}{extras.get(name, '')}" for name in dict.fromkeys(roots) if name not in part]
    return free + [f"{name}{extras.get(name, '')}=={version}" for name, version in part.items() if version]


def _suite_names(side: Side) -> list[str]:
    return [canonicalize_name(Requirement(text).name) for text in side.to_cell(TRIAL).requirements]


def _extras(side: Side) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for asked in map(Requirement, side.to_cell(TRIAL).requirements):
        found[canonicalize_name(asked.name)] |= asked.extras
    return found


def _forbid(part: Mapping[str, str]) -> list[str]:
    """Constraints that nothing meets, for what shall not be there."""
    return [f"{name}<0" for name, version in part.items() if version == ABSENT]


def _stay_between(start: Start, part: Mapping[str, str]) -> list[str]:
    """Constraints: what both locks have moves between the two versions only."""
    here, there = versions_of(start.lock), versions_of(start.other)
    bounds = []
    for name in sorted((here.keys() | there.keys()) - part.keys()):
        known = sorted(Version(found[name]) for found in (here, there) if name in found)
        bounds.append(f"{name}>={known[0].public},<={known[-1].public}")
    return bounds


def _preferred(start: Start, part: Mapping[str, str]) -> dict[str, str]:
    """What ``start`` has; of what it has not, what the other lock has."""
    known = {**versions_of(start.other), **versions_of(start.lock)}
    return {name: version for name, version in known.items() if name not in part}


def _moved(lock: Lock, start: Start, fixed: Collection[str]) -> list[str]:
    """What moves and is not fixed, of all that the two locks know."""
    found, was = versions_of(lock), versions_of(start.lock)
    known = was.keys() | versions_of(start.other).keys()
    return sorted(name for name in known if name not in fixed and found.get(name) != was.get(name))


def _with_known_files(lock: Lock, start: Start, part: Collection[str]) -> Lock:
    """The lock with the files that the two locks have for the same version: an equal set is an equal lock."""
    here, there = _files_of(start.lock), _files_of(start.other)
    files = []
    for found in lock.distributions:
        order = (there, here) if found.name in part else (here, there)
        known = (each[found.name] for each in order if found.name in each)
        files.append(next((each for each in known if each.version == found.version), found))
    cell = Cell(id=TRIAL, axes={}, requirements=(), python=lock.python)
    return make_lock(cell, platform_tag(), lock.inputs, distributions=tuple(files))


def _files_of(lock: Lock) -> dict[str, Distribution]:
    return {found.name: found for found in lock.distributions}
