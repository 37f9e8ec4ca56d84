"""Lock files: ``locks/<platform>/<matrix>/<cell>.txt`` in the folder of the matrix, readable by uv and pip.

The text of a lock is canonical: a file with another text is damaged or was edited by hand.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from packaging.markers import Environment
from packaging.pylock import (
    Package,
    PackageSdist,
    PackageWheel,
    Pylock,
    PylockSelectError,
    PylockUnsupportedVersionError,
    PylockValidationError,
)
from packaging.tags import Tag, compatible_tags, cpython_tags, platform_tags
from packaging.utils import BuildTag, parse_wheel_filename

from harness.errors import MachineError, UsageError
from harness.files import inside, write_whole
from harness.input_files import decode_text, read_input
from harness.matrix.read import describe_lock
from harness.matrix.schema import Matrix, Resolve
from harness.records import Cell, ChangeKind, Distribution, Lock, LockChange, LockDiff
from harness.resolve.packages import marker_environment

GLIBC = (2, 28)
"""Wheels for a newer glibc rank last, so that a lock from a new machine also works on an older one."""


def platform_tag() -> str:
    """The name of the running platform in ``matrices/locks``: ``linux-x86_64``, or ``linux-x86_64-musl``.

    Wheels for glibc do not run on musl (Alpine), so a lock of the one is none of the other.
    """
    libc = "-musl" if any(name.startswith("musllinux_") for name in platform_tags()) else ""
    return f"{sys.platform}-{platform.machine().lower()}{libc}"


def wheel_tags(python: str, platforms: Sequence[str] | None = None) -> tuple[Tag, ...]:
    """Every wheel tag that CPython ``python`` ("3.11" or "3.11.7") accepts here, the best first."""
    major, minor = (int(part) for part in python.split(".")[:2])
    known = list(platform_tags() if platforms is None else platforms)
    ordered = sorted(known, key=_needs_new_glibc)
    interpreter = f"cp{major}{minor}"
    return (
        *cpython_tags((major, minor), platforms=ordered),
        *compatible_tags((major, minor), interpreter, ordered),
    )


def _needs_new_glibc(name: str) -> bool:
    found = re.match(r"manylinux_(\d+)_(\d+)_", name)
    return found is not None and (int(found[1]), int(found[2])) > GLIBC


def distributions_of(
    document: Mapping[str, Any], tags: Sequence[Tag], python: str
) -> tuple[Distribution, ...]:
    """The distributions of a pylock document for ``python`` ("3.11") with these tags, sorted by name.

    Raises:
        MachineError: the document is invalid, or a package has no hashed file for these tags.
    """
    environment = cast("Environment", marker_environment(python))
    try:
        lock = Pylock.from_dict(document)
        newest = replace(lock, packages=[_order_builds(package) for package in lock.packages])
        chosen = list(newest.select(environment=environment, tags=tags))
    except PylockSelectError as error:
        raise MachineError(f"uv locked a package without a file for this platform: {error}") from None
    except (PylockValidationError, PylockUnsupportedVersionError) as error:
        raise MachineError(
            f"uv wrote an unexpected pylock file: {error}; is uv too old or too new?"
        ) from None
    chosen.sort(key=lambda pair: pair[0].name)
    return tuple(
        Distribution(name=package.name, version=str(package.version), sha256=(_file_hash(package, file),))
        for package, file in chosen
    )


def _order_builds(package: Package) -> Package:
    """The highest build number first: of wheels with equal tags the first is selected."""

    def build_of(wheel: PackageWheel) -> BuildTag:
        return parse_wheel_filename(wheel.filename)[2]

    return replace(package, wheels=sorted(package.wheels or (), key=build_of, reverse=True) or None)


def _file_hash(package: Package, file: object) -> str:
    found = file.hashes.get("sha256") if isinstance(file, PackageWheel | PackageSdist) else None
    if found is None:
        raise MachineError(
            f"uv locked {package.name} {package.version} without a hashed file for this platform"
        )
    return found


LOCK_SCHEMA = 1

_ADVICE = """\
# Every distribution of one cell, pinned and hashed, or why there is no such set. Made by `harness lock`
# (uv pip compile, wheels of this platform only); don't edit: change the matrix and lock it again.
"""
_MADE_BY = b"Made by `harness lock`"
_ENTRY = re.compile(r"([a-z0-9-]+)==(\S+)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n")


def locks_folder(matrix: Matrix, platform: str) -> Path:
    """The folder of the locks of a matrix for one platform.

    Raises:
        UsageError: the name of the matrix, or a link, leads out of the folder of locks.
    """
    return inside(matrix.folder / "locks" / platform, matrix.name, f"{matrix.path}: the name of the matrix")


def inputs_digest(cell: Cell, resolve: Resolve, platform: str) -> str:
    """The sha256 of the inputs of a lock; it changes when the lock becomes stale."""
    asked = {
        "schema": LOCK_SCHEMA,
        "platform": platform,
        "python": cell.python,
        "requirements": sorted(cell.requirements),
        "source": sorted(cell.source),
        "exclude-newer": None if resolve.exclude_newer is None else resolve.exclude_newer.isoformat(),
        "undated": sorted(resolve.undated),
        "torch": resolve.torch,
    }
    return _sha256(json.dumps(asked, sort_keys=True))


def make_lock(
    cell: Cell,
    platform: str,
    inputs: str,
    *,
    distributions: tuple[Distribution, ...] = (),
    reason: str = "",
) -> Lock:
    """Build a newly resolved lock with its digest."""
    return Lock(
        cell=cell.id,
        platform=platform,
        python=cell.python,
        inputs=inputs,
        origin="resolved",
        digest=lock_digest(platform, cell.python, distributions, reason),
        distributions=distributions,
        reason=reason,
    )


def lock_digest(platform: str, python: str, distributions: tuple[Distribution, ...], reason: str = "") -> str:
    """The sha256 of the canonical text of a lock: equal digests are equal environments."""
    return _sha256(f"{platform}\n{python}\n{requirements_text(distributions)}{reason}")


def requirements_text(distributions: tuple[Distribution, ...]) -> str:
    """The distributions as a requirements file, for ``uv pip sync --require-hashes``."""
    lines = []
    for found in sorted(distributions, key=lambda found: found.name):
        hashes = "".join(f" \\\n    --hash=sha256:{digest}" for digest in sorted(found.sha256))
        lines.append(f"{found.name}=={found.version}{hashes}\n")
    return "".join(lines)


def render_lock(lock: Lock) -> str:
    """The text of a lock file."""
    facts = {
        "schema": LOCK_SCHEMA,
        "cell": lock.cell,
        "platform": lock.platform,
        "python": lock.python,
        "inputs": lock.inputs,
        "digest": lock.digest,
    }
    body = f"\n{requirements_text(lock.distributions)}"
    head = _ADVICE + "".join(f"# {key}: {value}\n" for key, value in facts.items())
    return head + (f"# unsatisfiable: {lock.reason}\n" if lock.reason else body)


def write_lock(lock: Lock, path: Path) -> None:
    """Write a lock file atomically."""
    write_whole(path, render_lock(lock).encode())


def is_lock(path: Path) -> bool:
    """Whether a file is a lock of the harness, valid or damaged."""
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return _MADE_BY in file.read(1024)  # not the whole header: its wording may change


def read_lock(path: Path) -> Lock:
    """Read a lock file.

    Raises:
        UsageError: the file is missing, damaged, edited by hand, or of another schema version.
    """
    advice = f"run `{describe_lock(_matrix_of(path))}`"
    try:
        text = decode_text(read_input(path), path).replace("\r\n", "\n")  # as git checks out on Windows
    except UsageError as error:
        raise UsageError(f"{error}; {advice}") from None
    facts = dict(
        re.findall(r"^# (schema|cell|platform|python|inputs|digest|unsatisfiable): (.+)$", text, re.MULTILINE)
    )
    if missing := [
        key for key in ("schema", "cell", "platform", "python", "inputs", "digest") if key not in facts
    ]:
        raise UsageError(f"{path}: no lock file, or damaged: no {missing[0]} in its header; {advice}")
    if facts["schema"] != str(LOCK_SCHEMA):
        raise UsageError(f"{path}: expected lock schema {LOCK_SCHEMA}, found {facts['schema']}; {advice}")
    distributions = tuple(
        Distribution(name=name, version=version, sha256=tuple(re.findall(r"sha256:([0-9a-f]{64})", hashes)))
        for name, version, hashes in _ENTRY.findall(text)
    )
    reason = facts.get("unsatisfiable", "")
    lock = Lock(
        **{key: facts[key] for key in ("cell", "platform", "python", "inputs", "digest")},
        origin="committed",
        distributions=distributions,
        reason=reason,
    )
    digest = lock_digest(lock.platform, lock.python, distributions, reason)
    if twice := {each.name for each in distributions if [d.name for d in distributions].count(each.name) > 1}:
        raise UsageError(f"{path}: duplicate distribution {min(twice)}; {advice}")
    if render_lock(lock) != text or lock.digest != digest or bool(distributions) is bool(reason):
        raise UsageError(f"{path}: damaged or edited by hand: it does not match its digest; {advice}")
    return lock


def _matrix_of(path: Path) -> Path:
    """The matrix of a lock; ``locks/<platform>/<matrix>/<cell>.txt`` is relative to its folder."""
    folder = path.absolute().parent
    return folder.parent.parent.parent / f"{folder.name}.toml"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def diff_locks(before: Lock, after: Lock, asked: Collection[str], pinned: Collection[str] = ()) -> LockDiff:
    """The distributions that differ between two locks, direct changes first.

    ``asked`` holds the normalized names of direct changes, ``pinned`` those that only the file of the
    candidate requires.
    """
    old = {found.name: found for found in before.distributions}
    new = {found.name: found for found in after.distributions}
    changes = []
    for name in sorted(old.keys() | new.keys()):
        was, now = old.get(name), new.get(name)
        if was == now:
            continue
        kind: ChangeKind = "added" if was is None else "removed" if now is None else "changed"
        changes.append(
            LockChange(
                name=name,
                kind=kind,
                asked=name in asked,
                pinned=name in pinned,
                before="" if was is None else was.version,
                after="" if now is None else now.version,
            )
        )
    changes.sort(key=lambda change: not change.asked)  # stable: by name within each half
    return LockDiff(changes=tuple(changes), unchanged=len(old.keys() | new.keys()) - len(changes))
