"""No credential of an address is left in a text, and nothing else is taken out of it."""

from __future__ import annotations

import json
import string
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.redaction import Secrets, redact

HIDDEN = [
    ("https://user:secret@host/simple", "https://redacted@host/simple"),
    ("https://ghp_token@host/simple", "https://redacted@host/simple"),
    ("https://user:@host", "https://redacted@host"),
    ("https://:secret@host:8443/x", "https://redacted@host:8443/x"),
    ("https://user:p%40ss%2Fword@host/", "https://redacted@host/"),
    ("https://user:p@ss@w@host/pkg@1.0", "https://redacted@host/pkg@1.0"),
    ("https://user:pa/ss#wo?rd@host/pkg@1.0", "https://redacted@host/pkg@1.0"),
    ("https://user:p@/ss@host/", "https://redacted@host/"),
    (r"http://DOMAIN\name:secret@proxy:3128", "http://redacted@proxy:3128"),
    ("https://user:secret@[2001:db8::1]:8080/simple", "https://redacted@[2001:db8::1]:8080/simple"),
    ("main:vendor/https:/user:secret@host/r.txt", "main:vendor/https:/redacted@host/r.txt"),
    ("HTTPS://User:Secret@Host", "HTTPS://redacted@Host"),
    ("git+https://x-access-token:secret@host/o/r.git@main", "git+https://redacted@host/o/r.git@main"),
    ("git+ssh://user:secret@host/o/r.git", "git+ssh://redacted@host/o/r.git"),
    ("-ihttps://user:secret@host", "-ihttps://redacted@host"),
    ("-fhttps://user:secret@host/links", "-fhttps://redacted@host/links"),
    ("--index-url=https://user:secret@host", "--index-url=https://redacted@host"),
    ("PIP_INDEX_URL=https://user:secret@host/simple pip", "PIP_INDEX_URL=https://redacted@host/simple pip"),
    ("main:https://user:secret@host/r.txt", "main:https://redacted@host/r.txt"),
    ("'https://user:se'cret@host'", "'https://redacted@host'"),
    ("`https://user:secret@host`: 401", "`https://redacted@host`: 401"),
    ("[x](https://user:secret@host/a) b@c", "[x](https://redacted@host/a) b@c"),
    ("<https://user:secret@host>", "<https://redacted@host>"),
    (r"https\://user:secret\@host", r"https\://redacted\@host"),
    (r'{"a":"https:\/\/user:secret@host\/x"}', r'{"a":"https:\/\/redacted@host\/x"}'),
    (r'{"a":"q \"https://user:se\"cret@host\" q"}', r'{"a":"q \"https://redacted@host\" q"}'),
    ("https://a:b@one https://c:d@two", "https://redacted@one https://redacted@two"),
    ("https://one/,https://c:d@two", "https://one/,https://redacted@two"),
    ("https://one:80,https://c:d@two", "https://one:80,https://redacted@two"),
    ("https://user:sec", "https://redacted"),  # cut off by whoever shortened it
    ("https://user:secret…", "https://redacted"),
    (
        "https://h/login?next=https%3A%2F%2Fu%3Ap%40i%2Fx",
        "https://h/login?next=https%3A%2F%2Fredacted%40i%2Fx",
    ),
    ("https://h/x.whl?token=abc&v=1", "https://h/x.whl?token=redacted&v=1"),
    ("(https://h/x?a=1&access_token=abc)", "(https://h/x?a=1&access_token=redacted)"),
    (
        "https://h/x?X-Amz-Credential=a%2Fb&X-Amz-Date=1#sha256=ff",
        "https://h/x?X-Amz-Credential=redacted&X-Amz-Date=redacted#sha256=ff",
    ),
    ("https://h/?sv=1&amp;sig=a%2Bb%3D&amp;x=1", "https://h/?sv=1&amp;sig=redacted&amp;x=1"),
    (
        "https://h/?Signature=a&api_key=b&private-key=c&password=d&auth=e",
        "https://h/?Signature=redacted&api_key=redacted&private-key=redacted&password=redacted&auth=redacted",
    ),
    ("https://h/cb#access_token=abc", "https://h/cb#access_token=redacted"),
]
KEPT = [
    "git@github.com:owner/repo.git",
    "git+ssh://git@github.com/owner/repo.git@v1",
    "write to first.last@example.com, or ask https://example.com/help",
    "pkg @ https://host/x.whl",
    "numpy @ file:///home/me/numpy-2.4.6.whl",
    "name@version, pip@26.0 and @scope/pkg@1",
    "git+https://host/owner/repo@0123abcd#egg=pkg&subdirectory=a",
    "https://host:8443/simple/pkg@1.0/?q=a@b",
    "http://127.0.0.1:8080: refused; http://[::1]:80, and (http://host:80).",
    "['https://host','a@b']",
    '{"a":"https://host","b":"x@y"}',
    r'{"a":"\"https://host\",\"x@y\""}',
    "https://host/x?keyword=1&design=2&author=me&tokenizer=x&v=key",
    "file:///C:/x@y, sqlite:////tmp/a@b.db",
    "https\\://github.com/a/b, a // b: c @ d, 100%2",
    "main:requirements.txt",
]


