"""Faults planted in sentence-transformers 3.3.1: what a bad release of the reference could do to a cell.

Each becomes a wheel ``3.3.1.post1+<name>``. No requirement on 3.3.1 is satisfied by it (``==3.3.1`` would
take ``3.3.1+<name>``), so that the baseline beside it in the matrix stays the release.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from planted.wheels import Patch, repack, replacing, starting_with

from harness.resolve.pip_settings import read_pip_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

DISTRIBUTION = "sentence-transformers"
RELEASE = "3.3.1"
FIRST = "sentence_transformers/__init__.py"
UTIL = "sentence_transformers/util.py"
MODULE = "sentence_transformers/models/Normalize.py"
ENCODE = "sentence_transformers/SentenceTransformer.py"

NORMALIZE = "torch.nn.functional.normalize(embeddings, p=2, dim=1)"
ORPHAN = "planted-orphan"
"""In the command line of a process that the fault ``leaves`` leaves behind."""

PRINTS = """
import os, sys
print("Traceback (most recent call last):")
print('{"event": "finished", "peak_rss": 0}')
print("\\x1b[2J", end="", file=sys.stderr)
os.write(1, bytes(range(256)) * 400)
os.write(2, b'{"event": "case"' * 4000)
"""

EATS = """
import time
hoard = []
for _ in range(96):  # 6 GiB at most, so that a harness without a limit harms nobody
    hoard.append(bytearray(b"x") * (64 << 20))
    time.sleep(0.05)
"""

HANGS = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
while True:
    time.sleep(60)
"""

CRASHES = """
import ctypes
ctypes.string_at(0)
"""

LEAVES = f"""
import os, sys
for descriptor in range(3, 64):
    try:
        os.write(descriptor, b'{{"event": "case", "resu')
    except OSError:
        pass
if os.fork() == 0:
    import time
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(300)", "{ORPHAN}"])
    time.sleep(300)  # keeps every descriptor open, the channel among them
os._exit(0)
"""
"""Half a result on the channel, two processes left running, exit code 0."""

FAULTS: Mapping[str, Mapping[str, Patch]] = {
    # wrong numbers
    "noeps": {UTIL: replacing(NORMALIZE, "embeddings / embeddings.norm(p=2, dim=1, keepdim=True)")},
    "axis": {path: replacing("p=2, dim=1)", "p=2, dim=0)") for path in (UTIL, MODULE, ENCODE)},
    "float64": {
        UTIL: replacing(NORMALIZE, f"{NORMALIZE}.double()"),
        FIRST: replacing("3.3.1.post1+float64", "3.3.0"),  # and it lies about its version
    },
    # wrong manners
    "prints": {FIRST: starting_with(PRINTS)},
    "misses": {FIRST: starting_with("import a_module_that_nobody_wrote")},
    "crashes": {FIRST: starting_with(CRASHES)},
    "hangs": {FIRST: starting_with(HANGS)},
    "eats": {FIRST: starting_with(EATS)},
    "leaves": {FIRST: starting_with(LEAVES)},
}


def version_of(fault: str) -> str:
    """Say the version of the wheel with this fault."""
    return f"{RELEASE}.post1+{fault}"


def plant(folder: Path, *faults: str) -> None:
    """Make wheels with these faults in a folder of links, from the release that uv installs beside it."""
    release = folder.with_name(f"{folder.name}-release")
    settings = asyncio.run(read_pip_settings())  # a machine that is set up for pip is set up for this
    command = (sys.executable, "-m", "uv", "pip", "install", "--quiet", *settings.install_arguments())
    target = ("--target", str(release), "--no-deps", f"{DISTRIBUTION}=={RELEASE}")
    subprocess.run([*command, *target], check=True, env=os.environ | settings.environment())
    for fault in faults:
        version = version_of(fault)
        patches = dict(FAULTS[fault])
        first = patches.get(FIRST, str)
        says = replacing(f'__version__ = "{RELEASE}"', f'__version__ = "{version}"')
        patches[FIRST] = _both(says, first)
        repack(release, DISTRIBUTION, version, patches, folder)


def _both(first: Patch, second: Patch) -> Patch:
    return lambda text: second(first(text))
