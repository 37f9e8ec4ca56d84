"""The commands ``matrix update`` and ``matrix check``: versions of a matrix that a rule selects."""

from __future__ import annotations

import codecs
import datetime
import difflib
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import platformdirs
from packaging.version import Version

from harness.cli.help import DONE, RESOLVED, Command
from harness.cli.maintain import find_matrices, write_locks
from harness.cli.options import max_cells_option
from harness.cli.screen import Screen, fit
from harness.cli.waiting import find_waiting
from harness.errors import ExitCode, UsageError
from harness.files import write_whole
from harness.input_files import decode_text, is_descriptor, read_input
from harness.matrix.amend import replace_versions
from harness.matrix.read import (
    PACKAGE,
    build_matrix,
    describe_lock,
    describe_update,
    read_matrix_file,
    shipped_matrices,
)
from harness.matrix.review import Review
from harness.matrix.schema import Matrix
from harness.matrix.toml_file import parse_toml
from harness.report.escape import disarm_commands
from harness.resolve.listing import Source, open_source
from harness.resolve.lockfile import locks_folder, platform_tag
from harness.resolve.pip_settings import read_pip_settings
from harness.resolve.version_review import Reviewed, review_matrix
from harness.sweep.interrupt import run_interruptibly

matrices_option = click.option(
    "--matrix", "names", multiple=True, metavar="NAME|FILE", help="The matrix.  [default: all in matrices/]"
)


@click.group(name="matrix")
def matrix_group() -> None:
    """Select versions by the rules of a matrix, or check them.

    A rule is a table [select.NAME] of the matrix; the versions that it selects are in [axes].
    """


@matrix_group.command(
    cls=Command,
    group="harness matrix",
    examples=("--matrix compat",),
    codes={**DONE, 0: "nothing is out of date", 1: "`harness matrix update` would change versions"},
)
@matrices_option
def check(*, names: tuple[str, ...]) -> int:
    """Say which versions are out of date.

    And what drops out of support next. Exit code 1: `harness matrix update` would change versions. For
    versions without a rule, newer releases are notes.
    """
    paths = find_matrices(names)

    async def work() -> int:
        source = await _open_source()
        changed = False
        for path in paths:
            _print(*([""] if path != paths[0] else []))
            changed |= await _check(path, source)
        return ExitCode.REGRESSED if changed else ExitCode.PASS

    return run_interruptibly(work())


@matrix_group.command(cls=Command, group="harness matrix", examples=("--matrix compat",), codes=RESOLVED)
@matrices_option
@max_cells_option
def update(*, names: tuple[str, ...], max_cells: int) -> None:
    """Write the versions that rules select.

    New cells are locked, if the matrix has locks for this platform. Everything else in the file stays,
    comments included. The version of the baseline stays in its axis.
    """
    paths = find_matrices(names)

    async def work() -> None:
        source = await _open_source()
        for path in paths:
            _print(*([""] if path != paths[0] else []))
            await _update(path, source, max_cells)

    run_interruptibly(work())


async def _open_source() -> Source:
    find_waiting().begin("the package indexes")
    kept = Path(platformdirs.user_cache_dir("embedding-parity-harness-releases"))
    return await open_source(await read_pip_settings(), kept, datetime.datetime.now(datetime.UTC))


async def _check(path: Path, source: Source) -> bool:
    """Describe a matrix; True if its rules select other versions than the written ones."""
    reviewed = await review_matrix(read_matrix_file(path), path, source, everything=True)
    changed = [each for each in reviewed.reviews if each.is_outdated]
    rules = sum(1 for each in reviewed.reviews if each.rule)
    _print(_describe_head(path, reviewed))
    for review in reviewed.reviews:
        _print("", *_describe(review))
    if changed:
        named = ", ".join(each.name for each in changed)
        _print("", f"out of date: {named}; run `{describe_update(path)}`")
    else:
        _print(
            "",
            "every rule selects the written versions"
            if rules
            else "no rules; the versions are chosen by hand",
        )
    return bool(changed)