@pytest.mark.parametrize(("text", "meant"), HIDDEN)
def test_credentials_are_taken_out_and_the_host_stays(text: str, meant: str) -> None:
    plain = redact(text)
    assert plain == meant
    assert redact(plain) == plain


@pytest.mark.parametrize("text", KEPT)
def test_what_is_no_credential_stays(text: str) -> None:
    assert redact(text) == text


ODD_SIGNS = "!$&()*+,;=:@%~^|{}[]_-'`\\"
SECRET = st.text(string.ascii_letters + string.digits + ODD_SIGNS, min_size=1, max_size=12).map(
    lambda noise: f"S3cr{noise}eT"  # never a part of the text around
)
AROUND = st.text(string.ascii_letters + string.digits + " .,;()[]{}'`*_-=\n", max_size=12)
SCHEME = st.sampled_from(
    ["https", "http", "git+https", "git+ssh", "-ihttps", "--index-url=https", "PIP_INDEX_URL=http"]
)
HOST = st.sampled_from(["host", "host.example:8080", "[::1]", "[2001:db8::1]:80", "127.0.0.1:1"])
LINK = st.builds(
    lambda scheme, user, word, host, more: (host, f"{scheme}://{user}:{word}@{host}/x {more}"),
    *(SCHEME, SECRET, SECRET, HOST, AROUND),
)


@given(st.lists(LINK, min_size=1, max_size=4), st.sampled_from([str, repr, json.dumps]))
def test_no_planted_secret_is_left(links: list[tuple[str, str]], write: Callable[[str], str]) -> None:
    plain = redact(write(" ".join(text for _, text in links)))
    assert "S3cr" not in plain
    assert redact(plain) == plain
    assert [host for host, _ in links if f"@{host}/x" not in plain] == []
    if plain.startswith('"'):
        json.loads(plain)


@given(st.text(string.ascii_letters + "abc:/?#@\\\"'`<>[]=&%.23F40 \n", max_size=60))
def test_it_is_idempotent_and_json_stays_json(text: str) -> None:
    plain = redact(text)
    assert redact(plain) == plain
    written = redact(json.dumps({"a": f"https://{text}", "b": [text]}))
    assert set(json.loads(written)) == {"a", "b"}
    assert redact(written) == written


@given(st.text().filter(lambda text: ":/" not in text))
def test_text_without_an_address_is_unchanged(text: str) -> None:
    assert redact(text) == text


GIVEN = 'sk-"quoted"/value'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"Authorization: {GIVEN}!", "Authorization: <TEAM_TOKEN>!"),
        (f"{{'token': {GIVEN!r}}}", "{'token': '<TEAM_TOKEN>'}"),
        (json.dumps({"token": GIVEN}), '{"token": "<TEAM_TOKEN>"}'),
        ("GET /?token=sk-%22quoted%22%2Fvalue", "GET /?token=<TEAM_TOKEN>"),
        ('a message that was shortened: sk-"quot\u2026', "a message that was shortened: <TEAM_TOKEN>\u2026"),
        ("-----BEGIN KEY-----", "<TEAM_KEY>"),
        ("abcdef", "<TEAM_KEY>"),
        ("0 of 10 texts", "0 of 10 texts"),
    ],
)
def test_a_value_that_was_given_in_confidence_is_hidden_in_every_spelling(text: str, shown: str) -> None:
    values = {"TEAM_TOKEN": GIVEN, "TEAM_KEY": "-----BEGIN KEY-----\nabcdef\n", "TEAM_FLAG": "0"}
    assert Secrets.of(values).hide(text) == shown
