"""The commands that show what is there: earlier runs, and what a word of the harness means."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import click
import msgspec

from harness.audit.catalogue import read_rules
from harness.cell.interface import load_checks
from harness.cli.earlier import MAX_RUNS, make_trends, open_history_of, open_runs, show_note
from harness.cli.help import DONE, Command
from harness.cli.options import names_runs, reports_option
from harness.cli.screen import Screen, fit
from harness.errors import ExitCode, UsageError
from harness.files import write_output
from harness.judge.compare import DEFAULT_MOVED
from harness.judge.compare import compare as compare_snapshots
from harness.matrix.read import find_documents
from harness.redaction import redact
from harness.report.explain import find_explanations, list_explanations, render_explanations, suggest_subjects
from harness.report.history.markdown import render_comparison_json, render_comparison_markdown
from harness.report.history.terminal import render_comparison_text, render_history_text, render_trends_text
from harness.report.measurements import render_measurements_of
from harness.runs.database import read_history
from harness.runs.find import PREVIOUS
from harness.runs.folder import LATEST, find_folders, read_folder
from harness.runs.past_runs import list_runs, read_snapshot
from harness.runs.recording import History, keep_newest, pin_run, record_runs


@click.command(cls=Command, examples=("--limit 10", "--pin latest"))
@click.option("--matrix", metavar="NAME", help="List only runs of this matrix.")
@click.option("--limit", type=click.IntRange(1, MAX_RUNS), help="List at most this number of runs.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--import", "folders", multiple=True, metavar="FOLDER", help="Record a run, or a folder of runs."
)
@click.option(
    "--keep-runs",
    type=click.IntRange(1, MAX_RUNS),
    help="Keep this number of runs of each matrix and kind; remove older ones.",
)
@click.option("--pin", metavar="RUN", help="Keep this run permanently; trends use it as reference.")
@click.option("--unpin", metavar="RUN", help="Undo --pin.")
@names_runs
@reports_option
def history(  # noqa: PLR0913 - one parameter an option
    *,
    matrix: str | None,
    limit: int | None,
    as_json: bool,
    folders: tuple[str, ...],
    keep_runs: int | None,
    pin: str | None,
    unpin: str | None,
    reports: Path,
) -> None:
    """List the recorded runs, newest first.

    Every finished run is recorded in reports/runs/history.sqlite3, or in the file HARNESS_HISTORY. The
    newest 200 runs of each matrix and kind are kept; HARNESS_KEEP_RUNS changes the number.
    """
    place = open_history_of(reports)
    if folders:
        _import(folders, place)
    for name, pinned in ((pin, True), (unpin, False)):
        if name is not None:
            pin_run(open_runs(reports, place).find_recorded(name), place, show_note, pinned=pinned)
    if keep_runs is not None:
        keep_newest(History(place.path, keep_runs), show_note)
    with read_history(place.path, show_note) as connection:
        runs = list_runs(connection, matrix)[:limit]
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(runs), indent=1))
        return
    if not runs:
        click.echo(f"no runs in {place.path}")
        return
    screen = Screen(plain=True)
    text = render_history_text(runs, width=screen.width, color=screen.color, unicode=screen.unicode)
    click.echo(text, color=screen.color, nl=False)


def _import(folders: tuple[str, ...], place: History) -> None:
    taken = 0
    for path in [found for folder in folders for found in find_folders(Path(folder))]:
        try:
            snapshot = read_folder(path)
        except UsageError as error:
            show_note(f"skipped: {error}")
            continue
        record_runs([snapshot], History(place.path, sys.maxsize), show_note)  # keep every imported run
        taken += 1
    click.echo(f"recorded {taken} run{'' if taken == 1 else 's'}")


@click.command(
    cls=Command, examples=("previous latest", "--markdown"), codes={**DONE, 1: "something got worse"}
)
@click.argument("before", metavar="[RUN]", default=PREVIOUS)
@click.argument("after", metavar="[RUN]", default=LATEST)
@click.option(
    "--moved",
    type=click.FloatRange(0, 1e9),
    default=DEFAULT_MOVED,
    show_default=True,
    help="Report a measured value that moved by this share of its tolerance.",
)
@click.option("--json", "form", flag_value="json", help="As JSON: every single difference.")
@click.option("--markdown", "form", flag_value="markdown", help="As Markdown.")
@names_runs
@reports_option
def compare(*, before: str, after: str, moved: float, form: str | None, reports: Path) -> int:
    """Show what changed between two runs, with the likely causes.

    The default is `previous latest`.
    """
    if math.isnan(moved):  # FloatRange accepts it
        raise UsageError("--moved nan: expected a number from 0 to 1e9")
    runs = open_runs(reports, open_history_of(reports))
    first, second = (runs.read_snapshot(name) for name in (before, after))
    found = compare_snapshots(first, second, moved=moved)
    if form == "json":
        click.echo(render_comparison_json(found), nl=False)
    elif form == "markdown":
        click.echo(render_comparison_markdown(found), nl=False)
    else:
        screen = Screen(plain=True)
        text = render_comparison_text(found, width=screen.width, color=screen.color, unicode=screen.unicode)
        click.echo(text, color=screen.color, nl=False)
    return ExitCode.REGRESSED if found.worse else ExitCode.PASS


@click.command(cls=Command, examples=("--out latest.csv", "--all"))
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("--all", "everything", is_flag=True, help="Export every run of the history.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, allow_dash=True),
    default="-",
    metavar="FILE",
    help="The file or pipe to write; - is standard output.  [default: -]",
)
@names_runs
@reports_option
def export(*, runs: tuple[str, ...], everything: bool, out: str, reports: Path) -> None:
    """Write measurements as CSV, one row each.

    Of each RUN; the default is `latest`.
    """
    if everything and runs:
        raise UsageError(f"--all exports every run of the history; leave it out to export {runs[0]} alone")
    place = open_history_of(reports)
    if everything:
        with read_history(place.path, show_note) as connection:
            snapshots = [read_snapshot(connection, each.run) for each in list_runs(connection)]
    else:
        known = open_runs(reports, place)
        snapshots = [known.read_snapshot(run) for run in runs or (LATEST,)]
    text = render_measurements_of(snapshots)
    if out == "-":
        click.echo(text, nl=False)
    else:
        write_output(Path(out), redact(text).encode())


@click.command(cls=Command, examples=("", "--matrix service --all"))
@click.option("--matrix", metavar="NAME", help="The matrix.  [default: the one swept last]")
@click.option("--all", "everything", is_flag=True, help="Show steady series too.")
@click.option("--json", "as_json", is_flag=True, help="Print every series with all its runs as JSON.")
@reports_option
def trends(*, matrix: str | None, everything: bool, as_json: bool, reports: Path) -> None:
    """Show how latency changed over the runs of one class of machine.

    The reference is the newest pinned run (`harness history --pin RUN`), or else the first run. Change
    points are marked; a single step is distinguished from drift.
    """
    found = make_trends(open_history_of(reports).path, matrix, show_note, everything=everything or as_json)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=1))
        return
    screen = Screen(plain=True)
    text = render_trends_text(
        found, everything=everything, width=screen.width, color=screen.color, unicode=screen.unicode
    )
    click.echo(text, color=screen.color, nl=False)


@click.command(cls=Command, examples=("l2.parity", "4"))
@click.argument("subject")
def explain(*, subject: str) -> None:
    """Explain a check, a rule of an audit, an exit code, a key of a matrix or a term."""
    known = list_explanations(load_checks(), find_documents(), read_rules())
    found = find_explanations(subject, known)
    if not found:
        near = suggest_subjects(subject, known)
        similar = (
            f"; similar: {', '.join(near)}" if near else "; `harness schema` lists every key of a result"
        )
        raise UsageError(f"{subject!r} is no check, rule, exit code, key of a matrix or term{similar}")
    if len(found) > _MOST:
        names = ", ".join(each.names[0] for each in found)
        click.echo(fit(f"{subject} is a part of {len(found)} names; give one of them:\n{names}", sys.stdout))
        return
    click.echo(fit(render_explanations(found, width=Screen(plain=True).width), sys.stdout))


_MOST = 6
"""Explanations that are printed at most; more are listed by name."""

COMMANDS = (history, compare, export, trends, explain)
