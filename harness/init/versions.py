"""Resolve the environment of a service: the versions of its dependency file, and what the reference needs."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import msgspec
from packaging.utils import canonicalize_name

from harness.errors import NoSolutionError
from harness.gate.sides import side_of_file, side_of_pins, versions_of
from harness.init.project import Chosen
from harness.matrix.schema import Matrix, Model, Pin, Subject
from harness.records import Cell, Lock
from harness.resolve.dependency_file import EnvironmentFile
from harness.resolve.indexes import check_indexes
from harness.resolve.packages import FilePackage
from harness.resolve.pip_settings import IndexSettings
from harness.resolve.resolve import Guidance, resolve

NEEDED = {
    "numpy": "the normalization under test",
    "openvino": "the embedding under test",
    "sentence-transformers": "the reference",
    "torch": "the reference runs on it",
}
"""What every environment has, and why."""

CORE = frozenset({*NEEDED, "transformers", "tokenizers", "optimum", "optimum-intel", "onnx", "onnxruntime"})
"""What decides about vectors, so that it is under test whenever the dependency file names it."""

OTHER_NAMES = {
    "sklearn": ("scikit-learn",),
    "PIL": ("pillow",),
    "yaml": ("pyyaml",),
    "cv2": ("opencv-python", "opencv-python-headless"),
    "faiss": ("faiss-cpu", "faiss-gpu"),
    "dotenv": ("python-dotenv",),
    "attr": ("attrs",),
    "google": ("protobuf",),
    "pydantic_settings": ("pydantic-settings",),
    "sentencepiece": ("sentencepiece",),
}
"""Import name -> distributions, where the names differ."""


class Today(msgspec.Struct, frozen=True, kw_only=True):
    """The environment of a service as it is.

    ``pins`` (name -> version with the origin) are the packages under test; ``requires`` are their extras.
    """

    python: Chosen
    cell: Cell
    lock: Lock
    pins: dict[str, Chosen]
    requires: tuple[str, ...]
    notes: tuple[str, ...]


def needed_packages(file: EnvironmentFile, names: Collection[str]) -> dict[str, FilePackage]:
    """The packages of a dependency file that decide about vectors, or that the service imports.

    ``names`` are the import names that its code uses.
    """
    wanted: set[str] = {canonicalize_name(name) for name in names if name}
    wanted |= {other for name in names for other in OTHER_NAMES.get(name, ())}
    return {name: package for name, package in file.packages.items() if name in CORE or name in wanted}


async def resolve_today(  # noqa: PLR0913, PLR0917 - one parameter an ingredient
    file: EnvironmentFile,
    needed: dict[str, FilePackage],
    added: tuple[str, ...],
    python: Chosen,
    settings: IndexSettings,
    place: Path,
) -> Today:
    """Resolve what a service runs on today; what its file does not name is the newest that fits.

    The resolver takes the newest sentence-transformers that goes with the transformers of the file. ``added``
    are requirements beside the file; ``place`` is the matrix file to be.

    Raises:
        NoSolutionError: the versions of the file, and what the reference needs, exclude each other.
        UsageError: a package comes from a path or an address, or is on no index.
        MachineError: uv or the network failed.
    """
    names = sorted({*NEEDED, *needed})
    extras = tuple(f"{name}[{','.join(each.extras)}]" for name, each in needed.items() if each.extras)
    matrix = Matrix(
        schema=1,
        title="today",
        model=Model(path="."),
        pins={
            "python": Pin(version=python.value, reason=python.origin),
            **{name: Pin(version="", reason=file.place) for name in names},
        },
        subject=Subject(requires=(*extras, *added)),
        path=place,
        rows=(),
    )
    default = side_of_pins(matrix)
    settings = await check_indexes(settings, [default.to_cell("today")])
    side = await side_of_file(file, matrix, settings, default=default)
    cell = side.to_cell("today")
    lock = await resolve(cell, matrix, settings, Guidance(origins=side.origins))
    if lock.reason:
        raise NoSolutionError(
            f"{file.place} has no solution together with the reference (sentence-transformers, torch) on "
            f"Python {python.value}: {lock.reason}"
        )
    versions = {name: version.partition("+")[0] for name, version in versions_of(lock).items()}
    pins = {name: Chosen(versions[name], _origin(name, needed, file)) for name in names if name in versions}
    return Today(python=python, cell=cell, lock=lock, pins=pins, requires=(*extras, *added), notes=file.notes)


def _origin(name: str, needed: dict[str, FilePackage], file: EnvironmentFile) -> str:
    if name not in needed:
        return f"{NEEDED[name]}, the newest that goes with {file.place}"
    specifier = needed[name].specifier
    return (
        file.place
        if specifier.startswith("==") and "*" not in specifier
        else f"{file.place}: {specifier or 'any'}"
    )


async def find_newest(today: Today, settings: IndexSettings, matrix: Matrix) -> str:
    """An upgrade to ask about first, such as ``numpy==2.4.6``; empty if every package is at its newest."""
    for name in ("numpy", "openvino", "transformers", "sentence-transformers"):
        if name not in today.pins:
            continue
        cell = Cell(id=name, axes={}, requirements=(name,), python=today.python.value)
        lock = await resolve(cell, matrix, settings, Guidance(alone=True))
        newest = versions_of(lock).get(name, "")
        if newest and newest != today.pins[name].value:
            return f"{name}=={newest}"
    return ""
