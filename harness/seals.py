"""Seals: detect whether a stored result has changed since the controller wrote it.

The seal of a file is a second file next to it with the sha256 and a keyed digest (HMAC) of sha256 and name.
The key lies outside of store and reports, in the state folder of the user, readable by the user alone. Seals
detect edits, exchanged files, damaged disks, and writes of a cell into the store or the folder of a run. They
do not stop a process that reads the key on purpose: cells run as the same user.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import platformdirs

from harness.files import hash_file, write_whole
from harness.held import writing_file

State = Literal["whole", "unsealed", "foreign", "changed"]
"""``foreign``: the sha256 matches, and the seal was made with another key."""

FAULTS: dict[State, str] = {
    "whole": "",
    "unsealed": "it has no seal, so its content cannot be verified",
    "foreign": "it was sealed with the key of another user",
    "changed": "its content has changed: it does not match its seal",
}
"""The fault of a file in each state."""

_BYTES = 32


class _Seal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sha256: str
    key: str  # a digest that identifies the key without revealing it
    mac: str


@dataclass(frozen=True)
class Sealer:
    """Seals files with a key, and checks seals."""

    key: bytes

    def seal(self, path: Path, name: str) -> None:
        """Seal a file that was just written; ``name`` identifies it independently of its folder.

        Raises:
            OSError: no room, no permission.
        """
        write_whole(_seal_path(path), msgspec.json.encode(self._make(hash_file(path), name)))

    def check(self, path: Path, name: str) -> State:
        """The state of a file that was sealed under ``name``.

        Raises:
            OSError: the file cannot be read.
        """
        try:
            found = msgspec.json.decode(_seal_path(path).read_bytes(), type=_Seal)
        except FileNotFoundError:
            return "unsealed"
        except (OSError, msgspec.DecodeError):
            return "changed"
        expected = self._make(hash_file(path), name)
        if found.sha256 != expected.sha256:
            return "changed"
        if found.key != expected.key:
            return "foreign"
        return "whole" if hmac.compare_digest(found.mac.encode(), expected.mac.encode()) else "changed"

    def _make(self, sha256: str, name: str) -> _Seal:
        mac = hmac.new(self.key, f"{name}\0{sha256}".encode(), hashlib.sha256)
        return _Seal(sha256, hashlib.sha256(b"key\0" + self.key).hexdigest()[:16], mac.hexdigest())


def _seal_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.seal")


def load_sealer(path: Path | None = None) -> Sealer:
    """The sealer of this user; the key is created at the first use.

    If no key can be stored, a key for this process alone is used, so earlier results do not verify.
    """
    path = path or Path(platformdirs.user_state_dir("embedding-parity-harness")) / "seal.key"
    with contextlib.suppress(OSError):
        key = _read_key(path) or _make_key(path)
        if key is not None:
            return Sealer(key)
    return Sealer(secrets.token_bytes(_BYTES))


def _read_key(path: Path) -> bytes | None:
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        return None
    return key if len(key) == _BYTES else None


def _make_key(path: Path) -> bytes | None:
    """Create the key atomically: concurrent processes all get the same one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing_file(path.parent) as (descriptor, made):  # with mode 0600
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(secrets.token_bytes(_BYTES))
        if path.exists():  # truncated: a complete key was read before
            path.unlink()
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(made)
    return _read_key(path)
