r"""Credentials taken out of text: the user part of addresses, and values in them that grant access.

The host stays, so that a person can tell which index failed. An address ends at white space, ``"``, ``<`` or
``>``, which RFC 3986 (appendix C) keeps out of addresses. All else counts as part of one, for people write
passwords that an address should not hold. Where both readings are possible, too much is taken out, not too
little. JSON stays valid: an escape such as ``\"`` or ``\\`` is kept or taken out whole.

Not found: a token without a colon but with a slash (``https://to/ken@host``), which reads as host and path.
"""

from __future__ import annotations

import re

MASK = "redacted"
"""Stands for what was taken out: plain letters, which Markdown, HTML, JSON and shells leave alone."""

# JSON may escape the slashes; an address that was taken for a path has lost one of them.
_SLASHES = r":(?:(?:\\?/){2}|(?:(?<=http:)|(?<=https:)|(?<=ftp:)|(?<=ssh:))\\?/(?!\\?/))"
_PLAIN_HOST = r"(?:[\w.-]*|\[[^\]\s]*\])(?::[0-9]*)?"
_AT = r"(?P<at>\\?@)(?=[\w\[$%{*-])"  # Markdown escapes the sign; a host follows

# Before a host: no escape is cut in half, and the last @ counts.
_USER = re.compile(rf"(?P<slashes>{_SLASHES})(?P<user>(?:\\[^/\s]|[^\s\"<>\\/?#])+){_AT}")

# What is neither a host nor a host with a port: a password with a slash or a hash in it, or an address that
# was cut off before its host.
_ODD = re.compile(
    rf"(?P<slashes>{_SLASHES})"
    rf"(?!{_PLAIN_HOST}[.,;:)\]}}*|!]*(?:[\s\"'`<>\\/?#@]|$|[,;|()]+[a-z][a-z0-9+.-]*{_SLASHES}))"
    r"(?=[^\s\"'`<>\\/?#@]*:)"
    rf"(?:(?:\\[^\s<>]|(?!{_SLASHES})[^\s\"<>\\])*?{_AT}|[^\s\"'`<>\\/?#@]*)",
    re.IGNORECASE,
)

# An address in the query of another one.
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
    """Text without the credentials of its addresses; text without an address stays as it is.

    Applied again it changes nothing.
    """
    if ":/" not in text and r":\/" not in text and "%2" not in text:
        return text
    hosts_only = _NESTED.sub(_mask, _USER.sub(_mask_user, _ODD.sub(_mask, text)))
    return _ADDRESS.sub(lambda found: _PARAMETER.sub(rf"\g<name>{MASK}", found[0]), hosts_only)


def _mask(found: re.Match[str]) -> str:
    return f"{found['slashes']}{MASK}{found['at'] or ''}"


def _mask_user(found: re.Match[str]) -> str:
    user, before = found["user"], found.string[max(0, found.start() - 32) : found.start()]
    if _SSH.search(before) and _ACCOUNT.fullmatch(user):
        return found[0]  # the account at an ssh host: what proves who logs in is a key or a password
    quote = before.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-")[-1:]
    quoted, closed, _ = user.partition(quote) if quote in set("\"'`") else (user, "", "")
    if closed and _HOST.fullmatch(quoted.removesuffix("\\")):
        return found[0]  # 'https://host','a@b': the @ belongs to other text
    return _mask(found)
