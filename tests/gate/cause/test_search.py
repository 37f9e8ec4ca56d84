"""The whole search over planted wheels, with a fake suite that fails by version."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from planted.wheels import build_wheel
from support.cause_bench import NUMPY, Bench, Suite, bench_fixture, numpy_from, upgrade_fixture  # noqa: F401 - fixtures

from harness.gate.cause import trials
from harness.gate.cause.minimize import Minimum
from harness.gate.request import UpgradeRequest, compare
from harness.processes import Completed
from harness.resolve import uv


@pytest.mark.parametrize("parallel", [1, 2])
def test_one_package_and_its_first_bad_release(parallel: int, bench: Bench) -> None:
    found = bench.search(numpy_from("2.2"), parallel=parallel)

    assert found.looked_for == ("l0.one", "l0.two")
    assert [change.name for change in found.changes] == ["numpy"]
    assert found.changes == (NUMPY,)
    assert (found.alone, found.without) == ("red", "green")
    (search,) = found.releases
    assert (search.last_good, search.first_bad, search.skipped, search.releases) == ("2.1.0", "2.2.0", (), 6)
    digests = [tuple(sorted(there.items())) for there in bench.observed]
    assert len(digests) == len(set(digests)), "an environment was observed twice"


def test_the_sentence_has_all_evidence(bench: Bench) -> None:
    """numpy 2.4.6 requires a newer openvino; earlier releases do not."""
    assert bench.search(numpy_from("2.2")).sentence == (
        "numpy 1.26.2 -> 2.4.6 (transitive: openvino 2025.4 -> 2026.4) alone turns all 2 cases red; "
        "all other changes together (except sentence-transformers, tokenizers and transformers, "
        "impossible without it) stay green; the first bad release of numpy is 2.2.0, the last good one 2.1.0"
    )


def test_an_interaction_of_two(bench: Bench) -> None:
    def suite(there: Mapping[str, str]) -> set[str]:
        return {"l0.one"} if there["openvino"] >= "2026" and "hub" in there else set()

    found = bench.search(suite)
    assert [change.name for change in found.changes] == ["openvino", "hub"]
    assert found.dragged == ()
    assert (found.alone, found.without, found.looked_for) == ("red", "green", ("l0.one",))
    assert "together, and each of them is necessary" in found.sentence


def test_a_package_that_only_requires_the_cause_is_not_the_cause(bench: Bench) -> None:
    """sentence-transformers 6 requires transformers 5, the cause; 5.2 works with both and separates them."""
    found = bench.search(lambda there: {"l0.one"} if there["transformers"] >= "5" else set())
    assert [change.name for change in found.changes] == ["transformers"]
    assert "sentence-transformers" in {change.name for change in found.dragged}
    assert (found.alone, found.without) == ("red", "green")
    first, through = found.releases
    assert (first.name, first.last_good, first.first_bad) == ("transformers", "4.57.6", "5.0")
    assert (through.name, through.last_good, through.first_bad) == ("sentence-transformers", "5.2", "6.0")
    told = (
        "sentence-transformers requires it from 6.0 on, and is not the cause: with sentence-transformers 5.2"
    )
    assert f"; {told} the effect is the same" in found.sentence


def test_a_failure_of_a_later_release_has_its_own_cause(bench: Bench) -> None:
    """One package with two bad releases."""

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


def test_independent_causes_are_no_interaction(bench: Bench) -> None:
    def suite(there: Mapping[str, str]) -> set[str]:
        found = {"l0.one"} if there["openvino"] >= "2026" else set()
        return found | {"l0.two"} if "hub" in there else found

    found = bench.search(suite)
    (other,) = found.further
    names = {each.looked_for[0]: [change.name for change in each.changes] for each in (found, other)}
    assert names == {"l0.one": ["openvino"], "l0.two": ["hub"]}
    assert found.sentence.count("alone turns") == 2
    assert ". In addition, " in found.sentence
    assert [each.without for each in (found, other)] == ["green", "green"]
    trials = [*found.trials, *other.trials]
    assert len(trials) == len(found.trials) + len(other.trials) > 0


def test_a_second_cause_of_the_same_failure_is_reported(bench: Bench) -> None:
    found = bench.search(lambda t: {"l0.one"} if t["openvino"] >= "2026" or "hub" in t else set())
    assert (len(found.changes), found.alone, found.without) == (1, "red", "red")
    assert "have the same effect, so there is a second cause" in found.sentence


def test_an_unrelated_crash_is_unresolved(bench: Bench) -> None:
    """With numpy 2 and openvino before 2026 the suite crashes, which is another fault."""

    def suite(there: Mapping[str, str]) -> set[str]:
        if there["numpy"] >= "2" and there["openvino"] < "2026":
            return {"?"}
        return {"l0.one"} if there["numpy"] >= "2.2" else set()

    found = bench.search(suite)
    assert [change.name for change in found.changes] == ["numpy"]
    (search,) = found.releases
    assert (search.last_good, search.first_bad, search.skipped) == ("2.1.0", "2.2.0", ())
    assert ("unresolved", "the cell is crashed") not in {(t.outcome, t.because) for t in search.tried}


def with_openvino(old_numpy: set[str]) -> Suite:
    """numpy 2.4.6 requires a new openvino, which fails together with any numpy 2."""

    def suite(there: Mapping[str, str]) -> set[str]:
        if there["openvino"] < "2026":
            return set()
        return {"l0.one"} if there["numpy"] >= "2" else old_numpy

    return suite


def test_a_requirer_is_part_of_the_cause_if_the_other_alone_is_green(bench: Bench) -> None:
    found = bench.search(with_openvino(set()))
    assert {change.name for change in found.changes} == {"numpy", "openvino"}
    assert (found.alone, found.without) == ("red", "green")
    assert "turn l0.one red together, and each of them is necessary" in found.sentence
    assert "requires it from" not in found.sentence
    assert [search.name for search in found.releases] == ["openvino"]  # the releases of numpy led to openvino


def test_an_unresolved_trial_alone_is_reported(bench: Bench) -> None:
    found = bench.search(with_openvino({"?"}))
    assert ([change.name for change in found.changes], found.alone) == (["openvino"], "unresolved")
    assert found.sentence.startswith(
        "openvino 2025.4 -> 2026.4 is part of what turns l0.one red; its effect alone is unknown (the cell"
    )
    assert "not the cause" not in found.sentence


def test_a_flaky_failure_is_reported(bench: Bench) -> None:
    found = bench.search(lambda _: set())
    assert found.changes == ()
    assert found.sentence == ("the failure does not occur again in the same environment: it is flaky")
    assert [trial.outcome for trial in found.trials] == ["green"]
    found = bench.search(lambda _: {"l0.one", "l0.two"})
    assert found.sentence == "the failure occurs in the baseline too when it is run again: it is flaky"


def test_a_doubtful_name_is_renamed_with_its_part(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """tokenizers 1.0 changes only with its requirers, up to the direct change."""

    async def find(*_: object, **__: object) -> Minimum:
        return Minimum(("tokenizers",), "red", doubtful=("tokenizers",))

    monkeypatch.setattr(trials, "minimize", find)
    found = asyncio.run(
        bench.make_search(lambda _: set()).trials.minimize(("l0.one",), parallel=1, max_trials=40)
    )
    assert found == Minimum(("sentence-transformers",), "red", doubtful=("sentence-transformers",))


def test_the_first_bad_release_of_a_downgrade(bench: Bench, tmp_path: Path) -> None:
    """A file may pin a lower version than before; then releases are tried downwards."""
    for version in ("0.21", "0.20"):
        build_wheel(Path(bench.settings.find_links[0]), "tokenizers", version, {})
    (tmp_path / "old.txt").write_text("numpy==1.26.2\ntokenizers==0.23\n", encoding="utf-8")
    (tmp_path / "new.txt").write_text("numpy==2.0.2\ntokenizers==0.20\n", encoding="utf-8")
    upgrade = UpgradeRequest(from_file="old.txt", to_file="new.txt")
    comparison = asyncio.run(compare(upgrade, bench.matrix, bench.settings, tmp_path))
    found = Bench(comparison, bench.matrix, bench.settings).search(
        lambda there: {"l0.one", "l0.two"} if there["tokenizers"] <= "0.21" else set()
    )
    assert [(change.name, change.before, change.after) for change in found.changes] == [
        ("tokenizers", "0.23", "0.20")
    ]
    (search,) = found.releases
    assert (search.last_good, search.first_bad, search.skipped, search.releases) == ("0.22", "0.21", (), 4)


@pytest.mark.parametrize(
    ("failure", "note"),
    [
        (Completed((), 2, "", "error: Failed to fetch"), "error: Failed to fetch"),
        (Completed((), 1, "", ""), "uv ended with exit code 1"),
        (TimeoutError(), "uv took longer than 300 s"),
        (uv.UvError("uv was ended by signal 9"), "uv was ended by signal 9"),
    ],
)
def test_the_cause_notes_that_requirers_are_unknown(
    failure: Completed | Exception, note: str, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = uv.run_uv

    async def run_uv(arguments: Sequence[str | Path], **rest: Any) -> Completed:
        if "--annotation-style" not in arguments:
            return await sound(arguments, **rest)
        if isinstance(failure, Exception):
            raise failure
        return failure

    monkeypatch.setattr(uv, "run_uv", run_uv)
    found = bench.search(numpy_from("2.2"))
    assert [change.name for change in found.changes] == ["numpy"]
    assert found.sentence.endswith(f". Which package requires numpy is unknown: {note}")
    assert f"Which package requires numpy is unknown: {note}" in bench.logged
