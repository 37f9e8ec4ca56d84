"""Keep one note of the gate on a merge request: created once, then updated in place.

The script is part of the pipeline that `harness workflow gitlab` prints, and needs Python alone. The note
to update is by the account of the token and has the marker as its last line.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

MARKER = os.environ["GATE_MARKER"]
API = os.environ["CI_API_V4_URL"]
REQUEST = f"merge_requests/{int(os.environ['CI_MERGE_REQUEST_IID'])}"
NOTES = f"{API}/projects/{int(os.environ['CI_MERGE_REQUEST_PROJECT_ID'])}/{REQUEST}/notes"
PAGE = 100
REPORT = Path("harness-gate/gate.md")
LIMIT = 65_536  # bytes; the largest report of a gate
LOST = "**ERROR**: the gate was interrupted and reached no verdict. See the log of its job."


def read_report() -> str:
    """Read the report of the gate, after checks of its size and of the marker in its last line.

    A missing report becomes an error message: the note must not keep the verdict of an older change.
    """
    if not REPORT.exists():
        return f"{LOST}\n\n{MARKER}"
    with REPORT.open("rb") as file:
        content = file.read(LIMIT + 1)
    if len(content) > LIMIT:
        raise SystemExit(f"the note was not written: {REPORT} has more than {LIMIT} bytes")
    try:
        found = content.decode().rstrip()
    except UnicodeDecodeError:
        raise SystemExit(f"the note was not written: {REPORT} is not UTF-8 text") from None
    if found.splitlines()[-1:] != [MARKER]:
        raise SystemExit(f"the note was not written: the last line of {REPORT} is not {MARKER}")
    return found


def ask(method: str, url: str, content: dict[str, str] | None = None) -> Any:
    """Send a request to the API and return the response."""
    headers = {
        "Content-Type": "application/json",
        "PRIVATE-TOKEN": os.environ["GATE_TOKEN"],
        "User-Agent": "harness-gate",
    }
    data = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise SystemExit(f"the note was not written: {method} returned {error.code}") from None


def is_ours(note: dict[str, Any], account: int) -> bool:
    """Whether a note is the one to update; other accounts may quote the marker."""
    last = ["", *(note["body"] or "").strip().splitlines()][-1]
    return bool(note["author"]["id"] == account and last.strip() == MARKER)


def find_note() -> int | None:
    """The id of the note to update, None if there is none yet."""
    account, number = ask("GET", f"{API}/user")["id"], 1
    while True:
        notes = ask("GET", f"{NOTES}?sort=asc&per_page={PAGE}&page={number}")
        ours = [each["id"] for each in notes if is_ours(each, account)]
        if ours or len(notes) < PAGE:
            return ours[0] if ours else None
        number += 1


if not os.environ.get("GATE_TOKEN"):
    sys.stdout.write("no note: no GATE_TOKEN with the environment scope gate-note\n")
    raise SystemExit(0)
text = read_report()
found = find_note()
if found is None:
    ask("POST", NOTES, {"body": text})
else:
    ask("PUT", f"{NOTES}/{found}", {"body": text})
