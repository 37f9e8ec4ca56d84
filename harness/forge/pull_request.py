"""The pull request of a job on GitHub or GitLab: its texts, and whether their authors have write access.

It needs a token that may read alone. Whether an author may write is asked of the forge for each one: what a
comment says of its author (``author_association``) is also true of members who may only read, and hides
members whose membership is private.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from harness.forge.comment import (
    NUMBER,
    PAGE,
    Access,
    CommentError,
    PassingError,
    ask,
    find_access,
    read_address,
    read_variable,
)

_DEVELOPER = 30
"""The lowest access level that may push: https://docs.gitlab.com/api/access_requests/#valid-access-levels."""
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,255}(?:\[bot\])?")


@dataclass(frozen=True)
class Comment:
    """A text in a pull request, its author, and where it is; ``bot`` is why its author is no person."""

    body: str
    author: str
    account: str
    link: str
    bot: str = ""


class PullRequest(Protocol):
    """The pull request of a job."""

    def read_comments(self) -> Iterator[Comment]:
        """Its description, then its comments."""

    def find_objection(self, comment: Comment) -> str:
        """Why the author of a comment may accept nothing; empty for one with write access."""


@dataclass(frozen=True)
class GitHub:
    """A pull request on GitHub."""

    access: Access = field(repr=False)
    repository: str  # its address in the API
    number: str
    link: str

    def read_comments(self) -> Iterator[Comment]:
        """Its description, its comments, and the texts of its reviews that were not dismissed."""
        change = f"{self.repository}/pulls/{self.number}"
        yield self._make(ask(self.access, "GET", change), "issue")
        for each in _read_pages(self.access, f"{self.repository}/issues/{self.number}/comments"):
            yield self._make(each, "issuecomment")
        for each in _read_pages(self.access, f"{change}/reviews"):
            if each["state"] != "DISMISSED":
                yield self._make(each, "pullrequestreview")

    def _make(self, found: Mapping[str, Any], kind: str) -> Comment:
        user = found["user"] or {"login": "ghost", "type": "User"}  # an account that was deleted
        is_app = user["type"] != "User" or found.get("performed_via_github_app")
        return Comment(
            body=found["body"] or "",
            author=_check_name(user["login"]),
            account=_check_name(user["login"]),
            link=f"{self.link}#{kind}-{int(found['id'])}",
            bot="it is written by a bot" if is_app else "",
        )

    def find_objection(self, comment: Comment) -> str:
        """Ask for the permission, which counts those of teams and of the organization."""
        address = f"{self.repository}/collaborators/{comment.account}/permission"
        found = _ask_or_none(self.access, address)
        return "" if found and found["permission"] in {"admin", "write"} else _describe_reader(comment)


@dataclass(frozen=True)
class GitLab:
    """A merge request on GitLab."""

    access: Access = field(repr=False)
    api: str
    project: str
    number: str
    link: str

    def read_comments(self) -> Iterator[Comment]:
        """Its description and its notes, without those of GitLab itself."""
        change = f"{self.api}/projects/{self.project}/merge_requests/{self.number}"
        found = ask(self.access, "GET", change)
        yield self._make(found["description"], found["author"], "")
        for each in _read_pages(self.access, f"{change}/notes"):
            if not each["system"]:
                yield self._make(each["body"], each["author"], f"#note_{int(each['id'])}")

    def _make(self, body: str | None, author: Mapping[str, Any], anchor: str) -> Comment:
        name, account = _check_name(author["username"]), str(int(author["id"]))
        return Comment(body=body or "", author=name, account=account, link=f"{self.link}{anchor}")

    def find_objection(self, comment: Comment) -> str:
        """Ask whether the account is one of people, and for its role, inherited ones included."""
        if ask(self.access, "GET", f"{self.api}/users/{comment.account}")["bot"] is not False:
            return "it is written by a bot"
        address = f"{self.api}/projects/{self.project}/members/all/{comment.account}"
        found = _ask_or_none(self.access, address)
        active = found is not None and found["state"] == "active" and found["access_level"] >= _DEVELOPER
        return "" if active else _describe_reader(comment)


def _describe_reader(comment: Comment) -> str:
    return f"{comment.author} has no write access"


def _check_name(name: str) -> str:
    """The name of an account; it becomes a part of addresses.

    Raises:
        KeyError: no forge has such a name.
    """
    if not _NAME.fullmatch(name):
        raise KeyError(name)
    return name


def _ask_or_none(access: Access, address: str) -> Any:
    """What is at an address; None where the forge knows nothing of it."""
    try:
        return ask(access, "GET", address)
    except PassingError:
        raise
    except CommentError as error:
        if error.status == 404:
            return None
        raise


def _read_pages(access: Access, address: str) -> Iterator[Mapping[str, Any]]:
    number = 1
    while True:
        found = ask(access, "GET", f"{address}?per_page={PAGE}&page={number}")
        yield from found
        if len(found) < PAGE:
            return
        number += 1


def find_pull_request(variables: Mapping[str, str]) -> PullRequest:
    """The pull request of this job.

    Raises:
        CommentError: it is no job for a pull request, or a variable is missing or odd.
    """
    if variables.get("GITLAB_CI"):
        number = re.compile(f"({NUMBER.pattern})")
        request = read_variable(variables, "CI_MERGE_REQUEST_IID", number)
        return GitLab(
            access=find_access(variables, "GATE_READ_TOKEN"),
            api=read_address(variables, "CI_API_V4_URL"),
            project=read_variable(variables, "CI_MERGE_REQUEST_PROJECT_ID", number),
            number=request,
            link=f"{read_address(variables, 'CI_MERGE_REQUEST_PROJECT_URL')}/-/merge_requests/{request}",
        )
    if variables.get("GITHUB_ACTIONS"):
        pattern = re.compile(r"refs/pull/([0-9]{1,20})/(?:merge|head)")
        request = read_variable(variables, "GITHUB_REF", pattern)
        name = read_variable(variables, "GITHUB_REPOSITORY", re.compile(r"([A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+)"))
        return GitHub(
            access=find_access(variables, "GITHUB_TOKEN"),
            repository=f"{read_address(variables, 'GITHUB_API_URL')}/repos/{name}",
            number=request,
            link=f"{read_address(variables, 'GITHUB_SERVER_URL')}/{name}/pull/{request}",
        )
    raise CommentError("this is no job of GitHub Actions or GitLab CI")
