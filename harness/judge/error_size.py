"""The likely cause of wrong vectors: the control of the same cell whose error is as large."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.records import Finding

CHECK, CONTROL = "l2.parity", "l2.control"

ALIKE = 3.0
"""Largest ratio of an error to that of a control of the same kind: other texts, other instructions."""

CAUSES = {
    "bfloat16-weights": "bfloat16 execution makes it: set INFERENCE_PRECISION_HINT to f32",
    "float16-weights": "weights stored in float16 make it: save the model with compress_to_fp16=False",
    "unmasked-pooling": "pooling without the attention mask makes it: leave padding out of the mean",
    "no-attention-mask": "a model without the attention mask makes it: pass the mask, and trace with it",
}
"""Fault of a control -> what makes an error of its size, and the remedy."""


def explain_sizes(findings: Sequence[Finding]) -> Iterator[Finding]:
    """The findings of a cell; wrong vectors as far off as those of a control have its remedy as advice."""
    controls = {
        (output, fault): each.observation.value
        for each in findings
        if each.check.startswith(f"{CONTROL}/") and each.observation is not None
        for _, output, fault in [each.check.split("/")]
        if each.observation.facts.get("control", fault) == fault  # else another one stands in for it
    }
    for each in findings:
        likely = _find_likely(each, controls)
        yield msgspec.structs.replace(each, advice=f"As large as {CAUSES[likely]}.") if likely else each


def _find_likely(finding: Finding, controls: dict[tuple[str, str], float | None]) -> str:
    """The fault of the nearest control; empty if none is alike, or the vectors are right."""
    check, *values = finding.check.split("/")
    seen = finding.observation
    if check != CHECK or finding.outcome != "fail" or seen is None or not seen.value or not values:
        return ""
    ratios = {
        fault: abs(math.log(seen.value / value))
        for (output, fault), value in controls.items()
        if output == values[-1] and value and fault in CAUSES
    }
    nearest = min(ratios, key=lambda fault: ratios[fault], default="")
    return nearest if nearest and ratios[nearest] <= math.log(ALIKE) else ""
