"""Latency and memory: what is measured, and what is said of each quantity."""

from __future__ import annotations

from typing import Literal

from harness.records import Record


class Quantity(Record, frozen=True, kw_only=True):
    """One thing that the gate measures in both environments, and how much of a rise it lets pass.

    ``group`` tells which lean process measures it; ``unit`` is ``s`` (seconds a call, see ``Block``) or ``B``
    (peak resident memory of the process). ``threshold`` is a ratio, above 1.
    """

    id: str
    group: Literal["normalizer", "embedding"]
    unit: Literal["s", "B"]
    threshold: float


class Block(Record, frozen=True, kw_only=True):
    """One fresh process an arm, measured in turns in the same slices of time: quantity -> value, per arm.

    A latency of the baseline is the median of its rounds; of another arm it is that times how much longer it
    took in rounds that ran beside each other (see ``run.probing.effects``). A machine that is slow for a
    second falls into both, but moves the medians of the arms by their own luck: identical processes, the root
    mean square of the log of the ratio of medians against that of the median of ratios, 41 blocks: 0.062 and
    0.018 for one float32 row, 0.057 and 0.010 for 32 float16 rows, 0.031 and 0.019 for 4096 float32 rows.

    ``slots`` are the arms in the order in which their processes were started; it changes from block to block.
    ``seconds`` is what the block took, starting and ending of the processes included.
    """

    group: Literal["normalizer", "embedding"]
    number: int
    slots: tuple[str, ...]
    baseline: dict[str, float]
    again: dict[str, float]
    candidate: dict[str, float]
    seconds: float = 0.0


class VoidBlock(Record, frozen=True, kw_only=True):
    """A block of which nothing can be used: the values of its other processes are thrown away with it.

    ``arms`` are those that ended badly or could not measure, ``void`` is why. ``scenario`` is what could not
    be measured; empty where a process went wrong as a whole.
    """

    group: Literal["normalizer", "embedding"]
    number: int
    slots: tuple[str, ...]
    arms: tuple[str, ...]
    void: str
    scenario: str = ""
    seconds: float = 0.0


class Interval(Record, frozen=True, kw_only=True):
    """A ratio (1 is equal) with its confidence interval."""

    low: float
    ratio: float
    high: float


QuantityOutcome = Literal["passed", "regressed", "undecided", "control-failed", "unmeasured"]
"""``control-failed``: the A/A arm differs from itself, so nothing can be said of the candidate."""


class QuantityDecision(Record, frozen=True, kw_only=True):
    """What is said of one quantity, and what it rests on.

    ``baseline`` and ``candidate`` are medians over the processes, in the unit of the quantity. ``change``
    is the candidate over the geometric mean of the baseline and its A/A arm, ``control`` the A/A arm over the
    baseline, both paired process by process, with intervals of simultaneous ``confidence`` (over all
    quantities and all looks). ``blocks`` counts the processes an arm that were compared; ``left_out`` of them
    were not in the change, for there the baseline disagreed with itself.
    """

    quantity: Quantity
    outcome: QuantityOutcome
    baseline: float | None = None
    candidate: float | None = None
    change: Interval | None = None
    control: Interval | None = None
    blocks: int = 0
    left_out: int = 0
    because: str = ""  # why nothing could be measured


class Speed(Record, frozen=True, kw_only=True):
    """Latency and memory as the gate judged them; ``spent`` and ``budget`` in seconds.

    ``void`` are the blocks that could not be used. Too many of them leave quantities unmeasured: what is
    thrown away may well be what is slow.
    """

    quantities: tuple[QuantityDecision, ...]
    confidence: float
    spent: float
    budget: float
    looks: int = 0
    void: tuple[VoidBlock, ...] = ()
