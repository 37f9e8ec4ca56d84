"""Samples of decided gates; ``text`` is inserted wherever packages and users can write."""

from __future__ import annotations

from typing import Any

import msgspec
from support.runs import seen

from harness.records import (
    Culprit,
    Decision,
    Finding,
    FurtherChange,
    FurtherChanges,
    Gate,
    Interval,
    LeftOut,
    LockChange,
    LockDiff,
    Quantity,
    QuantityDecision,
    Question,
    ReleaseSearch,
    ReleaseTrial,
    Service,
    Speed,
    Trial,
)

REPLACE = msgspec.structs.replace

EVIL = (
    "|`</code>\n::set-output::x\n/close\n```\n<!-- --> <b>@team</b> [a](https://a.example) "
    "]]> \x1b[2J ##[command]x GH-123 a5c3785ed8d6a35868bc169f07e40e889087fd2e"
)

NUMPY = LockChange(name="numpy", kind="changed", asked=True, before="1.26.2", after="2.4.6")


def finding(check: str = "l0.zero/manual", **changes: Any) -> Finding:
    values: dict[str, Any] = {
        "cell": "candidate",
        "check": check,
        "layer": "L0",
        "outcome": "fail",
        "message": "9 ULP",
    }
    return Finding(**(values | {"advice": "Keep the eps.", "observation": seen(9.0)} | changes))


def interval(ratio: float, width: float = 0.01) -> Interval:
    return Interval(low=ratio - width, ratio=ratio, high=ratio + width)


def quantity(name: str = "normalize.manual.float32.32", **changes: Any) -> QuantityDecision:
    """A passed quantity, with ``changes``."""
    memory = name.startswith("memory")
    what = Quantity(
        id=name,
        group="embedding" if "embed" in name else "normalizer",
        unit="B" if memory else "s",
        threshold=1.1 if memory else 1.05,
    )
    values: dict[str, Any] = {
        "quantity": what,
        "outcome": "passed",
        "baseline": 312e6 if memory else 12.3e-6,
        "candidate": 315e6 if memory else 12.4e-6,
        "change": interval(1.01),
        "control": interval(1.0, 0.005),
        "blocks": 20,
    }
    return QuantityDecision(**(values | changes))


def make_speed(text: str = "") -> Speed:
    """One quantity of each outcome, and one of memory."""
    return Speed(
        quantities=(
            quantity("normalize.manual.float16.1"),
            quantity(candidate=14.8e-6, change=interval(1.203, 0.02), outcome="regressed"),
            quantity("normalize.manual.float32.4096", change=interval(1.04, 0.02), outcome="undecided"),
            quantity("embed.openvino.float32.1", control=interval(0.9), outcome="control-failed"),
            quantity(
                "embed.openvino.float32.32",
                baseline=None,
                candidate=None,
                change=None,
                control=None,
                blocks=0,
                because=f"the process ended{text}",
                outcome="unmeasured",
            ),
            quantity("memory.normalizer"),
        ),
        confidence=0.99,
        spent=492.0,
        budget=600.0,
        looks=3,
    )


def make_culprit(text: str = "") -> Culprit:
    """NumPy alone is the cause, since 2.0.0."""
    hub = LockChange(name="hub", kind="changed", asked=False, before=f"1{text}", after=f"2{text}")
    return Culprit(
        sentence="numpy alone does it",
        looked_for=(f"l0.zero/manual{text}",),
        changes=(NUMPY,),
        dragged=(hub,),
        alone="red",
        without="green",
        releases=(
            ReleaseSearch(
                name="numpy",
                last_good="1.26.4",
                first_bad="2.0.0",
                skipped=(f"2.0.0rc1{text}",),
                releases=12,
                tried=(
                    ReleaseTrial(version="2.0.0", outcome="red"),
                    ReleaseTrial(version=f"2.0.0rc1{text}", outcome="unresolved", because=f"no wheel{text}"),
                ),
            ),
        ),
        trials=(
            Trial(applied=("numpy",), moved=(NUMPY, hub), outcome="red"),
            Trial(applied=(f"hub{text}",), outcome="green", because=f"fine{text}"),
        ),
    )


def make_question(text: str = "", **changes: Any) -> Question:
    hub = LockChange(name=f"hub{text}", kind="added", asked=False, after=f"2{text}")
    values: dict[str, Any] = {
        "baseline": f"base{text}",
        "candidate": "base with numpy==2.4.6",
        "arguments": ("numpy==2.4.6", "--from", f"a b{text}.txt"),
        "diff": LockDiff(changes=(NUMPY, hub), unchanged=40),
        "left_out": (LeftOut(file=f"a{text}.txt", name=f"flask{text}", reason="not needed"),),
        "notes": (f"a note{text}",),
        "service": Service(
            embedder=f"service.embed:Embedder{text}",
            normalizer="harness.cell.normalizers:stable",
            model="m",
            dtypes=("float32",),
        ),
    }
    return Question(**(values | changes))


def make_further(text: str = "") -> FurtherChanges:
    change = FurtherChange(name="openvino", held=f"openvino==1{text}", lowest="2", newest=f"3{text}")
    return FurtherChanges(changes=(change,), smallest=True, calls=3)


def make_gate(text: str = "", **changes: Any) -> Gate:
    """A gate that failed correctness and speed, with content in every field."""
    decision = Decision(
        verdict="regressed",
        sentence="1 case is newly red in the candidate, in L0",
        because=f"l0.zero/manual: 9 ULP{text}",
        new=(finding(message=f"9 ULP{text}"),),
        before=(finding("l0.old", message=f"7 ULP{text}"),),
        gone=(finding("l0.gone", cell="baseline", message=text),),
        known=(finding("l0.known", outcome="xfail", expectation="known", message=text),),
        unchecked=(finding("l0.skipped", outcome="skip", message=f"no kernel{text}"),),
    )
    values: dict[str, Any] = {
        "run": "run-1",
        "matrix": "compat",
        "created": "2026-11-22T20:00:00+00:00",
        "question": make_question(text, further=make_further(text)),
        "decision": decision,
        "speed": make_speed(text),
        "culprit": make_culprit(text),
        "judged": ("correctness", "latency", "memory"),
    }
    return Gate(**(values | changes))
