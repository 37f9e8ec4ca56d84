"""The report of a sweep as text for a terminal: verdict, cells x layers, red cells, latency, claims."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.cell.interface import LAYERS, QUESTIONS
from harness.judge.claims import summarize_claim
from harness.judge.outcomes import is_red
from harness.records import Earlier, describe_isolation
from harness.report.console import STYLES, Alphabet, print_to_text
from harness.report.coverage import describe_coverage
from harness.report.escape import shorten
from harness.report.headline import find_headline
from harness.report.history.terminal import draw_group
from harness.report.history.view import describe_compared, describe_comparison, describe_run, list_worse
from harness.report.latency_view import (
    describe_wrong,
    noise_floor,
    show_ratio,
    show_seconds,
    summarize_families,
)
from harness.report.precision import recommend
from harness.report.questions import describe_service, list_limits, list_questions
from harness.report.view import (
    LEGEND,
    axis_names,
    claim_kind,
    count_verdicts,
    describe_locks,
    describe_skipped,
    findings_by_cell,
    group_red,
    known_divergences,
    list_red_checks,
    only_command,
    planned_by_cell,
    sign_cell,
    sign_layer,
    status_word,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.records import Answered, CellVerdict, Run, Verdict


# Tables: cells x layers, and latency

_BESIDE_IDS = 47
"""Width of status and layers in columns."""

_LONG = 12


def draw_map(run: Run, alphabet: Alphabet, width: int) -> Table:
    """Draw cells x layers; if ids are too long for ``width`` columns, each axis gets its own column."""
    longest = max((len(cell.cell) for cell in run.judgement.cells), default=0)
    axes = axis_names(run) if longest > width - _BESIDE_IDS else []
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for name in (*(axes or ["cell"]), "status"):
        table.add_column(_break(name), overflow="fold")
    for layer in LAYERS:
        table.add_column(layer, no_wrap=True, min_width=len(layer))
    planned = planned_by_cell(run)
    for cell in run.judgement.cells:
        versions = planned[cell.cell].cell.axes if axes and cell.cell in planned else {}
        names = [versions.get(axis, "") for axis in axes] if versions else [cell.cell]
        padded = [*names, *[""] * (len(axes) - len(names))]
        table.add_row(*(alphabet.text(shorten(name)) for name in padded), *_signs(cell, alphabet))
    return table


def _break(name: str) -> str:
    """Break a heading at its hyphens if it is longer than a version."""
    return name.replace("-", "-\n") if len(name) > _LONG else name


def _signs(cell: CellVerdict, alphabet: Alphabet) -> list[Text]:
    kind = sign_cell(cell)
    layers = [sign_layer(cell, layer) for layer in LAYERS]
    return [
        alphabet.text(f"{alphabet.sign(kind)} {status_word(cell)}", STYLES[kind]),
        *(alphabet.text(sign.show(unicode=alphabet.unicode), STYLES[sign.kind]) for sign in layers),
    ]


def draw_latency(run: Run, alphabet: Alphabet) -> Table:
    """Draw families of scenarios x extremes of their ratios; no row without timings."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("scenarios", overflow="fold")
    table.add_column("batches", overflow="fold")
    for name in ("lowest", "highest", "noise"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in summarize_families(run):
        numbers = (show_ratio(ratio) for ratio in (each.lowest, each.highest, each.floor))
        table.add_row(alphabet.text(shorten(each.name)), alphabet.text(", ".join(each.batches)), *numbers)
    return table


_FIRST = Earlier()

_WORSE_SHOWN = 8

VERDICT_STYLES: dict[Verdict, str] = {
    "pass": "bold green",
    "failing, nothing new": "bold yellow",
    "failing": "bold red",
    "regressed": "bold red",
    "inconclusive": "bold yellow",
    "unsatisfiable": "bold yellow",
    "error": "bold red",
}


ANSWER_STYLES: dict[Answered, str] = {
    "yes": "green",
    "no": "bold red",
    "not measured": "bold yellow",
    "not asked": "dim",
}


_TITLES = max(map(len, QUESTIONS.values()))
_GROUPS_SHOWN = 2
"""Groups of wrong cells in the last screen; the page has all."""


def render_text(  # noqa: PLR0913 - by keyword only
    run: Run,
    earlier: Earlier = _FIRST,
    *,
    width: int = 80,
    color: bool = False,
    unicode: bool = True,
    verbose: bool = False,
) -> str:
    """Render a judged run for a terminal; what decides is in the last screen of 24 lines.

    Args:
        run: the judged run.
        earlier: the comparison with earlier runs.
        width: columns of the terminal.
        color: whether to use escape sequences for colours.
        unicode: whether the encoding supports more than ASCII.
        verbose: whether to show known divergences, limits, claims and the recommended normalizer, too.
    """
    writer = _Writer(run, earlier, Alphabet(unicode), width)
    return print_to_text(Group(*writer.parts(verbose=verbose)), width=width, color=color, unicode=unicode)


class _Writer:
    """Builder of the parts of the report, in one alphabet."""

    def __init__(self, run: Run, earlier: Earlier, alphabet: Alphabet, width: int) -> None:
        self._run = run
        self._findings = findings_by_cell(run)
        self._since = earlier.since
        self._alphabet = alphabet
        self._width = width

    def parts(self, *, verbose: bool) -> Iterator[RenderableType]:
        """Draw every part in order; the last one says what to decide from."""
        run = self._run
        isolation = describe_isolation(run.plan.isolation)
        named = (f"matrix {run.plan.matrix}", f"run {run.plan.run}", isolation)
        yield self._alphabet.text(f"{run.plan.title}; {', '.join(filter(None, named))}", "dim")
        yield Text()
        yield draw_map(run, self._alphabet, self._width)
        yield self._legend()
        if locks := describe_locks(run):
            yield self._alphabet.text(locks)
        if covered := describe_coverage(run.plan):
            yield self._alphabet.text(f"{covered}.")
        yield from self._changes()
        red = group_red(run)
        if red:
            yield from self._heading("Red cells")
            for group in red:
                yield from self._red_cells(group)
        yield from self._stale()
        yield from self._latency()
        if verbose:
            yield from self._known()
            yield from self._limits()
            yield from self._claims()
            yield from self._recommended()
        yield Text()
        yield from self._decision(red)

    def _decision(self, red: Sequence[Sequence[CellVerdict]]) -> Iterator[RenderableType]:
        """Draw the last screen: headline, what is new, what is under test, answers, and what to do."""
        found, run = find_headline(self._run), self._run
        style = "bold red" if found.kind == "red" else VERDICT_STYLES[run.judgement.verdict]
        yield self._alphabet.text(f"{self._alphabet.sign(found.kind)} {found.statement}", style)
        for group in found.groups[:_GROUPS_SHOWN]:
            remedy = f" To do: {group.remedy}." if group.remedy else ""
            yield self._alphabet.text(f"{shorten(group.where, 200)}: {group.symptom}.{remedy}")
            if group.cause:
                yield self._alphabet.indent(f"{group.cause}.")
        yield self._alphabet.text(shorten(found.news, 240))
        yield self._alphabet.text(f"Under test: {shorten(describe_service(run.plan.service), 150)}")
        yield from self._questions()
        if red and red[0][0].advice:
            yield self._alphabet.text(f"To do: {shorten(red[0][0].advice, 150)}", "bold")
        yield Text()
        yield self._alphabet.text(self._counts())

    def _heading(self, text: str) -> Iterator[RenderableType]:
        yield Text()
        yield self._alphabet.text(text, "bold")

    def _questions(self) -> Iterator[RenderableType]:
        """Draw one line for each question; a reason that does not fit is left to the page."""
        rows = list_questions(self._run)
        if rows:
            yield Text()
        room = max(0, self._width - _TITLES - 2)
        for row in rows:
            line = self._alphabet.text(f"{row.title.ljust(_TITLES)}  ")
            line.append(self._alphabet.text(row.show(), ANSWER_STYLES[row.answer]))
            left = room - len(row.show()) - 2
            if len(row.because) <= left or (row.answer != "yes" and len(row.counts) == 1 and left > 0):
                line.append(self._alphabet.text(f"  {shorten(row.because, left)}", "dim"))
            yield line

    def _legend(self) -> Text:
        entries = (f"{self._alphabet.sign(kind)} {word}" for kind, word in LEGEND.items())
        return self._alphabet.text("   ".join(entries), "dim")

    def _counts(self) -> str:
        """Count the cases, and name the option that shows the known ones."""
        outcomes = Counter(each.outcome for each in self._run.judgement.findings)
        known = outcomes["xfail"] + outcomes["limit"] + outcomes["note"]
        missing = outcomes.pop("missing", 0)  # those of a cell that did not start, expected or not
        red = sum(count for outcome, count in outcomes.items() if is_red(outcome))
        parts = [f"{outcomes['pass']} cases pass", f"{known} known or noted (-v shows them)" if known else ""]
        parts += [f"{red} red" if red else "", f"{missing} not run" if missing else ""]
        parts += [describe_skipped(self._run)]
        reused = count_verdicts(self._run)["reused"]
        parts += [f"{reused} of {len(self._run.judgement.cells)} cells reused" if reused else ""]
        spent = self._run.seconds.get("total", sum(self._run.seconds.values()))
        return ", ".join(filter(None, parts)) + (f"; {show_seconds(spent)}" if spent else "")

    def _changes(self) -> Iterator[RenderableType]:
        """Draw the changes since the last run: worse ones in full, the others as a number."""
        since = self._since
        if since is None:
            return
        worse = list_worse(since)
        yield from self._heading("Since the last run")
        yield self._alphabet.indent(describe_comparison(since), style="red" if worse else "green")
        for group in worse[:_WORSE_SHOWN]:
            for line in draw_group(group, since.cells, self._alphabet):
                yield Padding(line, (0, 0, 0, 2))
        if len(worse) > _WORSE_SHOWN:
            yield self._alphabet.indent(f"and {len(worse) - _WORSE_SHOWN} more worse ones", 4)
        text = f"Against {describe_run(since.before)}; {describe_compared(since)}."
        all_of_it = f" `harness compare {since.before.run} {since.after.run}` shows all."
        yield self._alphabet.indent(text + (all_of_it if since.differences else ""), style="dim")

    def _red_cells(self, group: Sequence[CellVerdict]) -> Iterator[RenderableType]:
        """Draw cells that are red for the same reason, with advice and the command for one of them."""
        first = group[0]
        names = ", ".join(shorten(cell.cell) for cell in group)
        yield self._alphabet.indent(f"{self._alphabet.sign('red')} {first.status}: {names}", style="red")
        yield self._alphabet.indent(shorten(first.reason, 400), 4)
        if first.advice:
            yield self._alphabet.indent(f"Advice: {shorten(first.advice, 400)}", 4)
        for each in list_red_checks(self._findings.get(first.cell, []))[1:]:
            text = f"{each.layer} {each.check}, cases: {each.cases}; {shorten(each.message, 160)}"
            yield self._alphabet.indent(text, 4)
        yield self._alphabet.indent(only_command(self._run, shorten(first.cell)), 4, "dim")

    def _stale(self) -> Iterator[RenderableType]:
        stale = self._run.judgement.stale_expectations
        if stale:
            yield from self._heading("Expectations that match nothing (remove them)")
            for each in stale:
                yield self._alphabet.indent(f"{self._alphabet.sign('red')} {shorten(each)}", style="red")

    def _known(self) -> Iterator[RenderableType]:
        known = known_divergences(self._run)
        if known:
            yield from self._heading("Diverges as expected")
        for divergence in known:
            cases, cells = divergence.cases, len(divergence.cells)
            yield self._alphabet.indent(
                f"{self._alphabet.sign('xfail')} {shorten(divergence.reason)} "
                f"[{shorten(', '.join(divergence.checks), 120)}: {cases} in {cells} of the cells]"
            )

    def _limits(self) -> Iterator[RenderableType]:
        limits = list_limits(self._run.judgement.findings)
        if limits:
            yield from self._heading("Limits, only for inputs far from the embeddings")
        for each in limits:
            checks = f"[{shorten(', '.join(each.checks), 120)}: in {each.cells} of the cells]"
            yield self._alphabet.indent(f"{self._alphabet.sign('note')} {shorten(each.margin)} {checks}")

    def _latency(self) -> Iterator[RenderableType]:
        table = draw_latency(self._run, self._alphabet)
        if not table.row_count:
            return
        floor = noise_floor(self._run)
        noise = f"noise floor {show_ratio(floor)}" if floor is not None else "no A/A arm, so noise is unknown"
        yield from self._heading(f"Latency, ratio to the baseline (informative; {noise})")
        yield Padding(table, (0, 0, 0, 2))
        if wrong := describe_wrong(self._run):
            yield self._alphabet.indent(shorten(wrong, 600), style="dim")

    def _claims(self) -> Iterator[RenderableType]:
        claims = self._run.judgement.claims
        if claims:
            yield from self._heading("Documented claims")
        for claim in claims:
            kind = claim_kind(claim)
            yield self._alphabet.indent(
                f"{self._alphabet.sign(kind)} {claim.text}: {summarize_claim(claim.rows)}", style=STYLES[kind]
            )

    def _recommended(self) -> Iterator[RenderableType]:
        found = recommend(self._run)
        if not found.advice:
            return
        yield from self._heading("Recommended normalizer")
        for sentence in (found.advice, *found.measured):
            yield self._alphabet.indent(sentence)
