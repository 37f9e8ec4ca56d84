"""The two environments of a gate before resolution: requirements of a matrix, a file or changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from harness.errors import UsageError
from harness.matrix.cells import ask_for, cells_of, suite_requirements
from harness.matrix.schema import Matrix
from harness.matrix.toml_file import refuse_all, suggest
from harness.records import Cell, LeftOut, Lock
from harness.resolve.dependency_file import EnvironmentFile
from harness.resolve.packages import holds, marker_environment
from harness.resolve.pip_settings import IndexSettings
from harness.resolve.resolve import Guidance, resolve


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """An environment before its resolution.

    ``label`` names its origin. ``tested`` (name -> requirement) are the packages under test; ``held`` are
    other pins of a file that they require. ``bounds`` are the requirements of the subject, extras included;
    they always apply. ``source`` are the names that may be built. ``origins`` (name -> place) is where a
    requirement comes from, if not from the matrix.
    """

    label: str
    python: str
    tested: dict[str, str]
    held: dict[str, str] = {}
    bounds: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    origins: dict[str, str] = {}
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def asked(self) -> dict[str, str]:
        """Name -> requirement, without the suite."""
        return self.held | self.tested

    def to_cell(self, cell: str, *, suite: bool = True) -> Cell:
        """The cell to resolve; a requirement here replaces the suite's own on the same package."""
        added = suite_requirements() if suite else ()
        suite_own = [text for text in added if canonicalize_name(Requirement(text).name) not in self.asked]
        return Cell(
            id=cell,
            axes={},
            requirements=tuple(sorted({*self.asked.values(), *suite_own, *self.bounds})),
            python=self.python,
            source=self.source,
        )


def side_of_matrix(matrix: Matrix) -> Side:
    """The baseline cell of a matrix.

    Raises:
        UsageError: the matrix has no baseline.
    """
    cell = next((each for each in cells_of(matrix) if each.baseline), None)
    if cell is None:
        raise UsageError(f"{matrix.path}: no [baseline]; add one, or use --from FILE")
    row = next(each for each in matrix.rows if each.versions == matrix.baseline)
    versions = {name: pin.version for name, pin in matrix.pins.items()} | row.versions
    return _side(matrix, cell.id, versions, cell.source)


def side_of_pins(matrix: Matrix) -> Side:
    """The defaults of a matrix for every environment: its baseline, or else its pins.

    Raises:
        UsageError: the matrix does not define the Python.
    """
    if matrix.baseline:
        return side_of_matrix(matrix)
    if "python" not in matrix.pins:
        raise UsageError(f"{matrix.path}: neither a [baseline] nor a pin of python; add one of them")
    rows = (name for row in matrix.rows for name in row.versions)
    versions = dict.fromkeys((*matrix.axes, *rows), "")
    versions |= {name: pin.version for name, pin in matrix.pins.items()}
    return _side(matrix, f"the pins of {matrix.name}", versions, ())


def _side(matrix: Matrix, label: str, versions: Mapping[str, str], source: tuple[str, ...]) -> Side:
    """A side of exact versions and specifiers by name; an empty one allows any version."""
    environment, where = marker_environment(versions["python"]), f"{matrix.path}: subject.requires"
    required = [
        each
        for each in map(Requirement, matrix.subject.requires)
        if each.marker is None or holds(each.marker, environment, where)
    ]
    asked = {name: ask_for(name, text) for name, text in versions.items() if name != "python"}
    for each in required:
        name = canonicalize_name(each.name)
        asked[name] = add_extras(asked.get(name, name), str(each))
    return Side(
        label=label,
        python=versions["python"],
        tested=asked,
        bounds=tuple(sorted(_normalize(str(each)) for each in required)),
        source=source,
    )


def add_extras(text: str, other: str) -> str:
    """A requirement with the extras of another one added."""
    asked = Requirement(text)
    extras = sorted({*asked.extras, *Requirement(other).extras})
    return f"{asked.name}[{','.join(extras)}]{asked.specifier}" if extras else text


def select_extras(asked: Mapping[str, str]) -> dict[str, str]:
    """The requirements that have extras, at any version."""
    return {name: add_extras(name, text) for name, text in asked.items() if Requirement(text).extras}


