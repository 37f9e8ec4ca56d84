"""Indexes on this machine are asked before anything is resolved: real sockets, real uv, no other network."""

from __future__ import annotations

import asyncio
import gzip
import os
import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from planted.command import Harness
from planted.disks import mount_small_disk
from planted.indexes import (
    LOGIN,
    SIMPLE_JSON,
    Asked,
    Planted,
    Reply,
    list_wheels,
    make_certificate,
    refuse,
    serve,
    serve_bytes,
)
from planted.wheels import build_wheel
from support.plan_texts import PLAIN, make_matrix, put_matrix

from harness.errors import ExitCode, MachineError, UsageError
from harness.matrix.cells import cells_of, suite_requirements
from harness.records import Cell
from harness.resolve.indexes import IndexUnavailableError, check_indexes
from harness.resolve.locks import lock_matrix
from harness.resolve.pip_settings import IndexSettings
from harness.sweep.planning import locks_for

UNDATED = PLAIN.replace('exclude-newer = "2026-11-01"', 'torch = "pypi"')
CELLS = (Cell(id="one", axes={}, requirements=("numpy==2.4.6", "torch"), python="3.11"),)
FILE = b'<!DOCTYPE html><a href="/files/numpy-1.26.2-py3-none-any.whl">numpy-1.26.2-py3-none-any.whl</a>'
JSON = b'{"meta": {"api-version": "1.0"}, "name": "numpy", "files": []}'
ADVICE = "check its address, credentials, proxy and certificates (`pip config list`, UV_* variables)"
BASIC = "Basic dXNlcjpodW50ZXIy"  # user:hunter2


