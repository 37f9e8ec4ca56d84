"""Seals: whether a result that lies in a folder is still the one that the controller received.

A seal stands beside a file and holds its sha256 and a keyed digest (HMAC) of that and of the name under which
the file was written; the key lies outside of store and reports, in the state folder of the user, readable by
the user alone. It tells edits, exchanged files, damaged disks, and whatever a cell writes into the store or
into the folder of a run. It does not stop a process that looks for the key on purpose: cells run as the same
user and can read what the controller can read.
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
"""``foreign``: whole, by what somebody with another key says of it."""

FAULTS: dict[State, str] = {
    "whole": "",
    "unsealed": "it has no seal, so nothing says that it is what was measured",
    "foreign": "it was sealed with another key than the one of this user",
    "changed": "it is not what was written: its seal differs",
}
"""What is wrong with a file in this state."""

_BYTES = 32


class _Seal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sha256: str
    key: str  # tells keys apart, and tells nothing of the key
    mac: str


@dataclass(frozen=True)
class Sealer:
    """Seals files with a key, and looks at seals."""

    key: bytes

    def seal(self, path: Path, name: str) -> None:
        """Seal a file that was just written; ``name`` says what it is, wherever its folder lies.

        Raises:
            OSError: no room, no permission.
        """
        write_whole(_place_of(path), msgspec.json.encode(self._make(hash_file(path), name)))

    def look(self, path: Path, name: str) -> State:
        """The state of a file that should be the one called ``name``.

        Raises:
            OSError: it cannot be read.
        """
        try:
            found = msgspec.json.decode(_place_of(path).read_bytes(), type=_Seal)
        except FileNotFoundError:
            return "unsealed"
        except (OSError, msgspec.DecodeError):
            return "changed"
        due = self._make(hash_file(path), name)
        if found.sha256 != due.sha256:
            return "changed"
        if found.key != due.key:
            return "foreign"
        return "whole" if hmac.compare_digest(found.mac.encode(), due.mac.encode()) else "changed"

    def _make(self, sha256: str, name: str) -> _Seal:
        mac = hmac.new(self.key, f"{name}\0{sha256}".encode(), hashlib.sha256)
        return _Seal(sha256, hashlib.sha256(b"key\0" + self.key).hexdigest()[:16], mac.hexdigest())


def _place_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.seal")


def load_sealer(path: Path | None = None) -> Sealer:
    """The sealer of this user, whose key is made when there is none.

    Where there can be no key, one for this process alone: nothing of an earlier one is believed then.
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
    """Make it under another name first: of several processes at once, all get the key of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing_file(path.parent) as (descriptor, made):  # readable by the user alone
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(secrets.token_bytes(_BYTES))
        if path.exists():  # it is cut off
            path.unlink()
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(made)
    return _read_key(path)
