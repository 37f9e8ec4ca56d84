"""Locks of trials, resolved by uv over planted wheels; and the releases in between."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest
from planted.wheels import build_wheel
from support.gate_world import make_world
from support.plan_texts import make_matrix

from harness.gate.cause.trial_lock import ABSENT, part_of, resolve_trial, starts_of
from harness.gate.request import Comparison, UpgradeRequest, compare
from harness.matrix.schema import Matrix
from harness.records import Lock
from harness.resolve import releases
from harness.resolve.lockfile import diff_locks
from harness.resolve.pip_settings import IndexSettings
from harness.resolve.releases import Listed, list_between
from harness.resolve.resolve import resolve


@dataclass
class Bench:
    """An upgrade of numpy and sentence-transformers with three transitive changes, one of them new."""

    matrix: Matrix
    settings: IndexSettings
    folder: Path

    def compare(self, *changes: str) -> Comparison:
        return asyncio.run(compare(UpgradeRequest(changes=changes), self.matrix, self.settings, self.folder))

    def try_versions(self, comparison: Comparison, versions: dict[str, str]) -> Lock:
        forth, _ = starts_of(comparison)
        return asyncio.run(resolve_trial(forth, versions, self.matrix, self.settings))

    def moved(self, comparison: Comparison, *names: str) -> dict[str, str]:
        """The changes from the baseline with these distributions of the candidate."""
        return moves(comparison, self.try_versions(comparison, part_of(comparison.after, names)))

    def moved_without(self, comparison: Comparison, *names: str) -> dict[str, str]:
        _, back = starts_of(comparison)
        part = part_of(comparison.before, names)
        return moves(comparison, asyncio.run(resolve_trial(back, part, self.matrix, self.settings)))


def moves(comparison: Comparison, lock: Lock) -> dict[str, str]:
    assert not lock.reason, lock.reason
    diff = diff_locks(comparison.before, lock, ())
    return {change.name: change.after for change in diff.changes}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("world")
    matrix, settings = make_world(folder)
    links = folder / "wheels"
    build_wheel(
        links, "sentence-transformers", "5.0", {}, requires=["numpy>=2", "torch", "transformers>=4.5"]
    )
    build_wheel(links, "numpy", "2.2.0", {}, requires=["wrapt"])
    build_wheel(links, "wrapt", "1.9", {})
    build_wheel(links, "wrapt", "2.0", {})
    build_wheel(
        links, "sentence-transformers", "5.1", {}, requires=["numpy", "torch", "transformers", "wrapt"]
    )
    build_wheel(links, "openvino", "2026.9", {}, requires=["numpy<3", "wrapt<2"])
    return Bench(matrix, settings, folder)


@pytest.fixture(scope="module")
def whole(bench: Bench) -> Comparison:
    return bench.compare("sentence-transformers>=6", "numpy==2.0.2")


EVERYTHING = {
    "hub": "2.0",
    "numpy": "2.0.2",
    "sentence-transformers": "6.2.0",
    "tokenizers": "1.0",
    "transformers": "5.1",
}


def test_the_upgrade_has_the_expected_changes(whole: Comparison) -> None:
    assert moves(whole, whole.after) == EVERYTHING


@pytest.mark.parametrize("name", ["numpy", "hub"])
def test_other_distributions_are_held(name: str, bench: Bench, whole: Comparison) -> None:
    """An added distribution that nothing requires is installed too."""
    assert bench.moved(whole, name) == {name: EVERYTHING[name]}


@pytest.mark.parametrize("name", ["sentence-transformers", "tokenizers", "transformers"])
def test_transitive_changes_give_the_lock_of_the_candidate(
    name: str, bench: Bench, whole: Comparison
) -> None:
    assert bench.moved(whole, name) == EVERYTHING
    trial = bench.try_versions(whole, part_of(whole.after, [name]))
    assert trial.digest == whole.after.digest  # so its stored result can be reused


def test_a_requirement_of_an_extra_is_a_part(bench: Bench) -> None:
    """A frozen file has no extras, so its upgrades seem to drop them."""
    old, new = bench.folder / "old.txt", bench.folder / "new.txt"
    old.write_text("sentence-transformers[openvino]==3.3.1\nnumpy==2.0.2\n", encoding="utf-8")
    new.write_text("sentence-transformers==6.2.0\nnumpy==2.0.2\n", encoding="utf-8")
    upgrade = UpgradeRequest(from_file=str(old), to_file=str(new))
    comparison = asyncio.run(compare(upgrade, bench.matrix, bench.settings, bench.folder))
    names = ("hub", "optimum", "sentence-transformers", "tokenizers", "transformers")
    assert {each.name for each in diff_locks(comparison.before, comparison.after, ()).changes} == set(names)
    trial = bench.try_versions(comparison, part_of(comparison.after, names))
    assert trial.digest == comparison.after.digest
    assert bench.moved(comparison, "optimum") == {"optimum": ""}
    assert bench.moved_without(comparison, "optimum").keys() == set(names) - {"optimum"}


def test_only_necessary_transitive_changes_are_made(bench: Bench) -> None:
    """sentence-transformers 5.0 works with both releases of transformers, so the baseline's is kept."""
    comparison = bench.compare("sentence-transformers==5.0", "numpy==2.0.2", "transformers==5.1")
    assert bench.moved(comparison, "sentence-transformers") == {
        "numpy": "2.0.2",
        "sentence-transformers": "5.0",
    }
    assert bench.moved(comparison, "sentence-transformers", "numpy") == {
        "numpy": "2.0.2",
        "sentence-transformers": "5.0",
    }


