"""Compare the written versions of a package with its rule and its releases: what comes and goes, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec
from packaging.version import Version

from harness.matrix.rules import describe_rule
from harness.matrix.schema import Rule
from harness.matrix.selection import Release, Selection


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """The versions of one package: those that are written, those that its rule selects, ascending.

    ``why`` has the reason of each selected version, and of each one that goes. ``notes`` are facts that
    change no version. ``place`` is the key that has the versions; without a rule both lists are equal.
    """

    name: str
    place: str
    rule: str
    written: tuple[str, ...]
    selected: tuple[str, ...]
    why: dict[str, str]
    notes: tuple[str, ...] = ()

    @property
    def added(self) -> tuple[str, ...]:
        """The selected versions that are not written."""
        return tuple(version for version in self.selected if version not in self.written)

    @property
    def removed(self) -> tuple[str, ...]:
        """The written versions that are not selected."""
        return tuple(version for version in self.written if version not in self.selected)

    @property
    def is_outdated(self) -> bool:
        """Whether the rule selects other versions than the written ones."""
        return bool(self.added or self.removed)


def review_rule(  # noqa: PLR0913, PLR0917 - one parameter a side of the comparison
    name: str,
    rule: Rule,
    written: Sequence[str],
    selection: Selection,
    releases: Sequence[Release],
    hidden: Sequence[Release],
) -> Review:
    """Compare an axis with what its rule selects; ``hidden`` are releases behind ``exclude-newer``."""
    selected = tuple(selection.versions)
    gone = {version: selection.others.get(version, "no index has it") for version in written}
    ends = sorted(selection.ends.items(), key=lambda item: (item[1], Version(item[0])))
    return Review(
        name=name,
        place="axes",
        rule=describe_rule(rule),
        written=tuple(written),
        selected=selected,
        why=gone | selection.versions,
        notes=(
            *(
                f"next: {version} drops out on {end}, {rule.support} after the first {_minor(version)}"
                for version, end in ends[:1]
            ),
            *_describe_unreachable(releases),
            *_describe_hidden(releases, hidden),
        ),
    )


def _minor(version: str) -> str:
    number = Version(version)
    return f"{number.major}.{number.minor}"


def review_written(
    name: str, place: str, written: Sequence[str], releases: Sequence[Release], hidden: Sequence[Release]
) -> Review:
    """Describe what is there for versions that a person has chosen, in an axis or a pin."""
    return Review(
        name=name,
        place=place,
        rule="",
        written=tuple(written),
        selected=tuple(written),
        why={},
        notes=(
            *_describe_written(written, releases),
            *_describe_unreachable(releases),
            *_describe_hidden(releases, hidden),
        ),
    )


def _describe_written(written: Sequence[str], releases: Sequence[Release]) -> Iterator[str]:
    faults = {each.version: each.fault for each in releases}
    for version in written:
        if fault := faults.get(version, "no index has it"):
            yield f"{version}: {fault}"
    usable = [each for each in _finals(releases) if not each.fault]
    newest = {each.number.release[:2]: each for each in usable}
    for version in written:
        patch = newest.get(Version(version).release[:2])
        if patch is not None and patch != usable[-1] and patch.number > Version(version):
            yield f"{version} has a newer patch: {patch.version}"
    if usable and all(usable[-1].number > Version(version) for version in written):
        yield f"{usable[-1].version} is the newest release{_on(usable[-1])}"


def _describe_unreachable(releases: Sequence[Release]) -> Iterator[str]:
    """The newest release, if no cell can have it."""
    finals = _finals(releases)
    if finals and finals[-1].fault:
        yield f"{finals[-1].version} is newer, but no cell can have it: {finals[-1].fault}"


def _describe_hidden(releases: Sequence[Release], hidden: Sequence[Release]) -> Iterator[str]:
    """The newest release behind ``exclude-newer``."""
    known = {each.version for each in releases if not each.fault}
    later = [each for each in _finals(hidden) if not each.fault and each.version not in known]
    if later:
        yield f"resolve.exclude-newer hides {later[-1].version}{_on(later[-1])}"


def _finals(releases: Iterable[Release]) -> list[Release]:
    return sorted(
        (each for each in releases if not each.number.is_prerelease and not each.nightly),
        key=lambda each: each.number,
    )


def _on(release: Release) -> str:
    return f" ({release.uploaded})" if release.uploaded else ""
