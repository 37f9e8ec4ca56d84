"""Make the script for a case of a run: shrink its input in the environment of the cell, and try it there."""

from __future__ import annotations

import contextlib
import json
import platform
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from harness.cell.corpus import load_corpus
from harness.cell.interface import CellSpec
from harness.errors import MachineError, UsageError
from harness.held import temporary_folder
from harness.isolation import NONE, Isolation
from harness.matrix.schema import Matrix
from harness.matrix.variables import make_cell_environment
from harness.processes import describe_exit, run
from harness.records import PlannedCell
from harness.reproduce.document import Shown, render_issue
from harness.reproduce.failures import Failure
from harness.reproduce.script import Script, render_script
from harness.reproduce.script_recipes import Recipe, choose_recipe
from harness.resolve.pip_settings import IndexSettings
from harness.store.environments import EnvironmentStore
from harness.store.inputs import CellInputs
from harness.store.models import is_shipped_model, make_environments, make_installer, prepare_inputs
from harness.store.store import Store

Say = Callable[[str], None]

SECONDS = 120.0
"""For shrinking one kind of input; what is smallest by then counts."""

LIMIT = 900.0
"""Seconds of a process: loading, shrinking from several kinds of input, and ending."""

SHIPPED_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
"""The public name of the model of the harness's own matrices."""


