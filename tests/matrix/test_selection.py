"""What a rule selects, against a definition by brute force, and the reasons that people read."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from harness.errors import UsageError
from harness.matrix.rules import add_age
from harness.matrix.schema import Rule
from harness.matrix.selection import Release, select

CALM = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # on a busy machine
TODAY = datetime.date(2026, 11, 1)
KEPT = {"1.1.1": "the baseline"}
BOUND = SpecifierSet(">=1.1")


def release(version: str, uploaded: str = "2026-01-01", **more: Any) -> Release:
    return Release(version=version, uploaded=datetime.date.fromisoformat(uploaded), **more)


@st.composite
def draw_releases(draw: st.DrawFn) -> list[Release]:
    numbers = draw(
        st.lists(
            st.tuples(
                st.integers(0, 1),
                st.integers(0, 2),
                st.integers(0, 2),
                st.sampled_from(["", "", "", "rc1", ".dev0", ".dev1"]),
            ),
            unique=True,
            max_size=30,
        )
    )
    return [
        Release(
            version=f"{major}.{minor}.{patch}{suffix}",
            uploaded=TODAY - datetime.timedelta(days=draw(st.integers(0, 60))),
            fault=draw(st.sampled_from(["", "", "", "yanked"])),
            nightly=suffix.startswith(".dev") and draw(st.booleans()),
        )
        for major, minor, patch, suffix in numbers
    ]


RULES = st.builds(
    Rule,
    select=st.sampled_from(["minors", "majors", "all", None]),
    since=st.sampled_from([None, "0.2", "1", "1.1.1"]),
    last=st.sampled_from([None, 1, 2]),
    support=st.sampled_from([None, "1 month", "3 weeks"]),
    latest=st.booleans(),
    oldest=st.booleans(),
    prereleases=st.booleans(),
    nightly=st.booleans(),
    cooldown=st.sampled_from([None, "7 days"]),
)


def define(rule: Rule, releases: Sequence[Release]) -> set[str]:
    """The selected versions, each by what it has to be among all others."""
    usable = [
        each
        for each in releases
        if not each.fault
        and not each.nightly
        and (rule.since is None or each.number >= Version(rule.since))
        and (rule.cooldown is None or (TODAY - (each.uploaded or TODAY)).days >= 7)
    ]
    finals = [each for each in usable if not each.number.is_prerelease]

    def minor(each: Release) -> tuple[int, ...]:
        return each.number.release[:2]

    def group(each: Release) -> tuple[int, ...]:
        return each.number.release[: {"majors": 1, "minors": 2, "all": 3, None: 0}[rule.select]]

    def is_supported(each: Release) -> bool:
        days = [
            other.uploaded
            for other in releases
            if minor(other) == minor(each) and not other.number.is_prerelease and other.uploaded
        ]
        is_newest = not any(minor(other) > minor(each) for other in finals)
        return rule.support is None or is_newest or add_age(min(days), rule.support) > TODAY

    supported = [each for each in finals if is_supported(each)]
    newest = [
        each
        for each in supported
        if not any(group(other) == group(each) and other.number > each.number for other in supported)
    ]
    taken = [
        each
        for each in newest
        if rule.select
        and (rule.last is None or sum(other.number > each.number for other in newest) < rule.last)
    ]

    def is_newest(each: Release, among: Sequence[Release]) -> bool:
        return each in among and all(each.number >= other.number for other in among)

    fitting = [each for each in finals if each.number >= Version("1.1")]
    added = [
        each
        for each in releases
        if (rule.latest and is_newest(each, finals))
        or (rule.oldest and each in fitting and all(each.number <= other.number for other in fitting))
        or (rule.prereleases and each.number.is_prerelease and is_newest(each, usable))
        or (rule.nightly and is_newest(each, [one for one in releases if one.nightly and not one.fault]))
    ]
    return {each.version for each in (*taken, *added)} | KEPT.keys()


@CALM
@given(rule=RULES, releases=draw_releases())
def test_a_rule_selects_what_its_definition_says(rule: Rule, releases: list[Release]) -> None:
    found = select(rule, releases, today=TODAY, bound=BOUND if rule.oldest else None, kept=KEPT)
    assert found.versions.keys() == define(rule, releases)
    assert list(found.versions) == sorted(found.versions, key=Version)
    # Each release is selected or not, with a reason, whatever the order of the list.
    assert found.others.keys() == {each.version for each in releases} - found.versions.keys()
    assert all((*found.versions.values(), *found.others.values()))
    assert select(rule, releases[::-1], today=TODAY, bound=BOUND if rule.oldest else None, kept=KEPT) == found


@CALM
@given(rule=RULES, releases=draw_releases())
def test_a_version_is_selected_until_its_end_and_not_on_it(rule: Rule, releases: list[Release]) -> None:
    """Without a new release; the versions after it can only be the next to go."""
    found = select(rule, releases, today=TODAY, kept=KEPT)
    for version, end in found.ends.items():
        before, on = (
            select(rule, releases, today=day, kept=KEPT).versions
            for day in (end - datetime.timedelta(days=1), end)
        )
        assert end > TODAY
        assert version not in on
        assert rule.last is not None or rule.cooldown is not None or version in before


HISTORY = [
    release("1.26.4", "2024-02-05"),
    release("2.0.0", "2024-06-16"),
    release("2.0.2", "2024-08-26"),
    release("2.1.0rc1", "2024-10-20"),  # before its final release, from which support counts
    release("2.1.0", "2024-12-01", fault="yanked: wrong metadata"),
    release("2.1.3", "2025-01-10"),
    release("2.2.0rc1", "2026-09-01"),
    release("2.2.0", "2026-10-01"),
    release("2.2.1", "2026-10-30"),
    release("2.3.0", "2026-10-31", fault="needs Python >=3.12"),
    release("2.4.0rc1", "2026-10-01"),
    release("2.5.0.dev1", "2026-10-31", nightly=True),
    release("2.5.0.dev0", "2026-10-30", nightly=True),
]


@pytest.mark.parametrize(
    ("rule", "versions"),
    [
        (Rule(select="minors", since="2"), {"2.0.2": "2.0", "2.1.3": "2.1", "2.2.1": "2.2"}),
        (Rule(select="majors"), {"1.26.4": "1", "2.2.1": "2"}),
        (Rule(select="minors", last=2), {"2.1.3": "2.1", "2.2.1": "2.2"}),
        (Rule(select="minors", support="24 months"), {"2.1.3": "2.1", "2.2.1": "2.2"}),
        (Rule(select="minors", support="1 month"), {"2.2.1": "2.2"}),
        (Rule(select="minors", cooldown="7 days", last=1), {"2.2.0": "2.2"}),
    ],
)
def test_rules_in_use(rule: Rule, versions: dict[str, str]) -> None:
    found = select(rule, HISTORY, today=TODAY)
    assert found.versions == {version: f"the newest of {group}" for version, group in versions.items()}


def test_single_releases() -> None:
    rule = Rule(latest=True, oldest=True, prereleases=True, nightly=True)
    assert select(rule, HISTORY, today=TODAY, bound=SpecifierSet(">=2,<3")).versions == {
        "2.0.0": "the oldest that <3,>=2 allows",
        "2.2.1": "the newest release",
        "2.4.0rc1": "the newest pre-release",
        "2.5.0.dev1": "the newest nightly release",
    }


def test_every_other_release_has_its_reason() -> None:
    rule = Rule(select="minors", since="2", support="24 months", cooldown="7 days", last=1)
    found = select(rule, HISTORY, today=TODAY, kept={"1.26.4": "the baseline"})
    assert found.versions == {"1.26.4": "the baseline", "2.2.0": "the newest of 2.2"}
    assert found.others == {
        "2.0.0": "24 months of 2.0 ended on 2026-06-16",
        "2.0.2": "24 months of 2.0 ended on 2026-06-16",
        "2.1.0rc1": "a pre-release",
        "2.1.0": "yanked: wrong metadata",
        "2.1.3": "not among the last 1 minors",
        "2.2.0rc1": "a pre-release",
        "2.2.1": "uploaded on 2026-10-30, less than 7 days before 2026-11-01",
        "2.3.0": "needs Python >=3.12",
        "2.4.0rc1": "a pre-release",
        "2.5.0.dev0": "a nightly release",
        "2.5.0.dev1": "a nightly release",
    }
    assert found.ends == {}


def test_support_counts_from_the_first_release_of_a_minor_even_if_it_was_yanked() -> None:
    found = select(Rule(select="minors", support="24 months"), HISTORY, today=TODAY)
    assert found.ends == {"2.1.3": datetime.date(2026, 12, 1)}


@pytest.mark.parametrize(
    ("rule", "key"),
    [(Rule(select="all", support="2 years"), "support"), (Rule(cooldown="1 day"), "cooldown")],
)
def test_an_age_needs_upload_times(rule: Rule, key: str) -> None:
    usable = [*HISTORY, Release(version="3.0"), Release(version="4.0", fault="yanked")]
    with pytest.raises(UsageError, match=rf"^{key}: the indexes give no upload time of 3\.0, so its age is"):
        select(rule, usable, today=TODAY)
    select(Rule(select="all"), usable, today=TODAY)
