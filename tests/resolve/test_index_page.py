"""What counts as the answer of a package index, and what does not, whatever its status says."""

from __future__ import annotations

import pytest
from planted.indexes import LOGIN, SIMPLE_JSON

from harness.resolve.index_page import Answer, find_fault

FILE = '<!DOCTYPE html><body><a href="../../files/my_pkg-1.0-py3-none-any.whl#sha256=0">x</a>{}</body>'
EMPTY = "<!DOCTYPE html><html><head><title>Links for my-pkg</title></head><body></body></html>"
JSON = '{"meta": {"api-version": "1.1"}, "name": "my-pkg", "files": []}'
LOGIN_PAGE = "a login page instead of a list of files (PEP 503)"
NO_LIST = "an HTML page without a list of files (PEP 503), such as a login page"
NO_PAGE = "instead of a project page (PEP 503 HTML or PEP 691 JSON)"
DENIED = "credentials are missing or not accepted"
NO_JSON = "JSON that is no project page (PEP 691)"


@pytest.mark.parametrize(
    ("status", "kind", "body", "fault"),
    [
        (200, "text/html", FILE.format(""), ""),
        (200, "text/html; charset=utf-16", FILE.format("").encode("utf-16"), ""),
        (200, "text/html; charset=nonsense", FILE.format("\xe9").encode("latin-1"), ""),
        (200, "text/html; charset=base64", FILE.format(""), ""),
        (200, "TEXT/HTML", "<a href='/My.Pkg-1.0.TAR.GZ?x=1'>x</a>", ""),
        (200, "text/html", FILE.format(LOGIN), ""),
        (200, "text/html", EMPTY, ""),
        (200, "text/html", "<meta name='pypi:repository-version' content='1.0'>", ""),
        (200, "application/vnd.pypi.simple.v1+html", EMPTY, ""),
        (200, SIMPLE_JSON, JSON, ""),
        (404, "text/html", "<h1>Not Found</h1>", ""),
        (404, "application/json", '{"detail": "Not found"}', ""),
        (410, "", "", ""),
        (200, "text/html", LOGIN, LOGIN_PAGE),
        (200, "text/html", EMPTY + LOGIN, LOGIN_PAGE),
        (200, "text/html", EMPTY + "<script src=/app.js></script>", NO_LIST),
        (200, "text/html", "<html><meta http-equiv='refresh' content='0;url=/login'>my-pkg", NO_LIST),
        (200, "text/html", "<a href='/client-1.0.zip'>Get the client</a><a href='http://[x'>x</a>", NO_LIST),
        (200, "text/html", "", NO_LIST),
        (200, "text/html", b"\x00\xff" * 4000 + b"<" * 90_000, NO_LIST),
        (200, "text/html", "<a " * 80_000, NO_LIST),
        (200, SIMPLE_JSON, '{"login": true}', NO_JSON),
        (200, SIMPLE_JSON, '{"files": ' + "9" * 5000 + "}", NO_JSON),
        (200, SIMPLE_JSON, '{"files": ' + "[" * 100_000, NO_JSON),
        (200, SIMPLE_JSON, b"\xff\xfe", NO_JSON),
        (404, "text/html", LOGIN, "status 404 with a login page"),
        (401, "text/html", "", f"status 401 (Unauthorized): {DENIED}"),
        (403, "text/html", "", f"status 403 (Forbidden): {DENIED}"),
        (500, "text/html", FILE, "status 500 (Internal Server Error)"),
        (999, "text/html", "", "status 999"),
        (200, "text/plain", "hi", f"content of the type 'text/plain' {NO_PAGE}"),
        (200, "", "hi", f"content without a type {NO_PAGE}"),
    ],
)
def test_answers(status: int, kind: str, body: str | bytes, fault: str) -> None:
    content = body.encode() if isinstance(body, str) else body
    assert find_fault(Answer(status=status, content_type=kind, body=content), "my-pkg") == fault


@pytest.mark.parametrize(("body", "fault"), [('{"files": [{', ""), ("<html>", NO_JSON), ("", NO_JSON)])
def test_of_a_long_page_the_beginning_counts(body: str, fault: str) -> None:
    answer = Answer(status=200, content_type=SIMPLE_JSON, body=body.encode(), whole=False)
    assert find_fault(answer, "my-pkg") == fault


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (200, "<a href='other-1.0.tar.gz'>other</a>", ""),
        (200, "<h1>Files</h1>", ""),
        (200, LOGIN, LOGIN_PAGE),
        (404, "", "status 404 (Not Found)"),
    ],
)
def test_a_page_of_find_links_lists_files_of_any_project(status: int, body: str, fault: str) -> None:
    assert find_fault(Answer(status=status, content_type="text/html", body=body.encode()), None) == fault
