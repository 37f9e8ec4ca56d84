"""The cell's end of the channel to the controller: JSON lines over an inherited socket.

Standard library only. The messages are declared in ``harness.sweep.protocol``; without a controller (the
suite run by hand) everything sent is dropped and every turn is granted at once.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
from typing import Any, Dict, Optional, TextIO

from harness.cell.interface import CHANNEL_VARIABLE

_PR_SET_PDEATHSIG = 1


class ChannelClosedError(Exception):
    """The controller is gone; there is nobody to measure for."""


def _end_with_controller() -> None:
    """Let the kernel end this process with the controller, also where that is killed (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Channel:
    """Sends events and waits for commands."""

    def __init__(self, descriptor: Optional[int]) -> None:
        self._socket = None if descriptor is None else socket.socket(fileno=descriptor)
        self._lines: Optional[TextIO] = (
            None if self._socket is None else self._socket.makefile("r", encoding="utf-8")
        )

    @classmethod
    def inherited(cls) -> Channel:
        """The channel named in the environment, closed to the processes that this one starts."""
        named = os.environ.pop(CHANNEL_VARIABLE, None)
        if named is None:
            return cls(None)
        os.set_inheritable(int(named), False)  # noqa: FBT003 - takes no keyword
        _end_with_controller()
        return cls(int(named))

    @property
    def attended(self) -> bool:
        """Whether a controller listens."""
        return self._socket is not None

    def send(self, event: str, **fields: Any) -> None:
        """Send one event; fields must be JSON, numbers finite (``allow_nan`` is off on purpose)."""
        if self._socket is not None:
            line = json.dumps({"event": event, **fields}, allow_nan=False)
            self._socket.sendall(line.encode("utf-8") + b"\n")

    def wait(self, command: str) -> Dict[str, Any]:
        """Block until the controller says ``command`` and return its fields.

        Raises:
            ChannelClosedError: the controller closed the channel.
            RuntimeError: it said something else.
        """
        said = self.wait_any()
        if said.get("command") != command:
            raise RuntimeError(f"the controller said {said!r}, but {command!r} was due")
        return said

    def wait_any(self) -> Dict[str, Any]:
        """Block until the controller says anything and return it, ``command`` included."""
        if self._lines is None:
            raise RuntimeError("nobody to wait for: this process has no controller")
        line = self._lines.readline()
        if not line.endswith("\n"):
            raise ChannelClosedError("the controller closed the channel")
        said: Dict[str, Any] = json.loads(line)
        return said
