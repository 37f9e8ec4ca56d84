"""The releases on project pages of every form, on this machine; no other network."""

from __future__ import annotations

import asyncio
import datetime
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pytest
from packaging.tags import platform_tags
from planted.indexes import LOGIN, SIMPLE_JSON, Asked, Reply, refuse, serve
from planted.wheels import build_wheel

from harness.errors import MachineError
from harness.matrix.selection import Release
from harness.resolve.indexes import IndexUnavailableError
from harness.resolve.listing import FRESH, ListedFile, Listing, list_files, list_releases, open_source
from harness.resolve.lockfile import platform_tag
from harness.resolve.pip_settings import IndexSettings

HERE = next(platform_tags())
NOW = datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)
MORNING = datetime.datetime(2026, 10, 1, 9, 59, 47, 575602, tzinfo=datetime.UTC)
WHEEL, SOURCE = "numpy-2.4.6-py3-none-any.whl", "numpy-2.4.6.tar.gz"
OTHERS = ("http://[bad/numpy-2.4.6.zip", "numpy-2.4.6.exe", "numpy_stubs-1.0-py3-none-any.whl", "notes.txt")
FILES = (
    ListedFile(name=WHEEL, uploaded=MORNING, yanked="it <broke> & fell", requires_python=">=3.9"),
    ListedFile(name=SOURCE, uploaded=MORNING, yanked="", requires_python=""),
)


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("PIP_", "UV_", "HARNESS_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def listed(settings: IndexSettings, kept: Path, now: datetime.datetime = NOW) -> Listing:
    async def work() -> Listing:
        return await list_files("numpy", await open_source(settings, kept, now))

    return asyncio.run(work())


def as_json(*files: Mapping[str, object]) -> Reply:
    page = {"meta": {"api-version": "1.1"}, "name": "numpy", "files": files}
    return Reply(json.dumps(page).encode(), content_type=SIMPLE_JSON)


JSON = as_json(
    {
        "filename": WHEEL,
        "upload-time": "2026-10-01T09:59:47.575602Z",
        "yanked": "it <broke> & fell",
        "requires-python": ">=3.9",
    },
    {
        "filename": SOURCE,
        "upload-time": "2026-10-01T09:59:47.575602Z",
        "yanked": True,
        "requires-python": None,
    },
    *({"filename": name, "upload-time": None} for name in OTHERS),
)
HTML = Reply(
    (
        f"<!DOCTYPE html><html><body><a href='../../files/{WHEEL}#sha256=1' data-requires-python='&gt;=3.9' "
        f'data-yanked="it &lt;broke&gt; &amp; fell">{WHEEL}</a><a href="/files/{SOURCE}" data-yanked>x</a>'
        + "".join(f'<a href="{name}">{name}</a>' for name in OTHERS)
    ).encode()
)


def test_a_page_of_json_has_all(tmp_path: Path) -> None:
    with serve(lambda _: JSON) as index:
        assert listed(IndexSettings(index=index.url), tmp_path) == Listing(read=NOW, files=FILES)
        assert [asked.path for asked in index.asked] == ["/simple/numpy/"]


def test_a_page_of_html_has_no_upload_times(tmp_path: Path) -> None:
    with serve(lambda _: HTML) as index:
        found = listed(IndexSettings(index=index.url), tmp_path).files
    assert found == tuple(msgspec.structs.replace(each, uploaded=None) for each in FILES)


def test_folders_are_read_as_indexes_and_as_find_links(tmp_path: Path) -> None:
    (tmp_path / "simple" / "numpy").mkdir(parents=True)
    (tmp_path / "links").mkdir()
    build_wheel(tmp_path / "simple" / "numpy", "numpy", "1.26.4", {})
    build_wheel(tmp_path / "links", "numpy", "2.4.6", {})
    build_wheel(tmp_path / "links", "numpy-stubs", "1.0", {})
    index = (tmp_path / "simple").as_uri()
    settings = IndexSettings(index=index, find_links=(str(tmp_path / "links"), str(tmp_path / "gone")))
    names = [file.name for file in listed(settings, tmp_path / "kept").files]
    assert names == ["numpy-1.26.4-py3-none-any.whl", WHEEL]
    (tmp_path / "simple" / "numpy" / "index.html").write_bytes(HTML.body)
    assert [file.name for file in listed(settings, tmp_path / "kept").files] == [WHEEL, SOURCE, WHEEL]


def test_only_files_of_the_nightly_index_are_nightly(tmp_path: Path) -> None:
    nightly = as_json({"filename": "numpy-2.6.0.dev0-py3-none-any.whl"})
    with serve(lambda _: JSON) as index, serve(lambda _: nightly) as other:
        settings = IndexSettings(index=index.url, nightly=f"{other.url}/")
        found = listed(settings, tmp_path).files
    assert {file.name: file.nightly for file in found} == {
        WHEEL: False,
        SOURCE: False,
        "numpy-2.6.0.dev0-py3-none-any.whl": True,
    }


def test_a_listing_is_used_for_an_hour_and_offline_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later, second = NOW + 100 * FRESH, datetime.timedelta(seconds=1)
    with serve(lambda _: JSON) as index:
        settings = IndexSettings(index=index.url)
        for now, read, requests in (
            (NOW, NOW, 1),
            (NOW + FRESH, NOW, 1),
            (NOW + FRESH + second, NOW + FRESH + second, 2),
            (NOW, NOW, 3),  # a clock that went back
        ):
            assert listed(settings, tmp_path, now) == Listing(read=read, files=FILES)
            assert len(index.asked) == requests
        monkeypatch.setenv("UV_OFFLINE", "1")
        assert listed(settings, tmp_path, later) == Listing(read=NOW, files=FILES)
        with pytest.raises(
            MachineError, match=rf"^the releases of numpy on {index.host} are unknown offline"
        ):
            listed(settings, tmp_path / "elsewhere")
        assert len(index.asked) == 3
        monkeypatch.delenv("UV_OFFLINE")
        (kept,) = tmp_path.glob("numpy-*.json")
        assert index.url not in kept.read_text(encoding="utf-8")
        kept.write_text("half", encoding="utf-8")
        assert listed(settings, tmp_path).files == FILES
        assert listed(settings, Path("/dev/null/nowhere")).files == FILES  # a cache that cannot be written


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        (Reply(LOGIN.encode()), "it answered with a login page instead of a list of files (PEP 503)"),
        (
            Reply(status=403),
            "it answered with status 403 (Forbidden): credentials are missing or not accepted",
        ),
        (as_json({"name": WHEEL}), "JSON that is no project page (PEP 691)"),
        (
            as_json({"filename": WHEEL, "upload-time": "2026-10-01T09:59:47"}),
            "JSON that is no project page (PEP 691)",
        ),
    ],
    ids=["login", "403", "other-json", "time-without-zone"],
)
def test_an_index_that_gives_no_page_is_named(reply: Reply, fault: str, tmp_path: Path) -> None:
    with serve(lambda _: reply) as index, pytest.raises(IndexUnavailableError) as told:
        listed(IndexSettings(index=index.with_user("user:hunter2")), tmp_path)
    assert str(told.value).splitlines()[0] == f"the package index {index.host} cannot be used: {fault}"
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_ends_early_is_no_shorter_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.resolve.listing.MOST_BYTES", len(HTML.body) - 1)
    with serve(lambda _: HTML) as index, pytest.raises(IndexUnavailableError, match=r"page of numpy is not"):
        listed(IndexSettings(index=index.url), tmp_path)


