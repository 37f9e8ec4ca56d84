"""What pip is told is handed to uv; what uv is told wins; locks don't depend on a mirror of this machine."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.tags import Tag

from harness.resolve.pip_settings import IndexSettings, parse_config_list, read_pip_settings, settings_from

LISTED = """\
:env:.find-links='/ignored'
global.extra-index-url='https://a.example/simple https://b.example/simple'
global.index-url='https://g.example/simple'
install.index-url='https://i.example/simple'
list.format='columns'
"""


def test_config_list() -> None:
    assert parse_config_list(LISTED) == {
        "extra-index-url": "https://a.example/simple https://b.example/simple",
        "index-url": "https://i.example/simple",
    }


def test_variables_win_over_files() -> None:
    environ = {
        "PIP_FIND_LINKS": "wheels /o'brien/wheels\n  wheels",
        "PIP_NO_INDEX": "1",
        "PIP_CERT": "ca.pem",
        "HOME": "/",
    }
    assert settings_from({"find-links": "/other", "trusted-host": "a.example"}, environ) == IndexSettings(
        find_links=("wheels", "/o'brien/wheels"), no_index=True, cert="ca.pem", hosts=("a.example",)
    )


def test_uv_variables_win_over_pip() -> None:
    config = {"index-url": "https://pip.example/simple", "find-links": "/wheels", "cert": "ca.pem"}
    environ = {"UV_DEFAULT_INDEX": "https://uv.example/simple", "SSL_CERT_FILE": "mine.pem"}
    assert settings_from(config, environ) == IndexSettings(find_links=("/wheels",))


def test_arguments() -> None:
    settings = IndexSettings(
        find_links=("/wheels",),
        index="https://g.example/simple",
        extra=("file:///mirror", "https://a.example/simple"),
        cert="ca.pem",
        hosts=("a.example",),
    )
    merged = ("--index-strategy", "unsafe-best-match", "--allow-insecure-host", "a.example")
    head = ("--find-links", "/wheels", "--default-index", "https://g.example/simple")
    indexes = ("--index", "file:///mirror", "--index", "https://a.example/simple")
    assert settings.install_arguments() == (*head, *indexes, *merged)
    assert settings.resolve_arguments() == (*head, *indexes[2:], *merged)
    assert settings.environment() == {"SSL_CERT_FILE": "ca.pem"}
    proxied = settings_from({"proxy": "http://p.example:3128"}, {})
    assert proxied.environment() == dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY"), "http://p.example:3128")
    assert settings_from({"proxy": "http://p.example:3128"}, {"https_proxy": "x"}).environment() == {}
    assert IndexSettings(no_index=True).install_arguments() == ("--no-index",)


def test_a_file_of_pip_is_read_by_pip(tmp_path: Path) -> None:
    config = tmp_path / "pip.conf"
    config.write_text("[global]\nfind-links = /a\n  /b\n", encoding="utf-8")
    environ = {name: text for name, text in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    settings = asyncio.run(read_pip_settings(environ | {"PIP_CONFIG_FILE": str(config)}))
    assert settings.find_links == ("/a", "/b")


@pytest.mark.parametrize(
    ("wanted", "there"),
    [("torch==2.9.0", "2.9.0"), ("torch", "2.13.0+cpu"), ("torch==2.12.0", None), ("numpy==2.13.0", None)],
)
def test_wheels_on_the_find_links(tmp_path: Path, wanted: str, there: str | None) -> None:
    for version in ("2.13.0+cpu", "2.9.0"):
        (tmp_path / f"torch-{version}-cp311-cp311-manylinux_2_28_x86_64.whl").touch()
    (tmp_path / "no wheel.whl").touch()
    for link in (str(tmp_path), tmp_path.as_uri()):
        settings = IndexSettings(find_links=("https://a.example/links", link))
        mine = (Tag("cp311", "cp311", "manylinux_2_28_x86_64"),)
        assert settings.newest_wheel(Requirement(wanted), mine) == there
        assert settings.newest_wheel(Requirement(wanted), (Tag("cp312", "cp312", "any"),)) is None
