"""Normalizers of the field, as functions of an array (n, d): what people write instead of a utility.

Packages are imported in the call, so a cell without one of them skips its cases.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Callable, Dict

import numpy as np

from harness.cell.normalization import to_tensor

EPS = 1e-12
"""The eps of torch, which is common in manual code."""

Recipe = Callable[[np.ndarray], Any]


class AbsentError(Exception):
    """This cell has no such package or function."""


def _norms(rows: np.ndarray) -> Any:
    return np.linalg.norm(rows, axis=1, keepdims=True)


def torch_functional(rows: np.ndarray) -> np.ndarray:
    """``torch.nn.functional.normalize`` with its defaults, which the reference calls."""
    from torch.nn.functional import normalize  # noqa: PLC0415 - see above

    return np.asarray(normalize(to_tensor(rows), p=2, dim=1).numpy())


def torch_norm_formula(rows: np.ndarray) -> np.ndarray:
    """``t / t.norm(dim=1, keepdim=True)``, without a guard."""
    tensor = to_tensor(rows)
    return np.asarray((tensor / tensor.norm(dim=1, keepdim=True)).numpy())


def sklearn(rows: np.ndarray) -> Any:
    """``sklearn.preprocessing.normalize``.

    Raises:
        AbsentError: scikit-learn is not installed.
    """
    try:
        from sklearn.preprocessing import normalize  # noqa: PLC0415 - see above
    except ImportError as error:
        raise AbsentError("scikit-learn is not installed in this cell") from error
    return normalize(rows)


def faiss(rows: np.ndarray) -> Any:
    """``faiss.normalize_L2``, which works in place on float32.

    Raises:
        AbsentError: faiss is not installed.
    """
    try:
        from faiss import normalize_L2  # noqa: PLC0415 - see above
    except ImportError as error:
        raise AbsentError("faiss is not installed in this cell") from error
    units = rows.copy()
    normalize_L2(units)
    return units


def openvino_graph(rows: np.ndarray) -> Any:
    """``NormalizeL2`` in the graph, with its eps as a maximum, executed in float32.

    Raises:
        AbsentError: openvino is not installed.
    """
    return np.array(_compile_graph(rows.dtype.name)(rows)[0])


@lru_cache(maxsize=None)
def _compile_graph(dtype: str) -> Any:
    try:
        import openvino as ov  # noqa: PLC0415 - see above

        try:
            from openvino import opset8  # noqa: PLC0415
        except ImportError:  # before 2024
            from openvino.runtime import opset8  # noqa: PLC0415
    except ImportError as error:
        raise AbsentError("openvino is not installed in this cell") from error
    given = opset8.parameter([-1, -1], np.dtype(dtype).type)
    units = opset8.normalize_l2(given, np.array([1], np.int64), EPS, "max")
    return ov.Core().compile_model(ov.Model([units], [given]), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


def vector_norm(rows: np.ndarray) -> Any:
    """``np.linalg.vector_norm``, new in NumPy 2.0.

    Raises:
        AbsentError: this NumPy is older.
    """
    norm = getattr(np.linalg, "vector_norm", None)
    if norm is None:
        raise AbsentError("this NumPy has no linalg.vector_norm")
    norms = norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms == 0, 1, norms)


def vecdot(rows: np.ndarray) -> Any:
    """``np.vecdot``, new in NumPy 2.0.

    Raises:
        AbsentError: this NumPy is older.
    """
    dot = getattr(np, "vecdot", None)
    if dot is None:
        raise AbsentError("this NumPy has no vecdot")
    norms = np.sqrt(dot(rows, rows))[:, None]
    return rows / np.where(norms == 0, 1, norms)


def one_by_one(rows: np.ndarray) -> Any:
    """The manual formula on each text by itself."""

    def _unit(row: np.ndarray) -> Any:
        norm = np.linalg.norm(row)
        return row / np.where(norm == 0, 1, norm)

    return np.stack([_unit(row) for row in rows])


RECIPES: Dict[str, Recipe] = {
    "torch-functional": torch_functional,
    "torch-norm-formula": torch_norm_formula,
    "sklearn": sklearn,
    "faiss": faiss,
    "openvino-graph": openvino_graph,
    "additive-eps": lambda rows: rows / (_norms(rows) + EPS),
    "additive-float64-eps": lambda rows: rows / (_norms(rows) + np.float64(EPS)),
    "max-eps": lambda rows: rows / np.maximum(_norms(rows), EPS),
    "max-float32-eps": lambda rows: rows / np.maximum(_norms(rows), np.finfo(np.float32).eps),
    "max-float64-eps": lambda rows: rows / np.maximum(_norms(rows), np.finfo(np.float64).eps),
    "one-by-one": one_by_one,
    "vector-norm": vector_norm,
    "vecdot": vecdot,
}
"""Name -> normalizer; the values of an axis of ``l0.others`` and ``api.promotion``."""
