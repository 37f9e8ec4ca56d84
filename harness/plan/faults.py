"""What a matrix file says that cannot be meant: each rule yields one sentence a fault, key first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import Version

from harness.files import fault_below
from harness.plan.expand import ROW_NOTES, axis_names, cell_id
from harness.plan.schema import SHIPPED, MatrixFile, MatrixRow
from harness.plan.toml_file import suggest
from harness.plan.versions import is_exact


def faults_of(file: MatrixFile, folder: Path) -> Iterator[str]:
    """Every fault that shows before expansion; paths are looked up from ``folder``."""
    yield from _name_faults(file)
    yield from _axis_faults(file)
    yield from _row_faults(file)
    yield from _exclude_faults(file)
    yield from _specifier_faults(file)
    yield from _requirement_faults(file)
    yield from _model_faults(file)
    yield from _path_faults(file, folder)


def faults_of_rows(file: MatrixFile, rows: tuple[MatrixRow, ...]) -> Iterator[str]:
    """Every fault that shows after expansion: ids, sources, the baseline."""
    ids: dict[str, MatrixRow] = {}
    for row in rows:
        if (other := ids.setdefault(cell_id(row.versions), row)) is not row:
            yield f"two cells of one id {cell_id(row.versions)}: {_listed(other)}; {_listed(row)}"
        for name in row.source:
            if name not in row.versions:
                near = suggest(name, row.versions)
                yield f"include: source: the row of {_listed(row)} does not name {name!r}{near}"
    if file.baseline and not any(row.versions == file.baseline for row in rows):
        said = ", ".join(f"{name} {version}" for name, version in file.baseline.items())
        near = suggest(cell_id(file.baseline), ids)
        yield f"baseline: {said} names no cell{near}; name every axis of one cell"


def _name_faults(file: MatrixFile) -> Iterator[str]:
    included = [(f"include[{at}]", name) for at, row in enumerate(file.include) for name in row]
    named = [("axes", name) for name in file.axes] + [("pins", name) for name in file.pins]
    named += [(where, name) for where, name in included if name not in ROW_NOTES]
    for where, name in named:
        try:
            proper = canonicalize_name(name, validate=True)
        except InvalidName:
            yield f"{where}.{name}: not the name of a package"
            continue
        if name in ROW_NOTES:
            yield f"{where}.{name}: a key of rows, not a package"
        elif name != proper:
            yield f"{where}.{name}: write it {proper!r}"


def _axis_faults(file: MatrixFile) -> Iterator[str]:
    for name, texts in file.axes.items():
        if name in file.pins:
            yield f"pins.{name}: it is an axis as well; keep the axis or the pin"
        seen: set[Version] = set()
        for at, text in enumerate(texts):
            if not is_exact(text):
                yield _not_exact(f"axes.{name}[{at}]", text)
            elif Version(text) in seen:
                yield f"axes.{name}[{at}]: {text!r} is there twice; delete one"
            else:
                seen.add(Version(text))
    axes = axis_names({"axes": file.axes, "pins": file.pins, "include": file.include})
    if "python" not in (*axes, *file.pins):
        yield 'pins.python: which Python? Write python = { version = "3.11", reason = "..." }, or an axis'
    pythons = [(f"axes.python[{at}]", text) for at, text in enumerate(file.axes.get("python", ()))]
    pythons += [("pins.python", pin.version) for name, pin in file.pins.items() if name == "python"]
    for where, text in pythons:
        if not re.fullmatch(r"3\.\d+(\.\d+)?", text):
            yield f'{where}: {text!r} is not a Python such as "3.11"'


def _row_faults(file: MatrixFile) -> Iterator[str]:
    for at, entry in enumerate(file.include):
        for name, value in entry.items():
            where = f"include[{at}].{name}"
            if isinstance(value, str) is (name == "source"):
                yield f"{where}: {'a list of names' if name == 'source' else 'one text'} is meant"
            elif isinstance(value, str) and name not in ROW_NOTES and not is_exact(value):
                yield _not_exact(where, value)
    for name, text in file.baseline.items():
        if not is_exact(text):
            yield _not_exact(f"baseline.{name}", text)


def _exclude_faults(file: MatrixFile) -> Iterator[str]:
    for at, row in enumerate(file.exclude):
        for name in row:
            if name not in (*file.axes, "reason"):
                yield f"exclude[{at}].{name}: no such axis{suggest(name, file.axes)}"
        if not row.get("reason"):
            yield f"exclude[{at}].reason: this key is required"


def _specifier_faults(file: MatrixFile) -> Iterator[str]:
    ranged = [(f"pins.{name}.version", pin.version) for name, pin in file.pins.items()]
    for at, row in enumerate(file.exclude):
        ranged += [(f"exclude[{at}].{name}", text) for name, text in row.items() if name != "reason"]
    for where, text in ranged:
        try:
            SpecifierSet(f"=={text}" if is_exact(text) else text)
        except InvalidSpecifier:
            yield f'{where}: {text!r} is neither a version ("1.26.2") nor a specifier (">=2")'


def _requirement_faults(file: MatrixFile) -> Iterator[str]:
    texts = [(f"subject.requires[{at}]", text) for at, text in enumerate(file.subject.requires)]
    if file.model.distribution is not None:
        texts.append(("model.distribution", file.model.distribution))
    for where, text in texts:
        try:
            specifier = str(Requirement(text).specifier)
        except InvalidRequirement as error:
            yield f"{where}: {text!r} is not a requirement: {str(error).splitlines()[0]}"
            continue
        if where == "model.distribution" and not re.fullmatch(r"==[^*,]+", specifier):
            yield f'{where}: {text!r} names no exact version; write "name==version"'


def _model_faults(file: MatrixFile) -> Iterator[str]:
    model = file.model
    parts = {"folder": model.folder, "weights": model.weights, "weights-sha256": model.weights_sha256}
    if (model.distribution is None) is (model.path is None):
        yield "model: say either distribution (name==version) or path (a local folder)"
    for key, value in parts.items():
        if model.distribution is not None and value is None:
            yield f"model.{key}: this key is required beside distribution"
        if model.distribution is None and value is not None:
            yield f"model.{key}: it belongs to a distribution; delete it"
    for key in ("folder", "weights"):
        value = parts[key]
        if value is not None and (fault := fault_below(value)):
            within = "folder" if key == "weights" else "distribution"
            yield f"model.{key}: {value!r} {fault}; a path inside the {within} is expected"


def _path_faults(file: MatrixFile, folder: Path) -> Iterator[str]:
    expected = (file.expected,) if isinstance(file.expected, str) else file.expected or ()
    named = [("expected", name) for name in expected if name != SHIPPED]
    single = {"tolerances": file.tolerances, "corpus": file.corpus, "model.path": file.model.path}
    named += [(where, name) for where, name in single.items() if name is not None]
    named += [(f"subject.search-path[{at}]", name) for at, name in enumerate(file.subject.search_path)]
    for where, name in named:
        if not (folder / name).exists():
            yield f"{where}: no such file or folder: {folder / name}"


def _not_exact(where: str, text: str) -> str:
    return f'{where}: {text!r} is not one exact version such as "1.26.2"'


def _listed(row: MatrixRow) -> str:
    return ", ".join(f"{name} {version}" for name, version in row.versions.items())
