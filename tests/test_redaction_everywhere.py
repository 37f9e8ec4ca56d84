"""Credentials planted at every entrance are in nothing that a command leaves: files, terminal, history."""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from support.command_line import command
from support.environment_files import read
from support.plan_texts import PLAIN, put_matrix
from support.suite_front import Front, front_fixture, world_fixture  # noqa: F401 - fixtures

from harness.errors import HarnessError
from harness.store.environments import Installer

SECRET = "S3cret"  # noqa: S105 - planted
USER = f"user:{SECRET}@"

REQUIREMENTS = f"""\
-ihttps://{USER}index.example/simple
-fhttps://{USER}links.example/
--extra-index-url https://{USER}extra.example/simple --trusted-host index.example
--index-url=https://{SECRET}@index.example/simple
-r base.txt
numpy==2.0.2
-e git+https://{USER}git.example/owner/flask.git@main#egg=flask
hub @ https://{USER}files.example/hub-2.0-py3-none-any.whl?token={SECRET}
https://files.example/other-1.0-py3-none-any.whl?X-Amz-Signature={SECRET}
"""


def leaks(folder: Path) -> list[str]:
    """The files below a folder that hold the secret."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            data = gzip.decompress(data) if path.suffix == ".gz" else data
            found += [str(path.relative_to(folder))] if SECRET.encode() in data else []
    return found


def test_a_gate_leaves_no_credential(front: Front, capsys: pytest.CaptureFixture[str]) -> None:
    (front.folder / "requirements.txt").write_text(REQUIREMENTS, encoding="utf-8")
    (front.folder / "base.txt").write_text(f"--find-links https://{USER}links.example\n", encoding="utf-8")
    front.does(candidate="leaking")
    assert front.run("--to", "requirements.txt") == 1
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err
    assert leaks(front.folder / "reports") + leaks(front.folder / "store") == []
    note = "requirements.txt:1: -ihttps://redacted@index.example/simple is ignored: pip's settings apply"
    assert note in front.read().question.notes
    for name in (
        "gate.json",
        "gate.md",
        "index.html",
        "results.json",
        "junit.xml",
        "cells/candidate/log.txt",
    ):
        assert "index.example" in (front.runs[-1] / name).read_text(encoding="utf-8"), name
    assert (front.folder / "reports/runs/history.sqlite3").exists()
    assert front.command("report", str(front.runs[-1])) == 1
    assert (SECRET in capsys.readouterr().out, leaks(front.folder / "reports")) == (False, [])


@pytest.mark.parametrize(
    ("name", "text", "host"),
    [
        ("a.txt", f"-r https://{USER}host.example/r.txt\n", "host.example"),
        ("a.txt", f"-chttps://{USER}host.example/r.txt\n", "host.example"),
        ("a.txt", f"numpy==https://{SECRET}{'x' * 90}@host.example\n", "a.txt:1"),
        ("a.txt", f"numpy @ @ https://{USER}host.example/x.whl\n", "host.example"),
        ("a.txt", f"numpy==1; os_name == 'https://{USER}host.example' or\n", "host.example"),
        ("pylock.toml", f'lock-version = "https://{USER}host.example"\n', "pylock.toml"),
        ("a.toml", f'x = "https://{USER}host.example\n', "a.toml"),
        (f"https:__{USER}host.example.exe", "", "host.example"),
    ],
)
def test_a_faulty_dependency_file_is_named_without_credentials(
    name: str, text: str, host: str, tmp_path: Path
) -> None:
    with pytest.raises(HarnessError) as raised:
        read(tmp_path, name.replace("__", "//") if not text else name, text or None)
    assert SECRET not in str(raised.value)
    assert host in str(raised.value)


@pytest.mark.parametrize(
    "arguments",
    [
        ("gate", f"numpy @ https://{USER}host.example/numpy.whl"),
        ("gate", "--from", f"https://{USER}host.example/requirements.txt", "numpy==2.0.2"),
        ("gate", "--to", f"{SECRET}:https://{USER}host.example/r.txt".removeprefix(f"{SECRET}:")),
        ("sweep", "--matrix", f"https://{USER}host.example/matrix.toml"),
        ("compare", f"https://{USER}host.example/run", "latest"),
        ("workflow", "github", "--install", f"git+https://{USER}host.example/harness"),
        ("workflow", "gitlab", "--install", f"-ihttps://{SECRET}@host.example/simple harness"),
        ("workflow", "github", "--install", "x", "--file", f"https://{USER}host.example/requirements.txt"),
    ],
)
def test_a_wrong_argument_is_named_without_credentials(
    arguments: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(monkeypatch, *arguments) == 2
    said = capsys.readouterr()
    assert (SECRET in said.out + said.err, "host.example" in said.err) == (False, True)


def test_a_pipeline_takes_an_address_without_credentials(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    plain = "git+ssh://git@host.example/owner/harness@0123abc"
    (tmp_path / "r.txt").write_text("numpy==2.4.6\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert command(monkeypatch, "workflow", "github", "--install", plain, "--file", "r.txt") == 0
    assert plain in capsys.readouterr().out


class _Refusing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(401)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module", name="refusing")
def refusing_fixture() -> Iterator[str]:
    """Host and port of an index that refuses everybody."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module", name="closed")
def closed_fixture() -> Iterator[str]:
    """Host and port at which nothing listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


@pytest.mark.parametrize("entrance", ["PIP_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "pip.conf", "proxy"])
def test_a_failing_index_is_told_without_its_credentials(  # noqa: PLR0917 - fixtures
    entrance: str,
    refusing: str,
    closed: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    matrix = put_matrix(tmp_path, PLAIN.replace("[resolve]", '[resolve]\ntorch = "pypi"'))
    refused = f"http://{USER}{refusing}/simple"
    variables = {
        "PIP_EXTRA_INDEX_URL": {"PIP_INDEX_URL": refused, "PIP_EXTRA_INDEX_URL": f"http://{USER}{closed}/s"},
        "UV_DEFAULT_INDEX": {"UV_DEFAULT_INDEX": refused},
        "pip.conf": {
            "PIP_CONFIG_FILE": str(tmp_path / "pip.conf"),
            "PIP_FIND_LINKS": f"http://{USER}{closed}/l",
        },
        "proxy": {"PIP_INDEX_URL": "http://index.example/simple", "PIP_PROXY": f"http://{USER}{closed}"},
    }[entrance]
    (tmp_path / "pip.conf").write_text(f"[global]\nindex-url = {refused}\n", encoding="utf-8")
    for name, value in {"PIP_FIND_LINKS": "", "UV_HTTP_RETRIES": "0", **variables}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    places = ("--store", str(tmp_path / "store"), "--reports", str(tmp_path / "reports"))
    code = command(monkeypatch, "sweep", "--matrix", str(matrix), *places)
    said = "".join(capsys.readouterr())
    assert (code, SECRET in said) == (5, False), said
    assert leaks(tmp_path) == ["pip.conf"]


def test_an_installer_names_the_index_without_its_credentials(refusing: str, tmp_path: Path) -> None:
    installer = Installer(index=("--default-index", f"http://{USER}{refusing}/simple"))
    with pytest.raises(HarnessError) as raised:
        asyncio.run(installer.run("pip", "install", "numpy", "--target", str(tmp_path), *installer.index))
    assert (SECRET in str(raised.value), refusing in str(raised.value)) == (False, True)
