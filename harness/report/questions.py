"""The answers to the questions of a run, and what is under test, as every rendering shows them."""

from __future__ import annotations

import re
import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.cell.interface import DEFAULT_EMBEDDER, QUESTIONS, SHIPPED, check_of
from harness.judge.cost_verdict import describe_rise, list_regressed
from harness.judge.red_cases import generalize
from harness.records import BASELINE, CANDIDATE
from harness.report.escape import without_texts
from harness.report.latency_view import read_scenario, right_rows, show_ratio

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.records import Answer, Answered, CellVerdict, Finding, Gate, Run, Service

_NAMES = {path: f"the {name} normalizer of the harness" for name, path in SHIPPED.items()}


def describe_service(service: Service | None) -> str:
    """What is under test: ``service.embed:Embedder, normalizer service.norm:to_unit, float32``."""
    if service is None:
        return "the service is not recorded: the run is of an earlier version"
    batch = f"batch {service.batch}" if service.batch else ""
    corpus = f"corpus {service.corpus}" if service.corpus else ""
    model = f"model {service.model}" if service.model else ""
    return ", ".join(filter(None, (*_describe_code(service), *service.dtypes, batch, corpus, model)))


def describe_baseline(run: Run) -> str:
    """The versions of the baseline of a sweep: ``openvino 2026.4.1, numpy 1.26.2``; empty without one."""
    axes = next((each.cell.axes for each in run.plan.cells if each.cell.id == run.plan.baseline), {})
    return ", ".join(f"{axis} {version}" for axis, version in axes.items())


def _describe_code(service: Service) -> tuple[str, ...]:
    """The code under test: a service, two for queries and documents, or embedder and normalizer."""
    if service.is_whole:
        two = f"queries by {service.query}, documents by {service.document}"
        return (
            f"service {service.service}" if service.service else two,
            "" if service.normalized else "not normalized",
        )
    shipped = service.embedder == DEFAULT_EMBEDDER
    embedder = "the embedder of the harness" if shipped else service.embedder
    return embedder, _NAMES.get(service.normalizer, f"normalizer {service.normalizer}")


@dataclass(frozen=True)
class QuestionRow:
    """A question, its answers in the cells of a run, and the first fault or the number behind the answer.

    ``measured`` is shown in place of an answer: a range, where a sweep sets no limit.
    """

    title: str
    counts: tuple[tuple[Answered, int], ...]
    because: str
    measured: str = ""

    @property
    def answer(self) -> Answered:
        """The worst answer of a cell."""
        return self.counts[0][0]

    def show(self) -> str:
        """The answer, with the number of cells where they differ: ``no in 2, yes in 18``."""
        if self.measured:
            return self.measured
        if len(self.counts) == 1:
            return self.answer
        return ", ".join(f"{answer} in {count}" for answer, count in self.counts)


def count_wrong(run: Run) -> tuple[int, int]:
    """The number of cells that return wrong vectors, known or not, and of those that were asked."""
    asked = [cell.usable for cell in run.judgement.cells if cell.answers]
    return asked.count(False), len(asked)


_WORST_FIRST: tuple[Answered, ...] = ("no", "not measured", "yes", "not asked")


def list_questions(run: Run) -> list[QuestionRow]:
    """The questions that the cells of a sweep were asked, in order, each with its answers."""
    rows = _list(run.judgement.cells, run.plan.baseline)
    return [*rows, _measure_cost(run)] if rows else []


def _measure_cost(run: Run) -> QuestionRow:
    """The range of the latency of the service over the cells; a sweep has no limits, so it has no answer."""
    title = QUESTIONS["cost"]
    if not run.plan.scenarios:
        return QuestionRow(title, (("not asked", 1),), "")
    served = _served_scenarios(run)
    rows = [
        row
        for row in right_rows(run)
        if row.ratio is not None and row.cell != run.plan.baseline and row.scenario in served
    ]
    if not rows:
        because = "no cell has a latency to compare with that of the baseline"
        return QuestionRow(title, (("not measured", 1),), because)
    ratios = [row.ratio for row in rows if row.ratio is not None]
    floor = max((row.floor for row in rows if row.floor is not None), default=None)
    noise = "no A/A arm, so noise is unknown" if floor is None else f"noise floor {floor:.2f}"
    cells = len({row.cell for row in rows})
    return QuestionRow(
        title,
        (("not asked", cells),),
        f"of the latency of the baseline ({noise}), {cells} cell{'' if cells == 1 else 's'}; no limit is set",
        measured=f"{show_ratio(min(ratios))} to {show_ratio(max(ratios))}",
    )


def range_of_cost(run: Run) -> dict[str, float]:
    """Cell -> the latency of a text to its vector as a ratio to the baseline, the median over the batches.

    Cells whose embeddings differ from those of the baseline have none, nor has the baseline itself.
    """
    served = {
        name
        for name in _served_scenarios(run)
        if (scenario := read_scenario(name)) is not None and scenario.kind == "embed"
    }
    ratios: dict[str, list[float]] = defaultdict(list)
    for row in right_rows(run):
        if row.ratio is not None and row.cell != run.plan.baseline and row.scenario in served:
            ratios[row.cell].append(row.ratio)
    return {cell: statistics.median(found) for cell, found in ratios.items()}


