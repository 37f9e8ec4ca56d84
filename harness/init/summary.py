"""What ``harness init`` found, as lines for a terminal of 80 columns."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from pathlib import Path

from packaging.utils import canonicalize_name

from harness.errors import UsageError
from harness.init.candidates import Candidate
from harness.init.discovery import Project
from harness.init.first_call import Trial, Tried
from harness.init.subject_form import SubjectForm
from harness.init.versions import OTHER_NAMES, Today

WIDTH = 79
_INDENT = 12


def label(name: str, text: str) -> str:
    """A line ``name  text``; a long text continues below its beginning."""
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=f"{name:<{_INDENT}}",
        subsequent_indent=" " * _INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def describe_project(project: Project) -> list[str]:
    """The parts of a service, with what speaks for each."""
    embedder = project.embedder
    lines = [label("documents" if embedder.query else "embedder", _describe(embedder))]
    if embedder.query:
        lines.append(label("queries", embedder.query_dotted))
    if embedder.note:
        lines.append(label("", embedder.note))
    if project.normalizer is not None:
        lines.append(label("normalizer", _describe(project.normalizer)))
    return lines


def _describe(found: Candidate) -> str:
    method = f".{found.method}" if found.method and found.method != "__call__" else ""
    reasons = f" ({', '.join(found.reasons)})" if found.reasons else ""
    return f"{found.dotted}{method}{reasons}"


def describe_versions(today: Today) -> list[str]:
    """The versions of an environment by their origin, and what the dependency file left open."""
    origins: dict[str, list[str]] = {}
    for name, pin in {"Python": today.python, **today.pins}.items():
        origins.setdefault(pin.origin, []).append(f"{name} {pin.value}")
    lines = [label("", f"{', '.join(names)}: {origin}") for origin, names in origins.items()]
    return ["versions" + lines[0][len("versions") :], *lines[1:], *(f"note: {note}" for note in today.notes)]


def describe_trial(tried: Tried, form: SubjectForm, folder: Path) -> list[str]:
    """The result of a call, with the lengths of its vectors before and after the normalizer."""
    trial, model = tried.trial, tried.model
    rows, width = trial.shape
    place = model.distribution or Path(os.path.relpath(tried.folder, folder)).as_posix()
    lines = [label("model", f"{place} ({model.folder})" if model.folder else place)]
    lines.append(label("returns", f"{rows} x {width}, {trial.dtype}, norms {_range(trial.norms)}"))
    if form.query:
        queries = f"queries: {rows} x {width}, {trial.query_dtype}, norms {_range(trial.query_norms)}"
        lines.append(label("", queries))
    if form.each:
        lines.append(label("", "it takes one text, so the adapter calls it once per text; batch = 1"))
    if form.query_each:
        lines.append(label("", "it takes one query, so the adapter calls it once per query"))
    if trial.is_listed:
        lines.append(label("", _LISTED))
    lines.append(label("", _describe_length(trial, form)))
    return lines


_LISTED = (
    'lists carry no dtype, so the question "Dtype and zero rows kept?" will be answered no, unless the '
    "service returns an array; `harness accept` makes that a known fault"
)


def _describe_length(trial: Trial, form: SubjectForm) -> str:
    """What makes vectors of length one, and what is under test."""
    if form.query and trial.normalized:
        own = "the service normalizes its vectors itself, so both functions are judged as a whole"
        return f"{own}, without {form.normalizer}" if form.normalizer else own
    if form.query and form.normalizer:
        return (
            f"norms {_range(trial.final_norms)} after {form.normalizer}, which the adapter calls for both; "
            "with --query none, documents alone are judged, and the normalizer by itself"
        )
    if form.query:
        return (
            "nothing normalizes them, so directions are compared (normalized = false); if the service does, "
            "name its function with --normalizer MODULE:NAME"
        )
    if form.normalizer:
        return f"norms {_range(trial.final_norms)} after {form.normalizer}, {trial.final_dtype}"
    if trial.normalized:
        return "the service normalizes its vectors itself, so it is judged as a whole"
    return (
        "no function that normalizes them was found, so the plain NumPy formula is under test; "
        "name yours with --normalizer MODULE:NAME"
    )


def _range(norms: Sequence[float]) -> str:
    low, high = (f"{value:.4g}" for value in (min(norms), max(norms)))
    return low if low == high else f"{low} to {high}"


def refuse_failed(trial: Trial, project: Project) -> None:
    """Refuse a service that could not be called.

    Raises:
        UsageError: with the step, the line in its code, and what to do.
    """
    if not trial.error:
        return
    where = f" ({trial.where})" if trial.where else ""
    advice = _advise(trial, project)
    raise UsageError(f"{project.embedder.dotted}: cannot {trial.step}: {trial.error}{where}; {advice}")


def _advise(trial: Trial, project: Project) -> str:
    if trial.missing:
        if option := _find_option(trial.missing, project):
            return f"{project.file.place} has it in what was not chosen; choose it with {option}"
        return (
            f"if a package provides {trial.missing!r}, name it in {project.file.place}, or with "
            f"--requires {trial.missing.partition('.')[0]}"
        )
    if trial.step == "import":
        return "correct the import, or name another embedder, such as --embedder service.embed:Embedder"
    if trial.step == "make the embedder":
        return (
            "the harness calls it with the model folder alone; write a function that makes it so, and name "
            "that: --embedder service.embed:make_embedder"
        )
    if trial.step.startswith("normalize"):
        return "correct it, or name another one with --normalizer MODULE:NAME, or none"
    return "correct it, or name another one, such as --embedder service.embed:Embedder"


def _find_option(module: str, project: Project) -> str:
    """The option that chooses the package of a module from the lock; empty without one."""
    name = module.partition(".")[0]
    packages = (canonicalize_name(name), *OTHER_NAMES.get(name, ()))
    return next((option for each in packages if (option := project.file.unchosen.get(each))), "")
