"""Select the versions of an axis by its rule: pure functions over a list of releases."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from harness.errors import UsageError
from harness.matrix.rules import add_age
from harness.matrix.schema import Rule


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """One version on the indexes; ``fault`` is why no cell of the matrix can have it.

    ``uploaded`` is the day (UTC) of its first file; None if the indexes give no upload times.
    """

    version: str
    uploaded: datetime.date | None = None
    fault: str = ""
    nightly: bool = False

    @property
    def number(self) -> Version:
        """The version as a number that compares."""
        return Version(self.version)


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Version -> why it is selected, ascending; and why each other release is not.

    ``ends`` maps selected versions to the day on which ``support`` drops them.
    """

    versions: dict[str, str]
    others: dict[str, str]
    ends: dict[str, datetime.date] = {}


def select(
    rule: Rule,
    releases: Sequence[Release],
    *,
    today: datetime.date,
    bound: SpecifierSet | None = None,
    kept: Mapping[str, str] | None = None,
) -> Selection:
    """What a rule selects from a list of releases.

    Args:
        rule: the rule.
        releases: every release, with those that cannot be installed.
        today: the day from which ages count.
        bound: what the things under test require of the package, for ``oldest``.
        kept: version -> why it belongs to the axis in any case, such as the baseline.

    Raises:
        UsageError: an age is asked of releases without upload times; the message begins with the key.
    """
    _refuse_undated(rule, releases)
    others = {each.version: fault for each in releases if (fault := _refusal(rule, each, today))}
    pool = sorted((each for each in releases if each.version not in others), key=_by_number)
    finals = [each for each in pool if not each.number.is_prerelease]
    others |= {each.version: "a pre-release" for each in pool if each.number.is_prerelease}
    ends = _find_ends(rule, finals, releases)
    taken, missed = _take(rule, finals, {minor: end for minor, end in ends.items() if end <= today})
    added = {each.version: reason for each, reason in _add(rule, pool, finals, bound)}
    added |= {each.version: "the newest nightly release" for each in _find_nightly(rule, releases)}
    why = {**(kept or {}), **added, **taken}
    return Selection(
        versions={version: why[version] for version in sorted(why, key=Version)},
        others={version: reason for version, reason in (others | missed).items() if version not in why},
        ends={
            each.version: ends[_minor(each)]
            for each in finals
            if each.version in taken.keys() - added.keys() - (kept or {}).keys() and _minor(each) in ends
        },
    )


def _by_number(release: Release) -> Version:
    return release.number


def _refuse_undated(rule: Rule, releases: Iterable[Release]) -> None:
    usable = (each for each in releases if not (each.nightly or each.fault))
    undated = [each.version for each in usable if each.uploaded is None]
    if undated and (rule.support or rule.cooldown):
        raise UsageError(
            f"{'support' if rule.support else 'cooldown'}: the indexes give no upload time of {undated[-1]}, "
            "so its age is unknown; delete the key"
        )


def _refusal(rule: Rule, release: Release, today: datetime.date) -> str:
    """Why a release is no candidate; empty if it is one."""
    if release.fault:
        return release.fault
    if release.nightly:
        return "a nightly release"
    if rule.since is not None and release.number < Version(rule.since):
        return f"before {rule.since}"
    if rule.cooldown and release.uploaded and add_age(release.uploaded, rule.cooldown) > today:
        return f"uploaded on {release.uploaded}, less than {rule.cooldown} before {today}"
    return ""


def _minor(release: Release) -> str:
    number = release.number
    epoch = f"{number.epoch}!" if number.epoch else ""
    return f"{epoch}{number.major}.{number.minor}"


def _group(rule: Rule, release: Release) -> str:
    """What ``select`` takes one release of."""
    if rule.select == "all":
        return release.version
    return _minor(release) if rule.select == "minors" else _minor(release).rpartition(".")[0]


def _first_days(releases: Iterable[Release]) -> dict[str, datetime.date]:
    """Minor -> the day of its first final release, whether that can still be installed or not."""
    found: dict[str, datetime.date] = {}
    for each in releases:
        if each.uploaded is not None and not each.number.is_prerelease and not each.nightly:
            found[_minor(each)] = min(each.uploaded, found.get(_minor(each), each.uploaded))
    return found


def _find_ends(
    rule: Rule, finals: Sequence[Release], releases: Iterable[Release]
) -> dict[str, datetime.date]:
    """Minor -> the day on which its support ends; the newest minor is always supported."""
    if rule.support is None or not finals:
        return {}
    first = _first_days(releases)
    minors = {_minor(each) for each in finals} - {_minor(finals[-1])}
    return {minor: add_age(first[minor], rule.support) for minor in minors}


def _take(
    rule: Rule, finals: Sequence[Release], ended: Mapping[str, datetime.date]
) -> tuple[dict[str, str], dict[str, str]]:
    """What ``select`` takes of the candidates in ascending order, and why it leaves out each other one."""
    if rule.select is None:
        return {}, dict.fromkeys((each.version for each in finals), "the rule takes single releases")
    missed, newest = {}, {}
    for each in finals:
        if _minor(each) in ended:
            missed[each.version] = f"{rule.support} of {_minor(each)} ended on {ended[_minor(each)]}"
        else:
            newest[_group(rule, each)] = each.version
    for each in finals:
        if each.version not in missed and (better := newest[_group(rule, each)]) != each.version:
            missed[each.version] = f"{better} is the newest of {_group(rule, each)}"
    kept = list(newest)[-rule.last :] if rule.last else list(newest)
    what = "releases" if rule.select == "all" else rule.select
    missed |= {
        version: f"not among the last {rule.last} {what}"
        for group, version in newest.items()
        if group not in kept
    }
    reason = "{} belongs to all" if rule.select == "all" else "the newest of {}"
    return {newest[group]: reason.format(group) for group in kept}, missed


def _add(
    rule: Rule, pool: Sequence[Release], finals: Sequence[Release], bound: SpecifierSet | None
) -> Iterator[tuple[Release, str]]:
    """The single releases that a rule adds, each with the reason."""
    if rule.latest and finals:
        yield finals[-1], "the newest release"
    fitting = (each for each in finals if bound is not None and bound.contains(each.version))
    if rule.oldest and (oldest := next(fitting, None)):
        yield oldest, f"the oldest that {bound} allows"
    if rule.prereleases and pool and pool[-1].number.is_prerelease:
        yield pool[-1], "the newest pre-release"


def _find_nightly(rule: Rule, releases: Iterable[Release]) -> list[Release]:
    """The newest nightly release, if the rule asks for it."""
    found = [each for each in releases if each.nightly and not each.fault]
    return sorted(found, key=_by_number)[-1:] if rule.nightly else []
