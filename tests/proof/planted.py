"""A service whose normalizer is slower by a known share from one release to the next, and gates over it."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.matrix.read import read_matrix, shipped_matrices
from harness.matrix.schema import Matrix, MatrixRow, Pin, Subject
from harness.records import BASELINE, CANDIDATE, Notify, Plan, PlannedCell
from harness.resolve.pip_settings import IndexSettings
from harness.store.store import Store
from harness.sweep.limits import Limits, Options
from harness.sweep.machine import read_machine
from harness.sweep.planning import PlanOptions, build_plan, planned_cells
from harness.sweep.run_sweep import Request
from proof.twin import name_twin

NAME = "planted-speed"

RELEASES = {0: "1.0", 5: "1.5", 10: "1.10", 20: "1.20"}
"""By how many percent the normalizer is slower than that of release 1.0."""

STRICT = {5: 1.03}
"""By how many percent -> the threshold of latency that judges it; 5 % is what a gate allows by default."""

MODULE = '''"""The formula by hand, and then a wait of {percent}% of the time that it took."""

import time

import numpy as np


def normalize(embeddings):
    begun = time.perf_counter()
    norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
    norms = np.where(norms == 0, 1, norms)
    result = embeddings / norms
    until = begun + (time.perf_counter() - begun) * {factor}
    while time.perf_counter() < until:
        pass
    return result
'''

METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Dist: numpy\n"
REASON = "as the baseline of the default matrix"
DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can say: equal wheels have equal bytes


@dataclass(frozen=True)
class World:
    """The request and the index settings of every gate of the proof, and its cells.

    ``candidates``: by how many percent it is slower -> the planned cell; the one of 0 is the baseline's twin.
    """

    request: Request
    settings: IndexSettings
    baseline: PlannedCell
    candidates: dict[int, PlannedCell]
    template: Plan

    def judged_by(self, percent: int) -> Matrix:
        """The matrix with the threshold of such a gate."""
        matrix = self.request.matrix
        latency = STRICT.get(percent, matrix.gate.latency)
        return msgspec.structs.replace(matrix, gate=msgspec.structs.replace(matrix.gate, latency=latency))

    def plan_gate(self, candidate: PlannedCell, run: str) -> Plan:
        """The plan of a gate from release 1.0 to a candidate."""
        pair = zip((BASELINE, CANDIDATE), (self.baseline, candidate), strict=True)
        cells, locks = zip(
            *(
                (
                    msgspec.structs.replace(each.cell, id=name, baseline=name == BASELINE),
                    msgspec.structs.replace(each.lock, cell=name),
                )
                for name, each in pair
            ),
            strict=True,
        )
        return msgspec.structs.replace(
            self.template, run=run, baseline=BASELINE, cells=planned_cells(cells, locks, cases=())
        )


async def make_world(folder: Path, store: Store, settings: IndexSettings, notify: Notify) -> World:
    """Write the releases as wheels and resolve an environment for each of them.

    Raises:
        UsageError, MachineError: as for the plan of a sweep.
    """
    links = folder / "wheels"
    links.mkdir(parents=True, exist_ok=True)
    for percent, version in RELEASES.items():
        source = MODULE.format(percent=percent, factor=1 + percent / 100)
        write_wheel(links, NAME, version, {"planted_speed.py": source})
    settings = msgspec.structs.replace(settings, find_links=(*settings.find_links, str(links.absolute())))
    matrix = make_matrix(folder)
    plan = await build_plan(
        matrix, settings, PlanOptions(run_id="proof"), machine=read_machine(), notify=notify
    )
    cells = {each.cell.axes[NAME]: each for each in plan.cells}
    baseline = cells[RELEASES[0]]
    return World(
        request=Request(
            matrix=matrix,
            store=store,
            reports=folder,
            options=Options(limits=Limits(contract=matrix.limits.time, memory=matrix.limits.memory_bytes)),
        ),
        settings=settings,
        baseline=baseline,
        candidates={percent: cells[version] for percent, version in RELEASES.items()}
        | {0: name_twin(baseline)},
        template=plan,
    )


def make_matrix(folder: Path) -> Matrix:
    """The default matrix at its baseline, with the releases as its only axis and their normalizer in use."""
    default = read_matrix(shipped_matrices() / "compat.toml")
    pins = {name: Pin(version=version, reason=REASON) for name, version in default.baseline.items()}
    return msgspec.structs.replace(
        default,
        title="A normalizer that is slower by a known share",
        axes={NAME: tuple(RELEASES.values())},
        baseline={NAME: RELEASES[0]},
        pins={**default.pins, **pins},
        include=(),
        exclude=(),
        rows=tuple(MatrixRow(versions={NAME: version}) for version in RELEASES.values()),
        subject=Subject(normalizer="planted_speed:normalize"),
        expected=None,
        path=(folder / "proof.toml").absolute(),
    )


def write_wheel(folder: Path, name: str, version: str, files: dict[str, str]) -> Path:
    """Write a wheel of pure Python (path -> text) and return its path; equal contents give equal bytes."""
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    content = {
        **files,
        f"{info}/METADATA": METADATA.format(name=name, version=version),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: proof\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = [f"{path},sha256={_digest(text)},{len(text.encode())}\n" for path, text in content.items()]
    content[f"{info}/RECORD"] = "".join([*lines, f"{info}/RECORD,,\n"])
    target = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(target, "w") as archive:
        for path, text in content.items():
            archive.writestr(zipfile.ZipInfo(path, DATE), text)
    return target


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
