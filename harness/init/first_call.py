"""Call the service once in its environment, before anything is written about it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from harness.cell.interface import DEFAULT_NORMALIZER
from harness.errors import MachineError, UsageError
from harness.held import temporary_folder
from harness.init.project import WheelModel, find_installed_models
from harness.init.subject_form import SubjectForm
from harness.init.versions import Today
from harness.isolation import NONE, Isolation
from harness.matrix.schema import Model, Subject
from harness.matrix.variables import make_cell_environment
from harness.processes import describe_exit, run
from harness.store.environments import Installer
from harness.store.inputs import SUITE_COPY, CellInputs, snapshot_suite
from harness.store.models import make_environments, obtain_model
from harness.store.store import Store

TEXTS = ["A short text.", "Another one, a little longer than the first.", "Zürich, 東京 and a third text"]
SECONDS = 600.0
"""Limit of a trial: conversion of a large model takes minutes."""

UNIT = 1e-2
"""Largest distance from 1 of the norm of a normalized vector, float16 included."""

EMBED, QUERIES = "embed three texts", "embed three queries"
"""The steps of a trial that fail for a service of another form."""

Say = Callable[[str], None]


class Trial(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """The result of a trial; ``error`` is empty, or what happened at ``step``.

    The dtype of lists is what they hold, such as ``list of lists of floats``. ``where`` is the line in the
    code of the service; ``missing`` is a module that is not installed.
    """

    shape: tuple[int, ...] = ()
    dtype: str = ""
    norms: tuple[float, ...] = ()
    final_dtype: str = ""
    final_norms: tuple[float, ...] = ()
    query_dtype: str = ""
    query_norms: tuple[float, ...] = ()
    step: str = ""
    error: str = ""
    where: str = ""
    missing: str = ""

    @property
    def normalized(self) -> bool:
        """Whether the embeddings had length one before any normalizer, those of queries too."""
        return all(abs(norm - 1) <= UNIT for norm in (*self.norms, *self.query_norms))

    @property
    def is_listed(self) -> bool:
        """Whether vectors came as lists of numbers, which have no dtype."""
        return any(" of " in dtype for dtype in (self.dtype, self.query_dtype))


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """A trial, and the model that it took."""

    trial: Trial
    model: Model
    folder: Path


async def try_forms(  # noqa: PLR0913, PLR0917 - one parameter an ingredient
    forms: Sequence[SubjectForm],
    today: Today,
    model: Model | None,
    store: Store,
    installer: Installer,
    say: Say,
    isolation: Isolation = NONE,
) -> tuple[SubjectForm, Tried]:
    """The first form in which a service embeds texts, with its trial; else the first form that was tried.

    Raises:
        HarnessError: as ``try_service``.
    """
    common = (store, installer, say, isolation)
    tried = [(forms[0], await try_service(forms[0], today, model, *common))]
    for form in forms[1:]:
        before, failed = tried[-1][0], tried[-1][1].trial
        if not _may_help(form, before, failed):
            continue
        say(_describe_change(form, before, failed))
        tried.append((form, await try_service(form, today, tried[0][1].model, *common)))
    return next((each for each in tried if not each[1].trial.error), tried[0])


def _may_help(form: SubjectForm, before: SubjectForm, failed: Trial) -> bool:
    """Whether a form differs from the one before in the part that failed, and in no other."""
    if failed.step == QUERIES:
        return form.each is before.each and (not form.query or form.query_each is not before.query_each)
    alike = bool(form.query) is bool(before.query) and form.query_each is before.query_each
    return failed.step == EMBED and alike and form.each is not before.each


def _describe_change(form: SubjectForm, before: SubjectForm, failed: Trial) -> str:
    if failed.step == EMBED:
        return "it takes no list of texts, so it is called once per text"
    if form.query:
        return "queries are taken in no list, so they are embedded one by one"
    where = f" ({failed.where})" if failed.where else ""
    return (
        f"{before.query_name} is left out, so documents alone are judged: it cannot {failed.step}: "
        f"{failed.error}{where}"
    )


async def try_service(  # noqa: PLR0913, PLR0917 - one parameter an ingredient
    form: SubjectForm,
    today: Today,
    model: Model | None,
    store: Store,
    installer: Installer,
    say: Say,
    isolation: Isolation = NONE,
) -> Tried:
    """Make the environment, obtain the model, and call the service on three texts.

    Without ``model`` it is looked for in the distributions of the environment; its paths are absolute.

    Raises:
        UsageError: no model was found, or several.
        StoreError: the environment or the model cannot be made.
        MachineError: the process of the service ended without a result.
    """
    store.claim()
    async with AsyncExitStack() as stack:
        say(f"making the environment ({len(today.lock.distributions)} packages)")
        suite = await snapshot_suite(store, stack)
        python = await stack.enter_async_context(
            make_environments(store, installer).use(today.cell, today.lock, say)
        )
        chosen = model or _choose_model(sorted((python.parent.parent / "lib").glob("python3*/site-packages")))
        if chosen.distribution and not chosen.folder:
            chosen = await _find_in_distribution(chosen.distribution, installer)
        local = Path(chosen.path) if chosen.path else None
        obtained = await obtain_model(chosen, local, store, installer, say, stack)
        inputs = CellInputs(
            suite=suite,
            identity={},
            model_dir=obtained.folder,
            subject=_name_subject(form),
            search_path=form.roots,
            isolation=isolation,
        )
        say("calling the service on three texts")
        return Tried(trial=await _call(form, inputs, today, python), model=chosen, folder=obtained.folder)


def _name_subject(form: SubjectForm) -> Subject:
    """What is called, with the normalizer apart, so that vectors are seen before and after it."""
    normalizer = form.normalizer or DEFAULT_NORMALIZER
    if form.query:
        return Subject(query=form.query, document=form.embedder, normalizer=normalizer)
    return Subject(embedder=form.embedder, normalizer=normalizer)


async def _find_in_distribution(distribution: str, installer: Installer) -> Model:
    with temporary_folder("model") as folder:
        await installer.unpack(distribution, folder / "unpacked", Path(sys.executable))
        return _choose_model([folder / "unpacked"])


def _choose_model(sites: Sequence[Path]) -> Model:
    found = [each for site in sites for each in find_installed_models(site)]
    if len(found) != 1:
        raise UsageError(_describe_models(found))
    return Model(distribution=found[0].distribution, folder=found[0].folder)


def _describe_models(found: list[WheelModel]) -> str:
    if found:
        named = " or ".join(f"--model {each.distribution}" for each in found)
        return f"{len(found)} packages bring a model along; name that of the service: {named}"
    return (
        "no model folder was found (modules.json, or config.json with weights, here or in a package that "
        "the service imports); name it: --model path/to/all-MiniLM-L6-v2, or --model NAME==VERSION for a "
        "package that holds it"
    )


async def _call(form: SubjectForm, inputs: CellInputs, today: Today, python: Path) -> Trial:
    with temporary_folder("trial") as workdir:
        adapters = workdir / "adapter"
        adapters.mkdir()
        if form.adapter:
            (adapters / f"{form.adapter_name}.py").write_text(form.adapter, encoding="utf-8")
        spec = inputs.make_spec("trial", today.lock, workdir, ())
        spec = spec.__class__(**{**vars(spec), "search_path": (*spec.search_path, str(adapters))})
        files = [workdir / name for name in ("spec.json", "texts.json", "out.json")]
        spec.write(files[0])
        files[1].write_text(json.dumps(TEXTS), encoding="utf-8")
        inputs.suite.put(workdir / SUITE_COPY)
        argv = (str(python), "-m", "harness.cell.trial", *map(str, files))
        try:
            done = await run(
                inputs.wrap(argv, python, spec),
                env=make_cell_environment(python, workdir / SUITE_COPY, workdir, 1),
                cwd=workdir,
                timeout=SECONDS,
                isolated=inputs.is_isolated,
            )
        except TimeoutError:
            raise MachineError(f"the service did not answer within {SECONDS:g} s") from None
        if done.returncode != 0 or not files[2].is_file():
            printed = (done.stderr.strip() or "without output").splitlines()[-1]
            hint = inputs.isolation.explain(done.stderr)
            raise MachineError(
                f"the process of the service {describe_exit(done.returncode)}: {printed[:500]}"
                + (f"; {hint}" if hint else "")
            )
        trial = msgspec.json.decode(files[2].read_bytes(), type=Trial)
        hint = inputs.isolation.explain(trial.error)
        return msgspec.structs.replace(trial, error=f"{trial.error}; {hint}") if hint else trial
