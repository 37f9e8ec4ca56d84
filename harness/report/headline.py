"""What a reader of a sweep has to know first: which combinations are right, where not, and what to do."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from harness.cell.interface import LAYERS, RECORDED_CHECK, check_of
from harness.report.coverage import describe_cause
from harness.report.escape import shorten
from harness.report.grid import CellNames, order_version
from harness.report.questions import count_wrong, range_of_cost
from harness.report.view import SignKind, findings_by_cell, planned_by_cell, results_by_cell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.records import CellStatus, CellVerdict, Finding, Run, Verdict

VERDICT_KINDS: dict[Verdict, SignKind] = {
    "pass": "pass",
    "failing, nothing new": "xfail",
    "failing": "red",
    "regressed": "red",
    "inconclusive": "missing",
    "unsatisfiable": "xfail",
    "error": "red",
}

EXIT_CODES: dict[Verdict, str] = {
    "pass": "exit code 0, nothing new",
    "failing, nothing new": "exit code 0, nothing new",
    "failing": "exit code 1",
    "regressed": "exit code 1",
    "inconclusive": "exit code 4",
    "unsatisfiable": "exit code 3",
    "error": "exit code 5",
}

PARITY_CHECK = "l2.parity"
"""The check of vectors against the reference, end to end."""

SYMPTOMS = {
    "before": "vectors differ",
    "reference": "vectors differ",
    "ranking": "ranking",
    "dtype": "dtype",
    "stability": "unstable",
}
"""Question -> a word for the answer no, that fits into a cell of the map."""

STATUS_WORDS: dict[CellStatus, str] = {
    "unsatisfiable": "no install",
    "install-error": "no install",
    "import-error": "no import",
    "crashed": "crash",
    "timed-out": "time-out",
    "missing": "not run",
}
"""Status of a cell that was not measured -> a word for it."""


def name_symptom(cell: CellVerdict, findings: Sequence[Finding]) -> str:
    """A word for what is wrong with the vectors of a cell; empty if nothing is, or nothing was measured."""
    wrong = [each.question for each in cell.answers if each.answer == "no"]
    if not wrong:
        return ""
    seen = {each.check: each.observation for each in findings if each.observation is not None}
    recorded = seen.get(RECORDED_CHECK)
    if recorded is not None and recorded.value:
        nan = recorded.facts.get("texts with NaN", "unknown")
        return {"unknown": "not finite", "0": "infinite"}.get(str(nan), "NaN")
    if any(found.value is None for check, found in seen.items() if check_of(check) == PARITY_CHECK):
        return "not finite"
    return SYMPTOMS[wrong[0]]


@dataclass(frozen=True)
class WrongGroup:
    """Cells with the same symptom: their versions or ids, and what to do.

    ``cause`` names the versions that explain the wrong cells of a covering array; empty for other cells.
    """

    symptom: str
    where: str
    cells: tuple[str, ...]
    remedy: str
    cause: str = ""


@dataclass(frozen=True)
class Headline:
    """The statement on usability, the groups of wrong cells, and what makes the exit code."""

    kind: SignKind
    statement: str
    groups: tuple[WrongGroup, ...]
    news: str


def find_headline(run: Run) -> Headline:
    """The headline of a sweep: usability first, whatever was expected, then what is new."""
    judgement, (wrong, asked) = run.judgement, count_wrong(run)
    verdict, kind = judgement.verdict, VERDICT_KINDS[judgement.verdict]
    news = f"{verdict.upper()} ({EXIT_CODES[verdict]}): {shorten(judgement.sentence, 600)}"
    noun = "combination" if asked == 1 else "combinations"
    if wrong:
        statement = f"{wrong} of {asked} runnable {noun} return{'s' * (wrong == 1)} wrong vectors"
        return Headline("red", statement, group_wrong(run), news)
    if verdict != "pass" or not asked:
        return Headline(kind, verdict.upper(), (), news)
    all_of = "The only runnable combination returns" if asked == 1 else f"All {asked} runnable {noun} return"
    return Headline(kind, f"{all_of} right vectors", (), news)


def group_wrong(run: Run) -> tuple[WrongGroup, ...]:
    """The cells that return wrong vectors, by symptom."""
    findings, names = findings_by_cell(run), CellNames.of(run)
    by_symptom: dict[str, list[str]] = defaultdict(list)
    for cell in run.judgement.cells:
        if cell.usable is False:
            by_symptom[name_symptom(cell, findings.get(cell.cell, []))].append(cell.cell)
    usable = {cell.cell for cell in run.judgement.cells if cell.usable}
    return tuple(
        WrongGroup(
            symptom,
            names.name_versions(frozenset(cells)) or names.describe(cells),
            tuple(cells),
            find_remedy(names.axes, frozenset(cells), usable),
            describe_cause(run.plan, cells, usable),
        )
        for symptom, cells in by_symptom.items()
    )


def find_remedy(axes: Mapping[str, Mapping[str, str]], wrong: frozenset[str], usable: set[str]) -> str:
    """The nearest change of one version by which each of the wrong cells becomes a usable one.

    Newer versions come first, then older ones; empty if no single version does.

    Args:
        axes: cell -> axis -> version, of all cells that ran.
        wrong: cells with wrong vectors.
        usable: cells with right ones.
    """
    by_versions = {tuple(sorted(versions.items())): cell for cell, versions in axes.items()}
    chosen = CellNames(axes).find_versions(wrong) if wrong <= axes.keys() else {}
    for newer in (True, False):
        for axis, there in chosen.items():
            order = sorted({versions.get(axis, "") for versions in axes.values()}, key=order_version)
            places = [order.index(version) for version in there]
            nearest = order[max(places) + 1 :] if newer else order[: min(places)][::-1]
            for version in nearest:
                moved = [
                    by_versions.get(tuple(sorted({**axes[cell], axis: version}.items()))) for cell in wrong
                ]
                ran = {cell for cell in moved if cell is not None}
                if ran and ran <= usable:
                    return f"upgrade {axis} to {version} first" if newer else f"stay at {axis} {version}"
    return ""


# The cells of the map


@dataclass(frozen=True)
class Slot:
    """What the map shows of a cell: the kind, which has a colour and a sign, and a word or a percentage."""

    kind: SignKind
    text: str


def view_slots(run: Run) -> dict[str, Slot]:
    """The slot of each cell: red where vectors are wrong, known or not; grey where nothing was measured."""
    findings, costs = findings_by_cell(run), range_of_cost(run)
    base = _list_noted(findings.get(run.plan.baseline or "", []))
    return {
        cell.cell: _view_slot(cell, findings.get(cell.cell, []), base, costs, run)
        for cell in run.judgement.cells
    }


def _view_slot(
    cell: CellVerdict, findings: Sequence[Finding], base: set[str], costs: Mapping[str, float], run: Run
) -> Slot:
    if cell.status in STATUS_WORDS:
        return Slot("red" if cell.red and cell.status != "missing" else "none", STATUS_WORDS[cell.status])
    if cell.usable is False:
        return Slot("red", name_symptom(cell, findings))
    if cell.answers and cell.usable is None:
        return Slot("missing", "not measured")
    if cell.red:
        return Slot("red", " ".join(_list_layers(cell)) or "red")
    layers = sorted(_list_noted(findings) - base, key=LAYERS.index) if base else []
    if cell.cell == run.plan.baseline:
        return Slot("pass", "baseline")
    cost = show_percent(costs[cell.cell]) if cell.cell in costs else ""
    return Slot("note" if layers else "pass", " ".join((cost or "ok", *layers)))


def _list_noted(findings: Sequence[Finding]) -> set[str]:
    """The layers with a known divergence or a note; which of them is compared with those of the baseline."""
    return {each.layer for each in findings if each.outcome in {"note", "xfail"}}


def _list_layers(cell: CellVerdict) -> list[str]:
    """The layers of a cell with red checks."""
    return [
        layer for layer in LAYERS if set(cell.layers.get(layer, {})) & {"fail", "error", "xpass", "missing"}
    ]


def show_percent(ratio: float) -> str:
    """A ratio as a change in percent: ``+6 %``, ``−3 %``, ``0 %``."""  # noqa: RUF002 - a minus sign
    percent = round(100 * (ratio - 1))
    return f"{percent:+d} %".replace("-", "\N{MINUS SIGN}") if percent else "0 %"


# Tiles: four numbers


@dataclass(frozen=True)
class Tile:
    """A number with what it counts, and what stands behind it."""

    number: str
    title: str
    more: str
    kind: SignKind = "none"


def view_tiles(run: Run) -> tuple[Tile, ...]:
    """Four numbers of a sweep: right vectors, wrong ones, combinations without an environment, and cost."""
    wrong, asked = count_wrong(run)
    right = sum(cell.usable is True for cell in run.judgement.cells)
    unmeasured = asked - wrong - right
    symptoms = ", ".join(each.symptom for each in group_wrong(run))
    uninstalled = [cell for cell in run.judgement.cells if cell.status in STATUS_WORDS]
    kinds = dict.fromkeys(STATUS_WORDS[cell.status] for cell in uninstalled)
    return (
        Tile(
            f"{right} / {asked}",
            "same vectors as the reference",
            "; ".join(filter(None, (_describe_worst(run), _describe_stored(run)))),
            "none",
        ),
        Tile(
            f"{wrong} / {asked}",
            "wrong vectors",
            "; ".join(filter(None, (symptoms, f"{unmeasured} not measured" if unmeasured else ""))),
            "red" if wrong else "none",
        ),
        Tile(str(len(uninstalled)), "cannot run", _name_uninstalled(run, uninstalled) or ", ".join(kinds)),
        _view_cost(run),
    )


def _describe_worst(run: Run) -> str:
    """The largest difference to the reference among usable cells, as a share of what is allowed."""
    usable = {cell.cell for cell in run.judgement.cells if cell.usable}
    shares = [
        seen.value / seen.allowed
        for each in run.judgement.findings
        if each.cell in usable and each.outcome == "pass" and check_of(each.check) == PARITY_CHECK
        if (seen := each.observation) is not None and seen.value is not None and seen.allowed
    ]
    return f"largest difference {max(shares):.0%} of the tolerance".replace("%", " %") if shares else ""


def _describe_stored(run: Run) -> str:
    """In how many combinations an index of the baseline can still be searched; empty if none was compared."""
    answers = {
        cell.cell: {each.question: each.answer for each in cell.answers} for cell in run.judgement.cells
    }
    compared = {name: each for name, each in answers.items() if each.get("before") in {"yes", "no"}}
    valid = {name for name, each in compared.items() if each["before"] == each.get("ranking") == "yes"}
    right = {cell.cell for cell in run.judgement.cells if cell.usable is True}
    alike = valid - {run.plan.baseline} == right - {run.plan.baseline}
    where = "all of them" if alike else f"{len(valid)} of {len(compared)}"
    return f"vectors stored by the baseline stay valid in {where}" if compared else ""


def _name_uninstalled(run: Run, cells: Sequence[CellVerdict]) -> str:
    """The versions of cells that cannot run, if they share some that no other cell has."""
    names = CellNames({cell: planned.cell.axes for cell, planned in planned_by_cell(run).items()})
    versions = names.name_versions(frozenset(cell.cell for cell in cells)) if cells else ""
    kinds = ", ".join(dict.fromkeys(STATUS_WORDS[cell.status] for cell in cells))
    return f"{kinds}: {versions}" if versions else ""


def _view_cost(run: Run) -> Tile:
    costs = range_of_cost(run)
    memory = _find_memory(run)
    peak = f"memory {_show_range(memory)}, median {show_percent(median(memory))}" if memory else ""
    if not costs:
        why = "" if run.plan.scenarios else "latency is switched off"
        return Tile("\N{EN DASH}", "latency not measured", "; ".join(filter(None, (why, peak))))
    floors = [
        row.floor
        for row in run.judgement.latency
        if row.floor is not None and row.cell in costs and row.scenario.startswith("embed.")
    ]
    noise = f"noise \N{PLUS-MINUS SIGN}{round(100 * (max(floors) - 1))} %" if floors else "noise unknown"
    return Tile(
        _show_range(list(costs.values())),
        "latency of a text to its vector, against the baseline",
        "; ".join(filter(None, (noise, peak))),
    )


def _show_range(ratios: Sequence[float]) -> str:
    low, high = show_percent(min(ratios)), show_percent(max(ratios))
    return low if low == high else f"{low} to {high}"


def _find_memory(run: Run) -> list[float]:
    """The peak memory of each usable cell as a ratio to that of the baseline.

    One process is measured for each, whose peak depends on how its threads meet: the median tells more.
    """
    results = results_by_cell(run)
    base = results.get(run.plan.baseline or "")
    if base is None or not base.peak_rss:
        return []
    usable = {cell.cell for cell in run.judgement.cells if cell.usable}
    return [
        result.peak_rss / base.peak_rss
        for cell, result in results.items()
        if cell in usable and cell != run.plan.baseline and result.peak_rss
    ]