async def side_of_file(
    file: EnvironmentFile, matrix: Matrix, settings: IndexSettings, *, default: Side
) -> Side:
    """The environment of a file: packages under test, and the pins that they require.

    ``default`` has the packages that the file does not name. Required packages are found by resolving with
    the pins of the file as constraints; with fewer constraints if there is no solution.

    Raises:
        UsageError: a required package comes from a URL or path, or is pinned twice, or is only in an extra or
            group that is not chosen.
        MachineError: uv or the network failed.
    """
    found = {name: package.requirement for name, package in file.packages.items() if not package.fault}
    notes = list(file.notes)
    if matrix.resolve.torch == "cpu" and "torch" in found:
        found["torch"] = _without_local(found["torch"])
    tested = {name: found.get(name, text) for name, text in default.tested.items()}
    refuse_unusable(file, tested)
    if absent := [name for name in tested if name not in file.packages]:
        notes.append(f"{file.place} does not name {', '.join(absent)}: as in {default.label}")
    origins = default.origins | {name: package.where for name, package in file.packages.items()}
    side = msgspec.structs.replace(default, label=file.place, tested=tested, held={}, origins=origins)
    others = {name: text for name, text in found.items() if name not in tested}
    bounds = tuple(sorted(_without_extras(text) for text in others.values()))
    required = await _find_required(side, bounds, matrix, settings)
    while (held := select_extras({n: text for n, text in others.items() if n in required})) != side.held:
        side = msgspec.structs.replace(side, held=held)  # extras have requirements of their own
        required |= await _find_required(side, bounds, matrix, settings)
    _refuse_faults(file, required)
    left_out = tuple(
        LeftOut(file=file.place, name=name, reason="neither under test nor required by it")
        for name in sorted(file.packages.keys() - required - tested.keys())
    )
    held = {name: text for name, text in others.items() if name in required}
    return msgspec.structs.replace(side, held=held, left_out=left_out, notes=tuple(notes))


async def _find_required(
    side: Side, bounds: tuple[str, ...], matrix: Matrix, settings: IndexSettings
) -> set[str]:
    unbound = msgspec.structs.replace(side, tested={name: name for name in side.tested})
    for asked, constraints in ((side, bounds), (side, ()), (unbound, ())):
        cell = asked.to_cell(side.label, suite=False)
        guidance = Guidance(constraints=constraints, origins=side.origins)
        lock = await resolve(cell, matrix, settings, guidance)
        if not lock.reason:
            return {each.name for each in lock.distributions}
    return set()


def refuse_unusable(file: EnvironmentFile, tested: Collection[str]) -> None:
    """Refuse a file that does not say which version of a package under test it means.

    Raises:
        UsageError: one comes from a path or an address, or is only in an extra or group that is not chosen.
    """
    _refuse_faults(file, tested)
    _refuse_unchosen(file, tested)


def _refuse_faults(file: EnvironmentFile, required: Collection[str]) -> None:
    refuse_all(
        file.place,
        (
            f"{package.where}: {name}: {package.fault}; "
            f"write {name}==<version>, as `python -m pip list --format=freeze` shows it"
            for name, package in file.packages.items()
            if package.fault and name in required
        ),
    )


def _refuse_unchosen(file: EnvironmentFile, tested: Collection[str]) -> None:
    """Refuse a lock that has a package under test only for an extra or a group that is not chosen."""
    refuse_all(
        file.place,
        (
            f"{file.place}: {name} is under test, but not in what was chosen from this lock; "
            f"choose it with {option}"
            for name, option in file.unchosen.items()
            if name in tested
        ),
    )


def _without_local(text: str) -> str:
    """``torch==2.13.0+cu126`` as ``torch==2.13.0``, which the CPU build satisfies too."""
    asked = Requirement(text)
    clauses = sorted(str(each) for each in asked.specifier)
    asked.specifier = SpecifierSet(
        ",".join(each.partition("+")[0] if each.startswith("==") else each for each in clauses)
    )
    return str(asked)


def _normalize(text: str) -> str:
    """A requirement with a normalized name and its extras, which a file need not repeat."""
    asked = Requirement(text)
    return add_extras(f"{canonicalize_name(asked.name)}{asked.specifier}", text)


def _without_extras(text: str) -> str:
    asked = Requirement(text)
    return f"{asked.name}{asked.specifier}"


def versions_of(lock: Lock) -> dict[str, str]:
    """Name -> exact version of the distributions of a lock."""
    return {found.name: found.version for found in lock.distributions}


def is_lower(after: str, before: str) -> bool:
    """Whether a version is a downgrade; the build (``+cpu``) does not count."""
    return Version(Version(after).public) < Version(Version(before).public)


def change_side(baseline: Side, changes: Mapping[str, str], installed: Collection[str]) -> Side:
    """The baseline with these changes; other pins of its file may change too, and all extras are kept.

    Raises:
        UsageError: a package is neither under test nor in the baseline (``installed``).
    """
    known = {*baseline.tested, *installed}
    for name in changes:
        if name == "python":
            raise UsageError("python is not a package; use a matrix with another python")
        if name not in known:
            hint = suggest(name, known)
            raise UsageError(f"{name} is neither under test nor required by a package under test{hint}")
    label = f"{baseline.label} with {' '.join(changes.values())}"
    asked = baseline.asked
    tested = baseline.tested | {
        name: add_extras(text, asked[name]) if name in asked else text for name, text in changes.items()
    }
    origins = baseline.origins | {name: f"the change {text}" for name, text in changes.items()}
    held = select_extras({name: text for name, text in baseline.held.items() if name not in changes})
    return msgspec.structs.replace(
        baseline, label=label, tested=tested, origins=origins, held=held, left_out=(), notes=()
    )
