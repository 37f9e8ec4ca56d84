"""Prose for a comment in which nothing that forges would obey is left: no mention, no link, no reference."""

from __future__ import annotations

import re

from harness.report.escape import escape_markdown

_INVISIBLE = "\u200b"
# Forges look for these in the text that Markdown has become, so a backslash does not stop them: mentions,
# issues, merge requests, labels, milestones, snippets, epics, and what looks like an address.
_REFERENCE = re.compile(r"(?i)[@#!~%$&^](?=[\w\"'])|:(?=//)|www(?=\.)|\bGH(?=-\d)|\[(?=[a-z_]+:)")
# What may be the hash of a commit: GitHub links all of it, and from seven digits on what is one.
_HASH = re.compile(r"(?i)(?<![0-9a-f])[0-9a-f]{7,}(?![0-9a-f])")
_WHOLE = 6
"""Digits of a hash that no forge takes for one."""


def escape_prose(text: str, limit: int = 600) -> str:
    """One line of words in which names or labels of others may stand, shown as it is and linked to nothing.

    What a package wrote as a whole belongs into a code span instead.
    """
    unlinked = _REFERENCE.sub(lambda found: found[0] + _INVISIBLE, text)
    return escape_markdown(_HASH.sub(_break, unlinked), limit)


def _break(found: re.Match[str]) -> str:
    digits = found[0]
    return _INVISIBLE.join(digits[at : at + _WHOLE] for at in range(0, len(digits), _WHOLE))
