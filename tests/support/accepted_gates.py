"""Gates over the real catalogue with acknowledgements."""

from __future__ import annotations

from typing import Any

from support.gate_samples import REPLACE
from support.pages import make_compared, make_cost
from support.services import CHECKS, Change

from harness.judge.acknowledgement import decide_acknowledged
from harness.records import (
    Acknowledgement,
    Acknowledgements,
    Confirmation,
    Culprit,
    Disregarded,
    Gate,
    LockChange,
    LockDiff,
    Run,
    Speed,
)

SLOWER = make_cost(slower=True)
SLOW = "embed.openvino.float32.1"
"""The quantity that is slower there."""


def accept(question: str, subject: str, **changes: Any) -> Acknowledgement:
    values = {"reason": "the index is built anew", "author": "alice"}
    return Acknowledgement(question=question, subject=subject, **(values | changes))


def make_accepted(
    *lines: Acknowledgement,
    candidate: Change,
    baseline: Change = lambda _: None,
    speed: Speed | None = None,
    culprit: Culprit | None = None,
    changes: tuple[LockChange, ...] | None = None,
    disregarded: tuple[Disregarded, ...] = (),
    confirmations: tuple[Confirmation, ...] = (),
) -> tuple[Gate, Run]:
    """A gate that is decided with these lines, and its run."""
    gate, run = make_compared(candidate, baseline, speed=speed, culprit=culprit)
    question = REPLACE(
        gate.question,
        acknowledgements=Acknowledgements(counted=lines, disregarded=disregarded),
        diff=gate.question.diff if changes is None else LockDiff(changes=changes),
    )
    decision = decide_acknowledged(
        run.judgement,
        speed,
        question,
        culprit,
        accept_known=False,
        confirmations=confirmations,
        checks=tuple(CHECKS),
    )
    return REPLACE(gate, question=question, decision=decision), run
