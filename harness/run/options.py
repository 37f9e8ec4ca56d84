"""What a sweep may use and how it goes about it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

GIB = 1024**3


@dataclass(frozen=True)
class Limits:
    """How long a cell process may take and how much it may use.

    Attributes:
        contract: seconds from its start to the end of its contract phase.
        setup: seconds to get a latency scenario ready.
        turn: seconds for one latency round.
        leave: seconds to exit after everything is done.
        memory: bytes resident, of the process and all that it started.
        log: bytes printed.
    """

    contract: float = 900.0
    setup: float = 300.0
    turn: float = 60.0
    leave: float = 30.0
    memory: int = 6 * GIB
    log: int = 64 * 1024**2


def count_cores() -> int:
    """How many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class Options:
    """How a sweep is run.

    Attributes:
        jobs: cells in their contract phase at once.
        makers: environments made at once; they wait for disk and network, not for cores.
        latency: whether latency is measured.
        fresh: results of runs that were cut off are not carried on with.
        rerun: no earlier result is used at all.
        limits: of each cell process.
        reserve: bytes of memory that stay free when processes wait for their latency turns.
        seed: of the order of turns.
    """

    jobs: int = field(default_factory=count_cores)
    makers: int = 2
    latency: bool = True
    fresh: bool = False
    rerun: bool = False
    limits: Limits = field(default_factory=Limits)
    reserve: int = GIB
    seed: int = 0
