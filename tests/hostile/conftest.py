"""What the rows are made of, and the local servers that they may name."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hostile.bases import make_bases

from harness.resolve.lockfile import platform_tag

_SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
_SIGN_IN = '<!DOCTYPE html><html><body><input type="password"></body></html>'
_PAGES = {
    "/simple/": (200, "text/html", "<!DOCTYPE html><html><body></body></html>"),
    "/login/": (200, "text/html", "<!DOCTYPE html><html><body><form>Sign in</form></body></html>"),
    "/password/": (200, "text/html", _SIGN_IN),
    "/hidden/": (404, "text/html", _SIGN_IN),
    "/denied/": (401, "text/html", "who are you"),
    "/failing/": (500, "text/html", "no disk"),
    "/list/": (200, _SIMPLE_JSON, "[]"),
    "/cut/": (200, _SIMPLE_JSON, '{"meta": {"api-version": "1.0"}, "name": "numpy", "fi'),
    "/image/": (200, "image/png", "\x89PNG"),
    "/damaged/": (200, "text/html", "no gzip"),
}


class _Index(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        start = f"/{self.path.split('/')[1]}/"
        status, kind, page = _PAGES.get(start, (404, "text/html", "nothing here"))
        if start == "/simple/" and self.path.count("/") > 2:
            status = 404
        with contextlib.suppress(ConnectionError):  # whoever asked was ended
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(page.encode())))
            if start == "/damaged/":
                self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            self.wfile.write(page.encode())

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the library
        """Print nothing."""


@pytest.fixture(scope="session")
def names() -> Iterator[dict[str, str]]:
    """The addresses that rows may name."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Index) as server, socket.socket() as refusing:
        refusing.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield {
            "@PLATFORM@": platform_tag(),
            "@INDEX@": f"http://127.0.0.1:{server.server_port}",
            "@PORT@": f":{server.server_port}",
            "@REFUSED@": f"http://127.0.0.1:{refusing.getsockname()[1]}",
        }
        server.shutdown()


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The valid files and folders that rows damage."""
    folder = tmp_path_factory.mktemp("bases")
    make_bases(folder)
    return folder
