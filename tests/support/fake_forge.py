"""A server that plays a forge: the comments of one pull request."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from harness.forge.comment import marker

MARKER = marker("compat", "requirements.txt")
TOKEN = "the token"  # noqa: S105 - of a server that this test plays
US, THEM = 7, 8


@dataclass
class Trouble:
    """What happens to the next request with this method; status 0 ends the connection without an answer."""

    method: str
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    done: bool = False  # whether it has its effect nevertheless


@dataclass
class FakeForge:
    """The comments of one pull request, as both forges' interfaces show them."""

    comments: list[dict[str, Any]] = field(default_factory=list)
    refuse: int = 0
    asked: list[str] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    text: bytes = b""
    address: str = ""

    def add(self, body: str | None, author: int = US) -> None:
        login = {US: "github-actions[bot]", THEM: "somebody"}[author]
        user = {"login": login, "id": author}
        self.comments.append({"id": len(self.comments) + 1, "body": body, "user": user, "author": user})

    @property
    def bodies(self) -> list[Any]:
        return [each["body"] for each in self.comments]

    def answer(self, method: str, url: str, content: dict[str, str] | None) -> Any:
        parts = urlsplit(url)
        if parts.path.endswith("/user"):
            return {"id": US}
        if method == "GET":
            asked = {name: int(values[0]) for name, values in parse_qs(parts.query).items() if name != "sort"}
            first = asked["per_page"] * (asked["page"] - 1)
            return self.comments[first : first + asked["per_page"]]
        assert content is not None
        if method == "POST":
            self.add(content["body"])
            return self.comments[-1]
        (found,) = (each for each in self.comments if each["id"] == int(parts.path.rpartition("/")[2]))
        found["body"] = content["body"]
        return found


def handler_of(forge: FakeForge) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            forge.asked.append(f"{self.command} {urlsplit(self.path).path}")
            length = int(self.headers.get("Content-Length") or 0)
            content = json.loads(self.rfile.read(length)) if length else None
            known = TOKEN in {self.headers.get("PRIVATE-TOKEN"), str(self.headers.get("Authorization"))[7:]}
            trouble = next((each for each in forge.troubles if each.method == self.command), None)
            if trouble is not None:
                forge.troubles.remove(trouble)
                status, done = trouble.status, trouble.done
            else:
                status = forge.refuse or (200 if known else 401)
                done = status == 200
            answer = forge.answer(self.command, self.path, content) if done else {}
            if answer is None:
                status, answer = 404, {}
            if status == 0:
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in (trouble.headers if trouble else {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(forge.text or json.dumps(answer).encode())

        do_GET = do_POST = do_PATCH = do_PUT = answer  # noqa: N815 - the names that the server looks for

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    return Handler


@pytest.fixture(name="forge")
def forge_fixture() -> Iterator[FakeForge]:
    found = FakeForge()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(found))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    found.address = f"http://127.0.0.1:{server.server_port}"
    yield found
    server.shutdown()
    thread.join()
    server.server_close()
