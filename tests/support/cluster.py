"""Sweeps of fake cells on a cluster, whose workers make real environments in stores of their own."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from support.fake_cells import Lab, make_plan, make_suite, plan_cell

from harness.matrix.schema import Model, Subject
from harness.store.inputs import CellInputs, read_suite
from harness.store.models import ObtainedModel, identify_inputs
from harness.sweep.executors.cluster import open_cluster
from harness.sweep.executors.crew import Address
from harness.sweep.executors.parcel import Source
from harness.sweep.interrupt import run_interruptibly

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from harness.records import Plan, PlannedCell
    from harness.sweep.schedule import Executor, Swept

MODEL = "the weights"


class ClusterLab(Lab):
    """A client: its store and runs, a model, and a fake suite, which note what they do in its folder."""

    subject: Subject | None = None

    @property
    def material(self) -> CellInputs:
        model = self.folder / "model"
        model.mkdir(exist_ok=True)
        (model / "weights").write_text(MODEL)
        code = self.folder / "code"
        code.mkdir(exist_ok=True)
        (code / "service.py").write_text("# of a team\n")
        inputs = CellInputs(
            suite=read_suite(make_suite(self.folder)),
            identity={},
            model_dir=model,
            subject=self.subject or Subject(env={"LAB": str(self.folder)}),
            variables={"LAB": str(self.folder)},
            search_path=(code,),
        )
        digest = hashlib.sha256(f"weights\0{hashlib.sha256(MODEL.encode()).hexdigest()}\n\n".encode())
        return replace(inputs, identity=identify_inputs(inputs, ObtainedModel(model, digest.hexdigest())))

    @property
    def source(self) -> Source:
        return Source(model=Model(path="model"), model_path=str(self.folder / "model"))

    def connect(self, address: Address) -> AbstractAsyncContextManager[Executor]:
        return open_cluster(address, self.store, self.source, self.folder, self.said.append)

    def sweep_on(self, address: Address, plan: Plan, **changes: object) -> Swept:
        async def run() -> Swept:
            async with open_cluster(
                address, self.store, self.source, self.folder, self.said.append
            ) as executor:
                self.executor = executor
                return await self.sweep(msgspec.structs.replace(plan, machine=executor.machine), **changes)

        return run_interruptibly(run())


def make_cells(*names: str) -> tuple[PlannedCell, ...]:
    """Cells that need no distribution, the first of which is the baseline."""
    cells = (plan_cell(name, baseline=name == names[0]) for name in names)
    return tuple(
        msgspec.structs.replace(
            each,
            lock=msgspec.structs.replace(
                each.lock, distributions=(), digest=hashlib.sha256(each.cell.id.encode()).hexdigest()
            ),
        )
        for each in cells
    )


__all__ = ["Address", "ClusterLab", "Path", "make_cells", "make_plan"]
