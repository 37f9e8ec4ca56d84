"""What uv says when it cannot install, told as a sentence: which distribution, what is wrong, what to do."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import re
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from planted.wheels import build_wheel
from support.plan_texts import PLAIN, make_matrix
from support.runs import CHECKS, make_plan, make_planned, make_result
from support.stores import isolate_uv

from harness.errors import StoreError
from harness.judge.cell_verdicts import FULL_MESSAGE, advise_source, describe_install_error
from harness.judge.gate_verdict import refuse
from harness.judge.verdict import judge
from harness.records import Cell
from harness.resolve.pip_settings import IndexSettings
from harness.resolve.resolve import resolve
from harness.store.environments import Installer

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"


@dataclass(frozen=True)
class Place:
    """Where uv installs from and to."""

    folder: Path

    @property
    def wheels(self) -> Path:
        return self.folder / "wheels"

    def installer(self, *index: str) -> Installer:
        variables = (*isolate_uv(self.folder / "cache"), ("UV_HTTP_RETRIES", "0"))
        return Installer(index=index or ("--no-index", "--find-links", str(self.wheels)), variables=variables)

    async def sync(self, installer: Installer, line: str, source: tuple[str, ...]) -> None:
        requirements = self.folder / "requirements.txt"
        requirements.write_text(f"{line}\n", encoding="utf-8")
        await installer.make_venv(self.folder / "venv", PYTHON)
        python = self.folder / "venv" / "bin" / "python"
        await installer.sync(python, requirements, source, ["arm"], offline=False)

    def complaint(self, line: str, *index: str, source: tuple[str, ...] = ()) -> str:
        """What uv says of a line that it cannot install."""
        with pytest.raises(StoreError) as told:
            asyncio.run(self.sync(self.installer(*index), line, source))
        return str(told.value)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "wheels").mkdir()
    return Place(tmp_path)


def locked(name: str, file: Path | None = None) -> str:
    digest = "0" * 64 if file is None else hashlib.sha256(file.read_bytes()).hexdigest()
    return f"{name}==1.0 --hash=sha256:{digest}"


def other_file(place: Place) -> str:
    build_wheel(place.wheels, "arm", "1.0", {"arm.py": ""})
    return place.complaint(locked("arm"))


def other_release(place: Place) -> str:
    build_wheel(place.wheels, "arm", "1.1", {"arm.py": ""})
    return place.complaint(locked("arm"))


def nothing(place: Place) -> str:
    return place.complaint(locked("arm"))


def nobody_there(place: Place) -> str:
    return place.complaint(locked("arm"), "--index-url", "http://127.0.0.1:9/simple")  # the discard port


def other_machine(place: Place) -> str:
    wheel = build_wheel(place.wheels, "arm", "1.0", {"arm.py": ""})
    wheel = wheel.rename(wheel.with_name("arm-1.0-cp39-cp39-win_amd64.whl"))
    return place.complaint(locked("arm", wheel))


def half_a_file(place: Place) -> str:
    wheel = build_wheel(place.wheels, "arm", "1.0", {"arm.py": ""})
    wheel.write_bytes(wheel.read_bytes()[:300])
    return place.complaint(locked("arm", wheel))


def pack_source(place: Place) -> Path:
    path = place.wheels / "leg-1.0.tar.gz"
    files = {
        "PKG-INFO": "Metadata-Version: 2.1\nName: leg\nVersion: 1.0\n",
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "nobody_wrote"\n',
    }
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"leg-1.0/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return path


def source_that_may_not_be_built(place: Place) -> str:
    return place.complaint(locked("leg", pack_source(place)))


def source_that_cannot_be_built(place: Place) -> str:
    return place.complaint(locked("leg", pack_source(place)), source=("leg",))


def no_python(place: Place) -> str:
    with pytest.raises(StoreError) as told:
        asyncio.run(place.installer().make_venv(place.folder / "venv", "3.99"))
    return str(told.value)


def python_that_does_not_start(place: Place) -> str:
    """As a shim of pyenv for a version that is installed, but not chosen."""
    shim = place.folder / "python3.99"
    shim.write_text("#!/bin/sh\nexit 127\n", encoding="ascii")
    shim.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{place.folder}{os.pathsep}{os.environ['PATH']}")
        return no_python(place)


@pytest.mark.parametrize(
    ("complain", "sentence", "advice"),
    [
        (other_file, "arm 1.0: the hash of the file is not the locked one", "lock again"),
        (other_release, "arm 1.0: this release is in no configured index", "lock again"),
        (nothing, "arm 1.0: not found in any configured index", "find-links"),
        (nobody_there, "arm: the package index could not be reached", "network"),
        (other_machine, "arm 1.0: no wheel for this Python and platform", "`source`"),
        (half_a_file, "arm 1.0: the file is damaged", "uv cache clean"),
        (
            source_that_may_not_be_built,
            "leg 1.0: no wheel for this Python and platform",
            "`source`",
        ),
        (source_that_cannot_be_built, "leg 1.0: building it from source failed", "has a wheel"),
        (
            python_that_does_not_start,
            "python3.99: the first one on the PATH does not start",
            "pyenv global",
        ),
        (no_python, "Python 3.99 is not on this machine", "--python-downloads"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_the_words_of_uv_itself(
    place: Place, complain: Callable[[Place], str], sentence: str, advice: str
) -> None:
    told = describe_install_error(complain(place))
    assert told is not None
    assert told.sentence == sentence
    assert advice in told.advice
    assert told.advice.endswith(FULL_MESSAGE)


FULL = (
    "error: Failed to install: arm-1.0-py3-none-any.whl (arm==1.0) cause: Failed to copy to "
    "`/some/where/arm1.py` cause: failed to copy file from /a to /c/d: No space left on device (os error 28)"
)
FORBIDDEN = (
    "error: Failed to fetch: `http://index.test/simple/arm/` cause: HTTP status client error "
    "(403 Forbidden) for url (http://index.test/simple/arm/)"
)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (FULL, "arm 1.0: the disk is full"),
        (FORBIDDEN, "arm: the package index answered 403 Forbidden"),
        (
            "error: Failed to install: arm-1.0.whl (arm==1.0) cause: nobody wrote /some/where/down below",
            "arm 1.0: the installer failed: nobody wrote <path> below",
        ),
        (
            "error: a word that nobody has heard",
            "A distribution: the installer failed: a word that nobody has heard",
        ),
    ],
)
def test_words_that_a_test_cannot_provoke(said: str, sentence: str) -> None:
    told = describe_install_error(said)
    assert told is not None
    assert told.sentence == sentence


@pytest.mark.parametrize(
    "said",
    [
        "the store cannot be used: [Errno 28] No space left on device; name another with --store",
        "uv pip did not end within 1800 s",
        "arm: what was installed does not match its RECORD, also after downloading again",
    ],
)
def test_a_sentence_of_the_harness_stays(said: str) -> None:
    assert describe_install_error(said) is None


def test_a_full_disk_comes_with_its_path_and_advice() -> None:
    told = describe_install_error("no space left on device: /store/envs/a (it exited with code 1)")
    assert told is not None
    assert told.sentence == "no space left on device: /store/envs/a (it exited with code 1)"
    assert told.advice.startswith("Free disk space (`harness clean")


def test_the_judge_tells_it_and_the_result_keeps_the_words() -> None:
    result = make_result("a", status="install-error", reason=FULL, cases=())
    (cell,) = judge(make_plan(make_planned("a")), [result], CHECKS).cells
    assert cell.reason == "arm 1.0: the disk is full"
    assert re.match(
        r"Free disk space \(.*\) and run it again\. The full message of the installer",
        cell.advice,
    )
    assert result.reason == FULL


def test_a_place_on_the_disk_and_a_host_are_never_told(place: Place) -> None:
    for complain in (nobody_there, source_that_cannot_be_built, half_a_file, other_file):
        folder = Place(place.folder / complain.__name__)
        folder.wheels.mkdir(parents=True)
        told = describe_install_error(complain(folder))
        assert told is not None
        assert not re.search(rf"://|{place.folder}|127\.0", told.sentence + told.advice)


def test_what_uv_says_of_a_package_without_a_wheel_is_understood(place: Place) -> None:
    pack_source(place)
    matrix = make_matrix(place.folder / "matrices", PLAIN.replace('exclude-newer = "2026-11-01"', ""))
    cell = Cell(id="a", axes={}, requirements=("leg==1.0",), python="3.11")
    settings = IndexSettings(find_links=(str(place.wheels),), no_index=True)
    reason = asyncio.run(resolve(cell, matrix, settings)).reason
    assert 'source = ["leg"] in the [[include]] row' in advise_source(reason)


@pytest.mark.parametrize(
    ("reason", "name"),
    [
        ("Because docopt==0.6.2 has no usable wheels and you require docopt==0.6.2, we can", "docopt"),
        ("Because all versions of docopt have no usable wheels and you require docopt, we can", "docopt"),
        ("Because openvino==2024.6.0 depends on numpy<2.2, we can", ""),
    ],
)
def test_a_package_without_a_wheel_has_the_key_that_allows_its_source(reason: str, name: str) -> None:
    advice = advise_source(reason)
    assert (f'source = ["{name}"] in the [[include]] row' in advice) is bool(name)
    assert refuse(reason).because == " ".join(filter(None, (reason, advice)))
