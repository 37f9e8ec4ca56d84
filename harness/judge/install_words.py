"""What an installer said, as one sentence that names the distribution, and what to do about it.

The installer's own words stay in the result of the cell; nothing of them that is a path or an address of the
machine comes into the sentence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

WHOLE_WORDS = "The installer's own words are in the result.json of the cell."
"""Said wherever its words are not told whole."""


@dataclass(frozen=True)
class Told:
    """A sentence, and the advice that goes with it."""

    sentence: str
    advice: str


@dataclass(frozen=True)
class _Rule:
    """What to say where ``sign`` is in the words; ``{it}`` is the distribution, ``{1}`` a group of it."""

    sign: str
    sentence: str
    advice: str


_LOCK_AGAIN = "If that release was replaced on purpose, lock again; otherwise do not trust the index."
_WHERE_FROM = "See that pip's indexes and find-links have it, or lock again, or take it out of the matrix."
_ONLINE = "Look at the network and at pip's index settings, then run the same again."
_FULL = "no space left on device"
"""How a sentence of ``harness.files.find_no_space`` begins."""
_ROOM = "Make room (`harness clean --max-size 20GiB` takes the oldest environments) and run the same again."
_RULES = (
    _Rule(r"No space left on device|Disk quota exceeded", "{it}: the disk is full", _ROOM),
    _Rule(
        r"Python (\S+) is not on this machine",
        "Python {1} is not on this machine",
        "Install it, let uv fetch it (--python-downloads), or take it out of the matrix.",
    ),
    _Rule(
        r"Failed to inspect Python interpreter[^`]*`[^`]*?([^/`]+)`",
        "{1}: the first of this name on the PATH does not start",
        "Put one on the PATH that starts; a shim of pyenv starts only what `pyenv global` names.",
    ),
    _Rule(r"Hash mismatch", "{it}: the file here is not the one that was locked", _LOCK_AGAIN),
    _Rule(r"was not found in the", "{it}: no index here has it", _WHERE_FROM),
    _Rule(r"there (?:is|are) no versions? of", "{it}: no index here has this release", _WHERE_FROM),
    _Rule(
        r"has no (?:usable )?wheels|no wheels? with a matching",
        "{it}: there is no wheel of it for this Python and this machine",
        "Name a release that has one, or allow an include row to build it: its key `source`.",
    ),
    _Rule(
        r"Failed to build",
        "{it}: it could not be built from its source",
        "Install what its build asks for, or name a release that has a wheel.",
    ),
    _Rule(
        r"HTTP status [a-z ]*\((\d+[^)]*)\)",
        "{it}: the package index answered {1}",
        _ONLINE,
    ),
    _Rule(
        r"error sending request|Failed to fetch|dns error|tcp connect error|timed out",
        "{it}: the package index could not be reached",
        _ONLINE,
    ),
    _Rule(
        r"Failed to extract|Invalid zip|truncated",
        "{it}: its file is damaged",
        "Delete it from the find-links, or run `uv cache clean`; then run the same again.",
    ),
)

_NOT_OURS = re.compile(r"error:|\N{MULTIPLICATION SIGN}|Python \S+ is not on this machine")
"""How words that are uv's, or hold some of uv's, begin."""

_PINNED = re.compile(r"`?([A-Za-z0-9][\w.-]*)==([\w.+!-]*\w)`?")
_NAMED = (
    re.compile(r"Because ([A-Za-z0-9][\w.-]*) was not found"),
    re.compile(r"Failed to fetch: `?[a-z]+://\S*?/([A-Za-z0-9][\w.-]*?)(?:-\d[^/`\s]*)?/?`?(?:\s|$)"),
)
_PLACE = re.compile(r"[a-z]+://\S+|(?<![\w.])/(?:[\w.+@-]+/)+[\w.+@-]*")


def tell_install_error(reason: str) -> Told | None:
    """A sentence for what an installer said; None where it is a sentence of the harness already."""
    if reason.startswith(_FULL):
        return Told(reason, _ROOM)
    if not _NOT_OURS.match(reason):
        return None
    for rule in _RULES:
        if found := re.search(rule.sign, reason):
            said = rule.sentence.format("", *found.groups(), it=_distribution(reason))
            return Told(said, f"{rule.advice} {WHOLE_WORDS}")
    last = re.split(r"\s(?:cause|Caused by):\s", _NOT_OURS.sub("", reason))[-1].strip()
    said = f"{_distribution(reason)}: the installer failed: {_PLACE.sub('<path>', last)}"
    return Told(said, WHOLE_WORDS)


def _distribution(reason: str) -> str:
    """The first distribution that is named, with its version where there is one."""
    if found := _PINNED.search(reason):
        return f"{found[1]} {found[2]}"
    for pattern in _NAMED:
        if found := pattern.search(reason):
            return found[1]
    return "A distribution"