def test_an_added_distribution_has_the_version_of_the_candidate(bench: Bench) -> None:
    comparison = bench.compare("sentence-transformers==5.1", "openvino==2026.9")
    assert bench.moved(comparison, "sentence-transformers") == {
        "sentence-transformers": "5.1",
        "wrapt": "1.9",
    }


def test_the_empty_and_the_whole_part_are_the_two_sides(bench: Bench, whole: Comparison) -> None:
    assert bench.try_versions(whole, {}).digest == whole.before.digest
    assert bench.moved(whole, *EVERYTHING) == EVERYTHING
    assert bench.moved_without(whole) == EVERYTHING
    assert bench.moved_without(whole, *EVERYTHING) == {}


def test_the_opposite_direction(bench: Bench, whole: Comparison) -> None:
    """sentence-transformers 6.2 requires numpy 2: without it, neither changes, nor their requirements."""
    comparison = bench.compare("numpy==2.0.2", "openvino==2026.0")
    assert bench.moved_without(comparison, "numpy") == {"openvino": "2026.0"}
    assert bench.moved_without(comparison, "openvino") == {"numpy": "2.0.2"}
    assert bench.moved_without(whole, "numpy") == {"hub": "2.0"}
    assert bench.moved_without(whole, "hub") == {"numpy": "2.0.2"}


def test_a_part_without_a_solution_has_the_reason(bench: Bench, whole: Comparison) -> None:
    trial = bench.try_versions(whole, {"transformers": "5.1", "hub": ABSENT})
    assert trial.distributions == ()
    assert "hub" in trial.reason


def test_a_release_in_between(bench: Bench, whole: Comparison) -> None:
    trial = bench.try_versions(whole, {"sentence-transformers": "5.0"})
    assert moves(whole, trial) == {"numpy": "2.0.2", "sentence-transformers": "5.0"}


def test_other_files_of_the_same_release_are_a_change(tmp_path: Path) -> None:
    """The part selects the files, not the index."""
    matrix, settings = make_world(tmp_path)
    before = asyncio.run(compare(UpgradeRequest(changes=("numpy==2.0.2",)), matrix, settings, tmp_path))
    build_wheel(tmp_path / "wheels", "tokenizers", "0.23", {"tokenizers.py": "# built again"})
    cell = before.candidate.to_cell("candidate")
    after = asyncio.run(resolve(cell, matrix, settings, before.guidance))
    comparison = Comparison(
        baseline=before.baseline,
        before=before.before,
        candidate=before.candidate,
        after=after,
        asked=before.asked,
        guidance=before.guidance,
    )
    bench = Bench(matrix, settings, tmp_path)
    assert bench.moved(comparison, "tokenizers") == {"tokenizers": "0.23"}
    assert bench.moved(comparison, "numpy") == {"numpy": "2.0.2"}
    assert bench.try_versions(comparison, part_of(after, ["numpy", "tokenizers"])).digest == after.digest


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        ("1.26.2", "2.4.6", ("2.0.2", "2.2.0")),
        ("2.0.2", "2.2.0", ()),
        ("1.0", "3.0", ("1.26.2", "2.0.2", "2.2.0", "2.4.6")),
    ],
)
def test_the_releases_in_between(low: str, high: str, found: tuple[str, ...], bench: Bench) -> None:
    listed = list_between("numpy", low, high, bench.matrix, bench.settings, python="3.11")
    assert asyncio.run(listed) == Listed(found)


@pytest.mark.parametrize(
    ("most", "found", "gap"),
    [
        (1, ("1.26.2",), 1),
        (2, ("1.26.2", "2.4.6"), 1),
        (4, ("1.26.2", "2.0.2", "2.2.0", "2.4.6"), None),
    ],
)
def test_unlisted_releases_are_reported(
    most: int, found: tuple[str, ...], gap: int | None, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(releases, "MOST_RELEASES", most)
    listed = list_between("numpy", "1.0", "3.0", bench.matrix, bench.settings, python="3.11")
    assert asyncio.run(listed) == Listed(found, gap)


def test_only_releases_that_can_be_installed_count(tmp_path: Path) -> None:
    """An index also has pre-releases and wheels for other machines."""
    links = tmp_path / "links"
    links.mkdir()
    for version in ("1.0", "1.1rc1", "1.2", "1.2.post1", "1.3", "1.4", "2.0"):
        made = build_wheel(links, "p", version, {"p.py": ""})
        if version == "1.3":
            made.rename(made.with_name("p-1.3-cp27-cp27m-win32.whl"))
    settings = IndexSettings(find_links=(str(links),), no_index=True)
    listed = list_between("p", "1.0", "2.0", make_matrix(tmp_path), settings, python="3.11")
    assert asyncio.run(listed) == Listed(("1.2", "1.2.post1", "1.4"))


def test_releases_are_listed_backwards_for_a_downgrade() -> None:
    assert Listed(("1", "2", "3"), 1).backwards() == Listed(("3", "2", "1"), 2)
    assert Listed(("1", "2")).backwards() == Listed(("2", "1"))
