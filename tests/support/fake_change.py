"""A server that plays a forge with one pull request: its texts, and who may write."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from support.fake_forge import FakeForge, handler_of

LINE = "harness: accept cost numpy because we serve batches"
WRITERS = {"alice": ("write", 30), "mona": ("admin", 50)}
"""Name -> permission on GitHub, and access level on GitLab; all others may read."""
NUMBERS = {name: at for at, name in enumerate(("alice", "bob", "carl", "eve", "ghost", "mona", "robot"), 11)}


@dataclass
class FakeChange(FakeForge):
    """A pull request whose description is by ``by``; ``notes`` are pairs of an author and a text."""

    body: str | None = ""
    by: str = "alice"
    notes: list[tuple[str, str]] = field(default_factory=list)
    reviews: list[tuple[str, str, str]] = field(default_factory=list)  # with the state

    def answer(self, method: str, url: str, content: dict[str, str] | None) -> Any:
        """What the interfaces of both forges show; None for what is not there."""
        del content
        parts = urlsplit(url)
        asked = {name: int(values[0]) for name, values in parse_qs(parts.query).items()}
        assert method == "GET", "the token may read alone"
        found = {
            "/repos/team/service/pulls/12": self._github,
            "/repos/team/service/issues/12/comments": lambda: [self._comment(each) for each in self.notes],
            "/repos/team/service/pulls/12/reviews": self._reviews,
            "/projects/3/merge_requests/12": self._gitlab,
            "/projects/3/merge_requests/12/notes": self._notes,
        }.get(parts.path, lambda: self._person(parts.path))()
        if isinstance(found, list):
            first = asked["per_page"] * (asked["page"] - 1)
            return found[first : first + asked["per_page"]]
        return found

    def _github(self) -> Any:
        return {"id": 9, "body": self.body, "user": _user(self.by)}

    def _comment(self, note: tuple[str, str]) -> Any:
        author, body = note
        app = {"slug": "an-app"} if author == "carl" else None
        user = None if author == "ghost" else _user(author)
        at = self.notes.index(note) + 1
        return {"id": at, "body": body, "user": user, "performed_via_github_app": app}

    def _reviews(self) -> Any:
        return [
            {"id": 50 + at, "body": body, "user": _user(author), "state": state}
            for at, (author, body, state) in enumerate(self.reviews)
        ]

    def _gitlab(self) -> Any:
        return {"description": self.body, "author": _account(self.by)}

    def _notes(self) -> Any:
        return [
            {"id": at, "body": body, "system": author == "carl", "author": _account(author)}
            for at, (author, body) in enumerate(self.notes, 1)
        ]

    def _person(self, path: str) -> Any:
        for name, number in NUMBERS.items():
            permission, level = WRITERS.get(name, ("read", 20))
            known: dict[str, Any] = {
                f"/repos/team/service/collaborators/{name}/permission": {"permission": permission},
                f"/users/{number}": {"id": number, "bot": name == "robot"},
                f"/projects/3/members/all/{number}": {"access_level": level, "state": "active"},
            }
            if path in known and (name != "ghost" or path.startswith("/users")):
                return known[path]
        return None


def _user(name: str) -> dict[str, Any]:
    return {"login": name, "type": "Bot" if name == "robot" else "User"}


def _account(name: str) -> dict[str, Any]:
    return {"id": NUMBERS.get(name, 99), "username": name}


@pytest.fixture(name="change")
def change_fixture() -> Iterator[FakeChange]:
    found = FakeChange()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(found))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    found.address = f"http://127.0.0.1:{server.server_port}"
    yield found
    server.shutdown()
    thread.join()
    server.server_close()
