"""The command ``audit``: mistakes around embeddings in code, found without running it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from harness.audit.catalogue import read_rules
from harness.audit.engine import list_sources, scan
from harness.audit.states import apply_baseline, with_sources, write_baseline
from harness.cli.help import DONE, Command
from harness.cli.screen import Screen, fit
from harness.cli.waiting import find_waiting
from harness.errors import ExitCode, UsageError
from harness.files import write_output
from harness.records.audit import Audit
from harness.redaction import redact
from harness.report.audit import (
    render_audit_code_quality,
    render_audit_json,
    render_audit_sarif,
    render_audit_text,
)
from harness.report.escape import disarm_commands, scrub
from harness.sweep.interrupt import run_interruptibly

CODES = {
    **DONE,
    0: "no new finding",
    1: "new findings",
    5: "a file could not be read, or the harness or the machine failed",
}


@click.command(
    cls=Command,
    examples=(".", "--baseline audit.json src", "--sarif --out audit.sarif src"),
    codes=CODES,
)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path))
@click.option("--exclude", multiple=True, metavar="GLOB", help="Leave out paths or names that match.")
@click.option(
    "--baseline", type=click.Path(path_type=Path), metavar="FILE", help="Findings in it are not new."
)
@click.option("--update-baseline", is_flag=True, help="Write all present findings to --baseline.")
@click.option("--json", "form", flag_value="json", help="As JSON: every finding and every rule.")
@click.option("--sarif", "form", flag_value="sarif", help="As SARIF 2.1.0, for code scanning.")
@click.option("--code-quality", "form", flag_value="gitlab", help="As a Code Quality report of GitLab.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, allow_dash=True),
    default="-",
    metavar="FILE",
    help="The file to write; - is standard output.  [default: -]",
)
def audit(  # noqa: PLR0913 - one parameter an option
    *,
    paths: tuple[Path, ...],
    exclude: tuple[str, ...],
    baseline: Path | None,
    update_baseline: bool,
    form: str | None,
    out: str,
) -> int:
    """Find mistakes around embeddings in Python code.

    The code is not run. A comment `# harness: ignore[rule] reason` ignores a finding in its line or the
    next one; it needs a reason. Needs Semgrep, the extra `audit`, and no network.
    """
    if update_baseline and baseline is None:
        raise UsageError("--update-baseline needs --baseline FILE, the file to write")
    files = list_sources(paths, exclude)
    find_waiting().begin("Semgrep", f"reads {len(files)} files")
    found, unread = run_interruptibly(scan(files))
    find_waiting().begin("")
    findings = with_sources(found)
    if baseline is not None:
        if update_baseline:
            write_baseline(findings, baseline)
        findings = apply_baseline(findings, baseline)
    done = Audit(rules=read_rules(), findings=findings, unread=unread, files=len(files))
    _show(done, form, out)
    return decide(done)


def decide(done: Audit) -> ExitCode:
    """The exit code: new findings first, then files without an answer."""
    if done.new:
        return ExitCode.REGRESSED
    return ExitCode.ERROR if done.unread else ExitCode.PASS


def _show(done: Audit, form: str | None, out: str) -> None:
    if form == "json":
        text = render_audit_json(done)
    elif form == "sarif":
        text = render_audit_sarif(done)
    elif form == "gitlab":
        text = render_audit_code_quality(done)
    else:
        text = disarm_commands(scrub(render_audit_text(done, width=Screen(plain=True).width)))
    if out != "-":
        write_output(Path(out), redact(text).encode())
    else:
        click.echo(fit(redact(text), sys.stdout), nl=False)


COMMANDS = (audit,)
