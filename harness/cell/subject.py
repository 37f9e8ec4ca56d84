"""The objects that a spec names by dotted path: the embedder and the normalizer under test."""

from __future__ import annotations

import importlib
from functools import reduce
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.cell.spec import CellSpec

SHIPPED = {"manual": "harness.cell.normalizers:manual", "stable": "harness.cell.normalizers:stable"}


def load_dotted(path: str) -> Any:
    """The object that ``module:name`` (or ``module:name.attribute``) names.

    Raises:
        ImportError: there is no such module, or no such name in it.
    """
    module, _, name = path.partition(":")
    if not name:
        raise ImportError(f"{path!r} names no object: write it as 'module:name'")
    try:
        return reduce(getattr, name.split("."), importlib.import_module(module))
    except AttributeError as error:
        raise ImportError(f"{path!r}: {error}") from error


def load_normalizer(spec: CellSpec, name: str) -> Any:
    """The normalizer that the axis value ``manual``, ``stable`` or ``subject`` stands for."""
    return load_dotted(SHIPPED.get(name, spec.normalizer))
