"""How an input is made smaller, and that it goes on failing in the same way."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from harness.cell.shrink import Shrinker, drop, list_needed, list_rows, shorten, simplify


def make_shrinker(attempt: Any, seconds: float = 60) -> Shrinker:
    script = SimpleNamespace(ALLOWED=0.5, attempt=lambda _, given: ("", "", attempt(given)))
    return Shrinker(script, None, seconds)


@pytest.mark.parametrize("needed", [{0}, {99}, {3, 50}, {0, 1, 98, 99}, set(range(0, 100, 9))])
def test_what_is_needed_is_left(needed: set[int]) -> None:
    assert set(drop(list(range(100)), lambda kept: needed <= set(kept))) == needed


def test_the_shortest_texts_that_fail_are_found() -> None:
    texts = ["one two three", "an umlaut: Zürich is far", "four"]

    def fails(given: list[str]) -> bool:
        return any("ü" in text for text in given) and any("four" in text for text in given)

    assert shorten(drop(texts, fails), fails) == ["ü", "four"]


def test_blanks_stay_where_they_are_the_fault() -> None:
    assert shorten(["a  b c"], lambda given: "  " in given[0]) == ["  "]


def test_the_simplest_numbers_that_fail_are_found() -> None:
    rows = [[1.5, 2.5, 3.5], [300.25, -1.75, 7.0], [0.1, 0.2, 0.3]]
    assert simplify(rows, lambda given: max(map(max, given)) > 255) == [[256.0]]
    assert simplify([[7, 3], [1, 1]], lambda given: sum(map(sum, given)) % 2 == 1) == [[1]]


def test_another_failure_is_not_taken_for_the_same() -> None:
    """A text that raises is no smaller example of one that comes out as NaN."""

    def attempt(given: list[str]) -> float:
        return math.inf if "nan" in given[0] else 0.0 if len(given[0]) > 3 else 9.0

    shrinker = make_shrinker(attempt)
    assert shrinker.find(iter([["well"], ["a nan here"]])) == ["nan"]
    assert (shrinker.kind, shrinker.fails(["abc"])) == ("not finite", False)


def test_nothing_is_found_where_nothing_fails() -> None:
    assert make_shrinker(lambda _: 0.1).find(iter([["a"], ["b"]])) is None


def test_shrinking_stops_when_its_time_is_over() -> None:
    assert make_shrinker(lambda _: 1.0, seconds=0).find(iter([["a b c d"]])) == ["a b c d"]


@pytest.mark.parametrize("start", ["tiny", "dimensions", "layout", "drawn", "safe"])
def test_rows_of_every_start(start: str) -> None:
    found = list(list_rows(start, "float16"))
    assert found
    assert all(isinstance(x, float) for rows in found for row in rows for x in row)


def test_what_a_script_needs_is_the_closure_of_its_imports() -> None:
    needed = list_needed(["requests"])
    assert {"requests", "urllib3", "certifi", "idna"} <= set(needed)
    assert not {"pytest", "scipy"} & set(needed)


@pytest.mark.parametrize(
    ("exception", "found"),
    [(None, ["a b"]), ("KeyError", None), ("ValueError", ["a b"]), ("", ["wrong"])],
)
def test_the_exception_of_the_check_is_looked_for(exception: str | None, found: list[str] | None) -> None:
    """``a b`` raises a ValueError, ``wrong`` has other values."""

    def attempt(_: Any, given: list[str]) -> tuple[str, str, float]:
        raises = given == ["a b"]
        difference = math.nan if raises else 9.0 if given == ["wrong"] else 0.0
        return "raises ValueError: no" if raises else "numbers", "no exception", difference

    script = SimpleNamespace(ALLOWED=0.5, attempt=attempt)
    assert Shrinker(script, None, 60, exception).find(iter([["a b"], ["wrong"]])) == found
