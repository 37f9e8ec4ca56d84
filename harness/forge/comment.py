"""Keep one comment of a gate on a pull request: created once, then updated in place.

`harness comment` calls it. A job with write access runs the file itself, or its text, and installs nothing:
it needs Python alone. The variables are those that GitHub Actions and GitLab CI set.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import re
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

T = TypeVar("T")

LIMIT = 65_536
"""Bytes of the largest report of a gate, and of the largest comment."""

LOST = (
    "**ERROR**: the gate reached no verdict: it refused the request, or was interrupted. "
    "See the log of its job."
)
NO_NOTE = "no note: no GATE_TOKEN with the environment scope gate-note"
BOT = "github-actions[bot]"
"""The account of a workflow token."""

PAGE = 100
_WAITS = (2.0, 10.0)
"""Seconds before the second and the third attempt, where the forge names none."""
_LONGEST_WAIT = 60.0
_PASSING = {429, 500, 502, 503, 504}
"""Refusals that may not last."""
MARKER = re.compile(r"<!-- harness-gate:[a-z0-9_.-]+-[0-9a-f]{8} -->")
ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]+)?(?:/[A-Za-z0-9_.~/-]*)?")
NUMBER = re.compile(r"[0-9]{1,20}")


class CommentError(Exception):
    """The comment was not written; the message is one sentence without credentials, and ends with ``why``."""

    def __init__(self, why: str, status: int = 0) -> None:
        super().__init__(f"the comment was not written: {why}")
        self.why = why
        self.status = status


class PassingError(CommentError):
    """A failure that may not last; ``after`` are the seconds that the forge asks for."""

    def __init__(self, why: str, after: float | None = None) -> None:
        super().__init__(why)
        self.after = after


@dataclass(frozen=True)
class Access:
    """The headers with the token for the API of a forge, and the certificates of a server of one's own."""

    token: Mapping[str, str] = field(repr=False)
    certificates: str = ""


@dataclass(frozen=True)
class Forge:
    """The comments of one pull request in the API of a forge, and the account that writes them."""

    comments: str
    one: str
    change: str
    order: str
    author: tuple[str, str]
    account: str | int
    access: Access
    links: tuple[tuple[str, str], ...] = ()
    who: str = ""  # asked for the account, where that is not known


def marker(matrix: str, file: str = "", choice: Sequence[str] = ()) -> str:
    """The hidden line by which a bot finds its comment: one for each matrix, dependency file and choice.

    ``choice`` are the options that choose from a lock, such as ``--extra cpu``. A digest keeps apart names
    that look alike after shortening. ``matrices/NAME.toml`` is the matrix ``NAME``: a gate that uses the
    matrix of its project does not know it by its path.
    """
    path = PurePosixPath(matrix)
    name = path.stem if path.suffix == ".toml" and str(path.parent) == "matrices" else matrix
    asked = re.sub(r"[^a-z0-9_.]+", "-", " ".join(filter(None, (name, file, *choice))).lower())
    digest = hashlib.sha256("\0".join((name, file, *choice)).encode()).hexdigest()[:8]
    return f"<!-- harness-gate:{asked}-{digest} -->"


def make_marker(matrix: str, file: str, extras: Sequence[str], groups: Sequence[str]) -> str:
    """The marker of a gate with these options; empty without a matrix, where any marker is taken."""
    named = (("--extra", extras), ("--group", groups))
    options = ((name, re.sub(r"[-_.]+", "-", each).lower()) for name, all_ in named for each in all_)
    return marker(matrix, file, tuple(dict.fromkeys(map(" ".join, options)))) if matrix else ""


# The forge


def find_forge(variables: Mapping[str, str], report: Path, author: str = BOT) -> Forge | None:
    """The forge that this job runs on; None on GitLab without a token.

    Raises:
        CommentError: it is no job for a pull request, or a variable is missing or odd.
    """
    if variables.get("GITLAB_CI"):
        return _find_gitlab(variables, report) if variables.get("GATE_TOKEN") else None
    if variables.get("GITHUB_ACTIONS"):
        return _find_github(variables, author)
    raise CommentError("this is no job of GitHub Actions or GitLab CI")


def _find_github(variables: Mapping[str, str], author: str) -> Forge:
    number = read_variable(variables, "GITHUB_REF", re.compile(r"refs/pull/([0-9]{1,20})/(?:merge|head)"))
    repository = read_variable(
        variables, "GITHUB_REPOSITORY", re.compile(r"([A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+)")
    )
    issues = f"{read_address(variables, 'GITHUB_API_URL')}/repos/{repository}/issues"
    return Forge(
        comments=f"{issues}/{number}/comments",
        one=f"{issues}/comments",
        change="PATCH",
        order="",
        author=("user", "login"),
        account=author,
        access=find_access(variables, "GITHUB_TOKEN"),
        links=tuple(_link_github(variables, repository)),
    )


