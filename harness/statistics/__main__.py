"""``python -m harness.statistics [REQUEST.json]``: a request in (or on stdin), intervals out, both JSON."""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np

from harness.gate_records import Interval
from harness.statistics.changes import Changes, SeriesRequest, find_changes
from harness.statistics.intervals import METHODS


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Samples of paired log ratios, and the confidence of each of their intervals."""

    samples: dict[str, tuple[float, ...]]
    confidence: Annotated[float, msgspec.Meta(gt=0, lt=1)]
    method: Literal["signed-rank", "t"] = "signed-rank"


class Answer(msgspec.Struct, frozen=True):
    """Ratios: exp of the ends on the log scale; a sample too small for its confidence has none."""

    intervals: dict[str, Interval]


class _Kind(msgspec.Struct, frozen=True):
    """What tells one kind of request from the other."""

    series: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


def estimate(request: Request) -> Answer:
    """Estimate all samples; those of one length at once.

    Raises:
        ValueError: the ratio of a sample is no finite number.
    """
    lengths: dict[int, list[str]] = defaultdict(list)
    for name, sample in request.samples.items():
        if sample:
            lengths[len(sample)].append(name)
    found: dict[str, Interval] = {}
    for names in lengths.values():
        logs = np.array([request.samples[name] for name in names], dtype=np.float64)
        with np.errstate(over="ignore"):  # told below, with the name
            ratios = np.exp(METHODS[request.method](logs, request.confidence))
        for name, (low, ratio, high) in zip(names, ratios, strict=True):
            if np.isnan([low, ratio, high]).any():
                continue
            if not np.isfinite([low, ratio, high]).all():
                raise ValueError(f"{name}: the ratio is no finite number")
            found[name] = Interval(low=float(low), ratio=float(ratio), high=float(high))
    return Answer(found)


def answer_request(raw: bytes) -> Answer | Changes:
    """Answer what is asked: of ``samples`` their intervals, of ``series`` how they changed.

    Raises:
        ValueError: it is no such request.
    """
    if msgspec.json.decode(raw, type=_Kind).series is not msgspec.UNSET:
        return find_changes(msgspec.json.decode(raw, type=SeriesRequest))
    return estimate(msgspec.json.decode(raw, type=Request))


def main(arguments: list[str]) -> int:
    """Answer one request; 0, or 2 with one line on stderr."""
    try:
        raw = Path(arguments[0]).read_bytes() if arguments else sys.stdin.buffer.read()
        answer = answer_request(raw)
    except (OSError, ValueError) as error:  # what msgspec raises is a ValueError
        sys.stderr.write(f"harness.statistics: {error}\n")
        return 2
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
