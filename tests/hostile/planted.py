"""Commands with a fault of one kind each, which the runner has to find; the plain ones are sound."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def sound() -> None:
    refuse("m.toml: title: this key is required")


def imported() -> None:
    """As a row sees it: the fork has no need to import the command line, which costs 0.35 s of CPU."""
    if "harness.cli.main" in sys.modules:
        sound()


def refuse(message: str) -> None:
    sys.stderr.write(f"harness: {message}\n")
    sys.exit(2)


def traceback() -> None:
    """As ``harness.cli.main.main`` prints one: with the right exit code and the right words."""
    sys.stderr.write("Traceback (most recent call last):\n  ...\n")
    sound()


def exception() -> None:
    raise RecursionError("m.toml: title: this key is required")


def passing() -> None:
    sys.stderr.write("m.toml: title: this key is required\n")


def riddle() -> None:
    refuse("m.toml: cannot be meant")


def leak() -> None:
    refuse("m.toml: title: this key is required; token hunter2")


def memory() -> None:
    held = bytearray(int(sys.argv[1]))
    refuse(f"m.toml: title: this key is required{held[:0].decode()}")


def loop() -> None:
    while True:
        pass


def hang() -> None:
    os.read(os.open("pipe", os.O_RDONLY), 1)


def loss() -> None:
    Path("m.toml").unlink()
    sound()


def picky() -> None:
    """As a parser may: sound but for a control character in the file."""
    if b"\0" in Path("m.toml").read_bytes():
        traceback()
    sound()


def silent() -> None:
    sys.exit(2)


def stray() -> None:
    sys.exit(17)


def flood() -> None:
    refuse(f"m.toml: title: {'x' * 100_000}")


def change() -> None:
    Path("m.toml").write_text("another text")
    sound()
