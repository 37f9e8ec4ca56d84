"""Rules as people write them: what is refused and how it is said, ages, lower bounds."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.plan_texts import PLAIN, put_matrix

from harness.errors import UsageError
from harness.matrix.read import read_matrix, read_matrix_file
from harness.matrix.rules import add_age, describe_rule, lower_bound
from harness.matrix.schema import Rule


def read_with(folder: Path, rules: str, text: str = PLAIN) -> str:
    """What is said of a matrix with these rules; empty if it is valid."""
    path = put_matrix(folder, f"{text}\n{rules}\n")
    try:
        read_matrix(path)
    except UsageError as error:
        return str(error).replace(f"{path}: ", "")
    return ""


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ('[select.numpy]\nselect = "minors"\nsince = "1.26"\nlast = 3\nsupport = "24 months"', ""),
        ("[select]\nnumpy = { latest = true, oldest = true, prereleases = true }", ""),
        (
            "[select]\nnunpy = { latest = true }",
            "select.nunpy: no such axis (did you mean 'numpy'?); write nunpy = [] under [axes]",
        ),
        (
            "[select]\npython = { latest = true }",
            "select.python: no index lists Pythons; write the versions of this axis by hand",
        ),
        (
            '[select]\nnumpy = { since = "1.26" }',
            "select.numpy: selects nothing; give select, latest, oldest, prereleases or nightly",
        ),
        (
            "[select]\nnumpy = { latest = true, last = 2 }",
            'select.numpy.last: bounds what select takes; add select = "minors", or delete the key',
        ),
        (
            '[select]\nnumpy = { select = "all", since = "v2" }',
            "select.numpy.since: expected a version in its canonical form: write '2', not 'v2'",
        ),
        (
            '[select]\nnumpy = { select = "minor" }',
            "select.numpy.select: 'minor' is not one of all, majors, minors (did you mean 'minors'?)",
        ),
        (
            '[select]\nnumpy = { select = "minors", support = "two years" }',
            'select.numpy.support: expected an age such as "24 months" or "7 days", found \'two years\'',
        ),
        (
            '[select]\nnumpy = { select = "minors", cooldwn = "7 days" }',
            (
                "select.numpy.cooldwn: unknown key (did you mean 'cooldown'?); known here: select, since, "
                "last, support, latest, oldest, prereleases, nightly, cooldown"
            ),
        ),
        (
            "[select]\nnumpy = { nightly = true }",
            (
                "select.numpy.nightly: resolve.exclude-newer hides nightly releases; "
                "list 'numpy' in resolve.undated, or delete exclude-newer"
            ),
        ),
    ],
)
def test_a_rule_is_valid_or_says_what_was_meant(tmp_path: Path, rules: str, said: str) -> None:
    assert read_with(tmp_path, rules) == said


def test_an_axis_of_a_rule_starts_without_versions(tmp_path: Path) -> None:
    text = PLAIN.replace('["1.26.2", "2.4.6"]', "[]").replace('numpy = "1.26.2"\n', "")
    rules = '[select.numpy]\nselect = "minors"'
    said = "axes.numpy has no versions; run `harness matrix update`"
    assert read_with(tmp_path, rules, text) == said
    assert read_matrix_file(tmp_path / "mine.toml").select == {"numpy": Rule(select="minors")}
    assert read_with(tmp_path, "", text) == (
        "axes.numpy has no versions; list at least one, or delete the axis"
    )


def test_a_rule_in_words() -> None:
    rule = Rule(select="minors", since="1.26", last=3, support="2 years", latest=True, cooldown="7 days")
    assert describe_rule(rule) == "minors since 1.26, last 3, support 2 years, latest, cooldown 7 days"
    assert describe_rule(Rule(since="2", oldest=True)) == "since 2, oldest"


DAYS = st.dates(datetime.date(2000, 1, 1), datetime.date(2100, 12, 31))


@settings(deadline=None)
@given(day=DAYS, number=st.integers(1, 999))
def test_an_age_in_months_ends_on_the_same_day_or_the_last_of_a_shorter_month(
    day: datetime.date, number: int
) -> None:
    end = add_age(day, f"{number} months")
    assert (end.year * 12 + end.month) - (day.year * 12 + day.month) == number
    assert end.day == day.day or (end.day < day.day and (end + datetime.timedelta(days=1)).day == 1)
    assert add_age(day, f"{number} years") == add_age(day, f"{12 * number} months")


@settings(deadline=None)
@given(day=DAYS, number=st.integers(1, 999))
def test_an_age_in_days(day: datetime.date, number: int) -> None:
    assert (add_age(day, f"{number} days") - day).days == number
    assert add_age(day, f"{number} week") == add_age(day, f"{7 * number} day")


@pytest.mark.parametrize(
    ("requirements", "bound"),
    [
        (("numpy>=1.26,<3", "scipy>=1"), "<3,>=1.26"),
        (("NumPy[extra]>=1.26", "numpy!=2.1.0"), "!=2.1.0,>=1.26"),
        (("numpy==1.26.4",), "==1.26.4"),
        (("numpy<3", "scipy>=1"), None),
        ((), None),
    ],
)
def test_the_lower_bound_of_what_is_under_test(requirements: tuple[str, ...], bound: str | None) -> None:
    found = lower_bound("numpy", requirements)
    assert (None if found is None else str(found)) == bound
