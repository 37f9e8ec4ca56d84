"""The lock of a trial: one lock with a part of another, made consistent with the fewest changes."""

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
from harness.gate.request import Comparison
from harness.gate.sides import Side, versions_of
from harness.held import temporary_folder
from harness.matrix.schema import Matrix
from harness.records import Cell, Distribution, Lock
from harness.resolve import uv
from harness.resolve.lockfile import make_lock, platform_tag
from harness.resolve.pip_settings import IndexSettings
from harness.resolve.resolve import TIMEOUT_SECONDS, Guidance, compile_arguments, resolve, without_upload_date

# Find which distributions of a lock require which, with the resolver.


async def find_requirers(
    lock: Lock, side: Side, matrix: Matrix, settings: IndexSettings
) -> dict[str, frozenset[str]]:
    """Find the direct requirers of each distribution of a lock: name -> names of distributions.

    A lock has no dependency edges, so its set is resolved again with the annotations of uv.

    Raises:
        MachineError: uv failed, took too long, or found no solution for the locked set.
    """
    cell, versions = side.to_cell(lock.cell), versions_of(lock)
    arguments = compile_arguments(cell, without_upload_date(matrix).resolve, settings)
    with temporary_folder("requirers") as folder:
        requested = _write(folder, "requirements.in", (name for name in side.tested if name in versions))
        held = _write(folder, "constraints.txt", (f"{name}=={v}" for name, v in versions.items()))
        options = ("requirements.txt" if word == "pylock.toml" else word for word in arguments)
        arguments = (
            "pip",
            "compile",
            requested,
            "--constraints",
            held,
            *options,
            "--annotation-style",
            "line",
        )
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
    """Parse lines such as ``numpy==2.4.6   # via scipy, torch``; ``-r`` and ``-c`` are the input files."""
    found = {}
    for line in text.splitlines():
        pinned, _, required_by = line.partition("# via ")
        name = pinned.partition("==")[0].strip()
        if name and "==" in pinned:
            words = (word.strip().partition("[")[0] for word in required_by.split(","))
            found[name] = frozenset(word for word in words if word and not word.startswith("-"))
    return found


ABSENT = ""
"""The version of a distribution that must not be installed."""

TRIAL = "trial"
"""The id of the cell of a trial."""


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """The start of a trial: a side with its lock, and the lock of the other side.

    Transitive changes stay between the two locks if possible. ``extras`` (name -> ``[a,b]``) are those of
    both sides: the requirements of an extra that one side drops are changes of their own.
    """

    side: Side
    lock: Lock
    other: Lock
    extras: dict[str, str] = {}


def starts_of(comparison: Comparison) -> tuple[Start, Start]:
    """The starts of trials: the baseline, and for the opposite direction the candidate."""
    own, theirs = _extras(comparison.baseline), _extras(comparison.candidate)
    both = {name: sorted(extras & theirs.get(name, set())) for name, extras in own.items()}
    shared = {name: f"[{','.join(extras)}]" for name, extras in both.items() if extras}
    forward = Start(side=comparison.baseline, lock=comparison.before, other=comparison.after, extras=shared)
    backward = Start(side=comparison.candidate, lock=comparison.after, other=comparison.before, extras=shared)
    return forward, backward


def part_of(lock: Lock, names: Iterable[str]) -> dict[str, str]:
    """Name -> version in a lock; ``ABSENT`` if the lock does not have it."""
    versions = versions_of(lock)
    return {name: versions.get(name, ABSENT) for name in names}


async def resolve_trial(
    start: Start, part: Mapping[str, str], matrix: Matrix, settings: IndexSettings
) -> Lock:
    """Resolve the lock of ``start`` with the versions of ``part`` (name -> version, or ``ABSENT``).

    First everything else is held. If that has no solution, transitive changes take the versions of the other
    lock, so that a trial has no version of its own. If that has none either, they take any version, between
    the two locks if possible. A lock without distributions has the reason why there is no solution.

    Raises:
        MachineError: uv or the network failed.
    """
    if all(_is_in_place(start, name, version) for name, version in part.items()):
        return msgspec.structs.replace(start.lock, cell=TRIAL)
    resolver = _Resolver(start, without_upload_date(matrix), settings)
    lock = await resolver.hold(part)
    if lock.reason:
        freed = await resolver.free(part)
        lock = freed if freed.reason else await resolver.move_together(part, freed) or freed
    return lock if lock.reason else _with_known_files(lock, start, part)


