"""The family in its cells: right models are swept as by a user, mistakes run together in one process."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from planted.command import ROOT, Harness

from harness.cell.interface import CellSpec
from harness.errors import HarnessError
from harness.files import hash_tree
from harness.held import temporary_folder
from harness.matrix.expected import allowed_values, tolerances_of
from harness.matrix.read import read_matrix
from harness.processes import run
from harness.records import Plan, Record, Run, digest_value
from harness.resolve.pip_settings import IndexSettings
from harness.store.models import make_environments, make_installer, obtain_model
from harness.store.store import Store
from harness.sweep.planning import build_plan
from models.family import Member
from models.matrices import CELLS, write_corpus, write_matrix

MISTAKES: Mapping[str, str] = {
    "pooling": "wrong:Pooling",
    "prompt": "wrong:Prompt",
    "limit": "wrong:Limit",
    "bfloat16": "wrong:Bfloat16",
}
"""Name of a mistake -> the embedder that makes it."""

RIGHT = "right"

MEASURE, PRECISION = "l2.parity/manual/float32", "env.precision"
"""The cases that are run with a mistake: it must fail the first."""

RED = {"fail", "error", "missing", "xpass"}

SECONDS = 3600.0

Say = Callable[[str], None]


class Row(Record, frozen=True, kw_only=True):
    """What one cell says of a member, right or with a mistake: red cases, distance from the reference.

    ``made`` is the digest of the code and of the member's settings; ``value`` and ``allowed`` are those of
    ``MEASURE``; ``precisions`` are those of the compiled layers.
    """

    made: str
    member: str
    mistake: str
    cell: str
    red: tuple[str, ...]
    notes: tuple[str, ...] = ()
    value: float | None = None
    allowed: float | None = None
    message: str = ""
    precisions: str = ""

    @property
    def times(self) -> float | None:
        """The distance as a multiple of the tolerance."""
        return self.value / self.allowed if self.value is not None and self.allowed else None


def identify(member: Member, mistake: str) -> str:
    """The digest of all that a row depends on, but for the releases."""
    tests = ROOT / "tests" / "models"
    own = [] if mistake == RIGHT else [tests / "wrong.py", tests / "together.py"]
    code = hash_tree(ROOT / "harness" / "cell", tests / "make.py", *own)
    return digest_value([code, member.settings(), mistake])


@dataclass(frozen=True)
class Bench:
    """Where models are made and run: everything below ``folder``, environments and wheels in the store."""

    folder: Path
    store: Store
    settings: IndexSettings
    say: Say

    def place(self, member: Member) -> Path:
        """The folder of a made model."""
        return self.folder / "models" / member.name

    def write_matrix(self, member: Member) -> Path:
        """Write the matrix of a member, and its corpus beside it."""
        matrices = self.folder / "matrices"
        matrices.mkdir(parents=True, exist_ok=True)
        write_corpus(matrices)
        path = matrices / f"{member.name}.toml"
        path.write_text(write_matrix(member, self.place(member)), encoding="utf-8")
        return path

    async def make_models(self, members: Sequence[Member]) -> None:
        """Make the folders of the members that are not there, in an environment of the oldest cell."""
        lacking = [
            each.settings() for each in members if not each.distribution and not self.place(each).exists()
        ]
        if not lacking:
            return
        matrix = self.write_matrix(members[0])
        listed = self.folder / "members.json"
        listed.write_text(json.dumps(lacking), encoding="utf-8")
        corpus, script = ROOT / "harness/cell/corpus.toml", ROOT / "tests/models/make.py"
        plan = await build_plan(read_matrix(matrix), self.settings, machine={})
        async with self._python(plan, "oldest") as python:
            await self._run(
                [python, script, listed, corpus, self.folder / "models"], "the models were not made"
            )

    def sweep(self, member: Member) -> Iterator[Row]:
        """Sweep both cells of a right member with all checks, as a user does."""
        matrix = self.write_matrix(member)
        places = ["--reports", str(self.folder / "reports"), "--store", str(self.store.root)]
        done = Harness().run("sweep", "--matrix", matrix, "--no-latency", "--plain", *places)
        found = sorted((self.folder / "reports" / "runs").glob(f"2*-{member.name}-*/results.json"))
        if not found or done.returncode not in {0, 1, 4}:
            raise HarnessError(f"{member.name}: {(done.stderr or done.stdout).strip()[-500:]}")
        yield from read_run(member, msgspec.json.decode(found[-1].read_bytes(), type=Run))

    async def find_mistakes(self, wanted: Sequence[tuple[Member, str]], cell: str) -> AsyncIterator[Row]:
        """Run members with mistakes in one process of a cell; a row for each that has run."""
        if not wanted:
            return
        matrix = read_matrix(self.write_matrix(wanted[0][0]))
        plan = await build_plan(matrix, self.settings, machine={})
        tolerances = allowed_values(tolerances_of(matrix))
        with temporary_folder("models") as place:
            rows = place / "rows.jsonl"
            rows.touch()
            async with AsyncExitStack() as stack:
                folders = {member.name: await self._find_folder(member, stack) for member, _ in wanted}
                listed = [
                    _write_spec(place, member, mistake, folders[member.name], tolerances)
                    for member, mistake in wanted
                ]
                (place / "specs.json").write_text(json.dumps(listed), encoding="utf-8")
                python = await stack.enter_async_context(self._python(plan, cell))
                script = ROOT / "tests/models/together.py"
                await self._run([python, script, place / "specs.json", rows], f"mistakes in the {cell} cell")
            by_name = {f"{member.name}/{mistake}": (member, mistake) for member, mistake in wanted}
            for line in rows.read_text("utf-8").splitlines():
                found = json.loads(line)
                member, mistake = by_name[found["name"]]
                yield read_cases(member, mistake, cell, found["cases"])

    async def _find_folder(self, member: Member, stack: AsyncExitStack) -> Path:
        matrix = read_matrix(self.write_matrix(member))
        installer = make_installer(self.settings)
        model = await obtain_model(matrix.model, matrix.model_path, self.store, installer, self.say, stack)
        return model.folder

    @asynccontextmanager
    async def _python(self, plan: Plan, cell: str) -> AsyncIterator[Path]:
        planned = plan.cells[list(CELLS).index(cell)]
        environments = make_environments(self.store, make_installer(self.settings))
        async with environments.use(planned.cell, planned.lock, self.say) as python:
            yield python

    async def _run(self, argv: Sequence[Path], what: str) -> None:
        env = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.folder),
            "PYTHONPATH": f"{ROOT}:{ROOT / 'tests/models'}",
        }
        offline = {
            "HF_HUB_OFFLINE": "1",
            "TRANSFORMERS_OFFLINE": "1",
            "CI": "true",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        done = await run(tuple(map(str, argv)), env=env | offline, cwd=self.folder, timeout=SECONDS)
        if done.returncode != 0:
            raise HarnessError(f"{what}: {(done.stderr or done.stdout).strip()[-800:]}")


def _write_spec(
    place: Path, member: Member, mistake: str, folder: Path, tolerances: Mapping[str, float]
) -> dict[str, str]:
    name = f"{member.name}/{mistake}"
    path = place / f"{member.name}-{mistake}.json"
    workdir = place / f"{member.name}-{mistake}"
    workdir.mkdir()
    write_corpus(place)
    CellSpec(
        cell=name,
        phases=("contract",),
        locked={},
        model_dir=str(folder),
        workdir=str(workdir),
        embedder=MISTAKES[mistake],
        corpus=str(place / "corpus.toml") if member.tokenizer == "bytes" else "",
        tolerances=dict(tolerances),
        only=(MEASURE, PRECISION),
    ).write(path)
    return {"name": name, "spec": str(path)}


def read_run(member: Member, run: Run) -> Iterator[Row]:
    """The rows of a right member, in the order of ``CELLS``."""
    for name, cell in zip(CELLS, run.judgement.cells, strict=True):
        findings = [each for each in run.judgement.findings if each.cell == cell.cell]
        parity = next((each for each in findings if each.check == MEASURE), None)
        seen = parity.observation if parity else None
        red = tuple(each.check for each in findings if each.outcome in RED)
        notes = (each for each in findings if each.outcome == "note" and each.layer == "ENV")
        yield Row(
            made=identify(member, RIGHT),
            member=member.name,
            mistake=RIGHT,
            cell=name,
            red=red or (() if cell.status == "ok" else (f"cell {cell.status}",)),
            notes=tuple(f"{each.check}: {each.message}" for each in notes),
            value=seen.value if seen else None,
            allowed=seen.allowed if seen else None,
            message=next((each.message for each in findings if each.check in red), cell.reason),
        )


def read_cases(member: Member, mistake: str, cell: str, cases: Sequence[Mapping[str, Any]]) -> Row:
    """The row of a member with a mistake."""
    found = {each["id"]: each for each in cases}
    parity = found.get(MEASURE, {"observation": None, "message": "the check was not run"})
    seen = parity["observation"] or {}
    layers = found.get(PRECISION, {}).get("observation") or {"facts": {}}
    return Row(
        made=identify(member, mistake),
        member=member.name,
        mistake=mistake,
        cell=cell,
        red=tuple(name for name, each in found.items() if each["outcome"] in RED),
        value=seen.get("value"),
        allowed=seen.get("allowed"),
        message=parity["message"],
        precisions=str(layers["facts"].get("openvino.layers", "")),
    )
