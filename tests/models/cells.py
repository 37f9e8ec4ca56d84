"""The family in its cells: every member, right and with mistakes, in one process of each cell."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec
from planted.command import ROOT

from harness.cell.interface import (
    DEFAULT_EMBEDDER,
    CellSpec,
    list_measured_by,
    load_checks,
)
from harness.errors import HarnessError
from harness.files import hash_tree
from harness.judge.verdict import judge
from harness.matrix.expected import allowed_values, expectations_for, tolerances_of
from harness.matrix.read import read_matrix
from harness.matrix.schema import Matrix
from harness.matrix.variables import make_cell_environment
from harness.processes import run
from harness.records import CaseResult, CellResult, Finding, Plan, PlannedCell, Record, digest_value
from harness.resolve.pip_settings import IndexSettings
from harness.store.models import make_environments, make_installer, obtain_model, refuse_unsupported
from harness.store.store import Store
from harness.sweep.planning import build_plan
from models.family import Member
from models.matrices import CELLS, write_corpus, write_matrix

RIGHT = "right"

MISTAKES: Mapping[str, str] = {
    "pooling": "wrong:Pooling",
    "prompt": "wrong:Prompt",
    "limit": "wrong:Limit",
    "bfloat16": "wrong:Bfloat16",
}
"""Name of a mistake -> the embedder that makes it."""

MEASURE, PRECISION = "l2.parity/manual/float32", "env.precision"
"""The cases that are run with a mistake: it must fail the first."""

OF_MODELS = ("env.*", "l0.margin/*", "l1.*", "l2.*", "l3.*", "rt.[!m]*", "gold.*")
"""The cases that are run with a right member: all that look at a model."""

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
    own = [] if mistake == RIGHT else [tests / "wrong.py"]
    code = hash_tree(ROOT / "harness" / "cell", tests / "make.py", tests / "together.py", *own)
    return digest_value([code, member.settings(), mistake])


@dataclass(frozen=True)
class Bench:
    """Where models are made and run: everything below ``folder``, environments and wheels in the store.

    The ``maker`` is the cell in which models are made; older releases do not read what newer ones save.
    """

    folder: Path
    store: Store
    settings: IndexSettings
    say: Say
    maker: str = "oldest"

    def place(self, member: Member) -> Path:
        """The folder of a made model; other settings have another one."""
        return self.folder / "models" / f"{member.name}-{digest_value(member.settings())[:8]}"

    def write_matrix(self, member: Member) -> Path:
        """Write the matrix of a member, and its corpus beside it."""
        matrices = self.folder / "matrices"
        matrices.mkdir(parents=True, exist_ok=True)
        if not member.distribution:
            self.place(member).mkdir(parents=True, exist_ok=True)  # a matrix names a folder that is there
        write_corpus(matrices)
        path = matrices / f"{member.name}.toml"
        path.write_text(write_matrix(member, self.place(member)), encoding="utf-8")
        return path

    async def run(self, wanted: Sequence[tuple[Member, str]], cell: str) -> AsyncIterator[Row]:
        """Run members, right or with mistakes, in one process of a cell; a row for each that has run."""
        if not wanted:
            return
        matrices = {each.name: read_matrix(self.write_matrix(each)) for each, _ in wanted}
        plan = await build_plan(next(iter(matrices.values())), self.settings, machine={})
        async with AsyncExitStack() as stack:
            await self._make_models([each for each, _ in wanted], await self._enter(stack, plan, self.maker))
            python = await self._enter(stack, plan, cell)
            planned = plan.cells[list(CELLS).index(cell)]
            place = self.folder / "specs" / cell
            listed = [
                {
                    "name": f"{member.name}-{mistake}",
                    "made": identify(member, mistake),
                    "spec": await self._write_spec(
                        place, member, mistake, matrices[member.name], planned, stack
                    ),
                }
                for member, mistake in wanted
            ]
            rows = place / "rows.jsonl"
            (place / "specs.json").write_text(json.dumps(listed), encoding="utf-8")
            script = ROOT / "tests/models/together.py"
            failed = ""
            try:
                await self._call([python, script, place / "specs.json", rows], f"the {cell} cell")
            except HarnessError as error:  # what has run is kept
                failed = str(error)
        made = {identify(*each): each for each in wanted}
        for ran in (msgspec.json.decode(line, type=_Ran) for line in rows.read_bytes().splitlines()):
            if ran.made in made:
                member, mistake = made[ran.made]
                findings = find(plan, planned, matrices[member.name], mistake, ran.cases)
                yield make_row(member, mistake, cell, findings)
        if failed:
            raise HarnessError(failed)

    async def _make_models(self, members: Sequence[Member], python: Path) -> None:
        """Make the folders of the members that are not there."""
        lacking = [each for each in members if not each.distribution and not any(self.place(each).iterdir())]
        if made := {each.name: each for each in lacking}:
            for each in made.values():
                self.place(each).rmdir()
            self.say(f"making {len(made)} models")
            listed, script = self.folder / "members.json", ROOT / "tests/models/make.py"
            settings = [each.settings() | {"name": self.place(each).name} for each in made.values()]
            listed.write_text(json.dumps(settings), encoding="utf-8")
            corpus = ROOT / "harness/cell/corpus.toml"
            await self._call(
                [python, script, listed, corpus, self.folder / "models"], "the models were not made"
            )

    async def _enter(self, stack: AsyncExitStack, plan: Plan, cell: str) -> Path:
        planned = plan.cells[list(CELLS).index(cell)]
        environments = make_environments(self.store, make_installer(self.settings))
        return await stack.enter_async_context(environments.use(planned.cell, planned.lock, self.say))

    async def _write_spec(  # noqa: PLR0917 - one parameter an ingredient
        self,
        place: Path,
        member: Member,
        mistake: str,
        matrix: Matrix,
        planned: PlannedCell,
        stack: AsyncExitStack,
    ) -> str:
        installer = make_installer(self.settings)
        model = await obtain_model(matrix.model, matrix.model_path, self.store, installer, self.say, stack)
        refuse_unsupported(matrix, model.folder)
        workdir = place / f"{member.name}-{mistake}"
        workdir.mkdir(parents=True, exist_ok=True)
        spec = CellSpec(
            cell=planned.cell.id,
            phases=("contract",),
            locked={each.name: each.version for each in planned.lock.distributions},
            model_dir=str(model.folder),
            workdir=str(workdir),
            embedder=MISTAKES.get(mistake, DEFAULT_EMBEDDER),
            corpus="" if matrix.corpus_path is None else str(matrix.corpus_path),
            tolerances=dict(allowed_values(tolerances_of(matrix))),
            only=OF_MODELS if mistake == RIGHT else (MEASURE, PRECISION),
        )
        spec.write(workdir / "spec.json")
        return str(workdir / "spec.json")

    async def _call(self, argv: Sequence[Path], what: str) -> None:
        python, *arguments = map(str, argv)
        env = make_cell_environment(Path(python), ROOT, self.folder / "home", 1)
        env["PYTHONPATH"] = f"{ROOT}:{ROOT / 'tests/models'}"
        done = await run((python, *arguments), env=env, cwd=self.folder, timeout=SECONDS)
        if done.returncode != 0:
            raise HarnessError(f"{what}: {(done.stderr or done.stdout).strip()[-800:]}")


class _Ran(Record, frozen=True, kw_only=True):
    """A line of ``models.together``."""

    name: str
    made: str
    seconds: float
    cases: tuple[CaseResult, ...]


def find(
    plan: Plan, planned: PlannedCell, matrix: Matrix, mistake: str, cases: tuple[CaseResult, ...]
) -> tuple[Finding, ...]:
    """Judge what has run of a member in a cell as a sweep does, with the expectations of its matrix."""
    globs = OF_MODELS if mistake == RIGHT else (MEASURE, PRECISION)
    mine = list_measured_by("cell", planned.cases)
    asked = tuple(each for each in mine if any(fnmatchcase(each, glob) for glob in globs))
    alone = msgspec.structs.replace(
        plan,
        cells=(msgspec.structs.replace(planned, cases=asked),),
        baseline=planned.cell.id,
        baseline_cell=None,
        expectations=expectations_for(matrix),
        subset=True,
    )
    result = CellResult(cell=planned.cell.id, key="models", run="models", status="ok", cases=cases)
    return judge(alone, [result], load_checks()).findings


def make_row(member: Member, mistake: str, cell: str, findings: Sequence[Finding]) -> Row:
    """The row of a member in a cell."""
    found = {each.check: each for each in findings}
    red = tuple(each.check for each in findings if each.outcome in RED)
    parity, layers = found[MEASURE], found[PRECISION].observation
    seen = parity.observation
    told = next((each for each in findings if each.check in red), parity)
    return Row(
        made=identify(member, mistake),
        member=member.name,
        mistake=mistake,
        cell=cell,
        red=red,
        notes=tuple(_describe_notes(findings)) if mistake == RIGHT else (),
        value=seen.value if seen else None,
        allowed=seen.allowed if seen else None,
        message=told.message,
        precisions=str(layers.facts.get("openvino.layers", "")) if layers else "",
    )


def _describe_notes(findings: Sequence[Finding]) -> Iterator[str]:
    """Expected failures with their reason, and notes about the reference."""
    for each in findings:
        if each.outcome == "xfail":
            yield f"{each.check}: expected: {each.expectation}"
        elif each.outcome == "note" and each.layer == "ENV":
            yield f"{each.check}: {each.message}"
