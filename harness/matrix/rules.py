"""The rules of ``[select]``: their faults, and the ages and bounds that they name."""

from __future__ import annotations

import calendar
import datetime
from collections.abc import Iterable, Iterator

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from harness.matrix.requirement import version_fault
from harness.matrix.schema import MatrixFile, Rule
from harness.matrix.toml_file import suggest

NIGHTLY_VARIABLE = "HARNESS_NIGHTLY_INDEX"
"""The environment variable with the address of the index of nightly releases; no file names a host."""

_LOWER = frozenset({">=", ">", "==", "===", "~="})


def rule_faults(file: MatrixFile) -> Iterator[str]:
    """The faults of the rules; each begins with its key."""
    for name, rule in file.select.items():
        where = f"select.{name}"
        if name == "python":
            yield f"{where}: no index lists Pythons; write the versions of this axis by hand"
        elif name not in file.axes:
            yield f"{where}: no such axis{suggest(name, file.axes)}; write {name} = [] under [axes]"
        if rule.since is not None and (fault := version_fault(rule.since)):
            yield f"{where}.since: {fault}"
        if not (rule.select or rule.latest or rule.oldest or rule.prereleases or rule.nightly):
            yield f"{where}: selects nothing; give select, latest, oldest, prereleases or nightly"
        for key in ("last", "support"):
            if getattr(rule, key) is not None and rule.select is None:
                yield f'{where}.{key}: bounds what select takes; add select = "minors", or delete the key'
        if rule.nightly and file.resolve.exclude_newer and name not in file.resolve.undated:
            yield (
                f"{where}.nightly: resolve.exclude-newer hides nightly releases; "
                f"list {name!r} in resolve.undated, or delete exclude-newer"
            )


def describe_rule(rule: Rule) -> str:
    """A rule in the words of its keys, such as ``minors since 1.26, latest``."""
    since = f" since {rule.since}" if rule.since else ""
    parts = [f"{rule.select}{since}" if rule.select else since.strip()]
    parts += [f"last {rule.last}"] if rule.last else []
    parts += [f"support {rule.support}"] if rule.support else []
    parts += [key for key in ("latest", "oldest", "prereleases", "nightly") if getattr(rule, key)]
    parts += [f"cooldown {rule.cooldown}"] if rule.cooldown else []
    return ", ".join(part for part in parts if part)


def add_age(day: datetime.date, age: str) -> datetime.date:
    """The day that is an age such as ``24 months`` later; months end at their last day."""
    count, _, units = age.partition(" ")
    number, unit = int(count), units.removesuffix("s")
    if unit in {"day", "week"}:
        return day + datetime.timedelta(days=number * (7 if unit == "week" else 1))
    years, month = divmod(day.month - 1 + number * (12 if unit == "year" else 1), 12)
    year = day.year + years
    return datetime.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def lower_bound(name: str, requirements: Iterable[str]) -> SpecifierSet | None:
    """What requirements (PEP 508) ask of a package together; None if none of them bounds it from below."""
    found = SpecifierSet()
    for text in requirements:
        asked = Requirement(text)
        if canonicalize_name(asked.name) == name:
            found &= asked.specifier
    return found if any(each.operator in _LOWER for each in found) else None