@pytest.fixture(scope="module")
def uv_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("uv-cache")


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, uv_cache: Path) -> None:
    """No setting of this machine, and a cache of uv that knows no index."""
    for name in os.environ:
        if name.startswith(("PIP_", "UV_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("UV_CACHE_DIR", str(uv_cache))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def check(settings: IndexSettings, *, limit: float = 3) -> str:
    """What is said; empty where every index answers."""
    try:
        checked = asyncio.run(check_indexes(settings, CELLS, limit=limit))
    except IndexUnavailableError as error:
        return str(error)
    assert checked.answered
    return ""


def always(*args: object, **named: object) -> AbstractContextManager[Planted]:
    return serve(lambda _: Reply(*args, **named))  # type: ignore[arg-type]


def moved(asked: Asked) -> Reply:
    away = Reply(status=302, headers={"Location": "/login"})
    return Reply(LOGIN.encode()) if asked.path == "/login" else away


def slashed(asked: Asked) -> Reply:
    away = Reply(status=301, headers={"Location": "/mirror/numpy/"})
    return Reply(FILE) if asked.path == "/mirror/numpy/" else away


DENIED = "credentials are missing or not accepted"
LOGIN_PAGE = "it answered with a login page instead of a list of files (PEP 503)"
GZIP = {"Content-Encoding": "gzip"}


@pytest.mark.parametrize(
    "planted",
    [
        always(FILE),
        always(JSON, content_type=SIMPLE_JSON),
        always(FILE + b" " * 3_000_000),
        always(gzip.compress(FILE), headers=GZIP),
        always(b"no", status=404),
        serve(slashed),
    ],
    ids=["pep-503", "pep-691", "3-MB", "gzip", "404", "redirect-to-a-page"],
)
def test_an_index_that_answers_is_used(planted: AbstractContextManager[Planted]) -> None:
    with planted as index:
        assert check(IndexSettings(index=index.url)) == ""
        assert {asked.path for asked in index.asked} <= {"/simple/numpy/", "/mirror/numpy/"}


@pytest.mark.parametrize(
    ("planted", "fault"),
    [
        (always(LOGIN.encode()), LOGIN_PAGE),
        (serve(moved), f"{LOGIN_PAGE} (after a redirect to {{host}})"),
        (always(status=302, headers={"Location": "/simple/numpy/"}), "too many redirects"),
        (always(status=401), f"it answered with status 401 (Unauthorized): {DENIED}"),
        (always(status=403), f"it answered with status 403 (Forbidden): {DENIED}"),
        (always(status=500), "it answered with status 500 (Internal Server Error)"),
        (always(b"junk", headers=GZIP), "an answer that cannot be decompressed"),
        (refuse(), "the connection failed: Connection refused"),
        (serve_bytes(b"\x15\x03 no TLS", scheme="https"), "TLS failed: "),
        (serve_bytes(b"HTTP/1.1 " + b"9" * 5000 + b" OK\r\n\r\n"), "the connection failed (ValueError)"),
        (serve_bytes(b"junk\r\n\r\n"), "the connection failed (BadStatusLine)"),
    ],
)
def test_an_index_that_does_not_answer_as_one_is_named(
    planted: AbstractContextManager[Planted], fault: str
) -> None:
    with planted as index:
        said = check(IndexSettings(index=index.with_user("user:hunter2")))
        begins = f"the package index {index.host} cannot be used: {fault.format(host=index.host)}"
        assert said.startswith(begins)
        assert said.endswith(f"\n{ADVICE}")
        assert "hunter2" not in said
    assert IndexUnavailableError.exit_code == ExitCode.ERROR


@pytest.mark.parametrize(
    "planted",
    [serve_bytes(), serve_bytes(drip=b"X"), serve_bytes(b"HTTP/1.1 200 OK\r\n", drip=b"A: b\r\n")],
    ids=["silent", "drips", "headers-for-ever"],
)
def test_no_server_holds_up_the_command(planted: AbstractContextManager[Planted]) -> None:
    with planted as index:
        said = check(IndexSettings(index=index.url), limit=0.3)
        assert said.startswith(
            f"the package index {index.host} cannot be used: no complete answer within 0.3 s"
        )


def test_all_are_asked_at_once_and_each_that_fails_is_named(tmp_path: Path) -> None:
    with serve_bytes() as silent, always(FILE) as sound, refuse() as gone, always(LOGIN.encode()) as page:
        settings = IndexSettings(
            index=silent.url,
            extra=(sound.url, gone.url),
            find_links=(page.url, str(tmp_path), f"{tmp_path}/it's lost"),
        )
        said = check(settings, limit=1)
    assert [line.partition(" cannot be used")[0] for line in said.splitlines()[:-1]] == [
        f"the package index {silent.host}",
        f"the package index {gone.host}",
        f"the page of find-links {page.host}",
        f"the page of find-links {tmp_path}/it's lost",
    ]


def test_a_local_index_is_a_folder(tmp_path: Path) -> None:
    assert check(IndexSettings(index=tmp_path.as_uri())) == ""
    assert check(IndexSettings(index=f"{tmp_path.as_uri()}/gone")).startswith(
        f"the package index {tmp_path}/gone cannot be used: there is no such folder"
    )


def guarded(asked: Asked) -> Reply:
    if asked.headers.get("authorization") == BASIC:
        return Reply(FILE) if asked.path.startswith("/simple") else Reply(status=404)
    return Reply(status=401, headers={"WWW-Authenticate": 'Basic realm="index"'})


def test_credentials_are_those_that_uv_would_use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with serve(guarded) as index:
        assert check(IndexSettings(index=index.with_user("user:hunter2"))) == ""
        monkeypatch.setenv("UV_INDEX", f"my-corp={index.url}")
        monkeypatch.setenv("UV_INDEX_MY_CORP_USERNAME", "user")
        monkeypatch.setenv("UV_INDEX_MY_CORP_PASSWORD", "hunter2")
        assert check(IndexSettings(index=tmp_path.as_uri())) == ""
        monkeypatch.delenv("UV_INDEX")
        assert "status 401" in check(IndexSettings(index=index.url))
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login user password hunter2\n", encoding="ascii")
        monkeypatch.setenv("NETRC", str(netrc))
        assert check(IndexSettings(index=index.url)) == ""


def test_where_only_uv_has_the_credentials_its_word_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keyring = tmp_path / "keyring"
    keyring.write_text("#!/bin/sh\necho hunter2\n", encoding="ascii")
    keyring.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with serve(guarded) as index:
        settings = IndexSettings(index=index.with_user("user"))
        assert "status 401" in check(settings)
        monkeypatch.setenv("UV_KEYRING_PROVIDER", "subprocess")
        assert check(settings) == ""


def test_the_proxy_of_pip_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PROXY")
    with always(FILE) as proxy:
        through = IndexSettings(index="http://index.invalid/simple", proxy=f"http://{proxy.host}")
        assert check(through) == ""
        assert [asked.path for asked in proxy.asked] == ["http://index.invalid/simple/numpy/"]


def test_the_bundle_of_certificates_of_pip_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    with serve(lambda _: Reply(FILE), certificate=make_certificate(tmp_path)) as index:
        assert check(IndexSettings(index=index.url, cert=str(tmp_path / "cert.pem"))) == ""
        assert check(IndexSettings(index=index.url, hosts=("127.0.0.1",))) == ""
        assert "TLS failed: self-signed certificate" in check(IndexSettings(index=index.url))
        lost = IndexSettings(index=index.url, cert=str(tmp_path / "no.pem"))
        assert f"the package index {index.host} cannot be used: " in check(lost)


def test_nothing_is_asked_offline_or_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with refuse() as index:
        settings = IndexSettings(index=index.url)
        assert asyncio.run(check_indexes(settings, ())) == settings
        monkeypatch.setenv("UV_OFFLINE", "1")
        assert asyncio.run(check_indexes(settings, CELLS)) == settings


def test_a_full_disk_is_no_fault_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with mount_small_disk(tmp_path / "disk", "1m") as disk:
        monkeypatch.setenv("UV_CACHE_DIR", str(disk.folder / "cache"))
        disk.fill()
        with pytest.raises(MachineError, match=rf"^no space left on device: {disk.folder}/cache"):
            asyncio.run(check_indexes(IndexSettings(), CELLS))


def test_a_setting_that_uv_refuses_is_bad_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_INDEX_URL", "http://user:hunter2@[bad/simple")
    with pytest.raises(UsageError, match=r"^uv refuses the index settings: .*invalid IPv6") as told:
        check(IndexSettings())
    assert "hunter2" not in str(told.value)


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """What the plain matrix asks for, and what the suite needs."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    asked = {"numpy": "1.26.2 2.4.6", "sentence-transformers": "3.3.1 6.2.0", "torch": "2.13.0"}
    asked |= dict.fromkeys(("openvino", *(text.partition(">")[0] for text in suite_requirements())), "99")
    for name, version in ((name, version) for name, text in asked.items() for version in text.split()):
        requires = ["openvino"] if name == "sentence-transformers" else []
        build_wheel(folder, name, version, {f"{name.replace('-', '_')}.py": ""}, requires=requires)
    return folder


def test_an_index_is_asked_once_and_not_where_every_lock_is_there(tmp_path: Path, wheels: Path) -> None:
    matrix = make_matrix(tmp_path, UNDATED)
    cells = cells_of(matrix)
    with serve(list_wheels(wheels)) as index:
        settings = IndexSettings(index=index.url)
        asyncio.run(lock_matrix(matrix, settings))
        ours = [each for each in index.asked if each.headers["user-agent"] == "embedding-parity-harness"]
        assert len(ours) == 1
    with refuse() as gone:
        elsewhere = IndexSettings(index=gone.url)
        locks = asyncio.run(locks_for(cells, matrix, elsewhere))
        assert [lock.origin for lock in locks] == ["committed"] * len(cells)
        locks_of_one = next(tmp_path.glob("locks/*/mine/*.txt"))
        locks_of_one.unlink()
        with pytest.raises(IndexUnavailableError, match=gone.host):
            asyncio.run(locks_for(cells, matrix, elsewhere))


@pytest.mark.parametrize(
    ("planted", "words", "command"),
    [
        (serve(moved), "a login page instead of a list of files", ("lock",)),
        (refuse(), "Connection refused", ("cells",)),
        (serve_bytes(b"junk\r\n\r\n"), "the connection failed (BadStatusLine)", ("gate", "numpy==2.4.6")),
    ],
    ids=["lock-login", "cells-refused", "gate-junk"],
)
def test_a_command_ends_with_5_and_the_host(
    planted: AbstractContextManager[Planted], words: str, command: tuple[str, ...], tmp_path: Path
) -> None:
    path = put_matrix(tmp_path, UNDATED)
    with planted as index:
        harness = Harness({"PIP_INDEX_URL": index.with_user("user:hunter2")})
        done = harness.run(*command, "--matrix", path, cwd=tmp_path)
    said = done.stdout + done.stderr
    assert done.returncode == ExitCode.ERROR, said
    assert [word for word in (index.host, words) if word not in said] == []
    assert [word for word in ("hunter2", "Traceback", "solution") if word in said] == []
    assert list(tmp_path.glob("locks/**/*.txt")) == []


def wait_for(happened: Callable[[], bool], process_is_alive: Callable[[], bool]) -> None:
    while not happened():
        assert process_is_alive()
        time.sleep(0.01)  # leaves the core to the process


def test_ctrl_c_ends_the_wait_for_a_silent_server(tmp_path: Path) -> None:
    path = put_matrix(tmp_path)
    with serve_bytes() as index:
        process = Harness({"PIP_INDEX_URL": index.url}).start("lock", "--matrix", path, cwd=tmp_path)
        with process:
            wait_for(lambda: bool(index.asked), lambda: process.poll() is None)
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate()
    assert process.returncode == ExitCode.INTERRUPTED
    assert "cannot be used" not in said
