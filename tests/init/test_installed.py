"""The requirement with which a pipeline installs the harness, from how it was installed here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.init.installed import describe_installation

GIT = {"vcs": "git", "commit_id": "0123abc", "requested_revision": "main"}
WHEEL = "https://example.org/embedding_parity_harness-0.1.0-py3-none-any.whl"
SHA = f"sha256={'0' * 64}"


@pytest.mark.parametrize(
    ("direct", "found"),
    [
        (None, "planted-harness==0.1.0"),
        ({"url": "https://example.org/h.git", "vcs_info": GIT}, "git+https://example.org/h.git@0123abc"),
        (
            {"url": "ssh://git@example.org/h", "vcs_info": GIT, "subdirectory": "a"},
            "git+ssh://git@example.org/h@0123abc#subdirectory=a",
        ),
        ({"url": WHEEL, "archive_info": {"hash": SHA}}, f"planted-harness @ {WHEEL}#{SHA}"),
        ({"url": WHEEL, "archive_info": {}}, f"planted-harness @ {WHEEL}"),
        ({"url": "file:///srv/h", "dir_info": {"editable": True}}, ""),
        ({"url": "https://user:secret@example.org/h.git", "vcs_info": GIT}, ""),
        ("not JSON", ""),
    ],
)
def test_it_is_installed_as_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, direct: object, found: str
) -> None:
    info = tmp_path / "planted_harness-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: planted-harness\nVersion: 0.1.0\n")
    if direct is not None:
        text = direct if isinstance(direct, str) else json.dumps(direct)
        (info / "direct_url.json").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert describe_installation("planted-harness") == found


def test_a_checkout_is_no_installation() -> None:
    assert describe_installation("never-installed-harness") == ""
