"""The command ``accept``, which writes expectations for what is red in a run."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click
import msgspec

from harness.cell.interface import load_checks
from harness.cli.earlier import open_history_of, open_runs
from harness.cli.help import Command
from harness.cli.maintain import show_again
from harness.cli.options import names_runs, reports_option
from harness.errors import UsageError
from harness.judge.expectations import describe_expectation, describe_where, satisfies
from harness.judge.gate_verdict import decide
from harness.judge.proposals import Proposal, is_accepted, list_unacceptable, matches, propose
from harness.judge.verdict import judge
from harness.matrix.append import Entry, append_expectations, find_file, scope_of
from harness.matrix.expected import borrowed_for, expectations_for
from harness.matrix.read import read_matrix
from harness.matrix.schema import MAX_ROWS, Matrix
from harness.matrix.toml_file import refuse_all
from harness.records import BASELINE, CANDIDATE, Judgement, Plan
from harness.redaction import redact
from harness.report.escape import disarm_commands
from harness.runs.folder import UNFINISHED, StoredRun, read_stored, replace_expectations

_LISTED = 3
"""Checks of an expectation that a line lists."""


@click.command(
    cls=Command, examples=("latest --reason 'float16 overflows'", "latest --check 'l1.*' --reason 'known'")
)
@click.argument("run", metavar="RUN")
@click.option("--reason", required=True, metavar="TEXT", help="Why this is expected; it stands in the file.")
@click.option("--check", "checks", multiple=True, metavar="GLOB", help="Accept only cases whose id matches.")
@click.option("--link", default="", metavar="URL", help="Where more about it can be read.")
@click.option("--matrix", metavar="FILE", help="The matrix, if it is elsewhere now.  [default: of the run]")
@names_runs
@reports_option
def accept(  # noqa: PLR0913 - one parameter an option
    *, run: str, reason: str, checks: tuple[str, ...], link: str, matrix: str | None, reports: Path
) -> None:
    """Write expectations for what is red in a run.

    They are appended to the expected.toml of its matrix, for the versions in which the run shows it, with
    what was measured; then the run is judged again. They are strict: where something is no longer red, the
    next sweep is. Missing results and open questions cannot be accepted. A published run, and a file of
    results without its folder, stay as they are.
    """
    place = open_runs(reports, open_history_of(reports)).find_stored(run)
    stored = read_stored(place)
    found = _open_matrix(stored.plan, matrix)
    plan = _with_expectations(stored.plan, found)
    cases = {case for each in plan.cells for case in each.cases}
    unmatched = [each for each in checks if not fnmatch.filter(cases, each)]
    refuse_all(place, (f"--check {each}: matches no case of {plan.run}" for each in unmatched))
    judgement = judge(plan, stored.results, load_checks())
    path = find_file(found)
    scope = scope_of(found, path)
    proposals = propose(plan, judgement, redact(reason), checks=checks, link=redact(link), matrix=scope)
    added = tuple(each.expectation for each in proposals)
    under = msgspec.structs.replace(plan, expectations=(*plan.expectations, *added))
    after = judge(under, stored.results, load_checks())
    missing = _list_missing(place, stored)
    faults = (*missing, *list_unacceptable(judgement, checks), *_list_ineffective(plan, after, checks))
    refuse_all(place, (f"{plan.run}: cannot be accepted: {fault}" for fault in dict.fromkeys(faults)))
    if proposals:
        append_expectations(path, [Entry(each.expectation, each.comment) for each in proposals])
        plan = _with_expectations(plan, found)
    if plan != stored.plan and place.is_dir():
        replace_expectations(place, plan.expectations, plan.borrowed)
        show_again(place, reports)
    _describe(proposals, path)
    if proposals and not place.is_dir():
        click.echo(f"note: {place} stays as it is; the next sweep applies the expectations")
    for note in _list_notes(proposals, found, plan, judge(plan, stored.results, load_checks())):
        click.echo(f"note: {note}")


def _is_gate(plan: Plan) -> bool:
    return {BASELINE, CANDIDATE} <= {each.cell.id for each in plan.cells}


def _open_matrix(plan: Plan, named: str | None) -> Matrix:
    path = Path(plan.matrix_path if named is None else named).absolute()
    try:
        matrix = read_matrix(path, max_cells=MAX_ROWS)
    except UsageError as error:
        hint = "" if path.exists() else f"; the run {plan.run} names it, --matrix FILE names another"
        raise UsageError(f"{error}{hint}") from None
    if matrix.name != plan.matrix:
        raise UsageError(f"{path}: the run is of the matrix {plan.matrix!r}, not of {matrix.name!r}")
    return matrix


def _with_expectations(plan: Plan, matrix: Matrix) -> Plan:
    """The plan with the expectations that are in the files of the matrix now."""
    expectations, borrowed = expectations_for(matrix), borrowed_for(matrix)
    return msgspec.structs.replace(plan, expectations=expectations, borrowed=borrowed)


def _list_missing(place: Path, stored: StoredRun) -> Iterator[str]:
    """What a run lost; cells without a solution, or that share another's run, have no results to lose."""
    without = (each.cell.id for each in stored.plan.cells if each.lock.reason or each.same_as is not None)
    planned = {f"{cell}: no result" for cell in without}
    yield from (each for each in stored.problems if each not in planned)
    if (place / UNFINISHED).exists():
        yield "the run was interrupted; the same command resumes it"