def _link_github(variables: Mapping[str, str], repository: str) -> Iterator[tuple[str, str]]:
    server, number = variables.get("GITHUB_SERVER_URL", ""), variables.get("GITHUB_RUN_ID", "")
    if ADDRESS.fullmatch(server) and NUMBER.fullmatch(number):
        run = f"{server}/{repository}/actions/runs/{number}"
        yield from (("run", run), ("report and its files", f"{run}#artifacts"))


def _find_gitlab(variables: Mapping[str, str], report: Path) -> Forge:
    number = re.compile(f"({NUMBER.pattern})")
    api = read_address(variables, "CI_API_V4_URL")
    project = read_variable(variables, "CI_MERGE_REQUEST_PROJECT_ID", number)
    request = read_variable(variables, "CI_MERGE_REQUEST_IID", number)
    notes = f"{api}/projects/{project}/merge_requests/{request}/notes"
    return Forge(
        comments=notes,
        one=notes,
        change="PUT",
        order="sort=asc&",
        author=("author", "id"),
        account="",
        access=find_access(variables, "GATE_TOKEN"),
        links=tuple(_link_gitlab(variables, report)),
        who=f"{api}/user",
    )


def _link_gitlab(variables: Mapping[str, str], report: Path) -> Iterator[tuple[str, str]]:
    """Links to the pipeline and to the job of the gate, whose number is in the file `job` of its report."""
    server, pipeline, project = (
        variables.get(name, "") for name in ("CI_SERVER_URL", "CI_PIPELINE_URL", "CI_PROJECT_URL")
    )
    if not ADDRESS.fullmatch(server):
        return
    if ADDRESS.fullmatch(pipeline) and pipeline.startswith(f"{server}/"):
        yield "pipeline", pipeline
    folder = report if report.suffix != ".md" else report.parent
    number = _read_number(folder / "job")
    if number and ADDRESS.fullmatch(project) and project.startswith(f"{server}/"):
        job = f"{project}/-/jobs/{number}"
        yield from (("job", job), ("report and its files", f"{job}/artifacts/browse"))
        if (folder / "index.html").is_file() and re.fullmatch(r"[A-Za-z0-9_.-]+", folder.name):
            yield "page", f"{job}/artifacts/file/{folder.name}/index.html"


def _read_number(path: Path) -> str:
    """The number in a file of the report; empty if there is none."""
    if not path.is_file():
        return ""
    try:
        with path.open("rb") as file:
            found = file.read(32).decode("ascii", "replace").strip()
    except OSError:
        return ""
    return found if NUMBER.fullmatch(found) else ""


def find_access(variables: Mapping[str, str], name: str) -> Access:
    """The access that the token in a variable gives.

    Raises:
        CommentError: it is not set, or no token.
    """
    token = variables.get(name, "").strip()
    if not token or not (token.isascii() and token.isprintable()):
        raise CommentError(f"{name} is not set, or is no token")
    if name == "GITHUB_TOKEN":
        return Access({"Accept": "application/vnd.github+json", "Authorization": f"Bearer {token}"})
    return Access({"PRIVATE-TOKEN": token}, variables.get("CI_SERVER_TLS_CA_FILE", ""))


def read_variable(variables: Mapping[str, str], name: str, pattern: re.Pattern[str]) -> str:
    """The group of a pattern in a variable of a job for a pull request, or a CommentError that names it."""
    found = pattern.fullmatch(variables.get(name, ""))
    if found is None:
        raise CommentError(f"{name} is not that of a job for a pull request")
    return found[1]


def read_address(variables: Mapping[str, str], name: str) -> str:
    """The address in a variable, without a slash at its end, or a CommentError that names it."""
    found = variables.get(name, "").rstrip("/")
    if not ADDRESS.fullmatch(found):
        raise CommentError(f"{name} is no address")
    return found


# The report


