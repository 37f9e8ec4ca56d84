"""Ask the indexes for the releases of a matrix, and compare its versions with its rules."""

from __future__ import annotations

import asyncio
import datetime
from dataclasses import dataclass
from pathlib import Path

import msgspec
from packaging.version import Version

from harness.errors import UsageError
from harness.matrix.requirement import is_exact
from harness.matrix.review import Review, review_rule, review_written
from harness.matrix.rules import NIGHTLY_VARIABLE, describe_rule, lower_bound
from harness.matrix.schema import MatrixFile, Rule
from harness.matrix.selection import Release, Selection, select
from harness.resolve.dependency_file import read_environment_file
from harness.resolve.listing import Source, list_files, list_releases
from harness.resolve.packages import make_choice
from harness.resolve.pip_settings import IndexSettings


class Reviewed(msgspec.Struct, frozen=True):
    """The reviews of a matrix, and when the oldest of their listings was read (UTC)."""

    reviews: tuple[Review, ...]
    read: datetime.datetime


async def review_matrix(file: MatrixFile, path: Path, source: Source, *, everything: bool) -> Reviewed:
    """Compare the versions of a matrix with its rules; with ``everything``, hand-written ones as well.

    Raises:
        UsageError: a rule selects nothing or lacks what it refers to, or a package is on no index.
        MachineError: an index cannot be used.
    """
    _refuse_missing_nightly(file, path, source.settings)
    named = {name: ("axes", versions) for name, versions in file.axes.items()}
    named |= {name: ("pins", (pin.version,)) for name, pin in file.pins.items() if is_exact(pin.version)}
    reviewer = _Reviewer(file, path, source, await _read_requirements(file, path))
    work = (
        reviewer.review(name, place, versions)
        for name, (place, versions) in named.items()
        if name in file.select or (everything and name != "python")
    )
    found = await asyncio.gather(*work)
    return Reviewed(tuple(each for each, _ in found), min((read for _, read in found), default=source.now))


def _refuse_missing_nightly(file: MatrixFile, path: Path, settings: IndexSettings) -> None:
    for name, rule in file.select.items():
        if rule.nightly and settings.nightly is None:
            raise UsageError(
                f"{path}: select.{name}.nightly: {NIGHTLY_VARIABLE} is not set; export it with the address "
                "of the index of nightly releases"
            )


async def _read_requirements(file: MatrixFile, path: Path) -> tuple[str, ...]:
    """What the things under test require: ``subject.requires`` and the dependency file of the gate."""
    if not any(rule.oldest for rule in file.select.values()):
        return ()
    found = list(file.subject.requires)
    if file.gate.file is not None:
        named = str(path.parent / file.gate.file)
        choice = make_choice(file.gate.extras, file.gate.groups)
        read = await read_environment_file(named, _pythons(file)[0], Path.cwd(), choice)
        found += [package.requirement for package in read.packages.values()]
    return tuple(found)


def _pythons(file: MatrixFile) -> tuple[str, ...]:
    return file.axes.get("python") or (file.pins["python"].version,)


@dataclass(frozen=True)
class _Reviewer:
    """Reviews the packages of one matrix; ``requirements`` are those of what is under test."""

    file: MatrixFile
    path: Path
    source: Source
    requirements: tuple[str, ...]

    async def review(
        self, name: str, place: str, written: tuple[str, ...]
    ) -> tuple[Review, datetime.datetime]:
        """Review one package; returns also when its releases were listed."""
        listing = await list_files(name, self.source)
        kept = {self.file.baseline[name]: "the baseline"} if name in self.file.baseline else {}
        texts = {Version(text): text for text in (*kept, *written)}
        until = self._until(name)

        def releases(end: datetime.datetime | None) -> tuple[Release, ...]:
            found = list_releases(listing.files, _pythons(self.file), end)
            # The same version may be written as 2.0 and as 2.0.0.
            return tuple(
                msgspec.structs.replace(each, version=texts.get(each.number, each.version)) for each in found
            )

        every, seen = releases(None), releases(until)
        if not every:
            where = f"{self.path}: {place}.{name}"
            raise UsageError(f"{where}: no index has a package {name!r}; correct the name")
        rule = self.file.select.get(name)
        if rule is None:
            return review_written(name, place, written, seen, every), listing.read
        selection = self._select(name, rule, seen, kept)
        return review_rule(name, rule, written, selection, seen, every), listing.read

    def _until(self, name: str) -> datetime.datetime | None:
        """The end of the uploads that count, as for the resolver: torch never has a limit."""
        day = self.file.resolve.exclude_newer
        if day is None or name in {"torch", *self.file.resolve.undated}:
            return None
        return datetime.datetime.combine(day + datetime.timedelta(days=1), datetime.time(), datetime.UTC)

    def _select(
        self, name: str, rule: Rule, releases: tuple[Release, ...], kept: dict[str, str]
    ) -> Selection:
        where = f"{self.path}: select.{name}"
        bound = lower_bound(name, self.requirements) if rule.oldest else None
        if rule.oldest and bound is None:
            raise UsageError(
                f"{where}.oldest: nothing under test has a lower bound on {name}; write one in "
                f'subject.requires, such as requires = ["{name}>=1.0"], or name the dependency file in [gate]'
            )
        until = self._until(name)
        last = self.source.now.date() if until is None else until.date() - datetime.timedelta(days=1)
        try:
            selection = select(
                rule, releases, today=min(last, self.source.now.date()), bound=bound, kept=kept
            )
        except UsageError as error:
            raise UsageError(f"{where}.{error}") from None
        if bound is not None and not any(bound.contains(version) for version in selection.versions):
            raise UsageError(f"{where}.oldest: no release is allowed by {bound}; correct the bounds")
        if not selection.versions.keys() - kept.keys():
            reasons = [f"{each.version}: {selection.others[each.version]}" for each in releases[-1:]]
            raise UsageError("; ".join((f"{where}: no release matches ({describe_rule(rule)})", *reasons)))
        return selection
