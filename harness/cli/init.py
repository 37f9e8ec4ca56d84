"""The command ``init``, which prepares a project: it finds the service, tries it and writes a matrix."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, get_args

import click

from harness.cli.help import RESOLVED, Command
from harness.cli.options import choice_options, isolation_option, open_store, store_option
from harness.cli.screen import fit
from harness.cli.waiting import find_waiting
from harness.cli.workflow import PIPELINE_PYTHON, choose_home, refuse_credentials
from harness.errors import MachineError, UsageError
from harness.init.discovery import InitOptions, Project, look_at
from harness.init.first_call import Tried, try_forms
from harness.init.installed import describe_installation
from harness.init.project import find_forge
from harness.init.subject_form import SubjectForm, complete_form, list_forms
from harness.init.summary import describe_project, describe_trial, describe_versions, label, refuse_failed
from harness.init.versions import Today, find_newest, resolve_today
from harness.init.writing import NewFile, ignore_runs, refuse_existing, render_matrix, write_files
from harness.isolation import Level, find_isolation
from harness.matrix.read import read_matrix
from harness.report.escape import disarm_commands
from harness.report.workflows import Home, Pipeline, render_workflow
from harness.resolve.packages import make_choice
from harness.resolve.pip_settings import read_pip_settings
from harness.store.models import make_installer
from harness.sweep.interrupt import run_interruptibly

ForgeOption = Literal["github", "gitlab", "none"]
PIPELINES = {"github": (".github/workflows/gate.yml",), "gitlab": (".gitlab-ci.yml", ".gitlab/gate.yml")}
"""Where the pipeline of a forge goes: the second where the project has the first."""


@click.command(
    cls=Command, examples=("--yes", "--embedder service.embed:Embedder --normalizer none"), codes=RESOLVED
)
@click.option("--yes", is_flag=True, help="Ask nothing: take the single best, or refuse with a list.")
@click.option(
    "--embedder", metavar="MODULE:NAME", help="Class or function from texts, or one text, to vectors."
)
@click.option("--query", metavar="MODULE:NAME", help="Function of queries beside that of documents, or none.")
@click.option("--normalizer", metavar="MODULE:NAME", help="Function that scales vectors, or none.")
@click.option("--model", metavar="DIR|NAME==VERSION", help="The model folder, or a package that holds it.")
@click.option("--file", metavar="FILE", help="The dependency file of the service.")
@choice_options()
@click.option("--python", metavar="VERSION", help="Python of the service, such as 3.11.")
@click.option("--requires", multiple=True, metavar="REQUIREMENT", help="Add a package to the environment.")
@click.option("--name", default="service", show_default=True, help="Name of the matrix.")
@click.option("--forge", type=click.Choice(get_args(ForgeOption)), help="Where the pipeline runs.")
@click.option("--install", default="", metavar="REQUIREMENT", help="The harness for pip, in the pipeline.")
@click.option("--force", is_flag=True, help="Overwrite the files of an earlier `harness init`.")
@isolation_option
@click.option("--python-downloads", is_flag=True, help="Let uv download a missing Python.")
@store_option
def init(  # noqa: PLR0913 - one parameter an option
    *,
    yes: bool,
    forge: ForgeOption | None,
    install: str,
    isolation: Level,
    python_downloads: bool,
    store: Path | None,
    extras: tuple[str, ...],
    groups: tuple[str, ...],
    **named: str | tuple[str, ...] | bool | None,
) -> None:
    """Find the embedding service of this project, try it, and write a matrix and a pipeline for it.

    The service is called once on three texts, in an environment with the versions of the dependency file and
    the reference. Files are written at the end, and none of yours is overwritten.
    """
    refuse_credentials({"--install": install})
    choice = make_choice(extras, groups)
    options = InitOptions(**named, choice=choice)  # type: ignore[arg-type] # click has read the others
    ask = not yes and sys.stdin is not None and sys.stdin.isatty()
    run_interruptibly(
        _prepare(options, store, forge, install, isolation, ask=ask, downloads=python_downloads)
    )


async def _prepare(  # noqa: PLR0913 - one parameter an option
    options: InitOptions,
    store: Path | None,
    forge: ForgeOption | None,
    install: str,
    level: Level,
    *,
    ask: bool,
    downloads: bool,
) -> None:
    """Look, resolve, try, and write."""
    folder, wait = Path.cwd(), find_waiting().begin
    wait("the files of the project")
    project = await look_at(folder, options, _choose if ask else lambda *_: None)
    forms = list_forms(project.embedder, project.normalizer, options.name)
    install = install or describe_installation()
    pipeline = await _plan_pipeline(project, forge, install)
    adapters = [path for form in forms for path in _adapter_path(project, form)]
    planned = [project.matrix, *dict.fromkeys(adapters), *([pipeline.path] if pipeline else [])]
    refuse_existing(planned, folder, force=options.force)
    _print(describe_project(project))
    wait("the resolver, for the versions of the dependency file")
    settings = await read_pip_settings()
    today = await resolve_today(
        project.file, project.needed, options.requires, project.python, settings, project.matrix
    )
    _print(describe_versions(today))
    installer = make_installer(settings, downloads=downloads)
    wait("the environment and the model of the trial")
    isolation = await find_isolation(level, readable=(folder,))
    if isolation.reason and level != "none":
        _note(f"the service is not isolated: {isolation.reason}")
    form, tried = await try_forms(forms, today, project.model, open_store(store), installer, _note, isolation)
    refuse_failed(tried.trial, project)
    _print(describe_trial(tried, form, folder))
    form = complete_form(form, normalized=tried.trial.normalized)
    files = tuple(_render(project, form, today, tried, pipeline))
    wait("")  # for an answer
    if ask and not click.confirm(f"write {_listed(files, folder)}?", default=True):
        raise UsageError("nothing was written")
    write_files(files)
    _print([label("written", _listed(files, folder)), *_describe_pipeline(pipeline, forge, install)])
    wait("the index, for a newer release")
    upgrade = ""
    with contextlib.suppress(MachineError):  # the files are written; this is a proposal
        upgrade = await find_newest(today, settings, read_matrix(project.matrix))
    _print([label("next", _describe_next(upgrade))])


def _describe_next(upgrade: str) -> str:
    """The first question to ask; correctness takes minutes, latency as long as its budget."""
    if not upgrade:
        return "harness sweep"
    return f"harness gate {upgrade} (with --no-latency: correctness alone, in a few minutes)"


def _adapter_path(project: Project, form: SubjectForm) -> list[Path]:
    return [project.matrix.with_name(f"{form.adapter_name}.py")] if form.adapter else []


async def _plan_pipeline(project: Project, asked: ForgeOption | None, install: str) -> NewFile | None:
    """The file of the pipeline; None if the forge or the way to the harness is unknown.

    Raises:
        UsageError: a name has a special meaning in a pipeline.
    """
    forge = asked or await find_forge(project.folder)
    if forge is None or forge == "none" or not install:
        return None
    places = [project.folder / name for name in PIPELINES[forge]]
    path = places[1] if len(places) > 1 and places[0].exists() else places[0]
    home, _ = await choose_home(forge, install, project.folder)
    return NewFile(path=path, text=render_workflow(forge, _settings_of(project, install, home)))


def _settings_of(project: Project, install: str, home: Home | None) -> Pipeline:
    """The settings of the pipeline of a project."""
    file, matrix = (
        Path(os.path.relpath(path, project.folder)).as_posix() for path in (project.file_path, project.matrix)
    )
    return Pipeline(
        file=file,
        matrix=matrix,
        install=install,
        home=home,
        python=max(project.python.value, PIPELINE_PYTHON, key=lambda text: int(text.split(".")[1])),
    )


def _render(
    project: Project, form: SubjectForm, today: Today, tried: Tried, pipeline: NewFile | None
) -> Iterator[NewFile]:
    """The files in the order of writing; the matrix, without which nothing counts, is the last."""
    yield from (NewFile(path=path, text=form.adapter) for path in _adapter_path(project, form))
    if pipeline is not None:
        yield pipeline
    if (ignored := ignore_runs(project.folder)) is not None:
        yield ignored
    text = render_matrix(
        project.matrix,
        title=f"{project.folder.name}: {project.embedder.dotted}",
        form=form,
        today=today,
        model=tried.model,
        folder=tried.folder,
        file=project.file_path,
        choice=project.choice,
    )
    yield NewFile(path=project.matrix, text=text)


def _describe_pipeline(pipeline: NewFile | None, forge: ForgeOption | None, install: str) -> list[str]:
    if pipeline is not None and pipeline.path.parent.name == ".gitlab":
        return [label("to do", "add to .gitlab-ci.yml: include: [{local: .gitlab/gate.yml}]")]
    if pipeline is not None or forge == "none":
        return []
    if not install:
        why = "the harness was installed from a local folder, which a CI does not have"
        how = "harness workflow github --install git+https://HOST/OWNER/REPOSITORY@COMMIT"
    else:
        why, how = "this project has no remote on GitHub or GitLab", "harness workflow github"
    return [label("no pipeline", f"{why}; print one with `{how}` (or gitlab)")]


def _choose(question: str, lines: Sequence[str]) -> int | None:
    find_waiting().begin("")  # for an answer
    _print([question, *(f"  {number}  {line}" for number, line in enumerate(lines, start=1))])
    return int(click.prompt("number", type=click.IntRange(1, len(lines)))) - 1


def _listed(files: Sequence[NewFile], folder: Path) -> str:
    return ", ".join(str(each.path.relative_to(folder)) for each in files)


def _note(text: str) -> None:
    find_waiting().begin(text)
    _print([f"note: {text}"])


def _print(lines: Sequence[str]) -> None:
    for line in lines:
        click.echo(fit(disarm_commands(line), sys.stdout))


COMMANDS = (init,)
"""The commands of this module."""
