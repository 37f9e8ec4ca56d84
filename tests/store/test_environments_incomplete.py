"""Installers that are killed or meet a full disk, caches with holes: no part of an environment counts."""

from __future__ import annotations

import hashlib
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import uv
from planted.disks import SmallDisk, mount_small_disk
from planted.wheels import build_wheel
from support.stores import PYTHON, Yard, lock_wheels, obtain, yard_fixture  # noqa: F401 - fixtures

from harness.errors import StoreError
from harness.matrix.schema import Model
from harness.records import Lock
from harness.store.environments import Installer
from harness.store.manifest import MARKER, find_incomplete, list_files
from harness.store.models import ObtainedModel
from harness.store.store import Store

LARGE = 4_000_000
FILES = 40


def plant(yard: Yard, large: str = "") -> Lock:
    """Lock a distribution of many files, of which one is large: ``large`` is its path, LIMB its package."""
    package = name_package(yard.folder / "order")
    files = {f"{package}/m{number:02}.py": "LIMB = 1\n" for number in range(FILES)}
    if large:
        files[large.replace("LIMB", package)] = "#" * LARGE
    return lock_wheels({"limb": build_wheel(yard.folder / "wheels", "limb", "1.0", files)})


def name_package(folder: Path) -> str:
    """A package that a walk over files meets after the metadata: uv takes what has metadata for installed."""
    for number in range(100):
        name, place = f"limb{number}", folder / str(number)
        (place / name).mkdir(parents=True)
        (place / "limb-1.0.dist-info").mkdir()
        first, _ = place.iterdir()
        if first.name != name:
            break
    return name


