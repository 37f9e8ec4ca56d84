"""The largest limit that the catalogue lets a check have is the one that the suite derives for it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest

from harness.cell import normalization, oracle, vectors
from harness.cell.calls import KINDS
from harness.cell.interface import load_checks, select_cases
from harness.cell.normalization import (
    allowed,
    idempotence,
    measure,
    measure_reference,
    scale_invariance,
    unit_length,
)
from harness.cell.normalizers import manual, stable
from harness.cell.probable import bound_any, bound_formula

CHECKS = {check.id: check for check in load_checks()}
NORMALIZERS = {"manual": manual, "stable": stable}
LAYOUTS = ("fortran", "strided", "reversed", "read-only")

SOURCES = {"l0.reference/encode": bound_any(4096)}
"""Other cases with a derived limit."""

Rows = Callable[[str], Iterable[np.ndarray]]


SEVERAL = {"l0.layout", "l0.parity-layout", "l0.input-kinds"}
"""Checks whose inputs have bounds of their own, all below the limit."""


def floats(rows: np.ndarray) -> np.ndarray:
    return rows if rows.dtype.kind == "f" else rows.astype(np.float64)


def named(*names: str) -> Rows:
    return lambda dtype: (vectors.vectors(name, dtype) for name in names)


def lengths(dtype: str) -> Iterable[np.ndarray]:
    return (vectors.row_of(d, dtype) for d in vectors.DIMENSIONS)


def against_oracle(name: str, rows: np.ndarray) -> float:
    return measure(name, NORMALIZERS[name], rows).allowed


def parity(name: str, rows: np.ndarray) -> float:
    return against_oracle(name, rows) + measure_reference(normalization.reference, rows).allowed


def explored(name: str, rows: np.ndarray) -> float:
    return allowed(name, rows, oracle.normalize(rows)) + oracle.underflow(rows.dtype.name)


def explored_safe(name: str, rows: np.ndarray) -> float:
    return explored(name, rows) + (0 if name == "stable" else oracle.SAFE_UNDERFLOW)


def short(dtype: str) -> Iterable[np.ndarray]:
    return (np.ones((1, d), dtype) for d in range(1, 9))


VECTORS = ("typical", "one-row", "empty", "subnormal", "tiny", "huge", "mixed", "nan", "inf")
DERIVED: dict[str, tuple[Rows, Callable[[str, np.ndarray], float]]] = {
    **{f"l0.{name}": (named(name), against_oracle) for name in VECTORS},
    "l0.reference": (named("typical"), lambda _, rows: bound_formula(rows)),
    "l0.dimensions": (lengths, against_oracle),
    "l0.unit-length": (named("typical"), lambda n, rows: unit_length(n, NORMALIZERS[n], rows)["allowed"]),
    "l0.idempotent": (named("typical"), lambda n, rows: idempotence(n, NORMALIZERS[n], rows)["allowed"]),
    "l0.scale-invariant": (
        named("typical"),
        lambda n, rows: scale_invariance(n, NORMALIZERS[n], rows)["allowed"],
    ),
    "l0.property-safe": (short, explored_safe),
    "l0.property-full": (short, explored),
    "l0.parity-typical": (named("typical", "one-row", "single", "empty"), parity),
    "l0.parity-small": (named("small"), parity),
    "l0.parity-zero": (named("zero", "mixed-zero", "signed-zero"), parity),
    "l0.parity-extreme": (named("subnormal", "tiny", "huge", "mixed"), parity),
    "l0.parity-non-finite": (named("nan", "inf"), parity),
    "l0.parity-dimensions": (lengths, parity),
}
DERIVED |= {
    f"l0.input-kinds/{kind}": (lambda _, kind=kind: [floats(KINDS[kind]())], against_oracle)  # type: ignore[misc]
    for kind in KINDS
}
DERIVED |= {
    f"{check}/{layout}": (lambda dtype, layout=layout: [vectors.laid_out(layout, dtype)], of)  # type: ignore[misc]
    for check, of in (("l0.layout", against_oracle), ("l0.parity-layout", parity))
    for layout in LAYOUTS
}
DERIVED |= {
    f"{check}/{integer}": (lambda _, integer=integer: [vectors.integers(integer)], of)  # type: ignore[misc]
    for check, of in (("l0.integer", against_oracle), ("l0.parity-integer", parity))
    for integer in ("int8", "int32", "int64")
}


def limit_of(case: str, tolerances: Mapping[str, float] | None = None) -> float:
    limit = CHECKS[case.split("/", maxsplit=1)[0]].limit_of(case, tolerances or {})
    assert limit is not None
    assert limit.value is not None
    return limit.value


@pytest.mark.parametrize("check", DERIVED)
def test_a_rounding_bound_is_the_limit(check: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounded up, so at most a thousandth above the widest; one of several inputs may be narrower."""
    monkeypatch.setattr(
        normalization, "reference", lambda rows: rows
    )  # no torch here: what is allowed depends on rows
    make_rows, derive = DERIVED[check]
    widest: dict[float, float] = {}
    for dtype, name in itertools.product(("float16", "float32", "float64"), NORMALIZERS):
        limit = limit_of(f"{check}/{name}/{dtype}")
        found = max(derive(name, rows) for rows in make_rows(dtype))
        widest[limit] = max(found, widest.get(limit, 0.0))
    for limit, found in widest.items():
        assert found <= limit * (1 + 1e-9)
        assert check.split("/", maxsplit=1)[0] in SEVERAL or limit <= found * 1.001


