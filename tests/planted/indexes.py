"""Package indexes on 127.0.0.1 that answer as they are told: pages, login pages, silence, no TLS."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

LOGIN = (
    "<!DOCTYPE html><html><head><title>Sign in</title></head><body><form action='/session' method='post'>"
    "<input name='user'><input type='password' name='word'></form><a href='/help'>Help</a></body></html>"
)
SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"


@dataclass(frozen=True)
class Reply:
    """One answer; ``headers`` come on top of type and length."""

    body: bytes = b""
    status: int = 200
    content_type: str = "text/html"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """One request that came in: its path, and its headers with names in lower case."""

    path: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Planted:
    """A server while it runs: its address, and what it was asked."""

    url: str
    asked: list[Asked]

    @property
    def host(self) -> str:
        """Host and port, as a message names them."""
        return self.url.partition("//")[2].partition("/")[0]

    def with_user(self, userinfo: str) -> str:
        """The address with credentials in it."""
        return self.url.replace("//", f"//{userinfo}@")


@contextlib.contextmanager
def serve(answer: Callable[[Asked], Reply], *, certificate: Path | None = None) -> Iterator[Planted]:
    """An index whose every answer is computed from the request; with a certificate it speaks TLS."""
    asked: list[Asked] = []

    class Index(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:  # uv asks so for the size of a wheel
            self.do_GET()

        def do_GET(self) -> None:
            request = Asked(self.path, {name.lower(): value for name, value in self.headers.items()})
            asked.append(request)
            reply = answer(request)
            self.send_response(reply.status)
            sized = {"Content-Type": reply.content_type, "Content-Length": str(len(reply.body))}
            for name, value in (sized | dict(reply.headers)).items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # whoever asked may read the beginning only
                self.wfile.write(reply.body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Index)
    scheme = "http"
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket, scheme = context.wrap_socket(server.socket, server_side=True), "https"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Planted(f"{scheme}://127.0.0.1:{server.server_port}/simple", asked)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def make_certificate(folder: Path) -> Path:
    """A self-signed certificate (``cert.pem``) for 127.0.0.1; the file returned has its key too."""
    asked = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=planted -addext subjectAltName=IP:127.0.0.1"
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here to make a certificate with")
    files = ("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"))
    subprocess.run(["openssl", *asked.split(), *files], check=True, capture_output=True)
    whole = folder / "whole.pem"
    whole.write_bytes(b"".join((folder / name).read_bytes() for name in ("cert.pem", "key.pem")))
    return whole


def list_wheels(
    folder: Path, uploaded: Mapping[str, str] | None = None, yanked: Mapping[str, str] | None = None
) -> Callable[[Asked], Reply]:
    """Answers of an index over the wheels in a folder; 404 for what it lacks.

    Pages are HTML (PEP 503); with days of upload (version -> ``2026-01-31``) they are JSON (PEP 691, 700).
    ``yanked`` are names of wheels with the reason.
    """

    def answer(asked: Asked) -> Reply:
        kind, _, name = asked.path.strip("/").partition("/")
        if kind == "files":
            return Reply((folder / name).read_bytes(), content_type="application/octet-stream")
        found = [
            file.name for file in folder.glob("*.whl") if file.name.startswith(f"{name.replace('-', '_')}-")
        ]
        if found and uploaded is not None:
            return Reply(_as_json(name, folder, found, uploaded, yanked or {}), content_type=SIMPLE_JSON)
        links = "".join(f'<a href="/files/{file}">{file}</a>\n' for file in sorted(found))
        return Reply(f"<!DOCTYPE html><html><body>{links}</body></html>".encode(), 200 if found else 404)

    return answer


def _as_json(
    name: str, folder: Path, found: Sequence[str], uploaded: Mapping[str, str], yanked: Mapping[str, str]
) -> bytes:
    files = [
        {
            "filename": file,
            "url": f"/files/{file}",
            "hashes": {"sha256": hashlib.sha256((folder / file).read_bytes()).hexdigest()},
            "upload-time": f"{uploaded[file.split('-')[1]]}T00:00:00Z",
            "yanked": yanked.get(file, False),
        }
        for file in found
    ]
    return json.dumps({"meta": {"api-version": "1.1"}, "name": name, "files": files}).encode()


@contextlib.contextmanager
def serve_bytes(content: bytes = b"", *, drip: bytes = b"", scheme: str = "http") -> Iterator[Planted]:
    """A server that writes ``content`` to whoever connects, then ``drip`` for ever, and reads nothing."""
    over = threading.Event()
    asked: list[Asked] = []

    def talk(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.sendall(content)
            while not over.wait(0.05):
                connection.sendall(drip)

    def accept() -> None:
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = listening.accept()
                asked.append(Asked("", {}))
                threading.Thread(target=talk, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield Planted(f"{scheme}://127.0.0.1:{listening.getsockname()[1]}/simple", asked)
        finally:
            over.set()
            thread.join()


@contextlib.contextmanager
def refuse() -> Iterator[Planted]:
    """An address that is taken and refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield Planted(f"http://127.0.0.1:{taken.getsockname()[1]}/simple", [])