def read_report(path: Path, own: str = "") -> tuple[str, str]:
    """The report of a gate and the marker in its last line, after checks of its size and of that marker.

    ``path`` is the folder of the gate, or its gate.md. ``own`` is the marker that the report must have; if
    empty, any is taken. A missing report becomes an error message: the comment must not keep the verdict of
    an older change.

    Raises:
        CommentError: no gate writes such a report.
    """
    found = path if path.suffix == ".md" else path / "gate.md"
    if not found.exists():
        if not own:
            raise CommentError(f"no file {found}, and no --matrix that says which comment it would be")
        return f"{LOST}\n\n{own}", own
    if not found.is_file():  # opening a named pipe would wait for its writer
        raise CommentError(f"{found} is no file")
    try:
        with found.open("rb") as file:
            content = file.read(LIMIT + 1)
        if len(content) > LIMIT:
            raise CommentError(f"{found} has more than {LIMIT} bytes")
        text = content.decode().rstrip()
    except OSError as error:
        raise CommentError(f"{found} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CommentError(f"{found} is not UTF-8 text") from None
    last = ["", *text.splitlines()][-1]
    if last != own if own else not MARKER.fullmatch(last):
        raise CommentError(f"the last line of {found} is not {own or 'the marker of a gate'}")
    return text, last


def add_links(text: str, links: Sequence[tuple[str, str]]) -> str:
    """The report with one line of links before its marker, if it then still fits into a comment."""
    body, _, last = text.rpartition("\n")
    line = " · ".join(f"[{name}]({address})" for name, address in links)
    longer = f"{body.rstrip()}\n\n{line}\n\n{last}"
    return longer if links and len(longer.encode()) <= LIMIT else text


# The comment


class _StayHere(urllib.request.HTTPRedirectHandler):
    """Follows no redirect, because the page that it leads to would be sent the token."""

    def redirect_request(self, *_: Any) -> None:
        """Refuse, which makes the redirect an error."""


def ask(access: Access, method: str, url: str, content: Mapping[str, str] | None = None) -> Any:
    """Send a request to the API and return the response.

    Raises:
        CommentError: the forge refuses it, does not answer, or answers with something else.
    """
    headers = {**access.token, "Content-Type": "application/json", "User-Agent": "harness-gate"}
    data = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - checked: http, https
    try:
        context = ssl.create_default_context()
        if access.certificates:
            context.load_verify_locations(access.certificates)
        opener = urllib.request.build_opener(_StayHere, urllib.request.HTTPSHandler(context=context))
        with opener.open(request, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        after = error.headers.get("Retry-After", "")
        error.close()
        if error.code in _PASSING or after:
            raise PassingError(
                f"{method} returned {error.code}", float(after) if after.isdecimal() else None
            ) from None
        raise CommentError(f"{method} returned {error.code}", error.code) from None
    except ValueError:
        raise CommentError(f"{method} returned something else than JSON") from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise PassingError(f"{method} had no answer ({type(reason).__name__})") from None


def _is_ours(comment: Mapping[str, Any], forge: Forge, account: str | int, own: str) -> bool:
    """Whether a comment is the one to update; other accounts may quote the marker."""
    author, name = forge.author
    last = ["", *(comment["body"] or "").strip().splitlines()][-1]
    return bool((comment[author] or {}).get(name) == account and last.strip() == own)


def _find_comment(forge: Forge, own: str) -> int | None:
    """The id of the comment to update, None if there is none yet."""
    account = ask(forge.access, "GET", forge.who)["id"] if forge.who else forge.account
    number = 1
    while True:
        address = f"{forge.comments}?{forge.order}per_page={PAGE}&page={number}"
        comments = ask(forge.access, "GET", address)
        ours = [int(each["id"]) for each in comments if _is_ours(each, forge, account, own)]
        if ours or len(comments) < PAGE:
            return ours[0] if ours else None
        number += 1


def _write(forge: Forge, text: str, own: str) -> str:
    try:
        found = _find_comment(forge, own)
    except (AttributeError, KeyError, TypeError):
        raise CommentError("GET returned something else than comments") from None
    if found is None:
        ask(forge.access, "POST", forge.comments, {"body": text})
        return "the comment was created"
    ask(forge.access, forge.change, f"{forge.one}/{found}", {"body": text})
    return "the comment was updated"


def attempt(do: Callable[[], T], wait: Callable[[float], None] = time.sleep) -> T:
    """Do something on a forge in up to three attempts; the last error is raised."""
    for seconds in _WAITS:
        try:
            return do()
        except PassingError as error:
            wait(min(seconds if error.after is None else error.after, _LONGEST_WAIT))
    return do()


def keep_comment(forge: Forge, text: str, own: str, wait: Callable[[float], None] = time.sleep) -> str:
    """Create the comment, or update the one with this marker; what was done.

    Each attempt looks for the comment first, so that one whose answer was lost is not created twice.

    Raises:
        CommentError: the forge refuses, or does not answer.
    """
    return attempt(lambda: _write(forge, text, own), wait)


def post_report(report: Path, own: str, variables: Mapping[str, str], author: str = BOT) -> str:
    """Post the report of a gate with links to its run, and return what was done.

    Raises:
        CommentError: the report, the job or the forge does not allow it.
    """
    forge = find_forge(variables, report, author)
    if forge is None:
        return NO_NOTE
    text, found = read_report(report, own)
    return keep_comment(forge, add_links(text, forge.links), found)


def main(words: Sequence[str]) -> int:
    """Post a report without an installed harness; the exit code."""
    parser = argparse.ArgumentParser(description="Keep one comment of a gate on a pull request.")
    parser.add_argument("report", type=Path, help="the folder of the gate, or its gate.md")
    parser.add_argument("--matrix", default="", help="the matrix of the gate")
    parser.add_argument("--file", default="", help="its dependency file")
    parser.add_argument("--extra", action="append", default=[], help="an extra that it chose from a lock")
    parser.add_argument("--group", action="append", default=[], help="a group that it chose from a lock")
    parser.add_argument("--author", default=BOT, help="the account of the token, on GitHub")
    asked = parser.parse_args(words)
    try:
        own = make_marker(asked.matrix, asked.file, asked.extra, asked.group)
        done = post_report(asked.report, own, os.environ, asked.author)
    except CommentError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{done}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