@dataclass(frozen=True)
class _Resolver:
    """Resolves trials from one start."""

    start: Start
    matrix: Matrix
    settings: IndexSettings

    async def hold(self, part: Mapping[str, str]) -> Lock:
        """Resolve the part with everything else held as in ``start``."""
        return await self._resolve(_hold(self.start, part), part)

    async def free(self, part: Mapping[str, str]) -> Lock:
        """Resolve the part with everything else free, at the versions of ``start`` if possible.

        All distributions are required first, then only those under test, finally without bounds.
        """
        bounds = _stay_between(self.start, part)
        everything, tested = _free(self.start, part, all_=True), _free(self.start, part, all_=False)
        lock = await self._resolve(everything, part, bounds)
        lock = await self._resolve(tested, part, bounds) if lock.reason else lock
        return await self._resolve(tested, part) if lock.reason else lock

    async def move_together(self, part: Mapping[str, str], freed: Lock) -> Lock | None:
        """Resolve with all transitive changes at the versions of the other lock; None if impossible."""
        fixed, lock = dict(part), freed
        while not lock.reason:
            moved = part_of(self.start.other, _moved(lock, self.start, fixed))
            if not moved:
                return lock
            fixed |= moved
            lock = await self.hold(fixed)
            if not lock.reason:
                return lock
            lock = await self.free(fixed)
        return None

    async def _resolve(
        self, requested: Iterable[str], part: Mapping[str, str], bounds: Iterable[str] = ()
    ) -> Lock:
        wanted = tuple(sorted({*requested, *self.start.side.bounds}))
        cell = msgspec.structs.replace(self.start.side.to_cell(TRIAL), requirements=wanted)
        constraints = (*_forbid(part), *bounds)
        guidance = Guidance(constraints=constraints, preferred=_preferred(self.start, part))
        return await resolve(cell, self.matrix, self.settings, guidance)


def _is_in_place(start: Start, name: str, version: str) -> bool:
    """Whether a version is in place, with the same files as in the other lock."""
    current, other = _files_of(start.lock).get(name), _files_of(start.other).get(name)
    if current is None or current.version != version:
        return current is None and version == ABSENT
    return other is None or other.version != version or other == current


def _hold(start: Start, part: Mapping[str, str]) -> list[str]:
    """Requirements: the part at its versions, everything else at those of ``start``."""
    wanted, extras = {**versions_of(start.lock), **part}, start.extras
    return [f"{name}{extras.get(name, '')}=={version}" for name, version in wanted.items() if version]


def _free(start: Start, part: Mapping[str, str], *, all_: bool) -> list[str]:
    """Requirements: the part at its versions, packages under test (or all of ``start``) at any version."""
    extras = start.extras
    roots = (*start.side.tested, *_suite_names(start.side), *(versions_of(start.lock) if all_ else ()))
    free = [f"{name}{extras.get(name, '')}" for name in dict.fromkeys(roots) if name not in part]
    return free + [f"{name}{extras.get(name, '')}=={version}" for name, version in part.items() if version]


def _suite_names(side: Side) -> list[str]:
    return [canonicalize_name(Requirement(text).name) for text in side.to_cell(TRIAL).requirements]


def _extras(side: Side) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for requested in map(Requirement, side.to_cell(TRIAL).requirements):
        found[canonicalize_name(requested.name)] |= requested.extras
    return found


def _forbid(part: Mapping[str, str]) -> list[str]:
    """Constraints that exclude every version of absent distributions."""
    return [f"{name}<0" for name, version in part.items() if version == ABSENT]


def _stay_between(start: Start, part: Mapping[str, str]) -> list[str]:
    """Constraints: other distributions stay between their versions in the two locks."""
    current, other = versions_of(start.lock), versions_of(start.other)
    bounds = []
    for name in sorted((current.keys() | other.keys()) - part.keys()):
        known = sorted(Version(found[name]) for found in (current, other) if name in found)
        bounds.append(f"{name}>={known[0].public},<={known[-1].public}")
    return bounds


def _preferred(start: Start, part: Mapping[str, str]) -> dict[str, str]:
    """Preferred versions: those of ``start``, or else of the other lock."""
    known = {**versions_of(start.other), **versions_of(start.lock)}
    return {name: version for name, version in known.items() if name not in part}


def _moved(lock: Lock, start: Start, fixed: Collection[str]) -> list[str]:
    """Names of either lock that change from ``start`` and are not fixed."""
    found, was = versions_of(lock), versions_of(start.lock)
    known = was.keys() | versions_of(start.other).keys()
    return sorted(name for name in known if name not in fixed and found.get(name) != was.get(name))


def _with_known_files(lock: Lock, start: Start, part: Collection[str]) -> Lock:
    """The lock with the files of the two locks for equal versions, so that equal sets have equal locks."""
    current, other = _files_of(start.lock), _files_of(start.other)
    files = []
    for found in lock.distributions:
        order = (other, current) if found.name in part else (current, other)
        known = (each[found.name] for each in order if found.name in each)
        files.append(next((each for each in known if each.version == found.version), found))
    cell = Cell(id=TRIAL, axes={}, requirements=(), python=lock.python)
    return make_lock(cell, platform_tag(), lock.inputs, distributions=tuple(files))


def _files_of(lock: Lock) -> dict[str, Distribution]:
    return {found.name: found for found in lock.distributions}
