"""The files that ``harness init`` writes: the text of the matrix, and all of them complete or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from harness.errors import MachineError, UsageError
from harness.files import describe_os_error, hash_file, write_whole
from harness.init.subject_form import SubjectForm
from harness.init.versions import Today
from harness.matrix.schema import Model
from harness.resolve.packages import Choice
from harness.store.models import find_weights

_HEAD = """\
# What `harness sweep` and `harness gate` judge; written by `harness init`, yours to edit.
schema = 1
title = {title}

[axes] # the versions that a sweep compares: add some, or other packages
numpy = [{numpy}]

[baseline] # what the service runs on today
numpy = {numpy}

[pins]
{pins}

[subject]
{subject}

[model]
{model}

[gate]
file = {file} # compared by `harness gate` without arguments
{choice}"""


def render_matrix(  # noqa: PLR0913 - one parameter an ingredient
    path: Path,
    *,
    title: str,
    form: SubjectForm,
    today: Today,
    model: Model,
    folder: Path,
    file: Path,
    choice: Choice,
) -> str:
    """The matrix of a service as TOML; ``folder`` holds the model, ``file`` is the dependency file.

    ``choice`` is what the service uses of a lock. Paths in it are relative to the folder of ``path``.
    """
    pins = {"python": today.python, **{name: pin for name, pin in today.pins.items() if name != "numpy"}}
    roots = [_relative(root, path.parent) for root in form.roots] + (["."] if form.adapter else [])
    subject = {**form.keys(), "search-path": roots}
    if form.each:
        subject["batch"] = 1  # as in production: more texts are more calls
    if today.requires:
        subject["requires"] = list(today.requires)
    return _HEAD.format(
        title=_quote(title),
        numpy=_quote(today.pins["numpy"].value),
        pins="\n".join(
            f"{name} = {{ version = {_quote(pin.value)}, reason = {_quote(pin.origin)} }}"
            for name, pin in pins.items()
        ),
        subject=_lines(subject),
        model=_lines(_model_keys(model, folder, path.parent)),
        file=_quote(_relative(file, path.parent)),
        choice="".join(
            f"{key} = {_quote(list(names))}\n"
            for key, names in (("extras", choice.extras), ("groups", choice.groups))
            if names
        ),
    )


def _model_keys(model: Model, folder: Path, base: Path) -> dict[str, object]:
    if model.distribution is None:
        return {"path": _relative(folder, base)}
    keys: dict[str, object] = {"distribution": model.distribution, "folder": model.folder}
    if weights := find_weights(folder):
        keys |= {"weights": weights, "weights-sha256": hash_file(folder / weights)}
    return keys


def _lines(keys: Mapping[str, object]) -> str:
    return "\n".join(f"{key} = {_quote(value)}" for key, value in keys.items())


def _quote(value: object) -> str:
    """A text or a list of texts in TOML; its escapes are those of JSON."""
    return json.dumps(value, ensure_ascii=False)


def _relative(path: Path, base: Path) -> str:
    return Path(os.path.relpath(path, base)).as_posix()


# Writing

IGNORED = "reports/runs/"
"""What a project does not commit: the runs, which hold megabytes of logs and results."""


class NewFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file to write, with its whole text."""

    path: Path
    text: str


def refuse_existing(files: Sequence[Path], folder: Path, *, force: bool) -> None:
    """Refuse to overwrite files.

    Raises:
        UsageError: one exists; nothing was changed.
    """
    there = [str(path.relative_to(folder)) for path in files if path.exists()]
    if there and not force:
        raise UsageError(f"{' and '.join(there)} exists; --force writes it again; nothing was changed")


def ignore_runs(folder: Path) -> NewFile | None:
    """The ``.gitignore`` with an entry for runs; None if it has one."""
    path = folder / ".gitignore"
    text = path.read_text(encoding="utf-8", errors="surrogateescape") if path.is_file() else ""
    entries = {line.strip().lstrip("/").rstrip("/*") for line in text.splitlines()}
    if entries & {"reports", "reports/runs"}:
        return None
    joint = "" if not text or text.endswith("\n") else "\n"
    return NewFile(path=path, text=f"{text}{joint}{IGNORED}\n")


def write_files(files: Sequence[NewFile]) -> None:
    """Write the files in order.

    Raises:
        MachineError: no room, no permission; the files after that one are absent.
    """
    for file in files:
        try:
            write_whole(file.path, file.text.encode("utf-8", errors="surrogateescape"))
        except OSError as error:
            raise MachineError(f"{file.path} cannot be written: {describe_os_error(error)}") from error
