"""What travels between the client of a cluster and its workers, as bytes.

A worker shares nothing with the client but the version of the harness. The suite, the code under test and
the data of a matrix go there once, in a parcel; each task names its cells with their locks. Environments and
models do not travel: the worker fills its own store from its own cache, wheels or indexes.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import msgspec

from harness.errors import MachineError
from harness.files import inside, walk_files
from harness.isolation import find_isolation
from harness.matrix.schema import Model, Subject
from harness.records import CellResult, Plan, PlannedCell
from harness.records.plan import Record
from harness.resolve.lockfile import platform_tag
from harness.runs.folder import KEPT, RunFolder
from harness.store.environments import Installer
from harness.store.inputs import CellInputs, snapshot_suite
from harness.store.models import Say, identify_inputs, obtain_model
from harness.store.store import Store
from harness.sweep.limits import Limits
from harness.sweep.machine import read_machine

_SUITE = "suite"
_CODE = "code"
_CORPUS = "corpus"
_STORED = "stored"
_GOLDEN = "golden"


class Source(Record, frozen=True, kw_only=True):
    """Where a worker gets what does not travel: the model, or its folder, and a Python that is missing."""

    model: Model
    model_path: str | None = None
    python_downloads: bool = False


class Parcel(Record, frozen=True, kw_only=True):
    """The inputs of all cells of a sweep; see ``harness.store.inputs.CellInputs``.

    ``files`` maps relative paths to contents, ``identity`` an ingredient to the digest that it has at the
    client. ``code`` counts the folders of the search path; the others name files, empty where there are none.
    ``reads`` are paths at the worker as well.
    """

    source: Source
    files: dict[str, bytes]
    identity: dict[str, str]
    subject: Subject
    variables: dict[str, str]
    code: int
    corpus: str
    stored: tuple[str, ...]
    golden: str
    shipped_model: bool
    tolerances: dict[str, float]
    profile: str
    threads: int
    only: tuple[str, ...]
    reads: tuple[str, ...]
    isolated: bool


class Task(Record, frozen=True, kw_only=True):
    """One cell, whose checks run, or a block of cells, whose latency is measured together.

    ``plan`` holds the cells alone. ``keys`` are those of their results at the client. ``decides``: no cell
    ran before this one, so a subject that it refuses is not what the matrix says. A block has the results of
    checks, the id of its baseline, empty without one, and ``latency``, the key of its timings.
    """

    name: str
    plan: Plan
    keys: dict[str, str]
    limits: Limits
    fresh: bool
    decides: bool = False
    results: tuple[CellResult, ...] = ()
    baseline: str = ""
    latency: str = ""


class Outcome(Record, frozen=True, kw_only=True):
    """What a task found: results, and the files of each cell.

    ``kept`` are the cells whose timings later runs may use. Without results, ``refused`` is what is wrong
    with the matrix, or ``fault`` with the worker.
    """

    results: tuple[CellResult, ...] = ()
    files: dict[str, dict[str, bytes]] = msgspec.field(default_factory=dict)
    kept: tuple[str, ...] = ()
    refused: str = ""
    fault: str = ""


class Facts(Record, frozen=True, kw_only=True):
    """What a worker says of itself: the name of its host, its machine, and its version of the harness.

    Workers with the same ``kernel`` share one, and so the cores of one machine. ``unisolated`` is why cells
    cannot be isolated there; empty if they can.
    """

    host: str
    kernel: str
    machine: dict[str, str]
    code: str
    platform: str
    unisolated: str = ""


def read_facts() -> Facts:
    """The facts of this process as a worker."""
    boot = Path("/proc/sys/kernel/random/boot_id")  # the same in every container of a machine
    host = platform.node()
    kernel = boot.read_text(encoding="ascii").strip() if boot.is_file() else host
    return Facts(
        host=host, kernel=kernel, machine=read_machine(), code=identify_harness(), platform=platform_tag()
    )


def identify_harness() -> str:
    """Sha256 of the code of the harness besides that of cells, which travels."""
    digest = hashlib.sha256()
    for name, path in walk_files(Path(__file__).parents[2]):
        if name.endswith(".py") and not name.startswith("cell/"):
            digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def pack(inputs: CellInputs, source: Source) -> bytes:
    """Pack the inputs of a sweep.

    Raises:
        OSError: one of their files cannot be read.
    """
    files = dict(_list_files(inputs))
    parcel = Parcel(
        source=source,
        files=files,
        identity=inputs.identity,
        subject=inputs.subject,
        variables=dict(inputs.variables),
        code=len(inputs.search_path),
        corpus="" if inputs.corpus is None else f"{_CORPUS}/{inputs.corpus.name}",
        stored=tuple(f"{_STORED}/{number}/{path.name}" for number, path in enumerate(inputs.stored)),
        golden="" if inputs.golden is None else f"{_GOLDEN}/{inputs.golden.name}",
        shipped_model=inputs.shipped_model,
        tolerances=inputs.tolerances,
        profile=inputs.profile,
        threads=inputs.threads,
        only=inputs.only,
        reads=tuple(map(str, inputs.reads)),
        isolated=bool(inputs.isolation.program),
    )
    return msgspec.msgpack.encode(parcel)


def _list_files(inputs: CellInputs) -> Iterator[tuple[str, bytes]]:
    """What ``harness.store.models.identify_inputs`` digests, by the path that it has in the parcel."""
    for name, content in inputs.suite.files.items():
        yield f"{_SUITE}/{name}", content
    for number, folder in enumerate(inputs.search_path):
        for name, path in walk_files(folder):
            if path.is_file() and (name.endswith(".py") or name.split("/")[0] in inputs.subject.packages):
                yield f"{_CODE}/{number}/{name}", path.read_bytes()
    if inputs.corpus is not None:
        yield f"{_CORPUS}/{inputs.corpus.name}", inputs.corpus.read_bytes()
    for number, path in enumerate(inputs.stored):
        yield f"{_STORED}/{number}/{path.name}", path.read_bytes()
    if inputs.golden is not None:
        place = f"{_GOLDEN}/{inputs.golden.name}"
        found = walk_files(inputs.golden) if inputs.golden.is_dir() else [("", inputs.golden)]
        for name, path in found:
            yield f"{place}/{name}".rstrip("/"), path.read_bytes()


async def unpack(  # noqa: PLR0913, PLR0917 - one parameter an ingredient
    parcel: Parcel, folder: Path, store: Store, installer: Installer, say: Say, stack: AsyncExitStack
) -> CellInputs:
    """Write the files of a parcel into a folder, and provide its suite and model in the store of the worker.

    Raises:
        HarnessError: no room, the model cannot be provided, or an ingredient is not that of the client.
    """
    for name, content in parcel.files.items():
        path = inside(folder, name, "a parcel")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    source = parcel.source
    local = None if source.model_path is None else Path(source.model_path)
    inputs = CellInputs(
        suite=await snapshot_suite(store, stack, folder / _SUITE / "harness" / "cell"),
        identity={},
        model_dir=Path(),
        subject=parcel.subject,
        variables=parcel.variables,
        search_path=tuple(folder / _CODE / str(number) for number in range(parcel.code)),
        corpus=folder / parcel.corpus if parcel.corpus else None,
        stored=tuple(folder / name for name in parcel.stored),
        golden=folder / parcel.golden if parcel.golden else None,
        shipped_model=parcel.shipped_model,
        tolerances=parcel.tolerances,
        profile=parcel.profile,
        threads=parcel.threads,
        only=parcel.only,
        reads=tuple(map(Path, parcel.reads)),
        isolation=await find_isolation(
            "strict" if parcel.isolated else "none", network=parcel.subject.network
        ),
    )
    model = await obtain_model(source.model, local, store, installer, say, stack)
    inputs = replace(inputs, model_dir=model.folder, identity=identify_inputs(inputs, model))
    if different := [name for name, digest in parcel.identity.items() if inputs.identity[name] != digest]:
        raise MachineError(f"its {' and its '.join(different)} has other content than that of the client")
    return inputs


def collect_files(folder: RunFolder, cells: Iterable[str]) -> dict[str, dict[str, bytes]]:
    """The files of cells that move with their results."""
    return {
        cell: {name: path.read_bytes() for name in KEPT if (path := folder.cell(cell) / name).is_file()}
        for cell in cells
    }


def check_outcome(outcome: Outcome, task: Task) -> str:
    """Why an outcome is none of this task, such as other cells, keys or names of files; empty if it is.

    A result is taken by its key, as one in the store is.
    """
    if outcome.refused or outcome.fault:
        return ""
    found = {result.cell: result.key for result in outcome.results}
    if found != task.keys:
        return f"its results are of {sorted(found.items())}, but should be of {sorted(task.keys.items())}"
    names = {f"{cell}/{name}" for cell, files in outcome.files.items() for name in files}
    known = {f"{cell}/{name}" for cell in found for name in KEPT}
    return f"it has the files {sorted(names - known)}" if names - known else ""


def slim(plan: Plan, cells: Sequence[PlannedCell], baseline: PlannedCell | None = None) -> Plan:
    """The plan of a task: some cells and a baseline, without what only the judge of the whole run reads."""
    apart = None if baseline in cells else baseline
    return msgspec.structs.replace(
        plan, cells=tuple(cells), baseline_cell=apart, shards=(), shard=0, whole=None, coverage=None
    )