def _served_scenarios(run: Run) -> set[str]:
    """The timed scenarios of what is served: the embedder, and the normalizer under test."""
    found = {each.id: read_scenario(each.id) for each in run.plan.scenarios}
    targets = {each.target for each in found.values() if each is not None}
    own = "subject" if "subject" in targets else "manual"
    return {name for name, each in found.items() if each is not None and each.target in {own, "openvino"}}


def _list(cells: Sequence[CellVerdict], baseline: str | None) -> list[QuestionRow]:
    rows = []
    for question, title in QUESTIONS.items():
        found = [
            each
            for cell in cells
            for each in cell.answers
            if each.question == question and (each.answer != "not asked" or cell.cell != baseline)
        ]  # the baseline is not compared with itself
        counts = Counter(each.answer for each in found)
        if set(counts) - {"not asked"}:
            first = min(found, key=lambda each: (_WORST_FIRST.index(each.answer), -each.cases))
            ordered = tuple((each, counts[each]) for each in _WORST_FIRST if counts[each])
            before = next((cell for cell in cells if cell.cell == baseline), None)
            remark = _describe_remarks(found, before, question)
            rows.append(QuestionRow(title, ordered, _join(remark, first.because)))
    because = tell_once([row.because for row in rows])
    return [replace(row, because=without_texts(text)) for row, text in zip(rows, because, strict=True)]


_COUNT = re.compile(r" \(\d+ cases?[^()]*\)$")


def tell_once(because: Sequence[str]) -> list[str]:
    """The reasons of answers; cases with the exception of an earlier answer are only counted."""
    told, texts = set(), []
    for text in because:
        reason, count = generalize(_COUNT.sub("", text)), _COUNT.search(text)
        texts.append(f"the same reason{count[0]}" if reason in told and count else text)
        told.add(reason)
    return texts


def _join(*parts: str) -> str:
    return "; ".join(filter(None, parts))


def _describe_remarks(found: Sequence[Answer], before: CellVerdict | None, question: str) -> str:
    """The remarks of cells on a question with the number of cells; ``now`` if the baseline has another."""
    usual = (
        next((each.remark for each in before.answers if each.question == question), "") if before else None
    )
    counts = Counter(each.remark for each in found if each.remark)
    return _join(
        *(
            _tell(remark, usual) + (f" (in {count} of {len(found)} cells)" if count < len(found) else "")
            for remark, count in counts.items()
        )
    )


def _tell(remark: str, before: str | None) -> str:
    """A remark, as something new unless it is that of the baseline, or no baseline was asked."""
    return remark if not remark or before is None or remark == before else f"now {remark}"


@dataclass(frozen=True)
class LimitRow:
    """Limits of one margin: the checks and the number of cells that have them."""

    margin: str
    checks: tuple[str, ...]
    cells: int


def list_limits(findings: Iterable[Finding]) -> list[LimitRow]:
    """Group the limits among findings by normalizer and margin, which differs in its last digits only.

    The margin of the first cell stands for those of the others.
    """
    grouped: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for each in findings:
        if each.outcome == "limit":
            _, *values = each.check.split("/")
            side, *_ = each.margin.partition(" at ")
            grouped["/".join(values[-2:]), side + _side(each.margin)].append(each)
    return [
        LimitRow(
            margin=f"{values}: {found[0].margin}",
            checks=tuple(dict.fromkeys(check_of(each.check) for each in found)),
            cells=len({each.cell for each in found}),
        )
        for (values, _), found in grouped.items()
    ]


def _side(margin: str) -> str:
    return "large" if "reach" in margin else "small"


@dataclass(frozen=True)
class GateQuestion:
    """A question of a gate with its answers in both environments; ``because`` is that of the candidate."""

    title: str
    baseline: str
    candidate: str
    because: str


def list_gate_questions(gate: Gate) -> list[GateQuestion]:
    """The questions of a gate in order; latency and memory have one answer for both environments."""
    answers = {cell.cell: {each.question: each for each in cell.answers} for cell in gate.decision.cells}
    before, after = answers.get(BASELINE, {}), answers.get(CANDIDATE, {})
    rows = [
        GateQuestion(
            title,
            _show(before.get(question)),
            _show(after.get(question)),
            _join(
                _tell(after[question].remark, before[question].remark if question in before else None),
                after[question].because,
            ),
        )
        for question, title in QUESTIONS.items()
        if question in after and {_show(before.get(question)), _show(after[question])} != {"not asked"}
    ]
    because = tell_once([row.because for row in rows])
    rows = [replace(row, because=without_texts(text)) for row, text in zip(rows, because, strict=True)]
    cost = _answer_cost(gate)
    return [*rows, GateQuestion(QUESTIONS["cost"], "", *cost)] if rows else []


def _show(answer: Answer | None) -> str:
    return "not asked" if answer is None else answer.answer


def _answer_cost(gate: Gate) -> tuple[str, str]:
    if gate.speed is None:
        return "not asked", ""
    outcomes = Counter(each.outcome for each in gate.speed.quantities)
    counted = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
    if risen := list_regressed(gate.speed):
        above = f"{len(risen)} of {outcomes.total()} quantities above their limits"
        return "no", f"{describe_rise(risen[0])}; {above}"
    return ("yes" if set(outcomes) == {"passed"} else "not measured"), counted
