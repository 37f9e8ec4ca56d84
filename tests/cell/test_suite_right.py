"""No check that is red for a right normalizer, whichever way it is written."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable

import pytest
from planted.cell_right import RIGHT, in_place, refuse_like_sklearn
from planted.cell_world import World

from harness.cell.interface import load_checks

CHECKS = {check.id: check for check in load_checks() if check.by == "cell"}
LAYOUTS = ("fortran", "strided", "reversed", "read-only")

Suite = dict[str, Callable[..., None]]

BREAKING = [
    check
    for check, entry in CHECKS.items()
    if "normalizer" in entry.over and entry.layer in {"L0", "RT"} and entry.severity == "breaks"
]


make_world = functools.cache(lambda check: World.of(CHECKS[check]))
SKIPPED = {"in_place", "refuse_like_sklearn"}
OF_HALVES = sorted(RIGHT.keys() - {"additive-eps", "transposed"})  # their eps is zero in float16


@pytest.mark.parametrize(
    ("dtype", "name"),
    [*(("float32", name) for name in RIGHT), *(("float16", name) for name in OF_HALVES)],
)
def test_a_right_normalizer_passes_or_is_skipped_for_a_declared_reason(
    suite: Suite, name: str, dtype: str
) -> None:
    asked = [check for check in BREAKING if dtype == "float32" or "dtype" in CHECKS[check].over]
    for check in asked:
        layouts = LAYOUTS if "layout" in CHECKS[check].over else ("",)
        for layout in layouts:
            changes = {"normalize": RIGHT[name], "layout": layout, "dtype": dtype}
            world = World(make_world(check) | changes)
            with contextlib.suppress(pytest.skip.Exception) if name in SKIPPED else contextlib.nullcontext():
                world.run(suite[check])


@pytest.mark.parametrize("check", ["l0.empty", "l0.parity-typical"])
def test_a_refusal_of_no_rows_is_a_declared_reason_for_a_skip(suite: Suite, check: str) -> None:
    world = World(World.of(CHECKS[check]) | {"normalize": refuse_like_sklearn, "vectors": "empty"})
    with pytest.raises(pytest.skip.Exception) as skipped:
        world.run(suite[check])
    assert CHECKS[check].declares_skip(str(skipped.value.msg))


def test_working_in_place_is_a_declared_reason_for_a_skip(suite: Suite) -> None:
    for check in ("l0.input-unmodified", "l0.layout", "l0.parity-layout"):
        world = World(World.of(CHECKS[check]) | {"normalize": in_place, "layout": "read-only"})
        with pytest.raises(pytest.skip.Exception) as skipped:
            world.run(suite[check])
        assert CHECKS[check].declares_skip(str(skipped.value.msg))
