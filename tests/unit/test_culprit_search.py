"""The whole search over wheels of the test, and a made-up suite that knows what each version breaks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from planted.wheels import build_wheel
from unit.gate_world import make_world

from harness.culprit.search import Hunt
from harness.culprit.symptoms import Seen
from harness.culprit.trials import Trials
from harness.gate_records import Culprit, LockChange
from harness.plan.candidate import Compared, Wish, compare
from harness.plan.lock_diff import diff_locks
from harness.plan.pip_settings import IndexSettings
from harness.plan.schema import Matrix
from harness.plan.side import versions_of
from harness.records import Lock

Suite = Callable[[Mapping[str, str]], set[str]]
"""Versions -> cases that fail with them."""

CASES = ("l0.one", "l0.two", "l1.three")
NUMPY = LockChange(name="numpy", kind="changed", asked=True, before="1.26.2", after="2.4.6")
OPENVINO = LockChange(name="openvino", kind="changed", asked=True, before="2025.4", after="2026.4")


@dataclass
class Bench:
    """An upgrade of four packages, and what its environments show."""

    compared: Compared
    matrix: Matrix
    settings: IndexSettings
    locks: dict[Any, Lock] = field(default_factory=dict)  # what was resolved for one test holds for all
    looked: list[dict[str, str]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    reached: asyncio.Event = field(default_factory=asyncio.Event)  # the first that does not come to its end

    def search(self, suite: Suite, *, at_once: int = 1, most: int = 40, limit: int = 60) -> Culprit:
        return asyncio.run(self.hunt(suite, at_once=at_once, most=most, limit=limit).search())

    def search_until(self, suite: Suite, last: int, *, at_once: int = 1) -> Culprit:
        """Ended from outside while the environment after the ``last`` is looked at."""
        hunt, reached = self.hunt(suite, at_once=at_once, last=last), asyncio.Event()
        self.reached = reached

        async def end() -> Culprit:
            search, one_more = asyncio.create_task(hunt.search()), asyncio.create_task(reached.wait())
            await asyncio.wait([search, one_more], return_when=asyncio.FIRST_COMPLETED)
            for task in (search, one_more):
                task.cancel()
            await asyncio.wait([search, one_more])
            return hunt.stop("it was cut off") if search.cancelled() else search.result()

        return asyncio.run(end())

    def hunt(
        self, suite: Suite, *, at_once: int = 1, most: int = 40, limit: int = 60, last: int | None = None
    ) -> Hunt:
        self.looked.clear()

        async def run(lock: Lock, number: int) -> Seen:
            self.looked.append(versions_of(lock))
            assert number == len(self.looked)
            await asyncio.sleep(0)
            if last is not None and number > last:
                self.reached.set()
                await asyncio.Event().wait()
            red = frozenset(suite(versions_of(lock)))
            unknown = frozenset({"?"}) & red
            green = frozenset() if unknown else frozenset(CASES) - red
            return Seen(red=red - unknown, green=green, because="it is crashed: no" if unknown else "")

        diff = diff_locks(self.compared.before, self.compared.after, self.compared.asked)
        trials = Trials(self.compared, diff, self.matrix, self.settings, run, self.said.append, most=limit)
        trials.locks = self.locks
        return Hunt(trials, CASES[:2], "cases", "3.11", at_once=at_once, most=most)


@pytest.fixture(scope="module")
def upgrade(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("world")
    matrix, settings = make_world(folder)
    for version in ("2.1.0", "2.2.0", "2.3.0"):
        build_wheel(folder / "wheels", "numpy", version, {})
    for version, needs in {"5.0": "transformers", "5.2": "transformers", "6.0": "transformers>=5"}.items():
        build_wheel(
            folder / "wheels", "sentence-transformers", version, {}, requires=["numpy", "torch", needs]
        )
    for version in ("5.0", "5.0.1"):
        build_wheel(folder / "wheels", "transformers", version, {}, requires=["tokenizers>=1", "hub"])
    changes = ("numpy==2.4.6", "openvino==2026.4", "sentence-transformers==6.2.0")
    compared = asyncio.run(compare(Wish(changes=changes), matrix, settings, folder))
    return Bench(compared, matrix, settings)


@pytest.fixture
def bench(upgrade: Bench) -> Bench:
    return Bench(upgrade.compared, upgrade.matrix, upgrade.settings, upgrade.locks)


def numpy_from(low: str) -> Suite:
    return lambda there: {"l0.one", "l0.two"} if there["numpy"] >= low else set()


@pytest.mark.parametrize("at_once", [1, 2])
def test_one_package_and_its_first_bad_release(at_once: int, bench: Bench) -> None:
    found = bench.search(numpy_from("2.2"), at_once=at_once)

    assert found.looked_for == ("l0.one", "l0.two")
    assert [change.name for change in found.changes] == ["numpy"]
    assert found.changes == (NUMPY,)
    assert (found.alone, found.without) == ("red", "green")
    (search,) = found.releases
    assert (search.last_good, search.first_bad, search.skipped, search.releases) == ("2.1.0", "2.2.0", (), 6)
    digests = [tuple(sorted(there.items())) for there in bench.looked]
    assert len(digests) == len(set(digests)), "an environment was looked at twice"


def test_the_sentence_says_it_all(bench: Bench) -> None:
    """numpy 2.4.6 needs a newer openvino, so that comes along; releases below do not."""
    assert bench.search(numpy_from("2.2")).sentence == (
        "numpy 1.26.2 -> 2.4.6 (which moves openvino 2025.4 -> 2026.4 along) alone turns all 2 cases red; "
        "all the rest without it (and without sentence-transformers, tokenizers and transformers, which "
        "cannot stay) stays green; the first bad numpy is 2.2.0, the last good one 2.1.0"
    )


def test_an_interaction_of_two(bench: Bench) -> None:
    def suite(there: Mapping[str, str]) -> set[str]:
        return {"l0.one"} if there["openvino"] >= "2026" and "hub" in there else set()

    found = bench.search(suite)
    assert [change.name for change in found.changes] == ["openvino", "hub"]
    assert found.dragged == ()
    assert (found.alone, found.without, found.looked_for) == ("red", "green", ("l0.one",))
    assert "together, and none of them can be left out" in found.sentence


def test_what_only_brings_the_culprit_along_is_not_blamed(bench: Bench) -> None:
    """sentence-transformers 6 needs transformers 5, which breaks it; 5.2 goes with both and can tell."""
    found = bench.search(lambda there: {"l0.one"} if there["transformers"] >= "5" else set())
    assert [change.name for change in found.changes] == ["transformers"]
    assert "sentence-transformers" in {change.name for change in found.dragged}
    assert (found.alone, found.without) == ("red", "green")
    first, through = found.releases
    assert (first.name, first.last_good, first.first_bad) == ("transformers", "4.57.6", "5.0")
    assert (through.name, through.last_good, through.first_bad) == ("sentence-transformers", "5.2", "6.0")
    told = "sentence-transformers brings it along from 6.0 on, and is not to blame: with 5.2 of it the same"
    assert f"; {told} comes up" in found.sentence


def test_what_breaks_later_is_told_apart(bench: Bench) -> None:
    """One package, two releases of it that break something."""

    def suite(there: Mapping[str, str]) -> set[str]:
        found = {"l0.one"} if there["numpy"] >= "2.1" else set()
        return found | {"l0.two"} if there["numpy"] >= "2.3" else found

    found = bench.search(suite)
    (other,) = found.further
    assert [change.name for change in (*found.changes, *other.changes)] == ["numpy", "numpy"]
    assert [(each.looked_for, each.releases[0].first_bad) for each in (found, other)] == [
        (("l0.one",), "2.1.0"),
        (("l0.two",), "2.3.0"),
    ]


def test_independent_ones_are_no_interaction(bench: Bench) -> None:
    def suite(there: Mapping[str, str]) -> set[str]:
        found = {"l0.one"} if there["openvino"] >= "2026" else set()
        return found | {"l0.two"} if "hub" in there else found

    found = bench.search(suite)
    (other,) = found.further
    names = {each.looked_for[0]: [change.name for change in each.changes] for each in (found, other)}
    assert names == {"l0.one": ["openvino"], "l0.two": ["hub"]}
    assert found.sentence.count("alone turns") == 2
    assert ". Beside that, " in found.sentence
    assert [each.without for each in (found, other)] == ["green", "green"]
    trials = [*found.trials, *other.trials]
    assert len(trials) == len(found.trials) + len(other.trials) > 0


def test_a_second_cause_of_the_same_is_said(bench: Bench) -> None:
    found = bench.search(lambda t: {"l0.one"} if t["openvino"] >= "2026" or "hub" in t else set())
    assert (len(found.changes), found.alone, found.without) == (1, "red", "red")
    assert "the rest turns the same red, so there is a second cause" in found.sentence


def test_an_end_that_says_nothing_is_unresolved(bench: Bench) -> None:
    """With numpy 2 before openvino 2026 the suite crashes: that is another fault, and no answer."""

    def suite(there: Mapping[str, str]) -> set[str]:
        if there["numpy"] >= "2" and there["openvino"] < "2026":
            return {"?"}
        return {"l0.one"} if there["numpy"] >= "2.2" else set()

    found = bench.search(suite)
    assert [change.name for change in found.changes] == ["numpy"]
    (search,) = found.releases
    assert (search.last_good, search.first_bad, search.skipped) == ("2.1.0", "2.2.0", ())
    assert ("unresolved", "it is crashed: no") not in {(t.outcome, t.because) for t in search.tried}


def test_the_bound_is_said(bench: Bench) -> None:
    found = bench.search(lambda t: {"l0.one"} if "hub" in t and t["openvino"] > "2026" else set(), most=3)
    assert found.changes
    assert "the search was cut off after 3 trials, so a smaller part may do" in found.sentence
    assert "none of them can be left out" not in found.sentence


def test_no_more_environments_are_looked_at_than_allowed(bench: Bench) -> None:
    """Red by then is numpy with all that it moves; of what is left nothing is known, and that is said."""
    found = bench.search(numpy_from("2.2"), limit=4)
    assert len(bench.looked) == 4
    assert "4 trials were run, and that is the limit" in found.sentence


@pytest.mark.parametrize(
    ("old_numpy", "alone", "said"),
    [
        (set(), "green", "is in what turns l0.one red, but alone it does not; "),
        ({"?"}, "unresolved", "is in what turns l0.one red; what it does alone is not known (it is"),
    ],
)
def test_alone_is_said_of_what_is_red_alone(old_numpy: set[str], alone: str, said: str, bench: Bench) -> None:
    """numpy 2.4.6 brings openvino along, which breaks it together with any numpy 2."""

    def suite(there: Mapping[str, str]) -> set[str]:
        if there["openvino"] < "2026":
            return set()
        return {"l0.one"} if there["numpy"] >= "2" else old_numpy

    found = bench.search(suite)
    assert ([change.name for change in found.changes], found.alone) == (["openvino"], alone)
    assert found.sentence.startswith(f"openvino 2025.4 -> 2026.4 {said}")
    assert "not to blame" not in found.sentence


@pytest.mark.parametrize("at_once", [1, 2])
def test_what_is_known_when_it_is_cut_off(at_once: int, bench: Bench) -> None:
    """First nothing, then smaller and smaller parts, then all; never one that is not red."""
    suite, found = numpy_from("2.2"), []
    for last in range(40):
        found.append(bench.search_until(suite, last, at_once=at_once))
        if "it was cut off" not in found[-1].sentence:
            break
    names = [[change.name for change in each.changes] for each in found]
    assert names[0] == []
    assert names[-1] == names[-2] == ["numpy"]
    assert found[0].sentence == (
        "it was cut off, and no part smaller than the whole upgrade was known to do it"
    )
    assert all(("numpy" in each) == bool(each) for each in names)
    assert [len(each.changes) + len(each.dragged) for each in found if each.changes] == sorted(
        (len(each.changes) + len(each.dragged) for each in found if each.changes), reverse=True
    )
    assert {each.alone for each in found} == {None, "red"}
    assert found[-2].sentence == (
        "numpy 1.26.2 -> 2.4.6 (which moves openvino 2025.4 -> 2026.4 along) alone turns all 2 cases red; "
        "it was cut off, so a smaller part or an earlier release may do"
    )


def test_a_culprit_that_was_found_stays_when_the_next_search_is_cut_off(bench: Bench) -> None:
    def suite(there: Mapping[str, str]) -> set[str]:
        found = {"l0.one"} if there["openvino"] >= "2026" else set()
        return found | {"l0.two"} if "hub" in there else found

    whole = bench.search(suite)
    cut = [bench.search_until(suite, last) for last in range(2, len(bench.looked))]
    kept = [each for each in cut if each.releases == whole.releases and each.looked_for == whole.looked_for]
    assert kept
    assert all(each.changes == whole.changes for each in kept)
    assert all("it was cut off" in each.sentence for each in kept)
    trials = [(*each.trials, *(trial for one in each.further for trial in one.trials)) for each in kept]
    every = (*whole.trials, *(trial for one in whole.further for trial in one.trials))
    assert all(each == every[: len(each)] for each in trials)


def test_what_is_flaky_is_said(bench: Bench) -> None:
    found = bench.search(lambda _: set())
    assert found.changes == ()
    assert found.sentence == (
        "what failed does not fail when it is run again by itself in the same environment: it is flaky"
    )
    assert [trial.outcome for trial in found.trials] == ["green"]
    found = bench.search(lambda _: {"l0.one", "l0.two"})
    assert found.sentence == "what failed fails in the baseline too when it is run again: it is flaky"