def test_an_index_without_the_project_lists_nothing(tmp_path: Path) -> None:
    def absent(_: Asked) -> Reply:
        return Reply(b"no", status=404)

    with serve(absent) as index:
        assert listed(IndexSettings(index=index.url), tmp_path).files == ()
    with refuse() as gone, pytest.raises(IndexUnavailableError, match=gone.host):
        listed(IndexSettings(index=gone.url), tmp_path)


def wheel(version: str, tags: str = "py3-none-any", **more: object) -> ListedFile:
    return ListedFile(name=f"numpy-{version}-{tags}.whl", **more)  # type: ignore[arg-type]


def source(version: str, **more: object) -> ListedFile:
    return ListedFile(name=f"numpy-{version}.tar.gz", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("files", "pythons", "fault"),
    [
        ([wheel("1.0")], ["3.11"], ""),
        ([wheel("1.0", yanked="")], ["3.11"], "yanked"),
        ([wheel("1.0", yanked="broken\nwheel"), source("1.0", yanked="")], ["3.11"], "yanked: broken wheel"),
        ([wheel("1.0", yanked=""), source("1.0")], ["3.11"], "no wheel for Python 3.11 on {}"),
        ([source("1.0")], ["3.11"], "no wheel for Python 3.11 on {}"),
        ([wheel("1.0", "cp311-cp311-win_amd64")], ["3.11"], "no wheel for Python 3.11 on {}"),
        ([wheel("1.0", f"cp312-cp312-{HERE}")], ["3.11"], "no wheel for Python 3.11 on {}"),
        ([wheel("1.0", f"cp311-abi3-{HERE}")], ["3.11", "3.12"], ""),
        ([wheel("1.0", "cp311-none-any")], ["3.11", "3.12"], "no wheel for Python 3.12 on {}"),
        ([wheel("1.0", requires_python=">=3.12")], ["3.11"], "needs Python >=3.12"),
        ([wheel("1.0", requires_python=">=3.12")], ["3.13", "3.12", "3.11"], "needs Python >=3.12"),
        ([wheel("1.0", requires_python=">=3.12"), source("1.0")], ["3.11"], "no wheel for Python 3.11 on {}"),
        ([wheel("1.0", requires_python="whatever")], ["3.11"], ""),
    ],
)
def test_a_release_can_be_installed_on_every_python_here(
    files: Sequence[ListedFile], pythons: Sequence[str], fault: str
) -> None:
    (release,) = list_releases(files, pythons)
    assert release == Release(version="1.0", fault=fault.format(platform_tag()))


def test_releases_are_in_order_with_the_day_of_their_first_file() -> None:
    late = datetime.datetime(2026, 3, 2, 0, 30, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))
    files = [
        wheel("2.10.0", uploaded=late),
        source("2.10.0", uploaded=late + datetime.timedelta(days=3)),
        wheel("2.9.0+cpu", uploaded=late),
        wheel("2.11.0.dev0+g1", nightly=True),
        wheel("2.10.0", nightly=True),
    ]
    day = datetime.date(2026, 3, 1)
    assert list_releases(files, ["3.11"]) == (
        Release(version="2.9.0", uploaded=day),
        Release(version="2.10.0", uploaded=day),
        Release(version="2.11.0.dev0+g1", nightly=True),
    )


def test_files_after_the_last_day_do_not_count() -> None:
    end = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
    second = datetime.timedelta(seconds=1)
    files = [
        source("1.0", uploaded=end - second),
        wheel("1.0", uploaded=end),
        wheel("1.1", uploaded=end - second),
        wheel("1.2"),
    ]
    found = list_releases(files, ["3.11"], end)
    fault = f"no wheel for Python 3.11 on {platform_tag()}"
    assert [(each.version, each.fault) for each in found] == [("1.0", fault), ("1.1", "")]