@pytest.mark.parametrize("case", SOURCES)
def test_a_limit_of_rows_of_any_model_is_derived(case: str) -> None:
    assert SOURCES[case] <= limit_of(case) <= SOURCES[case] * 1.001


def test_every_numeric_limit_of_layer_l0_is_derived() -> None:
    counted = {"l0.zero", "l0.mixed-zero", "l0.many-rows", "l0.signed-zero", "l0.single"}
    rounding = {check.id for check in CHECKS.values() if check.layer == "L0"} - counted
    rounding = {id_ for id_ in rounding if dict(CHECKS[id_].bounds).get("else") == "max"}
    assert rounding == {name.split("/")[0] for name in DERIVED}


def read_constant(module: str, name: str) -> float:
    """A constant of a module that cannot be imported here: it needs torch, or the marker of the suite."""
    source = Path(oracle.__file__).parent.joinpath(module).read_text("utf-8")
    return float(re.findall(rf"^{name} = ([0-9.]+)$", source, re.MULTILINE)[0])


def test_the_limit_of_a_large_batch_is_that_of_its_rows() -> None:
    rows = np.ones((1, int(read_constant("suite/test_rt.py", "DIMENSION"))), np.float32)
    for name in NORMALIZERS:
        derived = allowed(name, rows, oracle.normalize(rows))
        assert derived <= limit_of(f"rt.large-batch/{name}") * (1 + 1e-9) <= derived * 1.001


def test_limits_that_are_said_twice_are_the_same() -> None:
    assert limit_of("rt.memory/manual") == read_constant("suite/test_rt.py", "ALLOWED")
    source = Path(oracle.__file__).parent.joinpath("controls.py").read_text("utf-8")
    said = {output: float(factor) for output, factor in re.findall(r'"(float\d+)": ([\d.]+)', source)}
    assert said == {"float32": 3.0, "float16": 2.0}
    for check in ("l2", "gold"):
        name = "l2" if check == "l2" else "before"
        for output, factor in said.items():
            case = f"{check}.control/{output}/bfloat16-weights"
            assert limit_of(case, {f"{name}.{output}": 1e-3}) == factor * 1e-3


def test_recorded_only_are_the_99_cases_that_measure_what_cannot_be_wrong() -> None:
    unbound = [check for check in CHECKS.values() if check.bounds == (("else", "none"),)]
    assert sum(len(check.cases(("manual", "stable"))) for check in unbound) == 99


def test_a_selection_with_a_limit_has_the_margins_that_its_severity_needs() -> None:
    cases = [case for check in CHECKS.values() for case in check.cases(("manual", "stable"))]
    chosen = select_cases(cases, ["l0.tiny/manual/float32"])
    assert {case.split("/")[0] for case in chosen} == {"l0.tiny", "l0.margin"}
    assert select_cases(cases, ["l0.zero/manual/float32"]) == ("l0.zero/manual/float32",)
