"""A matrix against the releases of planted indexes: last days, lower bounds, nightly releases, faults."""

from __future__ import annotations

import asyncio
import datetime
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from planted.indexes import SIMPLE_JSON, Asked, Planted, Reply, serve
from support.plan_texts import PLAIN, put_matrix

from harness.errors import UsageError
from harness.matrix.read import read_matrix_file
from harness.matrix.review import Review
from harness.resolve.listing import open_source
from harness.resolve.pip_settings import IndexSettings, settings_from
from harness.resolve.version_review import review_matrix

NOW = datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)
NUMPY = {
    "1.26.4": "2024-02-05",
    "2.0.2": "2024-08-26",
    "2.1.3": "2024-11-02",
    "2.2.6": "2025-05-17",
    "2.4.0rc1": "2026-10-20",
    "2.5.0": "2026-11-01",
    "2.5.1": "2026-11-02",
}
UNDATED = PLAIN.replace('exclude-newer = "2026-11-01"', "")
BARE = UNDATED.replace('[baseline]\nnumpy = "1.26.2"\nsentence-transformers = "3.3.1"\n', "")
BARE = BARE.replace('numpy = ["1.26.2", "2.4.6"]', "numpy = []")


def page(days: Mapping[str, str | None]) -> Reply:
    files = [
        {
            "filename": f"numpy-{version}-py3-none-any.whl",
            "upload-time": None if day is None else f"{day}T10:00:00Z",
        }
        for version, day in days.items()
    ]
    return Reply(json.dumps({"files": files}).encode(), content_type=SIMPLE_JSON)


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("PIP_", "UV_", "HARNESS_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(scope="module")
def index() -> Iterator[Planted]:
    def answer(asked: Asked) -> Reply:
        return page(NUMPY) if asked.path == "/simple/numpy/" else Reply(b"no", status=404)

    with serve(answer) as planted:
        yield planted


def review(folder: Path, text: str, settings: IndexSettings) -> Review:
    """The review of NumPy by its rule."""
    path = put_matrix(folder, text)

    async def work() -> Review:
        source = await open_source(settings, folder / "kept", NOW)
        found = await review_matrix(read_matrix_file(path), path, source, everything=False)
        (only,) = found.reviews
        return only

    return asyncio.run(work())


def rule(text: str, matrix: str = BARE) -> str:
    return f"{matrix}\n[select]\nnumpy = {{ {text} }}\n"


@pytest.mark.parametrize(
    ("text", "versions"),
    [
        (rule('select = "minors", since = "2.1"'), ("2.1.3", "2.2.6", "2.5.1")),
        (rule('select = "minors", since = "2.1"', PLAIN), ("1.26.2", "2.1.3", "2.2.6", "2.5.0")),
        (
            rule(
                'select = "minors", since = "2.1"',
                PLAIN.replace("[resolve]", '[resolve]\nundated = ["numpy"]'),
            ),
            ("1.26.2", "2.1.3", "2.2.6", "2.5.1"),
        ),
        # On 2026-11-30 the 24 months of 2.1 are over, on the last day of uploads they are not.
        (rule('select = "minors", since = "2.1", support = "24 months"'), ("2.2.6", "2.5.1")),
        (
            rule('select = "minors", since = "2.1", support = "24 months"', PLAIN),
            ("1.26.2", "2.1.3", "2.2.6", "2.5.0"),
        ),
        (rule("latest = true, prereleases = true"), ("2.5.1",)),
        (rule('latest = true, cooldown = "28 days"'), ("2.5.1",)),
        (rule('latest = true, cooldown = "29 days"'), ("2.5.0",)),
    ],
)
def test_the_last_day_of_uploads_bounds_a_rule_as_it_bounds_the_resolver(
    tmp_path: Path, index: Planted, text: str, versions: tuple[str, ...]
) -> None:
    assert review(tmp_path, text, IndexSettings(index=index.url)).selected == versions


def test_oldest_is_by_the_lower_bounds_of_what_is_under_test(tmp_path: Path, index: Planted) -> None:
    settings = IndexSettings(index=index.url)
    text = rule("oldest = true, latest = true")
    with pytest.raises(UsageError) as told:
        review(tmp_path, text, settings)
    assert str(told.value) == (
        f"{tmp_path / 'mine.toml'}: select.numpy.oldest: nothing under test has a lower bound on numpy; "
        'write one in subject.requires, such as requires = ["numpy>=1.0"], or name the dependency file '
        "in [gate]"
    )
    ours = f'{text}\n[subject]\nrequires = ["numpy>=2,<3"]\n'
    assert review(tmp_path, ours, settings).why == {
        "2.0.2": "the oldest that <3,>=2 allows",
        "2.5.1": "the newest release",
    }
    (tmp_path / "requirements.txt").write_text("numpy >= 2.1\nother\n", encoding="utf-8")
    both = f'{ours}\n[gate]\nfile = "requirements.txt"\n'
    assert review(tmp_path, both, settings).selected == ("2.1.3", "2.5.1")
    (tmp_path / "requirements.txt").write_text("numpy >= 3\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"select\.numpy\.oldest: no release is allowed by <3,>=2,>=3"):
        review(tmp_path, both, settings)


def test_nightly_releases_come_from_the_index_that_the_environment_names(
    tmp_path: Path, index: Planted
) -> None:
    text = rule("latest = true, nightly = true")
    with pytest.raises(UsageError, match=r"select\.numpy\.nightly: HARNESS_NIGHTLY_INDEX is not set; export"):
        review(tmp_path, text, settings_from({}, {"PIP_INDEX_URL": index.url}))
    with serve(lambda _: page({"2.6.0.dev0+g1": None, "2.6.0.dev1+g2": None})) as nightly:
        variables = {"PIP_INDEX_URL": index.url, "HARNESS_NIGHTLY_INDEX": f" {nightly.url}/ "}
        settings = settings_from({}, variables)
        assert f"{nightly.url}/" in settings.resolve_arguments()
        assert f"{nightly.url}/" in settings.install_arguments()
        assert review(tmp_path, text, settings).why == {
            "2.5.1": "the newest release",
            "2.6.0.dev1+g2": "the newest nightly release",
        }
        # Without the key they are none of the releases.
        assert review(tmp_path, rule("latest = true, prereleases = true"), settings).selected == ("2.5.1",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            rule('select = "minors", since = "3"'),
            "select.numpy: no release matches (minors since 3); 2.5.1: before 3",
        ),
        (
            rule("latest = true").replace("numpy", "lost"),
            "axes.lost: no index has a package 'lost'; correct the name",
        ),
    ],
)
def test_a_rule_that_selects_nothing_is_a_fault(tmp_path: Path, index: Planted, text: str, said: str) -> None:
    settings = IndexSettings(index=index.url)
    with pytest.raises(UsageError) as told:
        review(tmp_path, text, settings)
    assert str(told.value) == f"{tmp_path / 'mine.toml'}: {said}"


def test_ages_need_an_index_that_gives_upload_times(tmp_path: Path) -> None:
    with serve(lambda _: page({"2.5.1": None})) as index, pytest.raises(UsageError) as told:
        review(tmp_path, rule('latest = true, cooldown = "7 days"'), IndexSettings(index=index.url))
    assert str(told.value) == (
        f"{tmp_path / 'mine.toml'}: select.numpy.cooldown: the indexes give no upload time of 2.5.1, so its "
        "age is unknown; delete the key"
    )


def test_a_version_keeps_the_notation_of_the_file(tmp_path: Path) -> None:
    """2.5 and 2.5.0 are one version, and an axis may have it once."""
    text = rule('select = "minors"', BARE.replace("numpy = []", 'numpy = ["2.5"]'))
    with serve(lambda _: page({"2.5.0": "2026-01-01"})) as index:
        found = review(tmp_path, text, IndexSettings(index=index.url))
    assert (found.selected, found.is_outdated) == (("2.5",), False)
