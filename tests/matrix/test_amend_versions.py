"""Other versions in an axis, and nothing else in the file: comments, order and line ends stay."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.version import Version

from harness.matrix.amend import replace_versions

TEXT = """\
# ours
schema   =  1

[axes]   # every pair
"numpy" = ['1.26.2', "2.0.2",   "2.2.6"]  # by rule
openvino = [
  # from here
  "2024.6.0",  # oldest
  "2025.0.0",
  "2025.4.1"  # newest
] # to here
empty = []

[select.numpy]
select = "minors"   # one each
"""


def test_versions_come_and_go_and_comments_stay_with_theirs() -> None:
    wanted = {
        "numpy": ["2.0.2", "2.2.6", "2.4.6"],
        "openvino": ["2025.0.0", "2025.1.0", "2025.4.1", "2026.1.0"],
        "empty": ["1.0"],
    }
    assert replace_versions(TEXT, wanted) == (
        TEXT.replace("""'1.26.2', "2.0.2",   "2.2.6\"""", '"2.0.2",   "2.2.6",   "2.4.6"')
        .replace('  "2024.6.0",  # oldest\n', "")
        .replace('  "2025.4.1"', '  "2025.1.0",\n  "2025.4.1"')
        .replace('"  # newest\n', '",  # newest\n  "2026.1.0"\n')
        .replace("empty = []", 'empty = ["1.0"]')
    )


def test_line_ends_of_windows_stay() -> None:
    after = replace_versions(TEXT.replace("\n", "\r\n"), {"openvino": ["2024.6.0", "2026.1.0"]})
    assert after.count("\n") == after.count("\r\n")


VERSIONS = st.lists(st.integers(0, 9).map(lambda each: f"{each}.0"), unique=True)
LAYOUTS = st.sampled_from([("[", ", ", "]"), ("[ ", " ,", ", ]"), ("[\n  ", ",  # why\n  ", "\n]")])


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # on a busy machine
@given(before=VERSIONS, after=VERSIONS, layout=LAYOUTS, end=st.sampled_from(["\n", "\r\n"]))
def test_only_the_axis_changes(
    before: list[str], after: list[str], layout: tuple[str, str, str], end: str
) -> None:
    first, between, last = layout
    array = first + between.join(f'"{each}"' for each in before) + last if before else "[]"
    head, tail = (
        "# head\n[axes]\nother = ['1']\nnumpy = ",
        "  # tail\nlast = [ ]\n\n[baseline]\nnumpy = '0'\n",
    )
    head, array, tail = (part.replace("\n", end) for part in (head, array, tail))
    wanted = sorted(after, key=Version)
    changed = replace_versions(f"{head}{array}{tail}", {"numpy": wanted})
    assert changed.startswith(head)
    assert changed.endswith(tail)
    assert tomllib.loads(changed)["axes"]["numpy"] == wanted
    assert replace_versions(changed, {"numpy": wanted}) == changed


@pytest.mark.parametrize("text", ["axes = { numpy = ['1.0'] }\n", "axes.numpy = ['1.0']\n[axes2]\n"])
def test_other_notations_of_the_table(text: str) -> None:
    assert replace_versions(text, {"numpy": ["2.0"]}) == text.replace("'1.0'", '"2.0"')