@dataclass(frozen=True)
class Place:
    """Where scripts are made: the store, the installer's settings, and the inputs of the matrix's cells."""

    matrix: Matrix
    store: Store
    settings: IndexSettings
    golden: Path | None
    say: Say
    isolation: Isolation = NONE


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of ``harness.cell.shrink``."""

    input: list[Any] | None = None
    start: str = ""
    calls: int = 0
    form: str = ""
    needed: list[str] = []
    vectors: dict[str, list[float]] = {}
    error: str = ""


@dataclass(frozen=True)
class Reproduction:
    """A script, its text for an issue, and what the script printed in the environment of the cell.

    ``fails`` is whether it exited with 1 there.
    """

    script: str
    issue: str
    printed: str
    fails: bool


@dataclass(frozen=True)
class CellProcess:
    """Processes in the environment of one cell."""

    planned: PlannedCell
    inputs: CellInputs
    python: Path

    async def shrink(
        self,
        failure: Failure,
        recipe: Recipe,
        expected: dict[str, list[float]],
        record: list[str] | None = None,
    ) -> Answer:
        """Shrink the input of a recipe; with ``record``, embed these texts instead."""
        constants: dict[str, Any] = {"EXPECTED": {}} if recipe.before else {}
        allowed = failure.choose_allowed(recipe)
        given = recipe.given or []
        script = Script(recipe, given, allowed, (), self.planned.lock.python, None, "this cell", constants)
        with temporary_folder("reproduce") as workdir:
            files = [workdir / name for name in ("spec.json", "task.json", "out.json", "script.py")]
            self._make_spec(workdir).write(files[0])
            files[3].write_text(render_script(script), encoding="utf-8")
            task = {
                "script": str(files[3]),
                "arguments": self._arguments(recipe),
                "starts": recipe.starts,
                "dtype": recipe.dtype,
                "roots": self._list_roots(),
                "seconds": SECONDS,
                "expected": expected,
                "record": record or [],
                "exception": failure.name_exception(recipe),
                "form": recipe.load == "load_service",
            }
            files[1].write_text(json.dumps(task), encoding="utf-8")
            await self._start(workdir, "-m", "harness.cell.shrink", *map(str, files[:3]))
            if not files[2].is_file():
                raise MachineError(f"{failure.case}: shrinking ended without an answer")
            return msgspec.json.decode(files[2].read_bytes(), type=Answer)

    async def try_script(self, text: str, recipe: Recipe) -> tuple[int, str]:
        """Run a script in the environment; its exit code and what it printed."""
        with temporary_folder("reproduce") as workdir:
            (workdir / "script.py").write_text(text, encoding="utf-8")
            return await self._start(workdir, str(workdir / "script.py"), *self._arguments(recipe))

    def _make_spec(self, workdir: Path) -> CellSpec:
        return self.inputs.make_spec(self.planned.cell.id, self.planned.lock, workdir, ())

    def _arguments(self, recipe: Recipe) -> list[str]:
        found = []
        if recipe.takes_model:
            found += ["--model", str(self.inputs.model_dir)]
        if recipe.takes_subject:
            found += [part for folder in self.inputs.search_path for part in ("--subject", str(folder))]
        return found

    def _list_roots(self) -> list[str]:
        """The distributions that were asked for, without those of the suite."""
        suite = self.inputs.suite.files["harness/cell/requirements.txt"].decode().splitlines()
        names = {canonicalize_name(Requirement(line).name) for line in suite if line and line[0] not in "#-"}
        asked = (Requirement(each) for each in self.planned.cell.requirements)
        return sorted({canonicalize_name(each.name) for each in asked} - names)

    async def _start(self, workdir: Path, *arguments: str) -> tuple[int, str]:
        self.inputs.suite.put(workdir / "suite")
        variables = self.inputs.variables
        env = make_cell_environment(self.python, workdir / "suite", workdir, self.inputs.threads, variables)
        try:
            done = await run(
                self.inputs.wrap((str(self.python), *arguments), self.python, self._make_spec(workdir)),
                env=env,
                cwd=workdir,
                timeout=LIMIT,
                isolated=self.inputs.is_isolated,
            )
        except TimeoutError:
            raise MachineError(f"a process of the cell did not end within {LIMIT:g} s") from None
        if done.returncode not in {0, 1, 2}:
            said = (done.stderr.strip() or "without output").splitlines()[-1][:500]
            raise MachineError(f"a process of the cell {describe_exit(done.returncode)}: {said}")
        places = {
            workdir: "WORK",
            self.python.parent.parent: "ENVIRONMENT",
            self.inputs.model_dir: "MODEL",
            **dict.fromkeys(self.inputs.search_path, "SUBJECT"),
            Path.home(): "~",
        }
        return done.returncode, hide_paths(done.stdout or done.stderr, places)


@dataclass(frozen=True)
class Cells:
    """The processes of the cells of one matrix."""

    place: Place
    inputs: CellInputs
    environments: EnvironmentStore

    @contextlib.asynccontextmanager
    async def open(self, planned: PlannedCell) -> AsyncIterator[CellProcess]:
        """The processes of a cell, whose environment is made if needed."""
        async with self.environments.use(planned.cell, planned.lock, self.place.say) as python:
            yield CellProcess(planned, self.inputs, python)


@contextlib.asynccontextmanager
async def open_cells(place: Place) -> AsyncIterator[Cells]:
    """The cells of a place, with model and suite ready."""
    place.store.claim()
    installer = make_installer(place.settings)
    async with AsyncExitStack() as stack:
        inputs = await prepare_inputs(
            *(place.matrix, place.store, installer, place.say, stack),
            golden=place.golden,
            isolation=place.isolation,
        )
        yield Cells(place, inputs, make_environments(place.store, installer))


async def reproduce(failure: Failure, place: Place, *, with_texts: bool = False) -> Reproduction:
    """Make the script for a failure, and try it in the environment of its cell.

    Raises:
        UsageError: no script can show this case, or only the user's own texts fail and ``with_texts`` is off.
        HarnessError: the environment or the model cannot be made, or a process of the cell ended.
    """
    recipe, private = choose_recipe(failure.case, failure.service), place.matrix.corpus_path
    if recipe.starts and not recipe.dtype and with_texts and private is not None:
        recipe = replace(recipe, starts=(*recipe.starts, "own"))
    corpus = str(private) if with_texts and private is not None else ""
    async with open_cells(place) as cells:
        expected = await _record_baseline(failure, recipe, cells, corpus) if recipe.before else {}
        async with cells.open(failure.planned) as process:
            place.say(f"shrinking the input of {failure.case}")
            answer = await process.shrink(failure, recipe, expected)
            _require_input(failure, answer, left_out=private is not None and not with_texts)
            script = _write(failure, recipe, answer, expected, shipped=is_shipped_model(place.matrix.model))
            text = render_script(script)
            code, printed = await process.try_script(text, recipe)
    right = describe_versions(failure.baseline, script.pins) if failure.right and failure.baseline else ""
    shown = Shown(failure.case, failure.machine, right, printed, _needs_torch(script.pins))
    return Reproduction(text, render_issue(script, shown), printed, fails=code == 1)


def _require_input(failure: Failure, answer: Answer, *, left_out: bool) -> None:
    if answer.error:
        raise MachineError(f"{failure.case}: the script cannot be tried in this cell: {answer.error}")
    if answer.input is None:
        texts = "; your own texts were left out: add --with-texts" if left_out else ""
        raise UsageError(
            f"{failure.case}: none of {answer.calls} inputs fails in {failure.planned.cell.id} here{texts}"
        )


async def _record_baseline(
    failure: Failure, recipe: Recipe, cells: Cells, corpus: str
) -> dict[str, list[float]]:
    """The vectors of a corpus in the environment of the baseline, by text."""
    if failure.baseline is None:
        raise UsageError(f"{failure.case}: the run has no baseline to compare with")
    cells.place.say("embedding the corpus with the baseline")
    texts = [sentence.text for sentence in load_corpus(corpus)]
    async with cells.open(failure.baseline) as process:
        answer = await process.shrink(failure, recipe, {}, record=texts)
    if answer.error:
        raise MachineError(f"{failure.case}: the baseline cannot embed the corpus: {answer.error}")
    return answer.vectors


def _write(
    failure: Failure, recipe: Recipe, answer: Answer, expected: dict[str, list[float]], *, shipped: bool
) -> Script:
    """The final script, with the shrunk input and the versions of the cell."""
    given = answer.input or []
    pins = list_pins(recipe, failure.planned, answer.needed)
    constants: dict[str, Any] = {"FORM": answer.form}
    if expected:
        constants["EXPECTED"] = {text: expected[text] for text in given}
    return Script(
        recipe=recipe,
        given=given,
        allowed=failure.choose_allowed(recipe),
        pins=pins,
        python=failure.planned.lock.python,
        model=SHIPPED_MODEL if shipped else None,
        subject=describe_versions(failure.planned, pins),
        constants=constants,
    )


def hide_paths(text: str, places: Mapping[Path, str]) -> str:
    """The text with names in place of these paths, which say where things are on this machine."""
    for path in sorted(places, key=lambda each: -len(str(each))):
        text = text.replace(str(path), places[path])
    return text


def list_pins(recipe: Recipe, planned: PlannedCell, needed: list[str]) -> tuple[str, ...]:
    """The versions that a script needs, without local labels such as ``+cpu``, which no index has."""
    wanted = {"numpy": {"numpy"}, "torch": {"numpy", "torch"}, "library": {*needed}}[recipe.needs]
    found = (each for each in planned.lock.distributions if each.name in wanted)
    return tuple(f"{each.name}=={each.version.partition('+')[0]}" for each in found)


def describe_versions(planned: PlannedCell, pins: tuple[str, ...]) -> str:
    """The versions of a cell that its matrix sweeps or a gate changes, of what a script needs."""
    names = {pin.partition("==")[0] for pin in pins}
    axes = {name: version for name, version in planned.cell.axes.items() if name in names}
    return ", ".join(f"{name} {version}" for name, version in (axes or planned.cell.axes).items())


def _needs_torch(pins: tuple[str, ...]) -> bool:
    return platform.system() == "Linux" and any(pin.startswith("torch==") for pin in pins)
