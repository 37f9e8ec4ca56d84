"""The records of a judgement, and of a whole run."""

from __future__ import annotations

from typing import Literal

from harness.records.plan import SCHEMA, CellStatus, Outcome, Plan, Record, Severity, Verdict
from harness.records.results import CellResult, Observation

Answered = Literal["yes", "no", "not measured", "not asked"]
"""``not measured``: a check that the answer needs has no result; ``not asked``: no check was planned."""


class Answer(Record, frozen=True, kw_only=True):
    """The answer of one cell to one of ``harness.cell.interface.QUESTIONS``; yes is good.

    ``because`` is the number behind it, or the first fault; ``cases`` counts the measured cases of what is
    served, controls excluded; ``lacking`` those without a result that the answer needs. ``remark`` is what a
    library does with which the answer has to be read.
    """

    question: str
    answer: Answered
    because: str = ""
    cases: int = 0
    lacking: int = 0
    remark: str = ""


class Finding(Record, frozen=True, kw_only=True):
    """The judged outcome of one case in one cell.

    ``severity`` is that of a failure of this case in this cell; ``margin`` tells how far the embeddings are
    from the inputs of a limit.
    """

    cell: str
    check: str
    layer: str
    outcome: Outcome
    message: str = ""
    advice: str = ""
    expectation: str = ""  # the reason of the expectation that applied
    severity: Severity = "breaks"
    margin: str = ""
    observation: Observation | None = None


class CellVerdict(Record, frozen=True, kw_only=True):
    """One row of the final table: the status of a cell, its layers, and why it is red.

    ``divergent`` counts the expected divergences that the baseline does not have: such a cell is ``ok``, but
    an upgrade to it needs a review. Without a baseline, those that not all cells have.
    """

    cell: str
    status: CellStatus
    red: bool
    expected: str = ""  # the reason of the expectation that covers its status
    reason: str = ""
    advice: str = ""
    reused: bool = False
    divergent: int = 0
    answers: tuple[Answer, ...] = ()
    layers: dict[str, dict[str, int]] = {}  # layer -> outcome -> count

    @property
    def usable(self) -> bool | None:
        """Whether the cell serves right vectors, whatever was expected; None: not everything was measured."""
        asked = {each.answer for each in self.answers} - {"not asked"}
        if "no" in asked:
            return False
        return None if not asked or "not measured" in asked else True


class ClaimRow(Record, frozen=True, kw_only=True):
    """A documented claim in one cell: whether it holds, and the numbers that show it."""

    claim: str
    cell: str
    holds: bool | None  # None: could not be measured
    measured: str


class Claim(Record, frozen=True, kw_only=True):
    """A documented claim, judged in every cell."""

    id: str
    text: str
    rows: tuple[ClaimRow, ...]


class LatencyRow(Record, frozen=True, kw_only=True):
    """One scenario in one cell: p50 in seconds, ratio to the baseline and the noise floor of the session.

    ``ratio`` is exp(median of the paired log ratios) with its spread ``low``..``high`` (quartiles over the
    rounds). ``floor`` is the same measure of the A/A arm, as a factor >= 1: the largest of all scenarios that
    differ only in their batch size. ``wrong``: the embeddings are not those of the baseline.
    """

    cell: str
    scenario: str
    p50: float
    ratio: float | None
    low: float | None
    high: float | None
    floor: float | None
    rounds: int
    iterations: int
    wrong: bool = False


class Judgement(Record, frozen=True, kw_only=True):
    """A judged run: the verdict and its evidence."""

    schema: int = SCHEMA
    verdict: Verdict
    sentence: str
    cells: tuple[CellVerdict, ...]
    findings: tuple[Finding, ...]
    stale_expectations: tuple[str, ...]
    claims: tuple[Claim, ...]
    latency: tuple[LatencyRow, ...]


class Run(Record, frozen=True, kw_only=True):
    """A whole run as it is written to ``results.json``: the plan, the results and the judgement."""

    schema: int = SCHEMA
    plan: Plan
    results: tuple[CellResult, ...]
    judgement: Judgement
    reused: tuple[str, ...] = ()
    seconds: dict[str, float] = {}