def wrap_uv(folder: Path, monkeypatch: pytest.MonkeyPatch, command: str, first: str) -> Path:
    """Put a script in the place of uv that does something else at its first ``command``."""
    script, done = folder / "uv-wrapper", folder / "uv-was-ended"
    lines = (
        *("#!/bin/sh", f'if [ "$1 $2" = "{command}" ] || [ "$1" = "{command}" ]; then'),
        *(f'if [ ! -e "{done}" ]; then', f': > "{done}"', first, "fi", "fi"),
        f'exec "{uv.find_uv_bin()}" "$@"',
    )
    script.write_text("\n".join(lines) + "\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(uv, "find_uv_bin", lambda: str(script))
    return done


LIMIT = "trap - XFSZ; ulimit -c 0; ulimit -f 4096"
"""The kernel ends uv with SIGXFSZ as soon as a file grows beyond 2 MiB."""


@pytest.mark.parametrize(
    ("command", "first", "large", "warm"),
    [
        ("venv", "kill -9 $$", "", True),
        ("pip sync", "kill -9 $$", "", True),
        ("pip sync", LIMIT, "LIMB/m20.py", False),
        ("pip sync", LIMIT, "LIMB/m00.py", True),
        ("pip sync", LIMIT, "LIMB/m39.py", True),
        ("pip sync", LIMIT, "limb-1.0.dist-info/LICENSE", True),
    ],
    ids=["venv", "nothing yet", "into the cache", "first file", "last file", "metadata"],
)
def test_a_killed_installer_leaves_nothing_that_counts(
    command: str, first: str, large: str, *, warm: bool, yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_LINK_MODE", "copy")  # so that uv writes, and can be ended in the middle of it
    lock = plant(yard, large)
    if warm:
        Yard(yard.folder, store_name="another").make(lock)
    ended = wrap_uv(yard.folder, monkeypatch, command, first)
    with pytest.raises(StoreError, match=r"^uv( \w+)+ was killed by SIG(KILL|XFSZ) \("):
        yard.make(lock)
    assert ended.exists()
    assert list(yard.store.environments.iterdir()) == []

    environment = yard.make(lock)
    assert find_incomplete(environment, {"limb": "1.0"}) == {}
    assert len(list(environment.glob("lib/python*/site-packages/limb*/m*.py"))) == FILES
    assert yard.said == []


RICH = {
    "limb/__init__.py": "LIMB = 1\n",
    "limb/data.txt": "",
    "limb-1.0.data/scripts/limber": "#!python\nprint(1)\n",
    "limb-1.0.data/data/share/limb/table.csv": "1,2\n",
    "limb-1.0.dist-info/entry_points.txt": "[console_scripts]\nlimb = limb:run\n",
}
"""Whatever else a wheel can hold: uv rewrites scripts, makes others, and moves data out of the packages."""


@pytest.mark.parametrize("first", ["kill -9 $$", LIMIT])
def test_a_killed_installer_leaves_no_model(
    first: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_LINK_MODE", "copy")
    build_wheel(tmp_path, "tiny", "1.0", {"tiny/w.bin": "#" * LARGE, "tiny/config.json": "{}"})
    said: list[str] = []
    wrap_uv(tmp_path, monkeypatch, "pip install", first)
    with pytest.raises(StoreError, match=r"^uv pip install was killed by SIG(KILL|XFSZ) \("):
        obtain_tiny(Store(tmp_path / "store"), tmp_path, said)
    assert list((tmp_path / "store/models").iterdir()) == []
    folder = obtain_tiny(Store(tmp_path / "store"), tmp_path, said).folder
    assert {path.name: path.stat().st_size for path in folder.iterdir()} == {"config.json": 2, "w.bin": LARGE}
    assert said == ["unpacking the model tiny==1.0"] * 2


def obtain_tiny(store: Store, wheels: Path, said: list[str]) -> ObtainedModel:
    """The model ``tiny``, of a folder of wheels."""
    cache = (("UV_CACHE_DIR", str(wheels / "cache")),)
    installer = Installer(index=("--no-index", "--find-links", str(wheels)), variables=cache)
    weights = hashlib.sha256(b"#" * LARGE).hexdigest()
    wanted = Model(distribution="tiny==1.0", folder="tiny", weights="w.bin", weights_sha256=weights)
    return obtain(wanted, None, store, installer, said.append)


SITE = f"lib/python{PYTHON}/site-packages"


@pytest.fixture
def rich(yard: Yard) -> tuple[Lock, Path]:
    """A lock of such a wheel and of a plain one, and its environment."""
    wheels = yard.folder / "wheels"
    lock = lock_wheels(
        {
            "limb": build_wheel(wheels, "limb", "1.0", RICH),
            "arm": build_wheel(wheels, "arm", "1.0", {"arm.py": "1\n"}),
        }
    )
    return lock, yard.make(lock)


def test_scripts_and_data_are_whole_where_uv_puts_them(rich: tuple[Lock, Path]) -> None:
    environment = rich[1]
    assert find_incomplete(environment, {"Limb": "1.0", "arm": "1"}) == {}
    assert all(
        (environment / name).stat().st_size for name in ("bin/limber", "bin/limb", "share/limb/table.csv")
    )


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (f"remove {SITE}/limb/data.txt", "1 file does limb/data.txt"),
        (f"remove {SITE}/limb", "2 files do limb/__init__.py"),
        (f"cut {SITE}/limb/__init__.py", "1 file does limb/__init__.py"),
        ("remove bin/limb", "1 file does ../../../bin/limb"),
        ("cut share/limb/table.csv", "1 file does ../../../share/limb/table.csv"),
        (f"remove {SITE}/limb-1.0.dist-info", "limb 1.0 is not installed"),
        (f"remove {SITE}/limb-1.0.dist-info/RECORD", "limb 1.0 is not installed"),
        (f"early {SITE}/limb-1.0.dist-info/RECORD", "limb 1.0 was not completely installed"),
        (f"rename {SITE}/limb-1.0.dist-info", "limb: expected version 1.0, found 0.9"),
    ],
)
def test_a_distribution_that_differs_from_its_record_is_incomplete(
    fault: str, said: str, rich: tuple[Lock, Path]
) -> None:
    environment = rich[1]
    how, _, name = fault.partition(" ")
    plant_fault(environment / name, how)
    differs = r"\1 not match the RECORD of limb, the first is \2"
    told = {"limb": re.sub(r"^(\d files? (?:does|do)) (\S+)$", differs, said)}
    assert find_incomplete(environment, {"limb": "1.0", "arm": "1.0"}) == told


def plant_fault(path: Path, how: str) -> None:
    """Remove or cut a file, take uv's last row out of a RECORD, or change the version of metadata."""
    match how:
        case "remove":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        case "cut":
            content = path.read_bytes()[:-1]
            path.unlink()  # uv's cache holds the same file
            path.write_bytes(content)
        case "early":
            path.write_text(re.sub(r"(?m)^.*/INSTALLER,.*\n", "", path.read_text()))
        case "rename":
            moved = path.rename(path.with_name("limb-0.9.dist-info"))
            record = moved / "RECORD"
            record.write_text(record.read_text().replace("limb-1.0.dist-info", moved.name))


def test_a_file_that_two_distributions_bring_is_the_one_or_the_other(yard: Yard) -> None:
    wheels = {
        name: build_wheel(yard.folder / "wheels", name, "1.0", {"tests/__init__.py": f"# {'x' * size}\n"})
        for name, size in (("arm", 1), ("leg", 20))
    }
    environment = yard.make(lock_wheels(wheels))
    assert yard.said == []
    (environment / SITE / "tests/__init__.py").unlink()
    assert sorted(find_incomplete(environment, {})) == ["arm", "leg"]


def test_a_hole_in_the_cache_is_fetched_anew(rich: tuple[Lock, Path], yard: Yard) -> None:
    (hole,) = (yard.folder / "cache").glob("archive-v0/*/limb/data.txt")
    hole.unlink()
    again = Yard(yard.folder, store_name="another")
    environment = again.make(rich[0])
    assert (environment / SITE / "limb/data.txt").exists()
    assert again.said == ["uv's cache holds damaged files of limb; they are downloaded again"]


def test_an_environment_that_an_earlier_harness_has_accepted_is_checked_once(
    rich: tuple[Lock, Path], yard: Yard
) -> None:
    lock, environment = rich
    (environment / SITE / "limb/data.txt").unlink()
    accept = msgspec.json.encode({"files": list_files(environment)})
    (environment / MARKER).write_bytes(accept)
    assert (yard.make(lock) / SITE / "limb/data.txt").exists()
    what = "it was never complete: 1 file does not match the RECORD of limb, the first is limb/data.txt"
    assert yard.said == [f"environment {environment.name}: {what}; it is rebuilt"]
    (environment / MARKER).write_bytes(msgspec.json.encode({"files": list_files(environment)}))
    assert yard.make(lock) == environment
    assert len(yard.said) == 1


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with mount_small_disk(tmp_path / "disk", "3m") as mounted:
        yield mounted


@pytest.mark.parametrize("full", ["cache", "store"])
def test_a_full_disk_is_named_and_leaves_nothing_that_counts(
    full: str, disk: SmallDisk, tmp_path: Path
) -> None:
    (tmp_path / full).symlink_to(disk.folder)
    (tmp_path / "wheels").mkdir()
    yard = Yard(tmp_path)
    lock = plant(yard, "LIMB/m20.py")
    with pytest.raises(StoreError, match=rf"^no space left on device: {tmp_path}/(disk|{full})/\S+$"):
        yard.make(lock)
    assert list(yard.store.environments.iterdir()) == []
    (tmp_path / full).unlink()  # elsewhere there is room
    yard.make(lock)
    assert yard.said == []


def test_a_full_disk_is_no_model_without_weights(disk: SmallDisk, tmp_path: Path) -> None:
    build_wheel(tmp_path, "tiny", "1.0", {"tiny/w.bin": "#" * LARGE, "tiny/config.json": "{}"})
    store = Store(disk.folder / "store")
    with pytest.raises(StoreError, match=rf"^no space left on device: {disk.folder}/store/models/\S+$"):
        obtain_tiny(store, tmp_path, [])
    assert [path.name for path in store.models.iterdir()] == []
