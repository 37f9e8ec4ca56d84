"""The final report for a terminal: verdict, cells x layers, why and what to do, latency, claims."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.cell.catalogue import LAYERS
from harness.judge.claims import summarize_claim
from harness.report.escape import scrub, shorten, to_ascii
from harness.report.latency_view import noise_floor, show_ratio, show_seconds, summarize_latency
from harness.report.terminal import print_to_text
from harness.report.view import (
    LEGEND,
    SIGNS,
    SignKind,
    claim_kind,
    count_verdicts,
    group_red,
    known_divergences,
    only_command,
    sign_cell,
    sign_layer,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.records import CellVerdict, Run, Verdict

STYLES: dict[SignKind, str] = {
    "pass": "green",
    "xfail": "yellow",
    "red": "bold red",
    "missing": "magenta",
    "skip": "dim",
    "none": "dim",
}
VERDICT_STYLES: dict[Verdict, str] = {
    "pass": "bold green",
    "regressed": "bold red",
    "inconclusive": "bold yellow",
    "unsatisfiable": "bold yellow",
    "error": "bold red",
}


def render_text(run: Run, *, width: int = 80, color: bool = False, unicode: bool = True) -> str:
    """Render a judged run for a terminal.

    Args:
        run: the judged run.
        width: columns of the terminal.
        color: whether escape sequences for colours may be used.
        unicode: whether the encoding knows more than ASCII.
    """
    writer = _Writer(run, unicode=unicode)
    return print_to_text(Group(*writer.parts()), width=width, color=color, unicode=unicode)


class _Writer:
    """Builds the parts of the report, in one alphabet."""

    def __init__(self, run: Run, *, unicode: bool) -> None:
        self._run = run
        self._unicode = unicode

    def parts(self) -> Iterator[RenderableType]:
        """Every part in order; the verdict first and last."""
        run, verdict = self._run, self._verdict()
        plan = run.plan
        yield verdict
        yield self._text(f"{plan.title}; matrix {plan.matrix}, run {plan.run}", "dim")
        yield Text()
        yield self._table()
        yield self._legend()
        yield self._text(self._counts())
        red = group_red(run)
        if red:
            yield from self._heading("Red cells")
            for group in red:
                yield from self._red_cells(group)
        yield from self._expectations()
        yield from self._latency()
        yield from self._claims()
        yield Text()
        yield verdict

    def _text(self, text: str, style: str = "") -> Text:
        clean = scrub(text)
        return Text(clean if self._unicode else to_ascii(clean), style=style, overflow="fold")

    def _heading(self, text: str) -> Iterator[RenderableType]:
        yield Text()
        yield self._text(text, "bold")

    def _indent(self, text: str, by: int = 2, style: str = "") -> Padding:
        return Padding(self._text(text, style), (0, 0, 0, by))

    def _verdict(self) -> Text:
        judgement = self._run.judgement
        return self._text(
            f"{judgement.verdict.upper()}: {shorten(judgement.sentence, 600)}",
            VERDICT_STYLES[judgement.verdict],
        )

    def _sign(self, kind: SignKind) -> str:
        return SIGNS[kind][0 if self._unicode else 1]

    def _table(self) -> Table:
        table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
        table.add_column("cell", overflow="fold")
        table.add_column("status", overflow="fold")
        for layer in LAYERS:
            table.add_column(layer, no_wrap=True, min_width=len(layer))
        for cell in self._run.judgement.cells:
            kind = sign_cell(cell)
            layers = [sign_layer(cell, layer) for layer in LAYERS]
            table.add_row(
                self._text(shorten(cell.cell)),
                self._text(f"{self._sign(kind)} {cell.status}", STYLES[kind]),
                *(self._text(sign.show(unicode=self._unicode), STYLES[sign.kind]) for sign in layers),
            )
        return table

    def _legend(self) -> Text:
        return self._text("   ".join(f"{self._sign(kind)} {word}" for kind, word in LEGEND.items()), "dim")

    def _counts(self) -> str:
        counts, total = count_verdicts(self._run), len(self._run.judgement.cells)
        said = [f"{counts['ok']} of {total} cells ok"]
        said += [f"{counts[kind]} {kind}" for kind in ("expected", "red", "reused") if counts[kind]]
        spent = self._run.seconds.get("total", sum(self._run.seconds.values()))
        return ", ".join(said) + (f"; {show_seconds(spent)}" if spent else "")

    def _red_cells(self, group: Sequence[CellVerdict]) -> Iterator[RenderableType]:
        """Cells that are red for the same reason: which, why, what to do, how to see one again."""
        first = group[0]
        names = ", ".join(shorten(cell.cell) for cell in group)
        yield self._indent(f"{self._sign('red')} {first.status}: {names}", style="red")
        yield self._indent(shorten(first.reason, 400), 4)
        if first.advice:
            yield self._indent(f"Advice: {shorten(first.advice, 400)}", 4)
        yield self._indent(only_command(self._run, shorten(first.cell)), 4, "dim")

    def _expectations(self) -> Iterator[RenderableType]:
        stale = self._run.judgement.stale_expectations
        if stale:
            yield from self._heading("Expectations that match nothing (take them out)")
            for each in stale:
                yield self._indent(f"{self._sign('red')} {shorten(each)}", style="red")
        known = known_divergences(self._run)
        if known:
            yield from self._heading("Diverges as expected")
        for divergence in known:
            cases, cells = divergence.cases, len(divergence.cells)
            yield self._indent(
                f"{self._sign('xfail')} {shorten(divergence.reason)} "
                f"[{shorten(', '.join(divergence.checks), 120)}: {cases} in {cells} of the cells]"
            )

    def _latency(self) -> Iterator[RenderableType]:
        scenarios = summarize_latency(self._run)
        if not scenarios:
            return
        floor = noise_floor(self._run)
        noise = f"noise floor {show_ratio(floor)}" if floor is not None else "no A/A arm, so no noise floor"
        yield from self._heading(f"Latency, ratio to the baseline (never decides; {noise})")
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
        table.add_column("scenario", overflow="fold")
        for name in ("baseline", "lowest", "median", "highest", "noise"):
            table.add_column(name, justify="right", no_wrap=True)
        for each in scenarios:
            table.add_row(
                self._text(shorten(each.scenario)),
                "-" if each.baseline_p50 is None else show_seconds(each.baseline_p50),
                show_ratio(each.lowest.ratio if each.lowest else None),
                show_ratio(each.median),
                show_ratio(each.highest.ratio if each.highest else None),
                show_ratio(each.floor),
            )
        yield Padding(table, (0, 0, 0, 2))

    def _claims(self) -> Iterator[RenderableType]:
        claims = self._run.judgement.claims
        if claims:
            yield from self._heading("Documented claims")
        for claim in claims:
            kind = claim_kind(claim)
            yield self._indent(
                f"{self._sign(kind)} {claim.text}: {summarize_claim(claim.rows)}", style=STYLES[kind]
            )
