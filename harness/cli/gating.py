"""The commands ``gate`` and ``bisect``, which judge an upgrade and find the first bad release."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Unpack

import click
import msgspec

from harness.cli.earlier import record_finished
from harness.cli.help import FOUND, VERDICT, Command
from harness.cli.options import (
    Running,
    choice_options,
    culprit_budget_option,
    describe_gate_command,
    is_default,
    make_request,
    matrix_option,
    parse_budget,
    parse_culprit_budget,
    running_options,
)
from harness.cli.rendering import render_gate
from harness.cli.screen import Screen
from harness.errors import ExitCode, InterruptedGateError, UsageError
from harness.gate.completion import complete_upgrade, refuse_foreign_matrix
from harness.gate.prepare import GateOptions, prepare_gate
from harness.gate.request import UpgradeRequest, parse_changes
from harness.gate.run_gate import run_gate
from harness.judge.verdict import exit_code
from harness.records import Acknowledgements, Gate, Progress
from harness.redaction import redact
from harness.resolve.packages import Choice, make_choice
from harness.resolve.pip_settings import read_pip_settings
from harness.runs.documents import read_document
from harness.runs.folder import GATE_FILE
from harness.sweep import run_sweep
from harness.sweep.interrupt import run_interruptibly


def judge_upgrade(  # noqa: PLR0913 - one parameter an ingredient
    upgrade: UpgradeRequest,
    matrix: str,
    options: GateOptions,
    running: Running,
    screen: Screen,
    *,
    base: str | None = None,
) -> Gate:
    """Run a gate, show it, and record it in the history; ``base`` is the revision to compare with.

    Raises:
        InterruptedGateError: a signal ended it; the message has the command that resumes it.
        HarnessError: a stage failed.
    """
    found = run_sweep.open_matrix(matrix, max_cells=running["max_cells"])
    alone = not (upgrade.changes or upgrade.from_file or upgrade.to_file)
    refuse_foreign_matrix(found, Path.cwd(), alone=alone)
    request = make_request(found, running, command=describe_gate_command(), latency=False)

    async def complete_and_judge() -> tuple[Gate, Path]:
        screen.wait("git and the dependency files")
        complete, note = await complete_upgrade(upgrade, base, found, Path.cwd())
        if note:
            screen.notify(Progress(cell="", stage="note", note=note))
        # Without what the matrix chooses from a lock: the repeated command reads it there again.
        named = msgspec.structs.replace(complete, choice=upgrade.choice)
        arguments = _describe_arguments(named, matrix, running, options)
        isolated = await run_sweep.isolate(request, screen.notify)
        return await _judge(isolated, complete, arguments, options, screen)

    judged, folder = run_interruptibly(complete_and_judge())
    screen.show_gate(judged, folder)
    record_finished(folder, running["reports"])
    return judged


async def _judge(
    request: run_sweep.Request,
    upgrade: UpgradeRequest,
    arguments: tuple[str, ...],
    options: GateOptions,
    screen: Screen,
) -> tuple[Gate, Path]:
    screen.wait("the settings of pip")
    settings = await read_pip_settings()
    prepared = await prepare_gate(request, upgrade, arguments, settings, screen.notify, options=options)
    if prepared.runs_nothing:
        return await run_gate(prepared, request, settings, screen.notify, render_gate)
    try:
        with screen.board(prepared.plan):
            return await run_gate(prepared, request, settings, screen.notify, render_gate)
    except asyncio.CancelledError:
        folder = request.reports / "runs" / prepared.plan.run
        raise InterruptedGateError(_describe_interrupted(folder, latency=bool(prepared.quantities))) from None


def _describe_interrupted(folder: Path, *, latency: bool) -> str:
    """Describe the kept results of an interrupted gate, and the command that resumes it."""
    kept = "interrupted; finished cases are kept, and the same command resumes the gate"
    again = ", but measures latency again" if latency else ""
    if not (folder / GATE_FILE).exists():
        return f"{kept}{again}"
    return f"{kept}{again}; `harness report {shlex.quote(str(folder))}` decides on the results so far"


def _describe_arguments(
    upgrade: UpgradeRequest, matrix: str, running: Running, options: GateOptions
) -> tuple[str, ...]:
    """The arguments that repeat a gate: all that the verdict depends on, without credentials."""
    named = [
        ("--from", upgrade.from_file),
        ("--to", upgrade.to_file),
        *(("--extra", name) for name in upgrade.choice.extras),
        *(("--group", name) for name in upgrade.choice.groups),
        ("--matrix", None if is_default(matrix) else matrix),
        *(("--checks", glob) for glob in running["checks"]),
        *(("--quantities", glob) for glob in options.quantities),
        ("--budget", None if options.budget is None else f"{options.budget:g}s"),
        ("--golden", None if running["golden"] is None else str(running["golden"])),
        ("--isolation", None if running["isolation"] == "auto" else running["isolation"]),
    ]
    flags = {
        "--no-latency": not options.latency,
        "--accept-known": options.accept_known,
        "--allow-equal": upgrade.allow_equal,
    }
    words = (
        *upgrade.changes,
        *(word for option, value in named if value is not None for word in (option, value)),
        *(flag for flag, is_set in flags.items() if is_set),
    )
    return tuple(map(redact, words))


def read_acknowledgements(file: Path | None) -> Acknowledgements:
    """Read what people accepted; nothing without a file.

    Raises:
        UsageError: the file is missing, or none of ``harness acknowledged``.
    """
    if file is None:
        return Acknowledgements()
    return read_document(file, Acknowledgements, "the acknowledgements of a pull request")


def _refuse_without_effect(faults: Mapping[str, object]) -> None:
    """Refuse options that contradict each other: message -> whether it applies.

    Raises:
        UsageError: the first message that applies.
    """
    for message, applies in faults.items():
        if applies:
            raise UsageError(message)


@click.command(cls=Command, examples=("numpy==2.4.6", "--to requirements.txt --no-latency"), codes=VERDICT)
@click.argument("changes", nargs=-1, metavar="[CHANGE]...")
@click.option("--from", "from_file", metavar="FILE", help="The baseline.  [default: of the matrix]")
@click.option("--to", "to_file", metavar="FILE", help="The candidate, instead of CHANGEs.")
@click.option("--base", metavar="REV", help="Compare with this revision.  [default: the target branch]")
@choice_options("of the matrix")
@matrix_option
@click.option("--no-latency", is_flag=True, help="Judge correctness only.")
@click.option("--quantities", multiple=True, metavar="GLOB", help="Measure only quantities whose id matches.")
@click.option(
    "--budget",
    metavar="TIME",
    help="Time limit for latency and memory, such as 10m or 90s.  [default: of the matrix]",
)
@click.option(
    "--accept-known",
    is_flag=True,
    help="Accept known divergences and checks that no longer run.",
)
@click.option(
    "--acknowledged",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What people accepted in the pull request, as `harness acknowledged` wrote it.",
)
@click.option("--no-culprit", is_flag=True, help="Skip the search for the cause.")
@culprit_budget_option
@click.option("--allow-equal", is_flag=True, help="Pass if both environments are equal.")
@click.option("--allow-inconclusive", is_flag=True, help="Use exit code 0 instead of 4.")
@running_options
def gate(  # noqa: PLR0913 - one parameter an option
    *,
    changes: tuple[str, ...],
    from_file: str | None,
    to_file: str | None,
    extras: tuple[str, ...],
    groups: tuple[str, ...],
    base: str | None,
    matrix: str,
    no_latency: bool,
    quantities: tuple[str, ...],
    budget: str | None,
    accept_known: bool,
    acknowledged: Path | None,
    no_culprit: bool,
    culprit_budget: str | None,
    allow_equal: bool,
    allow_inconclusive: bool,
    plain: bool,
    **running: Unpack[Running],
) -> int:
    """Judge the correctness, latency and memory of an upgrade before it is merged.

    Without arguments, the dependency file of the working tree is compared with that of the merge base: with
    --base, else the target branch of the CI, else the default branch of the remote.

    A CHANGE is a requirement such as numpy==2.4.6. A FILE is a requirements file, the output of pip freeze,
    a uv.lock or a pylock.toml, also of a git revision (main:requirements.txt). A lock counts with the
    `extras` and `groups` that [gate] of the matrix names; --extra and --group replace them. Correctness comes
    first. Newly red cases run again in fresh processes of both environments; those that do not come back are
    flaky and leave the gate inconclusive. Latency and memory of the service are measured until each is
    decided or the budget is spent, which leaves the gate inconclusive too.
    """
    upgrade = UpgradeRequest(
        changes=changes,
        from_file=from_file,
        to_file=to_file,
        choice=make_choice(extras, groups),
        allow_equal=allow_equal,
    )
    if changes:  # before any file is read; which file the choice is from, the matrix may say
        parse_changes(msgspec.structs.replace(upgrade, choice=Choice()))
    _refuse_without_effect(
        {
            "--base names the baseline, which goes with --to alone; remove it": base
            and (changes or from_file),
            "--quantities and --budget have no effect with --no-latency; leave them out": no_latency
            and (quantities or budget),
            "--culprit-budget has no effect with --no-culprit; leave it out": no_culprit and culprit_budget,
        }
    )
    options = GateOptions(
        latency=not no_latency,
        culprit=not no_culprit,
        accept_known=accept_known,
        budget=None if budget is None else parse_budget(budget),
        quantities=quantities,
        culprit_budget=parse_culprit_budget(culprit_budget),
        acknowledgements=read_acknowledgements(acknowledged),
    )
    judged = judge_upgrade(upgrade, matrix, options, running, Screen(plain=plain), base=base)
    allowed = allow_inconclusive and judged.decision.verdict == "inconclusive"
    return ExitCode.PASS if allowed else exit_code(judged.decision.verdict)


@click.command(cls=Command, examples=("numpy", "'numpy<2.3'"), codes=FOUND)
@click.argument("package", metavar="NAME[SPECIFIER]")
@click.option("--from", "from_file", metavar="FILE", help="The baseline.  [default: of the matrix]")
@choice_options("of the matrix")
@matrix_option
@click.option("--quantities", multiple=True, metavar="GLOB", help="Measure quantities whose id matches, too.")
@click.option(
    "--budget", metavar="TIME", help="Time limit for --quantities, such as 10m.  [default: of the matrix]"
)
@click.option("--accept-known", is_flag=True, help="Accept known divergences.")
@culprit_budget_option
@running_options
def bisect(  # noqa: PLR0913 - one parameter an option
    *,
    package: str,
    from_file: str | None,
    extras: tuple[str, ...],
    groups: tuple[str, ...],
    matrix: str,
    quantities: tuple[str, ...],
    budget: str | None,
    accept_known: bool,
    culprit_budget: str | None,
    plain: bool,
    **running: Unpack[Running],
) -> int:
    """Find the first bad release of a package.

    The baseline is compared with the newest compatible release that the specifier allows. If that is red,
    releases in between are tried with the failed checks only; packages that have to change too are listed.
    """
    # Equal environments pass: there may be no newer release.
    upgrade = UpgradeRequest(
        changes=(package,), from_file=from_file, choice=make_choice(extras, groups), allow_equal=True
    )
    parse_changes(msgspec.structs.replace(upgrade, choice=Choice()))  # before any file is read
    if budget is not None and not quantities:
        raise UsageError("--budget requires --quantities; add it")
    options = GateOptions(
        latency=bool(quantities),
        accept_known=accept_known,
        budget=None if budget is None else parse_budget(budget),
        quantities=quantities,
        culprit_budget=parse_culprit_budget(culprit_budget),
    )
    screen = Screen(plain=plain)
    judged = judge_upgrade(upgrade, matrix, options, running, screen)
    if judged.decision.verdict == "pass":
        screen.notify(Progress(cell="", stage="note", note=f"nothing to find: {_describe_compared(judged)}"))
    return exit_code(judged.decision.verdict)


def _describe_compared(judged: Gate) -> str:
    changes = judged.question.diff.changes
    if not changes:
        return "the baseline already has its newest compatible release"
    asked = [f"{change.name} {change.after}" for change in changes if change.asked]
    return f"{' '.join(asked) or judged.question.candidate} holds"


COMMANDS = (gate, bisect)
