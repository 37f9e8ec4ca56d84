"""The channel of a cell to the controller: JSON lines over an inherited socket.

Standard library only. ``harness.sweep.protocol`` declares the messages. Without a controller (the suite
run by hand) sent messages are discarded and every turn is granted at once.
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
    """The controller has closed the channel."""


def _end_with_controller() -> None:
    """Let the kernel end this process when the controller ends, even if it is killed (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Channel:
    """Connection that sends events and waits for commands."""

    def __init__(self, descriptor: Optional[int]) -> None:
        self._socket = None if descriptor is None else socket.socket(fileno=descriptor)
        self._lines: Optional[TextIO] = (
            None if self._socket is None else self._socket.makefile("r", encoding="utf-8")
        )

    @classmethod
    def inherited(cls) -> Channel:
        """Open the channel named in the environment; child processes do not inherit it."""
        named = os.environ.pop(CHANNEL_VARIABLE, None)
        if named is None:
            return cls(None)
        os.set_inheritable(int(named), False)  # noqa: FBT003 - takes no keyword
        _end_with_controller()
        return cls(int(named))

    @property
    def connected(self) -> bool:
        """Whether there is a controller."""
        return self._socket is not None

    def send(self, event: str, **fields: Any) -> None:
        """Send one event; fields must be JSON with finite numbers."""
        if self._socket is not None:
            line = json.dumps({"event": event, **fields}, allow_nan=False)
            self._socket.sendall(line.encode("utf-8") + b"\n")

    def wait(self, command: str) -> Dict[str, Any]:
        """Wait for ``command`` and return its fields.

        Raises:
            ChannelClosedError: the controller closed the channel.
            RuntimeError: another command came.
        """
        received = self.wait_any()
        if received.get("command") != command:
            raise RuntimeError(f"unexpected command {received!r} while waiting for {command!r}")
        return received

    def wait_any(self) -> Dict[str, Any]:
        """Wait for any command and return its fields, ``command`` included."""
        if self._lines is None:
            raise RuntimeError("this process has no controller to wait for")
        line = self._lines.readline()
        if not line.endswith("\n"):
            raise ChannelClosedError("the controller closed the channel")
        received: Dict[str, Any] = json.loads(line)
        return received
