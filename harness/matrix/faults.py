"""The validation rules of a matrix file; each yields one message per fault, which begins with the key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from packaging.utils import InvalidName, canonicalize_name
from packaging.version import Version

from harness.cell.interface import FEATURE, LIBRARY_CHECK, load_checks
from harness.files import fault_below
from harness.input_files import input_fault
from harness.matrix.expand import ROW_NOTES, axis_names, cell_id
from harness.matrix.requirement import is_exact, parse_requirement, specifier_fault, version_fault
from harness.matrix.rules import rule_faults
from harness.matrix.schema import (
    FIRST_DAY,
    LAST_DAY,
    MAX_MEMORY,
    MIN_MEMORY,
    SHIPPED,
    MatrixFile,
    MatrixRow,
    Subject,
    parse_memory,
)
from harness.matrix.toml_file import suggest
from harness.matrix.variables import is_reserved

MAX_ID = 200
"""Bytes of a cell id and of a matrix name: both become file names, which are limited to 255 bytes."""


def faults_of(file: MatrixFile, folder: Path) -> Iterator[str]:
    """The faults that can be found before expansion; paths are relative to ``folder``."""
    yield from _name_faults(file)
    yield from _axis_faults(file)
    yield from rule_faults(file)
    yield from _row_faults(file)
    yield from _exclude_faults(file)
    yield from _specifier_faults(file)
    yield from _requirement_faults(file)
    yield from _limit_faults(file)
    yield from _model_faults(file)
    yield from _subject_faults(file.subject)
    yield from _path_faults(file, folder)


def faults_of_rows(file: MatrixFile, rows: tuple[MatrixRow, ...]) -> Iterator[str]:
    """The faults that can be found after expansion: ids, sources, the baseline."""
    ids: dict[str, MatrixRow] = {}
    for row in rows:
        if len(cell := cell_id(row.versions)) > MAX_ID:
            yield f"the id of a cell has {len(cell)} characters, at most {MAX_ID}; sweep fewer axes: {cell}"
        if (other := ids.setdefault(cell_id(row.versions), row)) is not row:
            yield f"two cells have the id {cell_id(row.versions)}: {_listed(other)}; {_listed(row)}"
        for name in row.source:
            if name not in row.versions:
                near = suggest(name, row.versions)
                yield f"include: source: the row of {_listed(row)} does not name {name!r}{near}"
    if file.baseline and not any(row.versions == file.baseline for row in rows):
        named = ", ".join(f"{name} {version}" for name, version in file.baseline.items())
        near = suggest(cell_id(file.baseline), ids)
        yield f"baseline: {named} names no cell{near}; name every axis of one cell"


def _name_faults(file: MatrixFile) -> Iterator[str]:
    included = [(f"include[{at}]", name) for at, row in enumerate(file.include) for name in row]
    named = [("axes", name) for name in file.axes] + [("pins", name) for name in file.pins]
    named += [(where, name) for where, name in included if name not in ROW_NOTES]
    for where, name in named:
        if name in ROW_NOTES:
            yield f"{where}.{name}: expected a package, found a key of include and exclude rows"
        elif fault := _name_fault(name):
            yield f"{where}.{name}: {fault}"


def _name_fault(name: str) -> str:
    """Why a text is not a normalized package name; empty if it is."""
    try:
        proper = canonicalize_name(name, validate=True)
    except InvalidName:
        return "expected the name of a package"
    return "" if name == proper else f"expected the normalized name {proper!r}"


def _axis_faults(file: MatrixFile) -> Iterator[str]:
    for name, texts in file.axes.items():
        if name in file.pins:
            yield f"pins.{name}: the package is also an axis; keep either the axis or the pin"
        seen: set[Version] = set()
        for at, text in enumerate(texts):
            if fault := version_fault(text):
                yield f"axes.{name}[{at}]: {fault}"
            elif Version(text) in seen:
                yield f"axes.{name}[{at}]: duplicate version {text!r}; delete one"
            else:
                seen.add(Version(text))
    if file.cover is not None and len(file.axes) < file.cover:
        yield f"cover: expected at least {file.cover} axes under [axes], found {len(file.axes)}"
    axes = axis_names({"axes": file.axes, "pins": file.pins, "include": file.include})
    if "python" not in (*axes, *file.pins):
        yield (
            "pins.python: this key is required without a python axis, "
            'such as python = { version = "3.11", reason = "..." }'
        )
    pythons = [(f"axes.python[{at}]", text) for at, text in enumerate(file.axes.get("python", ()))]
    pythons += [("pins.python", pin.version) for name, pin in file.pins.items() if name == "python"]
    for where, text in pythons:
        if not re.fullmatch(r"3\.[0-9]{1,3}(\.[0-9]{1,3})?", text):
            yield f'{where}: expected a Python such as "3.11", found {text!r}'


def _row_faults(file: MatrixFile) -> Iterator[str]:
    for at, entry in enumerate(file.include):
        for name, value in entry.items():
            where = f"include[{at}].{name}"
            if isinstance(value, str) is (name == "source"):
                yield f"{where}: expected {'a list of names' if name == 'source' else 'one text'}"
            elif name == "reason" and isinstance(value, str) and not value.strip():
                yield f"{where}: expected a text that is not blank"
            elif isinstance(value, str) and name not in ROW_NOTES and (fault := version_fault(value)):
                yield f"{where}: {fault}"
    for name, text in file.baseline.items():
        if fault := version_fault(text):
            yield f"baseline.{name}: {fault}"


def _exclude_faults(file: MatrixFile) -> Iterator[str]:
    for at, row in enumerate(file.exclude):
        for name in row:
            if name not in (*file.axes, "reason"):
                yield f"exclude[{at}].{name}: no such axis{suggest(name, file.axes)}"
        if not row.get("reason", "").strip():
            yield f"exclude[{at}].reason: this key is required, with a text that is not blank"


def _specifier_faults(file: MatrixFile) -> Iterator[str]:
    ranged = [(f"pins.{name}.version", pin.version) for name, pin in file.pins.items()]
    for at, row in enumerate(file.exclude):
        ranged += [(f"exclude[{at}].{name}", text) for name, text in row.items() if name != "reason"]
    for where, text in ranged:
        if fault := version_fault(text) if is_exact(text) else specifier_fault(text):
            yield f"{where}: {fault}"


def _requirement_faults(file: MatrixFile) -> Iterator[str]:
    texts = [(f"subject.requires[{at}]", text) for at, text in enumerate(file.subject.requires)]
    if file.model.distribution is not None:
        texts.append(("model.distribution", file.model.distribution))
    for where, text in texts:
        try:
            specifier = str(parse_requirement(text).specifier)
        except ValueError as error:
            yield f"{where}: {error}"
            continue
        if where != "model.distribution":
            continue
        if not re.fullmatch(r"==[^*,]+", specifier):
            yield f'{where}: expected an exact version, "name==version", found {text!r}'
        elif fault := version_fault(specifier.removeprefix("==")):
            yield f"{where}: {fault}"


def _limit_faults(file: MatrixFile) -> Iterator[str]:
    if not parse_memory(MIN_MEMORY) <= file.limits.memory_bytes <= parse_memory(MAX_MEMORY):
        yield (
            f"limits.memory: expected a size from {MIN_MEMORY} to {MAX_MEMORY}, found {file.limits.memory!r}"
        )
    day = file.resolve.exclude_newer
    if day is not None and not FIRST_DAY <= day <= LAST_DAY:
        yield (
            f"resolve.exclude-newer: expected a day from {FIRST_DAY} to {LAST_DAY}, found {day}; "
            "delete the key to allow all uploads"
        )
    for at, name in enumerate(file.resolve.undated):
        if fault := _name_fault(name):
            yield f"resolve.undated[{at}]: {fault}"


def _model_faults(file: MatrixFile) -> Iterator[str]:
    model = file.model
    parts = {"folder": model.folder, "weights": model.weights, "weights-sha256": model.weights_sha256}
    if (model.distribution is None) is (model.path is None):
        yield "model: expected either distribution (name==version) or path (a local folder)"
    for key, value in parts.items():
        if model.distribution is not None and value is None and key == "folder":
            yield f"model.{key}: this key is required with distribution"
        if model.distribution is None and value is not None:
            yield f"model.{key}: this key is valid with distribution only; delete it"
    if model.weights_sha256 is not None and model.weights is None and model.distribution is not None:
        yield "model.weights: this key is required with weights-sha256: the file that it belongs to"
    for key in ("folder", "weights"):
        value = parts[key]
        if value is not None and (fault := fault_below(value)):
            within = "folder" if key == "weights" else "distribution"
            yield f"model.{key}: {value!r} {fault}; a path inside the {within} is expected"


def _subject_faults(subject: Subject) -> Iterator[str]:
    parts = [key for key in ("embedder", "normalizer") if getattr(subject, key) != getattr(Subject(), key)]
    if (subject.query is None) is not (subject.document is None):
        missing, given = ("document", "query") if subject.query else ("query", "document")
        yield f"subject.{missing}: this key is required with {given}; one function for both is a service"
    if subject.service and subject.document:
        yield "subject.service: expected either service, or query and document; delete one"
    if subject.final and parts:
        yield f"subject.{parts[0]}: a service returns final vectors, so this key has no effect; delete one"
    if not subject.final and not subject.normalized:
        yield "subject.normalized: this key is valid with service, or with query and document; delete it"
    for name in (*subject.env, *subject.pass_env):
        key = "env" if name in subject.env else "pass-env"
        if is_reserved(name):
            yield f"subject.{key}: {name} is set by the harness in every cell; choose another name"
    for name in sorted(set(subject.env) & set(subject.pass_env)):
        yield f"subject.pass-env: {name} has a value in env; delete one"
    known = _list_features() if subject.relies_on else ()
    for name in subject.relies_on:
        if name not in known:
            near = suggest(name, known)
            yield f"subject.relies-on: {name!r} is no function that is tried{near}; see matrices/README.md"


def _list_features() -> tuple[str, ...]:
    """The functions of the library that ``[subject] relies-on`` can name."""
    check = next(each for each in load_checks() if each.id == LIBRARY_CHECK)
    return dict(check.values)[FEATURE]


def _path_faults(file: MatrixFile, folder: Path) -> Iterator[str]:
    expected = (file.expected,) if isinstance(file.expected, str) else file.expected or ()
    files = [("expected", name) for name in expected if name != SHIPPED]
    single = {"tolerances": file.tolerances, "corpus": file.corpus, "gate.file": file.gate.file}
    if file.stored is not None:
        single |= {"stored.vectors": file.stored.vectors, "stored.texts": file.stored.texts}
    files += [(where, name) for where, name in single.items() if name is not None]
    folders = [(f"subject.search-path[{at}]", name) for at, name in enumerate(file.subject.search_path)]
    if file.model.path is not None:
        folders.insert(0, ("model.path", file.model.path))
    for where, name in files:
        if fault := input_fault(folder / name, "file"):
            yield f"{where}: {fault}"
    for where, name in folders:
        if fault := input_fault(folder / name, "folder"):
            yield f"{where}: {fault}"
    for at, name in enumerate(file.subject.reads):
        if input_fault(folder / name, "folder") and (fault := input_fault(folder / name, "file")):
            yield f"subject.reads[{at}]: {fault}"


def _listed(row: MatrixRow) -> str:
    return ", ".join(f"{name} {version}" for name, version in row.versions.items())
