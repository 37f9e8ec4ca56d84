"""Lock files: ``locks/<platform>/<matrix>/<cell>.txt`` beside the matrix, readable by uv and pip.

A lock is rendered in one way only: a file that reads otherwise is damaged, or was edited by hand.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from harness.errors import UsageError
from harness.files import inside, write_whole
from harness.plan.front_door import say_lock
from harness.plan.schema import Matrix, Resolve
from harness.reading import decode_text, read_input
from harness.records import Cell, Distribution, Lock

LOCK_SCHEMA = 1

_ADVICE = """\
# Every distribution of one cell, pinned and hashed, or why there is no such set. Made by `harness lock`
# (uv pip compile, wheels of this platform only); don't edit: change the matrix and lock it again.
"""
_MADE_BY = b"Made by `harness lock`"
_ENTRY = re.compile(r"([a-z0-9-]+)==(\S+)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n")


def locks_folder(matrix: Matrix, platform: str) -> Path:
    """Where the locks of a matrix lie for one platform.

    Raises:
        UsageError: the name of the matrix, or a link in its place, leads elsewhere.
    """
    return inside(matrix.folder / "locks" / platform, matrix.name, f"{matrix.path}: the name of the matrix")


def inputs_digest(cell: Cell, resolve: Resolve, platform: str) -> str:
    """The sha256 of what a lock was asked for; it changes when the lock is stale."""
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
    """A lock just resolved, with its digest."""
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
    """Write a lock file whole or not at all."""
    write_whole(path, render_lock(lock).encode())


def is_lock(path: Path) -> bool:
    """Whether a file is a lock that the harness wrote, sound or not."""
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return _MADE_BY in file.read(1024)  # not the whole text above: its wording may change


def read_lock(path: Path) -> Lock:
    """The lock in a file.

    Raises:
        UsageError: the file is missing, damaged, edited by hand, or of another schema.
    """
    advice = f"run `{say_lock(_matrix_of(path))}`"
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
        raise UsageError(f"{path}: no lock file, or damaged: no {missing[0]} in its head; {advice}")
    if facts["schema"] != str(LOCK_SCHEMA):
        raise UsageError(f"{path}: lock schema {facts['schema']}, not {LOCK_SCHEMA}; {advice}")
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
        raise UsageError(f"{path}: {min(twice)} is there twice; {advice}")
    if render_lock(lock) != text or lock.digest != digest or bool(distributions) is bool(reason):
        raise UsageError(f"{path}: damaged or edited by hand: it does not match its digest; {advice}")
    return lock


def _matrix_of(path: Path) -> Path:
    """The matrix that a lock belongs to; ``locks/<platform>/<matrix>/<cell>.txt`` lies beside its file."""
    folder = path.absolute().parent
    return folder.parent.parent.parent / f"{folder.name}.toml"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
