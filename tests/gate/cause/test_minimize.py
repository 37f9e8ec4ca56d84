"""Delta debugging with fake trials: single causes, interactions, unresolved parts, limits."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import msgspec
import pytest

from harness.gate.cause.minimize import Minimum, bisect_releases, minimize
from harness.gate.cause.sentence import FoundCause, describe_found
from harness.records import LockChange, ReleaseSearch, ReleaseTrial, Trial, TrialOutcome
from harness.resolve.releases import Listed

Rule = Callable[[Collection[str]], TrialOutcome]
FOUR = ("a", "b", "c", "d")
EIGHT = tuple("abcdefgh")


@dataclass
class World:
    """Runs fake trials by a rule, and records them."""

    rule: Rule
    asked: list[str] = field(default_factory=list)
    busy: int = 0
    busiest: int = 0

    async def try_part(self, part: frozenset[str]) -> Trial:
        self.asked.append("".join(sorted(part)))
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        await asyncio.sleep(0)
        self.busy -= 1
        return Trial(applied=tuple(sorted(part)), outcome=self.rule(part))

    def minimize(self, names: tuple[str, ...], *, parallel: int = 1, max_trials: int = 40) -> Minimum:
        return asyncio.run(
            minimize(names, self.try_part, self.try_reduced, parallel=parallel, max_trials=max_trials)
        )

    async def try_reduced(self, part: frozenset[str], name: str) -> Trial:
        raise AssertionError(f"there are no transitive changes, but {part} is tried without {name}")


def needs(*names: str) -> Rule:
    return lambda part: "red" if set(names) <= set(part) else "green"


@pytest.mark.parametrize("parallel", [1, 2])
@pytest.mark.parametrize("name", FOUR)
def test_one_of_four(name: str, parallel: int) -> None:
    world = World(needs(name))
    assert world.minimize(FOUR, parallel=parallel) == Minimum((name,), "red")
    assert len(world.asked) == len(set(world.asked)) <= 5
    assert world.busiest == parallel


@pytest.mark.parametrize("size", [2, 3])
def test_every_interaction_is_found(size: int) -> None:
    for names in itertools.combinations(EIGHT, size):
        world = World(needs(*names))
        assert world.minimize(EIGHT) == Minimum(names, "red"), world.asked
        assert len(world.asked) == len(set(world.asked))


def test_one_of_two_independent_causes_is_found() -> None:
    world = World(lambda part: "red" if {"b", "g"} & set(part) else "green")
    assert world.minimize(EIGHT) == Minimum(("b",), "red")


def test_an_unresolved_part_is_skipped() -> None:
    """The halves have no solution; the cause is found among the quarters."""
    world = World(lambda part: "unresolved" if len(part) == 4 else needs("c")(part))
    assert world.minimize(EIGHT) == Minimum(("c",), "red")


def test_unresolved_is_not_green() -> None:
    """b is unresolved without a, so it is unknown whether a is necessary."""
    world = World(lambda part: "unresolved" if "b" in part and "a" not in part else needs("b")(part))
    assert world.minimize(FOUR) == Minimum(("a", "b"), "red", doubtful=("a",))


def test_a_failure_that_does_not_reproduce_gives_no_part() -> None:
    world = World(lambda _: "green")
    assert world.minimize(FOUR) == Minimum((), "green")
    assert world.asked == ["abcd"]
    assert World(lambda _: "unresolved").minimize(FOUR) == Minimum((), "unresolved")


def test_one_change_needs_one_trial() -> None:
    world = World(needs("a"))
    assert (world.minimize(("a",)), world.asked) == (Minimum(("a",), "red"), ["a"])


@pytest.mark.parametrize("parallel", [1, 2])
def test_a_reached_limit_is_reported(parallel: int) -> None:
    world = World(needs("b", "g"))
    found = world.minimize(EIGHT, max_trials=6, parallel=parallel)
    assert (len(world.asked), found.cut_off, found.whole) == (6, True, "red")
    assert {"b", "g"} <= set(found.part)
    assert found.doubtful  # no trial shows that these are necessary


CHANGE = LockChange(name="p", kind="changed", asked=True, before="0", after="9")
BETWEEN = tuple("12345678")


def bisect(
    outcomes: str, *, parallel: int = 1, max_trials: int = 24, gap: int | None = None
) -> ReleaseSearch:
    """One letter per release, from 1 on: green, red or unresolved."""
    words: dict[str, TrialOutcome] = {"g": "green", "r": "red", "u": "unresolved"}

    async def try_release(version: str) -> ReleaseTrial:
        return ReleaseTrial(version=version, outcome=words[outcomes[int(version) - 1]])

    between = BETWEEN[: len(outcomes)]
    return asyncio.run(
        bisect_releases(CHANGE, Listed(between, gap), try_release, parallel=parallel, max_trials=max_trials)
    )


@pytest.mark.parametrize("parallel", [1, 2])
@pytest.mark.parametrize("good", range(9))
def test_the_first_bad_release(good: int, parallel: int) -> None:
    found = bisect("g" * good + "r" * (8 - good), parallel=parallel)
    ends = (found.last_good, found.first_bad, found.skipped, found.releases)
    assert ends == (str(good), str(good + 1), (), 10)
    assert len(found.tried) <= (4 if parallel == 1 else 5)


def test_unresolved_releases_are_skipped() -> None:
    found = bisect("gguuurrr")
    assert (found.last_good, found.first_bad, found.skipped) == ("2", "6", ("3", "4", "5"))
    found = bisect("uuuuuuuu")
    assert (found.last_good, found.first_bad, found.skipped) == ("0", "9", BETWEEN)
    assert len(found.tried) == 8


def test_adjacent_releases_need_no_trial() -> None:
    assert bisect("") == ReleaseSearch(name="p", last_good="0", first_bad="9", releases=2)


def test_untried_releases_are_skipped() -> None:
    found = bisect("ggggggrr", max_trials=1)
    assert (found.last_good, found.first_bad, found.skipped) == ("5", "9", ("6", "7", "8"))


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        (
            "ggggrrrr",
            (
                "the first bad release of p is 5, the last good one 4 (there are too many releases to "
                "list those between 4 and 5)"
            ),
        ),
        (
            "gggurrrr",
            (
                "the first bad release of p is 5, the last good one 3 (1 in between could not be tried; "
                "there are too many releases to list those between 4 and 5)"
            ),
        ),
        ("gggggrrr", "the first bad release of p is 6, the last good one 5"),
        ("gggrrrrr", "the first bad release of p is 4, the last good one 3"),
    ],
)
def test_unlisted_releases_are_reported_if_between_the_ends(outcomes: str, said: str) -> None:
    search = bisect(outcomes, gap=4)
    assert search.unlisted == ("4", "5")
    red, green = (Trial(applied=("p",), outcome=outcome) for outcome in ("red", "green"))
    found = FoundCause((CHANGE,), (), ("a",), alone=red, without=green, releases=(search,))
    assert describe_found(found, "a", "red").split("; ", 2)[2] == said


def test_unlisted_releases_of_a_downgrade_are_reported() -> None:
    async def try_release(version: str) -> ReleaseTrial:
        return ReleaseTrial(version=version, outcome="red" if version < "5" else "green")

    down = msgspec.structs.replace(CHANGE, before="9", after="0")
    search = asyncio.run(bisect_releases(down, Listed(BETWEEN, 4).backwards(), try_release))
    red, green = (Trial(applied=("p",), outcome=outcome) for outcome in ("red", "green"))
    found = FoundCause((down,), (), ("a",), alone=red, without=green, releases=(search,))
    assert "the first bad release of p is 4, the last good one 5 (there are too many " in describe_found(
        found, "a", "red"
    )
    assert "to list those between 5 and 4)" in describe_found(found, "a", "red")


def test_unlisted_releases_may_be_at_the_ends() -> None:
    assert bisect("", gap=0).unlisted == ("0", "9")
    assert bisect("gr", gap=2).unlisted == ("2", "9")
