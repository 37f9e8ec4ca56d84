r"""Remove credentials from text: the user part of URLs, parameters that grant access, and known secrets.

The host stays, so that a message still names the index that failed. A URL ends at white space, ``"``, ``<``
or ``>``, which RFC 3986 (appendix C) excludes from URLs; everything else counts as part of it, because real
passwords contain characters that a URL should escape. An ambiguous text is redacted. JSON stays valid: an
escape such as ``\"`` or ``\\`` is kept or removed as a unit.

Known gap: a token without a colon but with a slash (``https://to/ken@host``) reads as host and path.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

MASK = "redacted"
"""Replaces credentials; plain letters need no escaping in Markdown, HTML, JSON and shells."""

# JSON may escape the slashes; path normalization removes one of them.
_SLASHES = r":(?:(?:\\?/){2}|(?:(?<=http:)|(?<=https:)|(?<=ftp:)|(?<=ssh:))\\?/(?!\\?/))"
_PLAIN_HOST = r"(?:[\w.-]*|\[[^\]\s]*\])(?::[0-9]*)?"
_AT = r"(?P<at>\\?@)(?=[\w\[$%{*-])"  # Markdown escapes the sign; a host follows

# User part before a host: escapes are matched as units, and the last @ counts.
_USER = re.compile(rf"(?P<slashes>{_SLASHES})(?P<user>(?:\\[^/\s]|[^\s\"<>\\/?#])+){_AT}")

# Neither a host nor a host with a port: a password with a slash or a hash, or a URL cut off before its host.
_ODD = re.compile(
    rf"(?P<slashes>{_SLASHES})"
    rf"(?!{_PLAIN_HOST}[.,;:)\]}}*|!]*(?:[\s\"'`<>\\/?#@]|$|[,;|()]+[a-z][a-z0-9+.-]*{_SLASHES}))"
    r"(?=[^\s\"'`<>\\/?#@]*:)"
    rf"(?:(?:\\[^\s<>]|(?!{_SLASHES})[^\s\"<>\\])*?{_AT}|[^\s\"'`<>\\/?#@]*)",
    re.IGNORECASE,
)

# A percent-encoded URL in the query of another one.
_NESTED = re.compile(
    r"(?P<slashes>%3a%2f%2f)(?P<user>(?:(?!%2f|%3f|%23)[^\s\"<>\\/?#&])+)(?P<at>%40)", re.IGNORECASE
)

_ADDRESS = re.compile(rf"{_SLASHES}[^\s\"<>]*")
_PARAMETER = re.compile(
    r"(?P<name>(?:[?&;#]|\\u0026)(?:"
    r"(?:[\w-]*[-_.])?(?:key|sig|pwd|o?auth|jwt|sas|session)"
    r"|[\w.-]*(?:token|secret|passw(?:or)?d|passphrase|signature|credentials?|authorization|apikey|accesskey)"
    r"|x-(?:amz|goog|ms)-[\w-]+"
    r")=)[^\s&;#\"'<>\\`]+?(?=[)\]},.:!]*(?:[\s&;#\"'<>\\`]|$))",
    re.IGNORECASE,
)

_SSH = re.compile(r"(?:ssh|sftp)$", re.IGNORECASE)
_ACCOUNT = re.compile(r"[\w.-]+")
_HOST = re.compile(_PLAIN_HOST)


def redact(text: str) -> str:
    """The text without the credentials of its URLs; idempotent, and text without a URL is unchanged."""
    if ":/" not in text and r":\/" not in text and "%2" not in text:
        return text
    hosts_only = _NESTED.sub(_mask, _USER.sub(_mask_user, _ODD.sub(_mask, text)))
    return _ADDRESS.sub(lambda found: _PARAMETER.sub(rf"\g<name>{MASK}", found[0]), hosts_only)


def _mask(found: re.Match[str]) -> str:
    return f"{found['slashes']}{MASK}{found['at'] or ''}"


def _mask_user(found: re.Match[str]) -> str:
    user, before = found["user"], found.string[max(0, found.start() - 32) : found.start()]
    if _SSH.search(before) and _ACCOUNT.fullmatch(user):
        return found[0]  # the account at an ssh host is no secret: a key or a password authenticates it
    quote = before.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-")[-1:]
    quoted, closed, _ = user.partition(quote) if quote in set("\"'`") else (user, "", "")
    if closed and _HOST.fullmatch(quoted.removesuffix("\\")):
        return found[0]  # 'https://host','a@b': the @ is outside of the quoted URL
    return _mask(found)


SHORTEST = 4
"""Characters of a value from which it is hidden; a shorter one, such as ``0``, would be hidden everywhere."""


@dataclass(frozen=True)
class Secrets:
    """Spellings of the values that a cell was given in confidence, each with a placeholder; longest first."""

    spellings: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Secrets:
        """The secrets in variables; of a value with several lines, such as a key, each line is one."""
        found = {
            spelling: f"<{name}>"
            for name, value in values.items()
            for part in {value, *value.splitlines()}
            for spelling in (part, repr(part)[1:-1], json.dumps(part)[1:-1], quote(part, safe=""))
            if len(part) >= SHORTEST and part.strip()
        }
        return cls(tuple(sorted(found.items(), key=lambda pair: -len(pair[0]))))

    def hide(self, text: str) -> str:
        """The text with a placeholder for each secret, also for one that a shortened text ends in."""
        for spelling, name in self.spellings:
            text = text.replace(spelling, name)
            if text.endswith("…"):
                text = _hide_end(text[:-1], spelling, name) + "…"
        return text


NO_SECRETS = Secrets()


def _hide_end(text: str, spelling: str, name: str) -> str:
    for length in range(len(spelling) - 1, SHORTEST - 1, -1):
        if text.endswith(spelling[:length]):
            return text[:-length] + name
    return text
