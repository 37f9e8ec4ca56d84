"""The baseline's twin: the same distributions in files of their own, as those of a real candidate are.

Baseline and A/A arm run from one folder; what an upgrade brings does not. That alone can make it slower: the
same NumPy in another folder took up to 1.10 times as long (see ``harness.cell.turns``). A proof whose arms
all share one folder would never see that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec

from harness.errors import MachineError
from harness.records import PlannedCell
from harness.resolve.pip_settings import IndexSettings
from harness.store.environments import Say
from harness.store.models import make_environments, make_installer
from harness.sweep.run_sweep import Request

_COPY = ("UV_LINK_MODE", "copy")


def name_twin(planned: PlannedCell) -> PlannedCell:
    """The same cell under a digest of its own, by which the store knows environments and models."""
    digest = hashlib.sha256(f"twin of {planned.lock.digest}".encode()).hexdigest()
    return msgspec.structs.replace(planned, lock=msgspec.structs.replace(planned.lock, digest=digest))


async def make_twin(planned: PlannedCell, request: Request, settings: IndexSettings, say: Say) -> None:
    """Make the environment of a twin, if need be, by copying instead of linking.

    Raises:
        StoreError: it cannot be made.
        MachineError: it shares files with another one nevertheless.
    """
    installer = make_installer(settings, downloads=request.python_downloads)
    copying = replace(installer, variables=(*installer.variables, _COPY))
    async with make_environments(request.store, copying).use(planned.cell, planned.lock, say) as python:
        shared = next(find_shared(python.parents[1]), None)
    if shared is not None:
        raise MachineError(
            f"{shared}: shared with another environment, so it is no twin; remove {python.parents[1]}"
        )


def find_shared(environment: Path) -> Iterator[Path]:
    """The files that lie in another folder too; bytecode aside, which any process may write."""
    for path in environment.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.suffix != ".pyc" and path.stat().st_nlink > 1:
            yield path
