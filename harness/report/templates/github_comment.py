"""Keep one comment of the gate on a pull request: created once, then updated in place.

The script is part of the workflow that `harness workflow github` prints, and needs Python alone. The
comment to update is by the account of the token and has the marker as its last line.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

MARKER = os.environ["MARKER"]
AUTHOR = os.environ.get("AUTHOR", "github-actions[bot]")  # the account of a workflow token
REPOSITORY = f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}"
COMMENTS = f"{REPOSITORY}/issues/{int(os.environ['PULL_REQUEST'])}/comments"
PAGE = 100
REPORT = Path("gate.md")
LIMIT = 65_536  # bytes; the largest report of a gate
LOST = "**ERROR**: the gate was interrupted and reached no verdict. See the log of its job."


def read_report() -> str:
    """Read the report of the gate, after checks of its size and of the marker in its last line.

    A missing report becomes an error message: the comment must not keep the verdict of an older change.
    """
    if not REPORT.exists():
        return f"{LOST}\n\n{MARKER}"
    with REPORT.open("rb") as file:
        content = file.read(LIMIT + 1)
    if len(content) > LIMIT:
        raise SystemExit(f"the comment was not written: {REPORT} has more than {LIMIT} bytes")
    try:
        found = content.decode().rstrip()
    except UnicodeDecodeError:
        raise SystemExit(f"the comment was not written: {REPORT} is not UTF-8 text") from None
    if found.splitlines()[-1:] != [MARKER]:
        raise SystemExit(f"the comment was not written: the last line of {REPORT} is not {MARKER}")
    return found


def ask(method: str, url: str, content: dict[str, str] | None = None) -> Any:
    """Send a request to the API and return the response."""
    headers = {
        "Accept": "application/vnd.github+json",
        "Authorization": f"Bearer {os.environ['GITHUB_TOKEN']}",
        "Content-Type": "application/json",
        "User-Agent": "harness-gate",
    }
    data = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise SystemExit(f"the comment was not written: {method} returned {error.code}") from None


def is_ours(comment: dict[str, Any]) -> bool:
    """Whether a comment is the one to update; other accounts may quote the marker."""
    author = (comment["user"] or {}).get("login")
    last = ["", *(comment["body"] or "").strip().splitlines()][-1]
    return bool(author == AUTHOR and last.strip() == MARKER)


def find_comment() -> int | None:
    """The id of the comment to update, None if there is none yet."""
    number = 1
    while True:
        comments = ask("GET", f"{COMMENTS}?per_page={PAGE}&page={number}")
        ours = [each["id"] for each in comments if is_ours(each)]
        if ours or len(comments) < PAGE:
            return ours[0] if ours else None
        number += 1


text = read_report()
found = find_comment()
if found is None:
    ask("POST", COMMENTS, {"body": text})
else:
    ask("PATCH", f"{REPOSITORY}/issues/comments/{found}", {"body": text})
