"""``python -m audit.figures recall speed field``: what the rules find, how fast, and what of it is right."""

from __future__ import annotations

import asyncio
import csv
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import click
from audit.test_engine import FILES, at_marks, expected

from harness import processes
from harness.audit.engine import list_sources, scan
from harness.errors import HarnessError, MachineError
from harness.records.audit import AuditFinding, Unread

HERE = Path(__file__).parent
WHEELS = Path("build", "audit")
SPEED = ("bertopic", "sentence_transformers", "txtai")
"""Distributions of the field that have 100,000 lines together."""

Found = tuple[tuple[AuditFinding, ...], tuple[Unread, ...]]


def run(*folders: Path) -> Found:
    return asyncio.run(scan(list_sources(folders)))


def recall() -> None:
    """Faults found in each half of the corpus, and findings where no fault is."""
    marks = expected(FILES)
    places = set(at_marks(run(FILES)[0], marks))
    for kind in ("held", "open"):
        half = {mark for mark in marks if Path(mark[0]).name.startswith(kind)}
        click.echo(f"{kind}: {len(half & places)} of {len(half)} faults found")
    click.echo(f"false alarms: {len(places - marks)} in {len(list(FILES.rglob('*.py')))} files")


def fetch() -> dict[str, Path]:
    """The Python files of each distribution of the field; nothing of them is installed or run."""
    argv = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    argv += ["--require-hashes", "--dest", str(WHEELS), "--requirement", str(HERE / "field.txt")]
    done = asyncio.run(processes.run(argv))
    if done.returncode:
        raise MachineError(f"pip {processes.describe_exit(done.returncode)}: {done.stderr.strip()[-400:]}")
    folders = {}
    for wheel in sorted(WHEELS.glob("*.whl")):
        folders[wheel.name.partition("-")[0]] = folder = WHEELS / wheel.name.removesuffix(".whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder, [name for name in archive.namelist() if name.endswith(".py")])
    return folders


def count_lines(folder: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in folder.rglob("*.py"))


def speed() -> None:
    """Seconds for about 100,000 lines."""
    folders = [folder for name, folder in fetch().items() if name in SPEED]
    start = time.perf_counter()
    run(*folders)
    seconds = time.perf_counter() - start
    click.echo(f"{sum(map(count_lines, folders))} lines in {seconds:.0f} s")


def field() -> None:
    """Findings in distributions, each compared with the verdict of whoever read it."""
    with (HERE / "judged.csv").open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file)]
    judged = {(row["path"], int(row["line"]), row["rule"]): row["verdict"] for row in rows}
    verdicts = []
    for name, folder in fetch().items():
        found, unread = run(folder)
        for each in found:
            key = (Path(each.path).relative_to(folder).as_posix(), each.line, each.rule)
            verdicts.append(judged.get(key, "not judged"))
            click.echo(f"{verdicts[-1]}: {name} {':'.join(map(str, key))}")
        for left in unread:
            click.echo(f"not read: {left.path}:{left.line}: {left.reason[:100]}")
        click.echo(f"{name}: {count_lines(folder)} lines, {len(found)} findings")
    click.echo(f"{verdicts.count('correct')} of {len(verdicts)} findings are correct")
    click.echo(f"{verdicts.count('not judged')} are not judged")


PARTS: dict[str, Callable[[], None]] = {"recall": recall, "speed": speed, "field": field}


@click.command(help=__doc__)
@click.argument("parts", nargs=-1, required=True, type=click.Choice([*PARTS]))
def main(*, parts: tuple[str, ...]) -> None:
    """See the module."""
    try:
        for part in parts:
            PARTS[part]()
    except HarnessError as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