def _list_ineffective(plan: Plan, after: Judgement, checks: Sequence[str]) -> Iterator[str]:
    """What stays red or open under the new expectations, such as a result that contradicts its check."""
    verdict, sentence = after.verdict, after.sentence
    if _is_gate(plan):
        decision = decide(after, accept_known=True)
        verdict, sentence = decision.verdict, decision.sentence
    if verdict in {"inconclusive", "error"}:
        yield f"{verdict}: {sentence}"
    for each in after.findings:
        if is_accepted(each, after, checks) or (each.outcome == "xpass" and matches(each.check, checks)):
            yield f"{each.cell}: {each.check}: {each.message}"
    for cell in after.cells:
        if cell.red and not checks:
            yield f"{cell.cell}: {cell.reason}"


def _describe(proposals: Sequence[Proposal], path: Path) -> None:
    for each in proposals:
        checks = each.expectation.checks
        more = f" and {len(checks) - _LISTED} more" if len(checks) > _LISTED else ""
        shown = msgspec.structs.replace(each.expectation, check=(*checks[:_LISTED],) or None)
        what, where, versions = describe_expectation(shown).partition(" where ")
        click.echo(disarm_commands(f"expected: {what}{more}{where}{versions}"))
    if not proposals:
        click.echo("nothing to accept: nothing is red that no expectation covers")
        return
    count = len(proposals)
    click.echo(f"wrote {count} expectation{'' if count == 1 else 's'} to {path}")


def _list_notes(
    proposals: Sequence[Proposal], matrix: Matrix, plan: Plan, judgement: Judgement
) -> Iterator[str]:
    """What the user of a gate should know about its expectations."""
    if not _is_gate(plan):
        return
    if decide(judgement).known:
        yield (
            "the candidate has known divergences that the baseline does not have; "
            "only `harness gate --accept-known` accepts these"
        )
    for each in proposals:
        if not any(_may_match(row.versions, each.expectation.where) for row in matrix.rows):
            yield (
                f"{matrix.path.name} has no cell for {describe_where(each.expectation)}: add these versions, "
                "or a sweep calls the expectation unused"
            )


def _may_match(versions: Mapping[str, str], where: Mapping[str, str]) -> bool:
    """Whether a row can satisfy ``where``; a package that it does not name may have any version."""
    named = {name: specifier for name, specifier in where.items() if name in versions}
    return satisfies(dict(versions), named)


COMMANDS = (accept,)