async def _update(path: Path, source: Source, max_cells: int) -> None:
    _refuse_foreign(path)
    file = read_matrix_file(path)
    if not file.select:
        _print(f"{path.stem}: no rules; write [select] into {path.name} to have its versions selected")
        return
    reviewed = await review_matrix(file, path, source, everything=False)
    changed = [each for each in reviewed.reviews if each.is_outdated]
    before = decode_text(read_input(path), path)
    after, matrix = _change(before, path, changed, max_cells)
    _print(_describe_head(path, reviewed))
    for review in changed:
        _print("", *_describe(review))
    if has_locks := locks_folder(matrix, platform_tag()).is_dir():  # before the file: a lock can fail
        await write_locks(matrix, source.settings, Screen(plain=True, aside=True).notify, keep=True)
    _write(path, before, after)
    click.echo(fit(disarm_commands(_diff(before, after, path)), sys.stdout), nl=False)
    _print(*([] if changed else ["every rule selects the written versions"]))
    _print(*([] if has_locks else [f"no locks here; `{describe_lock(matrix.path)}` makes them"]))
    _print(*_describe_others(matrix))


def _write(path: Path, before: str, after: str) -> None:
    if after != before:
        path = path.resolve()  # a link stays a link
        write_whole(path, after.encode(_encoding(path.read_bytes())), mode=path.stat().st_mode & 0o777)


def _refuse_foreign(path: Path) -> None:
    """Refuse a matrix that is not a file of the user."""
    if is_descriptor(path):
        raise UsageError(f"{path}: a matrix from a pipe cannot be changed; name a file")
    shipped = shipped_matrices()
    if shipped.is_relative_to(PACKAGE) and path.parent.resolve() == shipped.resolve():
        raise UsageError(f"{path}: a matrix of the installed harness; copy it into your project first")


def _change(before: str, path: Path, changed: Sequence[Review], max_cells: int) -> tuple[str, Matrix]:
    """The text with the selected versions, and its matrix."""
    selected = "; ".join(f"{each.name} {', '.join(each.selected)}" for each in changed)
    try:
        after = replace_versions(before, {each.name: each.selected for each in changed})
    except ValueError as error:
        raise UsageError(f"{path}: {error}; write the versions by hand: {selected}") from None
    try:
        return after, build_matrix(parse_toml(after, path), path, max_cells=max_cells, array=False)
    except UsageError as error:
        if not changed:
            raise
        raise UsageError(f"{error}\nnothing was written; the rules select: {selected}") from None


def _encoding(data: bytes) -> str:
    """The encoding of a file, by its mark; the mark is written again."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return "utf-8-sig" if data.startswith(codecs.BOM_UTF8) else "utf-8"


def _describe_head(path: Path, reviewed: Reviewed) -> str:
    return f"{path.stem}: releases of {reviewed.read:%Y-%m-%d %H:%M} UTC"


def _describe(review: Review) -> Iterator[str]:
    """The lines on one package: its rule and versions, what comes and goes, with reasons, and notes."""
    head = f"{review.name} ({review.rule or ('pin' if review.place == 'pins' else 'by hand')})"
    yield head if review.is_outdated else f"{head}: {', '.join(review.written)}"
    versions = sorted({*review.written, *review.selected} if review.is_outdated else (), key=Version)
    width = max(map(len, versions), default=0)
    for version in versions:
        sign = "+" if version in review.added else "-" if version in review.removed else " "
        yield f"  {sign} {version:{width}}  {review.why[version]}"
    yield from (f"  {note}" for note in review.notes)


def _diff(before: str, after: str, path: Path) -> str:
    """What changes in the file, below a blank line; empty for equal texts."""
    lines = (before.splitlines(), after.splitlines())
    found = list(difflib.unified_diff(*lines, f"{path.name} before", path.name, n=0, lineterm=""))
    return "".join(f"{line}\n" for line in ["", *found]) if found else ""


def _describe_others(matrix: Matrix) -> Iterator[str]:
    """Locks of other platforms, which only a machine of theirs can make."""
    mine = locks_folder(matrix, platform_tag())
    for folder in sorted(matrix.folder.glob("locks/*/")):
        other = folder / matrix.name
        if other != mine and other.is_dir():
            yield f"locks of {folder.name}: run `{describe_lock(matrix.path)}` on that platform"


def _print(*lines: str) -> None:
    """Print lines, wrapped at the width of the screen."""
    width = Screen(plain=True).width
    for line in lines:
        indent = " " * (len(line) - len(line.lstrip(" +-")) + 2)
        wrapped = textwrap.wrap(
            line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )
        click.echo(fit(disarm_commands("\n".join(wrapped)), sys.stdout))


COMMANDS = (matrix_group,)
