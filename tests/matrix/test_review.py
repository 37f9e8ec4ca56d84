"""What a review says of written versions, beside the reasons of a selection."""

from __future__ import annotations

import datetime
from typing import Any

from harness.matrix.review import review_rule, review_written
from harness.matrix.schema import Rule
from harness.matrix.selection import Release, select

TODAY = datetime.date(2026, 11, 1)


def release(version: str, uploaded: str = "2026-01-01", **more: Any) -> Release:
    return Release(version=version, uploaded=datetime.date.fromisoformat(uploaded), **more)


RELEASES = [
    release("2.0.0", "2024-12-01"),
    release("2.0.2", "2025-01-01"),
    release("2.1.0", "2025-02-01"),
    release("2.2.0"),
    release("2.3.0rc1"),
    release("3.0.0.dev1", nightly=True),
    release("2.3.0", fault="needs Python >=3.12"),
]
HIDDEN = [*RELEASES, release("2.4.0", "2026-11-02"), release("2.4.1", "2026-11-05"), release("2.5.0rc1")]
NOTES = (
    "2.3.0 is newer, but no cell can have it: needs Python >=3.12",
    "resolve.exclude-newer hides 2.4.1 (2026-11-05)",
)


def test_a_rule_with_what_comes_goes_and_ends() -> None:
    rule = Rule(select="minors", support="24 months")
    written = ("1.26.4", "2.0.0", "2.2.0")
    found = review_rule("numpy", rule, written, select(rule, RELEASES, today=TODAY), RELEASES, HIDDEN)
    assert found.selected == ("2.0.2", "2.1.0", "2.2.0")
    assert (found.added, found.removed, found.is_outdated) == (("2.0.2", "2.1.0"), ("1.26.4", "2.0.0"), True)
    assert found.why == {
        "1.26.4": "no index has it",
        "2.0.0": "2.0.2 is the newest of 2.0",
        "2.0.2": "the newest of 2.0",
        "2.1.0": "the newest of 2.1",
        "2.2.0": "the newest of 2.2",
    }
    assert found.notes == ("next: 2.0.2 drops out on 2026-12-01, 24 months after the first 2.0", *NOTES)


def test_versions_of_a_person_stay_whatever_is_newer() -> None:
    found = review_written("numpy", "axes", ("1.26.4", "2.0.0"), RELEASES, HIDDEN)
    assert (found.selected, found.is_outdated, found.rule) == (("1.26.4", "2.0.0"), False, "")
    assert found.notes == (
        "1.26.4: no index has it",
        "2.0.0 has a newer patch: 2.0.2",
        "2.2.0 is the newest release (2026-01-01)",
        *NOTES,
    )


def test_nothing_is_said_of_the_newest_version() -> None:
    assert review_written("numpy", "pins", ("2.2.0",), RELEASES[:5], RELEASES[:5]).notes == ()
