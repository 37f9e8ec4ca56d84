"""The wheels that other tests plant are real wheels: installers take them, and their RECORD is right."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest
from planted.wheels import build_wheel, repack, replacing, starting_with

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def links(tmp_path: Path) -> Path:
    folder = tmp_path / "links"
    folder.mkdir()
    return folder


def install(links: Path, requirement: str, target: Path) -> Path:
    """Install with uv, from the folder of links alone; uv checks a wheel's RECORD against its files."""
    command = [
        *(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", sys.executable),
        *("--no-config", "--no-cache", "--no-index", "--offline", "--find-links", str(links)),
        *("--target", str(target), requirement),
    ]
    subprocess.run(command, check=True, env=os.environ | {"UV_LINK_MODE": "copy"})
    return target


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_a_built_wheel_installs_with_what_it_requires(links: Path, tmp_path: Path) -> None:
    build_wheel(links, "Tiny.Inner", "1.0", {"inner.py": "VALUE = 1\n"})
    outer = build_wheel(links, "tiny-outer", "2.0", {"outer/__init__.py": ""}, requires=["tiny-inner==1.0"])

    installed = install(links, "tiny-outer", tmp_path / "site")

    assert outer.name == "tiny_outer-2.0-py3-none-any.whl"
    assert (installed / "inner.py").read_text() == "VALUE = 1\n"
    assert (installed / "outer" / "__init__.py").read_text() == ""


def test_a_repacked_distribution_differs_in_the_patch_and_the_version_only(
    links: Path, tmp_path: Path
) -> None:
    files = {"tiny/__init__.py": "VALUE = 1\r\n", "tiny/data.txt": "kept\n"}
    build_wheel(links, "tiny", "1.0", files, requires=["nothing; extra == 'x'"])
    installed = install(links, "tiny==1.0", tmp_path / "one")
    patches = {"tiny/__init__.py": replacing("VALUE = 1", "VALUE = 2")}

    wheel = repack(installed, "tiny", "1.0.post1+two", patches, links)
    again = install(links, "tiny==1.0.post1+two", tmp_path / "two")

    assert wheel.name == "tiny-1.0.post1+two-py3-none-any.whl"
    assert names(wheel) == [
        "tiny-1.0.post1+two.dist-info/METADATA",
        "tiny-1.0.post1+two.dist-info/WHEEL",
        "tiny/__init__.py",
        "tiny/data.txt",
        "tiny-1.0.post1+two.dist-info/RECORD",
    ]
    assert (again / "tiny" / "__init__.py").read_bytes() == b"VALUE = 2\n"
    assert (again / "tiny" / "data.txt").read_text() == "kept\n"
    assert (again / "tiny-1.0.post1+two.dist-info" / "METADATA").read_text() == (
        "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0.post1+two\nRequires-Dist: nothing; extra == 'x'\n"
    )


def test_the_release_is_not_mistaken_for_its_planted_copy(links: Path, tmp_path: Path) -> None:
    build_wheel(links, "tiny", "1.0", {"tiny.py": "VALUE = 1\n"})
    build_wheel(links, "tiny", "1.0.post1+two", {"tiny.py": "VALUE = 2\n"})

    installed = install(links, "tiny==1.0", tmp_path / "site")

    assert (installed / "tiny.py").read_text() == "VALUE = 1\n"


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    wheels = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        wheels.append(build_wheel(folder, "tiny", "1.0", {"b.py": "", "a.py": "A = 1\n"}).read_bytes())

    assert wheels[0] == wheels[1]


def test_a_patch_that_changes_nothing_is_an_error(links: Path, tmp_path: Path) -> None:
    build_wheel(links, "tiny", "1.0", {"tiny.py": "VALUE = 1\n"})
    installed = install(links, "tiny", tmp_path / "site")

    with pytest.raises(ValueError, match=r"the patch of tiny\.py changes nothing"):
        repack(installed, "tiny", "1.0.post1", {"tiny.py": replacing("VALUE = 3", "VALUE = 2")}, links)


def test_code_is_planted_behind_the_future_imports() -> None:
    patch = starting_with("import os")

    assert patch("from __future__ import annotations\nA = 1\n") == (
        "from __future__ import annotations\nimport os\nA = 1\n"
    )
    assert patch("A = 1\n") == "from __future__ import annotations\nimport os\nA = 1\n"
