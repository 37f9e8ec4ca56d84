from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from support.cluster import ClusterLab, make_cells, make_plan

from harness import isolation
from harness.errors import MachineError, UsageError
from harness.isolation import PROGRAM, Isolation
from harness.records import CellResult, discard
from harness.store.environments import Installer
from harness.store.inputs import CellInputs
from harness.store.models import ObtainedModel, identify_inputs
from harness.store.store import Store
from harness.sweep.executors.parcel import Outcome, Parcel, Source, Task, check_outcome, pack, slim, unpack
from harness.sweep.limits import Limits


@pytest.fixture
def lab(tmp_path: Path) -> ClusterLab:
    return ClusterLab(tmp_path)


def make_inputs(lab: ClusterLab) -> CellInputs:
    """Inputs with one of everything that travels, and beside it what does not."""
    folder = lab.folder / "data"
    (folder / "team" / "data").mkdir(parents=True)
    for name in (
        "team/norm.py",
        "team/data/scale.json",
        "other.py",
        "report.json",
        "corpus.toml",
        "stored.npy",
    ):
        (folder / name).write_text(name)
    (folder / "golden").mkdir()
    (folder / "golden" / "one.json").write_text("{}")
    inputs = replace(
        lab.material,
        subject=msgspec.structs.replace(lab.material.subject, normalizer="team.norm:unit"),
        search_path=(folder,),
        corpus=folder / "corpus.toml",
        stored=(folder / "stored.npy",),
        golden=folder / "golden",
        tolerances={"l2.float32": 2e-6},
        threads=2,
        only=("l0.*",),
        reads=(folder / "report.json",),
    )
    model = ObtainedModel(inputs.model_dir, lab.material.identity["model"])
    return replace(inputs, identity=identify_inputs(inputs, model))


def unpack_at(worker: Path, parcel: bytes) -> CellInputs:
    async def run() -> CellInputs:
        async with AsyncExitStack() as stack:
            found = msgspec.msgpack.decode(parcel, type=Parcel)
            return await unpack(
                found, worker / "parcel", Store(worker / "store"), Installer(), discard, stack
            )

    return asyncio.run(run())


def test_a_worker_has_the_inputs_of_the_client_and_not_what_lies_beside_them(lab: ClusterLab) -> None:
    inputs = make_inputs(lab)
    worker = lab.folder / "worker"
    there = unpack_at(worker, pack(inputs, lab.source))
    places = ("suite", "search_path", "corpus", "stored", "golden")
    assert replace(there, **{name: getattr(inputs, name) for name in places}) == inputs
    lock = make_cells("good")[0].lock
    assert there.make_key(lock, "a class") == inputs.make_key(lock, "a class")
    code = there.search_path[0]
    assert sorted(path.relative_to(code).as_posix() for path in code.rglob("*.*")) == [
        "other.py",
        "team/data/scale.json",
        "team/norm.py",
    ]
    assert (there.corpus and there.corpus.read_text()) == "corpus.toml"


def test_a_worker_with_another_model_is_refused(lab: ClusterLab) -> None:
    other = lab.folder / "other"
    other.mkdir()
    (other / "weights").write_text("other weights")
    source = Source(model=lab.source.model, model_path=str(other))
    with pytest.raises(MachineError, match=r"^its model has other content than that of the client$"):
        unpack_at(lab.folder / "worker", pack(lab.material, source))


def test_a_worker_isolates_cells_as_the_client_says_or_refuses(
    lab: ClusterLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = replace(make_inputs(lab), isolation=Isolation(PROGRAM))
    parcel = pack(inputs, lab.source)
    monkeypatch.setattr(isolation, "_try", succeed)
    there = unpack_at(lab.folder / "worker", parcel)
    assert there.isolation.fact == "namespaces"
    lock = make_cells("good")[0].lock
    assert there.make_key(lock, "a class") == inputs.make_key(lock, "a class")
    monkeypatch.setattr(isolation, "_try", fail)
    with pytest.raises(
        UsageError, match=r"^--isolation strict: cells cannot be isolated here: no permission; "
    ):
        unpack_at(lab.folder / "other", parcel)


async def succeed(*_: object) -> str:
    return ""


async def fail(*_: object) -> str:
    return "no permission"


def test_an_outcome_counts_for_its_task_alone() -> None:
    cell = make_cells("good")[0]
    task = Task(
        name="good", plan=slim(make_plan(cell), [cell]), keys={"good": "k1"}, limits=Limits(), fresh=False
    )

    def check(cell: str, key: str, **files: bytes) -> str:
        result = CellResult(cell=cell, key=key, run="run-1", status="ok")
        return check_outcome(Outcome(results=(result,), files={"good": files}), task)

    assert check("good", "k1", **{"log.txt": b""}) == ""
    assert check("good", "k2") == "its results are of [('good', 'k2')], but should be of [('good', 'k1')]"
    assert check("other", "k1") == "its results are of [('other', 'k1')], but should be of [('good', 'k1')]"
    assert check("good", "k1", **{"../log.txt": b""}) == "it has the files ['good/../log.txt']"
    assert check_outcome(Outcome(fault="no room"), task) == ""
